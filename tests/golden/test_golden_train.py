"""Loss and gradients of one training step: a writing pass, then a read-only one, gradients through both."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach

Case = dict[str, Any]


def _model(golden: Any, case: Case, tensors: dict[str, Tensor]) -> DeltaMemModel:
    backbone = golden.backbone(case["backbone"], attn_implementation=case["attn_implementation"])
    model = attach(backbone, DeltaMemConfig.from_dict(case["delta_config"]))
    model.load_adapter_parameters(golden.parameters(tensors))
    return model


def _write_pass(model: DeltaMemModel, case: Case, batch: dict[str, Tensor]) -> Tensor | None:
    if case["mode"] == "no_memory":
        return None
    return model.forward(
        batch["write_input_ids"],
        attention_mask=batch["write_attention_mask"],
        message_ids=batch["write_message_ids"],
        sentence_ids=batch["write_sentence_ids"],
    ).state


def _hidden_states(model: DeltaMemModel) -> tuple[dict[str, Tensor], list[Any]]:
    """What every adapted attention module receives in the next forward (and the hooks, to be removed)."""
    seen: dict[str, Tensor] = {}

    def watch(path: str) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen[path] = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]

        return hook

    modules = [(path, model.backbone.get_submodule(path)) for path in model.layers]
    return seen, [module.register_forward_pre_hook(watch(path), with_kwargs=True) for path, module in modules]


def _sparsity(model: DeltaMemModel, seen: dict[str, Tensor], valid: Tensor, target: float) -> Tensor:
    """Mean over layers of (mean β over the valid read tokens and all gate channels − target)²."""
    terms = []
    for path, layer in model.layers.items():
        beta = torch.sigmoid(F.linear(seen[path], layer.beta_proj, layer.beta_bias))
        terms.append((beta[valid].mean() - target) ** 2)
    return torch.stack(terms).mean()


def _step(golden: Any, case: Case) -> tuple[DeltaMemModel, dict[str, Tensor], dict[str, Tensor], Tensor]:
    tensors = golden.tensors(case)
    batch = {name.removeprefix("batch."): value for name, value in tensors.items() if name.startswith("batch.")}
    model = _model(golden, case, tensors)
    state = _write_pass(model, case, batch)
    seen, hooks = _hidden_states(model)
    out = model.forward(batch["input_ids"], attention_mask=batch["attention_mask"], state=state, write=False)
    for hook in hooks:
        hook.remove()
    cross_entropy = F.cross_entropy(
        out.logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=-100
    )
    valid = batch["attention_mask"] == 1
    sparsity = _sparsity(model, seen, valid, case["write_sparsity_target"])
    loss = cross_entropy + case["write_sparsity_weight"] * sparsity
    ours = {
        "out.ce": cross_entropy,
        "out.loss": loss,
        "logits": out.logits,
        "state": out.state,
        "out.write_sparsity": sparsity,
    }
    return model, tensors, ours, valid


def test_a_training_step_has_the_loss_state_and_gradients_of_the_reference(golden: Any, train_case: Case) -> None:
    model, tensors, ours, valid = _step(golden, train_case)
    tolerance = train_case["tolerance"]
    for name in ("out.ce", "out.loss", "out.write_sparsity"):
        if name in tensors:
            torch.testing.assert_close(ours[name].detach(), tensors[name].squeeze(), **tolerance)
    torch.testing.assert_close(ours["logits"][valid].detach(), tensors["out.logits"][valid], **tolerance)
    torch.testing.assert_close(ours["state"].detach(), golden.states(tensors, "out.state."), **tolerance)

    ours["out.loss"].backward()
    trained = {name: p for name, p in model.adapter_parameters().items() if p.requires_grad}
    assert set(trained) == set(train_case["trainable"])
    for name, parameter in trained.items():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        recorded = tensors.get(f"grad.{name}", torch.zeros_like(parameter))
        torch.testing.assert_close(gradient, recorded, **tolerance, msg=lambda text, n=name: f"{n}: {text}")


def test_a_training_step_leaves_no_gradient_in_the_backbone(golden: Any) -> None:
    case = golden.cases("train")[0]
    model, _, ours, _ = _step(golden, case)
    ours["out.loss"].backward()
    adapter = {id(p) for p in model.adapter_parameters().values()}
    touched = [n for n, p in model.backbone.named_parameters() if id(p) not in adapter and p.grad is not None]
    assert touched == []


def test_our_sparsity_with_a_mask_is_a_true_mean_and_not_the_recorded_quirk(golden: Any) -> None:
    quirks = [case for case in golden.cases("train") if "QUIRK" in case["name"]]
    assert quirks
    for case in quirks:
        _, tensors, ours, _ = _step(golden, case)
        torch.testing.assert_close(ours["out.ce"].detach(), tensors["out.ce"].squeeze(), **case["tolerance"])
        assert ours["out.write_sparsity"] < 0.25 < tensors["out.write_sparsity"]
