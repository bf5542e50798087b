"""The curriculum's items: the same on every run, from the life of agents or from a file."""

from __future__ import annotations

import json

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.train.data.records import ChatRecords
from dmem_agents.train.dataset import CurriculumDataset
from dmem_agents.train.recipe import Recipe

CHAT = [
    ("system", "Be brief."),
    ("user", "I live in Oslo."),
    ("assistant", "Ok."),
    ("user", "Where?"),
    ("assistant", "Oslo."),
]


def line(*pairs: tuple[str, str]) -> str:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in pairs]})


def test_items_depend_on_seed_and_index_alone():
    recipe = Recipe.from_dict({"stages": [{"steps": 3}, {"steps": 2, "life": {"facts": [2, 2]}}]})
    first, second = (CurriculumDataset(recipe, conversations_per_step=2) for _ in range(2))
    assert len(first) == 10
    assert first[7] == second[7]
    assert first[7].episodes != first[6].episodes


def test_a_stage_has_its_own_settings():
    stages = [
        {"steps": 1, "life": {"facts": [1, 1], "tasks": {"recall": 1.0}}},
        {"steps": 1, "life": {"facts": [4, 4], "tasks": {"recall": 1.0}}},
    ]
    dataset = CurriculumDataset(Recipe.from_dict({"stages": stages}), conversations_per_step=2)
    assert [dataset[i].episodes[0].cell["facts"] for i in range(2)] == [1, 1]
    assert dataset[2].episodes[0].cell["facts"] == 4


def test_a_repetition_asks_for_what_the_user_said():
    recipe = Recipe.from_dict({"stages": [{"steps": 4}], "optimisation": {"reconstruct_share": 1.0}})
    item = next(i for i in CurriculumDataset(recipe, conversations_per_step=2) if len(i.episodes) == 2)
    asked, repeated = item.episodes
    assert repeated.written == asked.written
    assert repeated.target.content == " ".join(m.content for m in asked.written if m.role == "user")


@pytest.mark.parametrize(
    ("stage", "says"),
    [({"life": {"fact": [1, 1]}}, "fact"), ({"real_share": 0.1}, "nowhere"), ({"reply_share": 0.1}, "nowhere")],
)
def test_a_later_stage_that_cant_be_used_is_an_error_before_the_first_step(stage, says):
    recipe = Recipe.from_dict({"stages": [{"steps": 1}, {"steps": 1, **stage}], "data_folder": "/nowhere"})
    with pytest.raises(ConfigError, match=says):
        CurriculumDataset(recipe, conversations_per_step=1)


def test_a_file_of_chats_asks_for_the_last_answer_and_writes_what_came_before(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_text(line(*CHAT) + "\n\n")
    (episode,) = ChatRecords.load(path).episodes
    assert [m.content for m in episode.written] == ["I live in Oslo.", "Ok."]
    assert [m.content for m in episode.visible] == ["Be brief.", "Where?"]
    assert episode.target.content == "Oslo."
    recipe = Recipe.from_dict({"stages": [{"steps": 1}], "episodes_file": str(path)})
    assert CurriculumDataset(recipe, conversations_per_step=1)[0].episodes[0] == episode


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "found no line"),
        ("{", "line 1"),
        (line(*CHAT) + '\n{"messages": 3}', "line 2"),
        (line(*CHAT[:-1]), "line 1"),
        (line(("user", "Hi"), ("robot", "Ho")), "role"),
    ],
)
def test_a_file_without_targets_says_where(tmp_path, text, says):
    path = tmp_path / "chats.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        ChatRecords.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.jsonl"):
        ChatRecords.load(tmp_path / "none.jsonl")


def test_conversations_of_one_step_are_told_equally_much():
    stages = [{"steps": 6, "life": {"facts": [1, 5], "distractors": [0, 4], "tasks": {"recall": 1.0}}}]
    dataset = CurriculumDataset(Recipe.from_dict({"stages": stages}), conversations_per_step=3)
    told = [tuple(dataset[i].episodes[0].cell[k] for k in ("facts", "distractors")) for i in range(len(dataset))]
    steps = [set(told[i : i + 3]) for i in range(0, len(told), 3)]
    assert all(len(step) == 1 for step in steps)
    assert len(set().union(*steps)) > 2


def test_a_share_of_the_steps_tells_a_single_fact():
    life = {"facts": [3, 4], "distractors": [4, 5], "tasks": {"recall": 1.0}}
    recipe = Recipe.from_dict({"stages": [{"steps": 40, "single_share": 0.5, "life": life}]})
    cells = [item.episodes[0].cell for item in CurriculumDataset(recipe, conversations_per_step=1)]
    singles = [cell["distractors"] for cell in cells if cell["facts"] == 1]
    assert 10 < len(singles) < 30
    assert set(singles) == {0, 1, 2}


def test_in_a_share_of_the_steps_the_assistant_answers_at_length(folder):
    stages = [{"steps": 60, "reply_share": 0.5, "life": {"facts": [3, 3], "acknowledgements": 0.0}}]
    recipe = Recipe.from_dict({"stages": stages, "data_folder": str(folder)})
    told = [item.episodes[0].written for item in CurriculumDataset(recipe, conversations_per_step=1)]
    at_length = sum(any("Ada Stone" in message.content for message in written) for written in told)
    assert 15 < at_length < 45


def test_a_share_of_the_answers_is_the_value_alone():
    life = {"facts": [3, 3], "questions": 3, "untold": 0.5}
    stages = [{"steps": 60, "bare_share": 0.5, "life": life}]
    recipe = Recipe.from_dict({"stages": stages, "optimisation": {"reconstruct_share": 0.0}})
    asked = [e for item in CurriculumDataset(recipe, conversations_per_step=1) for e in item.episodes]
    bare = [e for e in asked if e.value and e.target.content == e.value]
    sentences = [e for e in asked if e not in bare]
    assert 0.4 < len(bare) / sum(e.task in ("recall", "update") for e in asked) < 0.6
    assert {e.task for e in bare} == {"recall", "update"}
    assert {e.task for e in sentences} == {"recall", "update", "unknown", "reconstruct", "preference", "acknowledge"}
    assert all(e.target.content != e.value for e in sentences)


@pytest.mark.parametrize("name", ["single_share", "real_share", "reply_share", "bare_share"])
def test_a_share_is_no_percentage(name):
    with pytest.raises(ConfigError, match=f"{name} between 0 and 1; got 30"):
        Recipe.from_dict({"stages": [{"steps": 1, name: 30}]})


def test_several_questions_are_asked_about_one_past():
    life = {"facts": [3, 3], "questions": 3, "tasks": {"recall": 1.0}}
    recipe = Recipe.from_dict({"stages": [{"steps": 8, "life": life}], "optimisation": {"reconstruct_share": 0.0}})
    items = [item.episodes for item in CurriculumDataset(recipe, conversations_per_step=1)]
    assert max(len(episodes) for episodes in items) == 3
    for episodes in items:
        assert len({e.written for e in episodes}) == 1
        assert len({e.visible for e in episodes}) == len(episodes)
        for e in episodes:
            assert e.value in e.target.content
            assert any(e.value in m.content for m in e.written)


def test_a_share_of_the_conversations_comes_from_real_text(folder):
    stages = [{"steps": 40, "real_share": 0.5}]
    recipe = Recipe.from_dict({"stages": stages, "data_folder": str(folder)})
    tasks = [item.episodes[0].task for item in CurriculumDataset(recipe, conversations_per_step=1)]
    real = [task for task in tasks if task in {"persona", "squad", "hotpot", "babi"}]
    assert 10 < len(real) < 30


def test_a_long_past_is_not_asked_for_word_by_word():
    stage = {"steps": 4, "life": {"facts": [5, 5], "distractors": [2, 2], "tasks": {"recall": 1.0}}}
    recipe = Recipe.from_dict({"stages": [stage], "optimisation": {"reconstruct_share": 1.0}})
    dataset = CurriculumDataset(recipe, conversations_per_step=2)
    assert {e.task for i in range(len(dataset)) for e in dataset[i].episodes} == {"recall"}
