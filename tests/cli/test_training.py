"""`dmem train`: the shipped recipe runs, and a wrong one says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from dmem_agents.model.adapter import load_adapter_tensors

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


def test_a_recipe_with_a_wrong_field_ends_with_one_message(dmem, tmp_path):
    (tmp_path / "wrong.toml").write_text("[optimisation]\nlearning_rat = 1\n[[stages]]\nsteps = 1\n")
    result = dmem("train", "--recipe", tmp_path / "wrong.toml", "--output", tmp_path)
    assert result.exit_code == 2
    assert "learning_rate" in result.stderr
    assert "Traceback" not in result.output
