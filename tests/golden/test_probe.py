"""A trained memory on a real model: the probe's episodes must give the probe's answers (its README says how).

`DMEM_PROBE` names the folder; the default is the copy in `tests/probe`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache

from dmem_agents.model.adapter import load_adapter
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.model.embedded import embedded_model_folder

Episode = dict[str, Any]
END, PADDING, NEW_TOKENS, BATCH = 2, 2, 16, 20


def _folder() -> Path:
    if named := os.environ.get("DMEM_PROBE"):
        return Path(named)
    return Path(__file__).resolve().parents[1] / "probe"


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    loaded: list[Episode] = json.loads((_folder() / "episodes.json").read_text(encoding="utf-8"))
    assert len(loaded) >= 40
    return loaded


@pytest.fixture(scope="module")
def model() -> DeltaMemModel:
    folder = _folder()
    backbone = AutoModelForCausalLM.from_pretrained(embedded_model_folder(progress=False), dtype=torch.float32)
    return load_adapter(backbone, folder)


def _left_padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[PADDING] * (width - len(row)) + row for row in rows])
    return ids, torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])


@pytest.fixture(scope="module")
@torch.no_grad()
def states(model: DeltaMemModel, episodes: list[Episode]) -> Tensor:
    """What each episode leaves when it is written from an empty state, `[L, episodes, H, r, r]`."""
    batches = []
    for start in range(0, len(episodes), BATCH):
        ids, mask = _left_padded([episode["write_ids"] for episode in episodes[start : start + BATCH]])
        batches.append(model.forward(ids, attention_mask=mask, logits_to_keep=1).state)
    return torch.cat(batches, dim=1)


@torch.no_grad()
def _answers(model: DeltaMemModel, batch: list[Episode], state: Tensor | None) -> list[list[int]]:
    """Greedy answers to the bare questions, read-only; each ends with its end token or after 16 tokens."""
    ids, mask = _left_padded([episode["question_ids"] for episode in batch])
    cache, chosen = DynamicCache(), []
    for _ in range(NEW_TOKENS):
        out = model.forward(ids, state=state, attention_mask=mask, cache=cache, write=False, logits_to_keep=1)
        ids = out.logits[:, -1:].argmax(dim=-1)
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        chosen.append(ids)
        if all((torch.cat(chosen, dim=1) == END).any(dim=1)):
            break
    rows = torch.cat(chosen, dim=1).tolist()
    return [row[: row.index(END) + 1] if END in row else row for row in rows]


def test_written_states_have_the_norms_of_the_probe(states: Tensor, episodes: list[Episode]) -> None:
    norms = states.flatten(2).norm(dim=-1)  # [L, episodes]
    recorded = torch.tensor([episode["state_norm_by_layer"] for episode in episodes]).T
    # The file has four decimals, which for the smallest norms is coarser than 1e-3 of their size.
    torch.testing.assert_close(norms, recorded, rtol=1e-3, atol=1e-4)


def test_answers_from_memory_alone_are_those_of_the_probe(
    model: DeltaMemModel, states: Tensor, episodes: list[Episode]
) -> None:
    differing = []
    for start in range(0, len(episodes), BATCH):
        rows = slice(start, start + BATCH)
        for episode, answer in zip(episodes[rows], _answers(model, episodes[rows], states[:, rows]), strict=True):
            if answer != episode["answer_ids"]:
                differing.append(episode["answer"])
    assert len(differing) <= 0.05 * len(episodes), differing


def test_without_the_memory_or_with_another_agents_the_answers_are_lost(
    model: DeltaMemModel, states: Tensor, episodes: list[Episode]
) -> None:
    rows = [row for row, episode in enumerate(episodes) if episode["recalled"]][:BATCH]
    recalled, own = [episodes[row] for row in rows], states[:, rows]
    for other in (None, own.roll(1, dims=1)):
        answers = _answers(model, recalled, other)
        same = sum(a == episode["answer_ids"] for a, episode in zip(answers, recalled, strict=True))
        assert same <= 0.2 * len(recalled)
