"""Recipes: what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.train.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_can_be_read(path):
    recipe = Recipe.load(path)
    assert recipe.steps > 0


def test_the_stage_of_a_step_follows_the_curriculum():
    recipe = Recipe.from_dict({"stages": [{"steps": 2}, {"steps": 3, "life": {"facts": [2, 2]}}]})
    assert [recipe.stage_at(i).steps for i in range(5)] == [2, 2, 3, 3, 3]
    assert recipe.steps == 5


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"stages": []}, "at least one"),
        ({"stages": [{"steps": 0}]}, "steps"),
        ({"stages": [{"steps": 1}], "optimization": {}}, "optimisation"),
        ({"stages": [{"steps": 1}], "optimisation": {"learning_rat": 1}}, "learning_rate"),
        ({"stages": [{"steps": 1}], "optimisation": {"seed": "one"}}, "`int` for seed in optimisation"),
        ({"stages": [{"step": 1}]}, r"stages\[0\]"),
        ({"stages": [{"steps": 1}], "memory": {"rank": 0}}, "rank"),
        ({"stages": [{"steps": 1}], "average_checkpoints": 0}, "average_checkpoints ≥ 1; got 0"),
        ({"stages": [{"steps": 1}], "evaluate_every_steps": 0}, "evaluate_every_steps ≥ 1; got 0"),
        ({"stages": [{"steps": 1}], "evaluate_episodes": 1}, "evaluate_episodes ≥ 2; got 1"),
        ({"stages": [{"steps": 1}], "save_every_steps": 0}, "save_every_steps ≥ 1; got 0"),
        (
            {
                "stages": [{"steps": 1}],
                "objectives": {"addressing": 1.0},
                "memory": {"memory_write_granularity": "message_mean"},
            },
            "addressing = 0 where memory_write_granularity is 'message_mean'",
        ),
        ({"stages": [{"steps": 1, "real_share": 0.1}]}, "data_folder"),
        ({"stages": [{"steps": 1, "reply_share": 0.1}]}, "data_folder"),
        ({"stages": [{"steps": 1}], "objectives": {"retention": 1.0}}, "data_folder"),
    ],
)
def test_a_wrong_recipe_says_where_and_what(tables, says):
    with pytest.raises(ConfigError, match=says):
        Recipe.from_dict(tables)


def test_a_missing_or_broken_file_says_which(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        Recipe.load(tmp_path / "bad.toml")
