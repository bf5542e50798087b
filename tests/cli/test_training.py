"""`dmem train`: the shipped recipe runs, and a wrong one says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from dmem_agents.model.adapter import load_adapter_tensors
from dmem_agents.testing.tiny_model import save_tiny_model

RECIPE = Path(__file__).parents[2] / "recipes" / "smollm2-135m.toml"


def test_the_shipped_recipe_runs_on_the_embedded_model_and_leaves_an_adapter_and_a_curve(dmem, tmp_path):
    result = dmem("train", "--recipe", RECIPE, "--output", tmp_path, "--smoke")
    assert result.exit_code == 0, result.output
    output = tmp_path / "smoke"
    assert f"The adapter is in {output / 'adapter'}" in result.output
    assert [folder.name for folder in tmp_path.iterdir()] == ["smoke"]  # nothing that a real run would go on from
    tensors = load_adapter_tensors(output / "adapter")
    assert tensors["model.layers.29.self_attn.memory_q_proj"].shape == (32, 576)
    assert (output / "curve.png").stat().st_size > 10_000


def test_every_try_is_one_from_the_start(dmem, tmp_path):
    recipe, backbone = tmp_path / "recipe.toml", save_tiny_model(tmp_path / "backbone")
    for rank in (4, 8):
        recipe.write_text(f'backbone = "{backbone}"\n[memory]\nrank = {rank}\n[[stages]]\nsteps = 3\n')
        result = dmem("train", "--recipe", recipe, "--output", tmp_path / "run", "--smoke")
        assert result.exit_code == 0, result.output
        (tensor, *_) = load_adapter_tensors(tmp_path / "run" / "smoke" / "adapter").values()
        assert rank in tensor.shape


def test_a_recipe_with_a_wrong_field_ends_with_one_message(dmem, tmp_path):
    (tmp_path / "wrong.toml").write_text("[optimisation]\nlearning_rat = 1\n[[stages]]\nsteps = 1\n")
    result = dmem("train", "--recipe", tmp_path / "wrong.toml", "--output", tmp_path)
    assert result.exit_code == 2
    assert "learning_rate" in result.stderr
    assert "Traceback" not in result.output
