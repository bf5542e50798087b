"""A tiny model with an untrained memory that reads and writes visibly, and a collator that draws nothing by chance."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.batching import Collator

STORY = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Daniel went back to the hallway.
5 Sandra moved to the garden.
6 Where is Daniel? \thallway\t4
1 Bill gave the football to Fred.
2 What did Bill give to Fred? \tfootball\t1
3 Who gave the football to Fred? \tBill\t1
4 Who received the football? \tFred\t1
5 Who did Bill give the football to? \tFred\t1
"""


@pytest.fixture
def make_model() -> Callable[..., DeltaMemModel]:
    def make(**fields: Any) -> DeltaMemModel:
        torch.manual_seed(0)
        config = {
            "rank": 4,
            "num_state_heads": 2,
            "delta_heads": ("q", "o"),
            "output_init": "random",
            "online_gain": 1.0,
        }
        return attach(tiny_model(), DeltaMemConfig(**(config | fields)))

    return make


@pytest.fixture
def chat() -> ChatTokenizer:
    return ChatTokenizer(tiny_tokenizer())


@pytest.fixture
def collator(chat: ChatTokenizer) -> Collator:
    return Collator(tokenizer=chat, preamble_share=1.0, online_share=0.0, join_share=0.0)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    persona = io.StringIO(newline="")
    writer = csv.writer(persona)
    writer.writerow(["user 1 personas", "user 2 personas", "Best Generated Conversation"])
    for number in range(60):
        talk = f"User 1: I live in Rome.\nUser 2: How is the weather over there {number}?\nUser 1: My name is X."
        writer.writerow([f"I love baking cookies {number}.\nmy dog is called Rex", "I am a nurse.", talk])
    for part in ("valid", "test"):
        write(
            tmp_path / "synthetic_persona_chat" / f"Synthetic-Persona-Chat_{part}.csv.gz",
            persona.getvalue(),
        )
    passages = [
        {
            "context": f"Some intro. The tower number {n} was built by Ada Stone. It is high.",
            "question": f"Who built tower {n}?",
            "answers": [{"text": "Ada Stone", "answer_start": 0}] if n % 2 else [],
        }
        for n in range(80)
    ]
    write(tmp_path / "squadv2" / "test.jsonl.gz", "\n".join(map(json.dumps, passages)))
    hops = [
        {
            "question": f"Who wrote the song of film {n}?",
            "answer": "Jo Lee" if n % 2 else "yes",
            "context": [["A", [f"Film {n} has a song."]], ["B", [" The song is by Jo Lee.", " More."]]],
            "supporting_facts": [["A", 0], ["B", 0]],
        }
        for n in range(80)
    ]
    write(tmp_path / "hotpotqa" / "train_100.json.gz", json.dumps(hops))
    for name in ("qa1_single-supporting-fact", "qa2_two-supporting-facts", "qa5_three-arg-relations"):
        for part in ("train", "test"):
            write(tmp_path / "babi" / f"{name}_{part}.txt.gz", STORY)
    return tmp_path
