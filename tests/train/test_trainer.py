"""A run that is killed goes on as if it had not been; a checkpoint is whole or not there."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import warnings

import pytest
import torch
from transformers import AutoModelForCausalLM, TrainerCallback

from dmem_agents.errors import ConfigError
from dmem_agents.model.adapter import load_adapter_tensors
from dmem_agents.testing.tiny_model import save_tiny_model, tiny_tokenizer
from dmem_agents.train import trainer as trainer_module
from dmem_agents.train.recipe import Recipe
from dmem_agents.train.trainer import COMPLETE, last_checkpoint, load_for_training, train_adapter

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


def test_going_on_by_another_recipe_says_what_changed(make_model, tmp_path):
    train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    longer = dataclasses.replace(RECIPE, stages=(dataclasses.replace(RECIPE.stages[0], steps=8),))
    with pytest.warns(UserWarning, match=r"goes on from checkpoint-6 by this one \(stages\.0\.steps: 6 → 8\)"):
        train_adapter(longer, make_model(), tiny_tokenizer(), tmp_path)


class Rates(TrainerCallback):
    """Notes the settings that each step is taken with."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []

    def on_pre_optimizer_step(self, args, state, control, optimizer, **kwargs):
        group = optimizer.param_groups[0]
        self.seen.append((group["lr"], group["betas"][1], group["weight_decay"]))


def test_going_on_by_another_recipe_takes_its_rate_and_intervals(make_model, tmp_path):
    other = dataclasses.replace(
        RECIPE,
        save_every_steps=1,
        optimisation=dataclasses.replace(
            RECIPE.optimisation, learning_rate=1e-3, adam_beta2=0.9, weight_decay=0.1, warmup_steps=3
        ),
    )
    whole, after = Rates(), Rates()
    train_adapter(other, make_model(), tiny_tokenizer(), tmp_path / "whole", callbacks=[whole])
    with pytest.raises(KeyboardInterrupt):
        train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path / "killed", callbacks=[StopAt(3)])
    with pytest.warns(UserWarning, match="learning_rate"):
        train_adapter(other, make_model(), tiny_tokenizer(), tmp_path / "killed", callbacks=[after])
    assert after.seen == whole.seen[2:]
    assert {p.name for p in (tmp_path / "killed").glob("checkpoint-*")} == {"checkpoint-5", "checkpoint-6"}


def test_weights_in_parts_are_refused(make_model, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "is_deepspeed_zero3_enabled", lambda: True)
    with pytest.raises(ConfigError, match="data parallelism"):
        train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)


@pytest.mark.parametrize(("bf16", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_the_recipe_says_the_backbones_number_format_whatever_its_checkpoint_has(tmp_path, bf16, dtype):
    folder = save_tiny_model(tmp_path / "backbone")
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    optimisation = dataclasses.replace(RECIPE.optimisation, bf16=bf16)
    model, _ = load_for_training(dataclasses.replace(RECIPE, backbone=str(folder), optimisation=optimisation))
    assert {p.dtype for n, p in model.backbone.named_parameters() if "memory" not in n} == {dtype}
    assert {b.dtype for b in model.backbone.buffers()} == {torch.float32}  # positions lose nothing


def test_a_numbered_device_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES=0"):
        load_for_training(RECIPE, device="cpu:0")


def test_a_half_written_checkpoint_does_not_count(make_model, tmp_path):
    train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    newest = last_checkpoint(tmp_path)
    (newest / COMPLETE).unlink()
    assert last_checkpoint(tmp_path).name == "checkpoint-4"
    assert newest.name == "checkpoint-6"


def test_the_adapter_is_the_mean_of_the_last_checkpoints_when_asked_for(make_model, tmp_path):
    recipe = dataclasses.replace(RECIPE, save_every_steps=1, average_checkpoints=3)
    mean = load_adapter_tensors(train_adapter(recipe, make_model(), tiny_tokenizer(), tmp_path))
    assert {p.name for p in tmp_path.glob("checkpoint-*")} == {"checkpoint-4", "checkpoint-5", "checkpoint-6"}
    kept = [load_adapter_tensors(tmp_path / f"checkpoint-{step}") for step in (4, 5, 6)]
    for name, tensor in mean.items():
        expected = sum(one[name].double() for one in kept) / 3
        torch.testing.assert_close(tensor.double(), expected, rtol=2**-8, atol=0)  # bfloat16's rounding
    assert any(not torch.equal(mean[name], kept[-1][name].bfloat16()) for name in mean)


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


def test_questions_are_continued_as_the_frozen_model_would_whatever_the_memory_holds(make_model):
    model = make_model().eval()
    prompts = [(5, 6, 7), (8, 9, 10, 11, 12), (3,)]
    expected = []
    for prompt in prompts:
        ids = list(prompt)
        while len(ids) < len(prompt) + trainer_module._ANSWER_TOKENS:
            ids.append(int(model(torch.tensor([ids]), write=False).logits[0, -1].argmax()))
        expected.append(tuple(ids[len(prompt) :]))
    assert trainer_module._continued(model, 0, [], prompts) == expected
    end = expected[0][1]
    cut = [row[: row.index(end) + 1] if end in row else row for row in expected]
    assert trainer_module._continued(model, 0, [end], prompts) == cut


def test_the_loss_terms_are_logged_by_name(make_model, tmp_path):
    train_adapter(RECIPE, make_model(), tiny_tokenizer(), tmp_path)
    history = json.loads((last_checkpoint(tmp_path) / "trainer_state.json").read_text())["log_history"]
    assert history[0]["answer"] > 0


@pytest.mark.timeout(300)
def test_two_processes_train_one_adapter_and_leave_whole_checkpoints(tmp_path):
    backbone = save_tiny_model(tmp_path / "backbone")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f"""backbone = "{backbone}"
save_every_steps = 1
evaluate_every_steps = 100
[memory]
rank = 4
[optimisation]
conversations_per_step = 2
[[stages]]
steps = 2
life = {{ facts = [1, 1], distractors = [0, 0], tools = 0.0 }}
"""
    )
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
        *("-m", "dmem_agents.cli", "train", "--recipe", str(recipe), "--output", str(tmp_path / "run")),
        *("--device", "cpu"),
    ]
    environment = os.environ | {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    newest = last_checkpoint(tmp_path / "run")
    assert newest.name == "checkpoint-2"
    assert {file.name for file in newest.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    final, kept = load_adapter_tensors(tmp_path / "run" / "adapter"), load_adapter_tensors(newest)
    assert all(torch.equal(final[name], kept[name].bfloat16()) for name in final)
