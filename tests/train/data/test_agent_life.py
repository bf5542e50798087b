"""The generated life: deterministic, fair, unambiguous, and its tasks keep what they promise."""

from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter
from itertools import pairwise

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.train.data import SPLITS, AgentLife, Episode, Mixture, Split, episode
from dmem_agents.train.data.cells import CELLS
from dmem_agents.train.data.pools import POOLS
from dmem_agents.train.data.tables import ATTRIBUTES
from dmem_agents.train.data.tables.names import MEN, WOMEN
from dmem_agents.train.data.tables.requests import REQUESTS
from dmem_agents.train.data.tables.wording import ACKNOWLEDGEMENTS

EPISODES = 600


def stream(life: AgentLife, seed: int = 3, count: int = EPISODES) -> list[Episode]:
    return [life.episode(seed, index) for index in range(count)]


def only(task: str, split: Split = "train", **settings: object) -> list[Episode]:
    return stream(AgentLife(split=split, tasks={task: 1.0}, **settings), count=300)  # type: ignore[arg-type]


def texts(made: Episode) -> list[str]:
    return [message.content for message in made.written]


@pytest.mark.parametrize("split", SPLITS)
def test_an_episode_depends_on_seed_and_index_alone(split: Split) -> None:
    life = AgentLife(split=split)
    forward = [life.episode(7, index) for index in range(40)]
    backward = [AgentLife(split=split).episode(7, index) for index in reversed(range(40))]
    assert forward == backward[::-1]
    assert forward != [life.episode(8, index) for index in range(40)]


@pytest.mark.parametrize("split", SPLITS)
def test_the_value_stands_in_the_answer_and_nowhere_it_could_be_guessed_from(split: Split) -> None:
    checked = 0
    for made in stream(AgentLife(split=split)):
        if made.task == "reconstruct" or not made.value:
            continue
        assert made.value in made.target.content
        assert made.value.lower() not in made.visible[-1].content.lower()
        carriers = [text for text in texts(made) if made.value.lower() in text.lower()]
        assert len(carriers) == 1, carriers
        checked += 1
    assert checked > EPISODES / 2


def test_written_messages_stay_short() -> None:
    lengths = sorted(len(text.split()) for made in stream(AgentLife()) for text in texts(made))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[-1] <= 45


@pytest.mark.parametrize("split", SPLITS)
def test_the_asked_fact_is_told_once_about_the_one_asked_for(split: Split) -> None:
    """With one attribute and several people, the person named in the question decides."""
    life = AgentLife(split=split, attributes=("city",), facts=(3, 3), tasks={"recall": 1.0}, third_person=0.9)
    for made in stream(life, count=200):
        carrier = next(text for text in texts(made) if made.value in text)
        about_user = made.cell["person"] == "user"
        tokens = re.findall(r"[A-Z][a-z]+", made.visible[-1].content)
        named = [token for token in tokens if token in {*MEN, *WOMEN}]
        if about_user:
            assert made.target.content.startswith("You")
        elif "my " not in made.visible[-1].content.lower():
            assert any(name in carrier for name in named), (carrier, made.visible)


def test_an_update_asks_for_the_latest_value() -> None:
    for made in only("update", split="validation"):
        told = texts(made)
        latest = next(i for i, text in enumerate(told) if made.value in text)
        assert made.value in made.target.content
        assert latest > 0, "the old value must be told before"
        assert made.value.lower() not in " ".join(told[:latest]).lower()


def test_what_was_never_said_is_answered_honestly() -> None:
    for made in only("unknown", split="test"):
        assert "haven't told me" in made.target.content
        assert made.value == ""


def test_a_past_is_also_asked_for_what_it_says_of_somebody_else_only() -> None:
    plain = AgentLife(tasks={"recall": 1.0}, facts=(1, 2), third_person=0.5, attributes=("city", "food", "job"))
    life = dataclasses.replace(plain, untold=1.0)
    of_another = 0
    for seed in range(200):
        *told, untold = life.conversation(random.Random(seed))
        assert told == [*plain.conversation(random.Random(seed))]
        assert untold.task == "unknown"
        assert not untold.value
        assert "haven't told me" in untold.target.content
        same = [made for made in told if made.cell["attribute"] == untold.cell["attribute"]]
        assert not any(made.cell["person"] == untold.cell["person"] == "user" for made in same)
        assert untold.visible[-1].content not in {made.visible[-1].content for made in told}
        of_another += bool(same)
    assert 60 < of_another < 180


def test_a_statement_of_something_new_is_acknowledged() -> None:
    for made in only("acknowledge", split="test"):
        (shown,) = made.visible
        assert made.target.content in ACKNOWLEDGEMENTS.of("train")
        assert shown.content not in texts(made)


def test_a_preference_is_asked_for_without_naming_its_attribute() -> None:
    for made in only("preference"):
        assert made.value in made.target.content
        assert ATTRIBUTES[str(made.cell["attribute"])].use


def test_reconstruction_repeats_what_the_user_said_word_for_word() -> None:
    for made in only("reconstruct", split="test"):
        said = [message.content for message in made.written if message.role == "user"]
        assert made.target.content in (" ".join(said), said[0], said[-1])
        assert made.value in made.target.content


def test_tool_results_arrive_as_json_with_and_without_the_call() -> None:
    known = ("room", "hotel", "seat", "gate")
    plain = only("recall", tools=1.0, attributes=known, third_person=0.0)
    assert any(message.role == "tool" for made in plain for message in made.written)
    assert not any(message.tool_calls for made in plain for message in made.written)
    for made in only("recall", tools=1.0, tool_calls=True, attributes=known, third_person=0.0):
        results = [message for message in made.written if message.role == "tool"]
        calls = {call.id for message in made.written for call in message.tool_calls}
        assert {message.tool_call_id for message in results} == calls


def test_cells_have_the_facts_and_distractors_asked_for() -> None:
    life = AgentLife(split="test", acknowledgements=0.0, joined=0.0, tools=0.0)
    rng = random.Random(5)
    for facts, distractors in ((1, 0), (3, 3), (6, 10), (12, 30)):
        made = life.recall_episode(rng, facts=facts, distractors=distractors)
        users = [message for message in made.written if message.role == "user"]
        assert len(users) == facts + distractors
        assert (made.cell["facts"], made.cell["distractors"]) == (facts, distractors)


def test_the_cell_of_two_people_asks_for_what_was_told_of_both() -> None:
    cell = next(c for c in CELLS if c.rivals)
    both = AgentLife(split="test", questions=2, rivals=1.0, facts=(2, 2), tasks={"recall": 1.0})
    pairs = []
    for seed in range(60):
        (asked,) = cell.episodes(AgentLife(split="test"), 1, seed=seed)
        rng = random.Random(f"{seed}/{cell.name}")
        assert asked == both.recall_episode(rng, facts=2, distractors=0)
        pairs.append(both.conversation(random.Random(seed)))
    for first, second in (pair for pair in pairs if len(pair) == 2):  # the second may be easy to guess: then none
        assert first.cell["attribute"] == second.cell["attribute"]
        assert first.value != second.value
    assert sum(len(pair) == 2 for pair in pairs) > 30


def test_distance_puts_every_distractor_behind_the_facts() -> None:
    life = AgentLife(split="test", acknowledgements=0.0, joined=0.0, tools=0.0)
    rng = random.Random(5)
    for _ in range(50):
        made = life.recall_episode(rng, facts=2, distractors=10, placement="after")
        users = [message.content for message in made.written if message.role == "user"]
        assert any(made.value.lower() in text.lower() for text in users[:2])


def test_no_distractor_is_told_twice() -> None:
    life = AgentLife(split="test", acknowledgements=0.0)
    made = life.recall_episode(random.Random(1), facts=1, distractors=30)
    assert max(Counter(m.content for m in made.written if m.role == "user").values()) == 1


def test_a_curriculum_is_a_replaced_field() -> None:
    harder = dataclasses.replace(AgentLife(), facts=(6, 6), distractors=(4, 4), tasks={"recall": 1.0})
    assert all(made.cell["facts"] == 6 and made.cell["distractors"] == 4 for made in stream(harder, count=50))


def test_given_dialogue_takes_part_of_the_distractors() -> None:
    lines = ("Have you been to the lake lately?", "That sounds like a lot of fun!")
    made = stream(AgentLife(dialogue=lines, distractors=(2, 2)), count=100)
    shown = Counter(text for one in made for text in texts(one))
    assert all(shown[line] > 10 for line in lines)


def test_answers_are_worded_as_usual_when_nothing_is_left_to_chance() -> None:
    life = {"attributes": ("city",), "third_person": 0.0, "facts": (1, 1)}
    openings = [
        {made.target.content.split(made.value)[0] for made in only("recall", usual_answer=u, **life)}
        for u in (0.0, 1.0)
    ]
    assert len(openings[0]) == 2
    assert len(openings[1]) == 1


def test_what_was_never_said_is_answered_like_what_was_up_to_the_value() -> None:
    life = {"attributes": ("city",), "third_person": 0.0, "facts": (1, 1)}
    stems = {made.target.content.split(made.value)[0].strip() for made in only("recall", usual_answer=1.0, **life)}
    untold = {made.target.content for made in only("unknown", usual_answer=1.0, **life)}
    assert untold == {f"{stem}... You haven't told me that." for stem in stems}


def test_facts_are_told_beside_requests() -> None:
    life = AgentLife(facts=(1, 1), distractors=(0, 0), tools=0.0, speakers=0.0, tasks={"recall": 1.0})
    told = [texts(made) for made in stream(dataclasses.replace(life, asides=1.0), count=100)]
    assert all(any(request in text for request in REQUESTS) for (text, *_) in told)
    assert not any(request in text for made in stream(life, count=100) for text in texts(made) for request in REQUESTS)


def test_whole_episodes_are_about_numbers_and_codes() -> None:
    life = AgentLife(facts=(3, 3), tasks={"recall": 1.0}, numbers=1.0, questions=3, untold=1.0)
    for index in range(60):
        pasts = life.conversation(random.Random(index))
        asked = {str(made.cell["attribute"]) for made in pasts}
        assert all(POOLS[ATTRIBUTES[key].pool].values == () for key in asked)
        assert all(re.search(r"\d|[A-Z]{5}", made.value) for made in pasts if made.task == "recall")
    words = {str(made.cell["attribute"]) for made in stream(dataclasses.replace(life, numbers=0.0), count=200)}
    assert len(words) > 40


def test_the_assistant_answers_half_of_the_turns_at_length() -> None:
    plain = {"acknowledgements": 0.0, "joined": 0.0, "tools": 0.0, "tasks": {"recall": 1.0}}
    life = AgentLife(facts=(2, 2), distractors=(2, 2), replies=("A.", "B."), **plain)  # type: ignore[arg-type]
    made = [one.written for one in stream(life, count=100)]
    answered = sum(message.content in ("A.", "B.") for written in made for message in written)
    assert 150 < answered < 250
    assert all(after.role == "user" for written in made for one, after in pairwise(written) if one.role != "user")


def test_a_mixture_draws_from_every_source() -> None:
    mixture = Mixture(sources=((1.0, AgentLife(tasks={"recall": 1})), (1.0, AgentLife(tasks={"unknown": 1}))))
    tasks = Counter(episode(mixture, 1, index).task for index in range(100))
    assert 30 < tasks["recall"] < 70
    with pytest.raises(ConfigError, match="weight above 0"):
        Mixture(sources=((0.0, AgentLife()),))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"split": "dev"}, "train, validation, test"),
        ({"facts": (0, 2)}, "fewest at least 1"),
        ({"distractors": (3, 2)}, "fewest, most"),
        ({"attributes": ("shoe",)}, "shoe_size"),
        ({"tasks": {"remember": 1.0}}, "recall"),
        ({"tasks": {"recall": 0.0}}, "positive sum"),
        ({"unseen_value": True}, "train split"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_do(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        AgentLife(**settings)  # type: ignore[arg-type]


def test_impossible_cells_are_refused() -> None:
    life = AgentLife(split="train")
    with pytest.raises(ConfigError, match="unseen_value=False"):
        life.recall_episode(random.Random(0), unseen_value=True, unseen_phrasing=False)
    with pytest.raises(ConfigError, match="placement"):
        life.recall_episode(random.Random(0), placement="before")
    narrow = AgentLife(attributes=("name",), third_person=0.0)
    with pytest.raises(ConfigError, match="more attributes or fewer facts"):
        narrow.recall_episode(random.Random(0), facts=3)
