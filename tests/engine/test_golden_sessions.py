"""What the research implementation's chat sessions and our turns have in common.

The research session keeps the whole conversation in one KV cache and attends to it; it writes system
prompts, and by segments it makes every generated token a segment of its own, read by the next one. Our turn
begins anew from a state, shows only itself, never writes its system prompt, and writes segments in one pass
over the finished turn. So the first turn is compared: in full for token writes (with the system prompt
written, as the engine can), and for segments up to the first generated token, which nothing has been
written before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from dmem_agents.engine import Engine, GenerationRequest, Prompt, SamplingParams
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach

END_OF_TURN = 3


class GoldenSession:
    """One recorded session: its model, and its turns call by call."""

    def __init__(self, golden: Path, name: str) -> None:
        manifest = json.loads((golden / "manifest.json").read_text())
        case = next(case for case in manifest["cases"] if case["name"] == name)
        self.tolerance: dict[str, float] = case["tolerance"]
        self.tensors = load_file(golden / case["file"])
        self.turns: list[dict[str, Any]] = json.loads((golden / case["transcript"]).read_text())["turns"]
        recorded = manifest["backbones"][case["backbone"]]
        config = AutoConfig.for_model(**recorded["config"])
        backbone = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
        backbone.load_state_dict(load_file(golden / recorded["file"]))
        self.model: DeltaMemModel = attach(backbone.eval(), DeltaMemConfig.from_dict(case["delta_config"]))
        prefix = "delta."
        self.model.load_adapter_parameters(
            {name[len(prefix) :]: t for name, t in self.tensors.items() if name.startswith(prefix)}
        )

    def state_after(self, turn: int) -> torch.Tensor:
        """`[L, H, r, r]`."""
        states = [self.tensors[f"turn{turn}.state.{layer}"] for layer in self.model.layout.layers]
        return torch.stack(states).reshape(self.model.layout.shape)


def written(ids: list[int]) -> Prompt:
    none = (-1,) * len(ids)
    return Prompt(input_ids=tuple(ids), write_mask=(True,) * len(ids), message_ids=none, sentence_ids=none)


def test_the_first_turn_of_a_token_session_has_the_same_answer_and_leaves_the_same_state(
    golden: Path,
) -> None:
    session = GoldenSession(golden, "session_tsw")
    turn = session.turns[0]
    prompt, *fed = [call["input_ids"] for call in turn["forward_calls"]]
    closing = fed.pop()
    with Engine(session.model) as engine:
        result = engine.submit(
            GenerationRequest(
                prompt=written(prompt),
                state=session.model.empty_state(),
                sampling=SamplingParams(max_new_tokens=turn["max_new_tokens"]),
                stop_ids=frozenset({END_OF_TURN}),
                closed_turn=lambda answer: written([*prompt, *answer, *closing]),
            )
        ).result(60)
    assert list(result.token_ids) == [ids[0] for ids in fed]
    assert result.state is not None
    torch.testing.assert_close(result.state.values, session.state_after(0), **session.tolerance)


@pytest.mark.parametrize("name", ["session_ssw", "session_sentence"])
def test_the_first_turn_of_a_segment_session_begins_with_the_same_token(golden: Path, name: str) -> None:
    session = GoldenSession(golden, name)
    prompt, first, *_ = [call["input_ids"] for call in session.turns[0]["forward_calls"]]
    with Engine(session.model) as engine:
        result = engine.submit(
            GenerationRequest(
                prompt=written(prompt),
                state=session.model.empty_state(),
                write=False,
                sampling=SamplingParams(max_new_tokens=1),
            )
        ).result(60)
    assert list(result.token_ids) == first
