"""A run that is killed goes on as if it had not been; a checkpoint is whole or not there."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import TrainerCallback

from dmem_agents.errors import ConfigError
from dmem_agents.model.adapter import load_adapter_tensors
from dmem_agents.testing.tiny_model import tiny_tokenizer
from dmem_agents.train import trainer as trainer_module
from dmem_agents.train.recipe import Recipe
from dmem_agents.train.trainer import COMPLETE, last_checkpoint, train_adapter

RECIPE = Recipe.from_dict(
    {
        "save_every_steps": 2,
        "optimisation": {"conversations_per_step": 2, "learning_rate": 1e-2},
        "stages": [{"steps": 6, "life": {"facts": [1, 1], "distractors": [0, 0], "tools": 0.0}}],
    }
)


class StopAt(TrainerCallback):
    """Ends the run after so many steps, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step >= self.step:
            raise KeyboardInterrupt


def test_a_killed_run_resumes_to_the_same_weights(make_model, tmp_path):
    whole = train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path / "killed", callbacks=[StopAt(5)])
    assert last_checkpoint(tmp_path / "killed").name == "checkpoint-4"
    resumed = train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path / "killed")
    a, b = load_adapter_tensors(whole), load_adapter_tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
    first = dict(make_model().adapter_parameters())
    assert any(not torch.equal(a[name].float(), first[name].bfloat16().float()) for name in a)


def test_a_half_written_checkpoint_does_not_count(make_model, tmp_path):
    train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    newest = last_checkpoint(tmp_path)
    (newest / COMPLETE).unlink()
    assert last_checkpoint(tmp_path).name == "checkpoint-4"
    assert newest.name == "checkpoint-6"


def test_a_full_disk_names_the_folder_and_keeps_the_last_checkpoint(make_model, tmp_path, monkeypatch):
    real, calls = trainer_module.save_adapter, []

    def full_at_the_second(model, folder, **kwargs):
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(model, folder, **kwargs)

    monkeypatch.setattr(trainer_module, "save_adapter", full_at_the_second)
    with pytest.raises(ConfigError, match=r"checkpoint-4.*No space left.*goes on from checkpoint-2"):
        train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    assert last_checkpoint(tmp_path).name == "checkpoint-2"
    assert not (tmp_path / "checkpoint-4").exists()


def test_the_loss_terms_are_logged_by_name(make_model, tmp_path):
    train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    history = json.loads((last_checkpoint(tmp_path) / "trainer_state.json").read_text())["log_history"]
    assert history[0]["answer"] > 0
