"""What can be seen of a forward pass from outside: layer inputs, corrections, outputs and states."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import attach

Case = dict[str, Any]
PROJECTIONS = ("q", "k", "v", "o")


class _Watch:
    """Inputs and outputs of an attention module and of its four projections during one forward."""

    def __init__(self, attention: nn.Module) -> None:
        self.seen: dict[str, tuple[Tensor, Tensor]] = {}
        self.hooks = [attention.register_forward_hook(self._record("attention"), with_kwargs=True)]
        for head in PROJECTIONS:
            projection = attention.get_submodule(f"{head}_proj")
            self.hooks.append(projection.register_forward_hook(self._record(head), with_kwargs=True))

    def _record(self, name: str) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given = args[0] if args else kwargs["hidden_states"]
            self.seen[name] = (given, output[0] if isinstance(output, tuple) else output)

        return hook


def test_layer_inputs_corrections_outputs_and_states_are_those_of_the_reference(golden: Any, trace_case: Case) -> None:
    tensors, tolerance = golden.tensors(trace_case), trace_case["tolerance"]
    plain = golden.backbone(trace_case["backbone"])
    model = attach(golden.backbone(trace_case["backbone"]), DeltaMemConfig.from_dict(trace_case["delta_config"]))
    model.load_adapter_parameters(golden.parameters(tensors))
    watches = {path: _Watch(model.backbone.get_submodule(path)) for path in trace_case["modules"]}
    with torch.no_grad():
        out = model.forward(tensors["input_ids"], attention_mask=tensors["attention_mask"])
    valid = tensors["attention_mask"] == 1
    torch.testing.assert_close(out.logits[valid], tensors["logits"][valid], **tolerance)
    for index, (path, watch) in enumerate(watches.items()):
        trace = {n.rsplit(".", 1)[1]: v for n, v in tensors.items() if n.startswith(f"trace.{path}.")}
        given, returned = watch.seen["attention"]
        torch.testing.assert_close(given[valid], trace["hidden_in"][valid], **tolerance)
        torch.testing.assert_close(returned[valid], trace["attn_out"][valid], **tolerance)
        torch.testing.assert_close(out.state[index], trace["state"].view(out.state[index].shape), **tolerance)
        for head in PROJECTIONS:
            given, returned = watch.seen[head]
            with torch.no_grad():
                correction = returned - plain.get_submodule(f"{path}.{head}_proj")(given)
            torch.testing.assert_close(correction[valid], trace[f"delta_{head}"][valid], **tolerance)
            assert not correction[~valid].any(), f"a padding token was corrected in {head}"
