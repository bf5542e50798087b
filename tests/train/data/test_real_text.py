"""Real text from files laid out as published; small files of the same form stand in for them."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.train.data import real_text as module
from dmem_agents.train.data.real_text import (
    PersonaChat,
    babi,
    hotpot,
    persona_dialogue,
    real_text,
    replies,
    second_person,
    squad,
)
from dmem_agents.train.data.splits import split_of


def test_babi_tells_the_story_from_its_first_supporting_line_on(folder: Path) -> None:
    stories = babi(folder, "test", tasks=("qa1",)).stories
    assert stories[0].told == ("Mary moved to the bathroom.", "John went to the hallway.")
    assert stories[1].told == ("Daniel went back to the hallway.", "Sandra moved to the garden.")
    assert [story.answer for story in stories] == [
        "Mary is in the bathroom.",
        "Daniel is in the hallway.",
        "Bill gave the football to Fred.",
        "Bill gave the football to Fred.",
        "Fred received the football.",
        "Bill gave the football to Fred.",
    ]
    assert all(story.value in story.answer for story in stories)


def test_squad_tells_the_sentence_that_holds_the_answer(folder: Path) -> None:
    stories = squad(folder).stories
    assert stories
    for story in stories:
        (sentence,) = story.told
        assert sentence.startswith("The tower")
        assert split_of(sentence) == "train"
        assert story.value == "Ada Stone"
        assert story.answer == "It is Ada Stone."


def test_hotpot_tells_the_supporting_sentences_and_leaves_out_yes_and_no(folder: Path) -> None:
    stories = hotpot(folder).stories
    assert stories
    for story in stories:
        assert len(story.told) == 2
        assert story.told[1] == "The song is by Jo Lee."
        assert story.value == "Jo Lee"


def test_a_persona_is_asked_for_by_a_word_of_it_and_told_back(folder: Path) -> None:
    source = PersonaChat(folder)
    rng = random.Random(1)
    for _ in range(50):
        made = source.sample(rng)
        told = [message.content for message in made.written]
        assert made.target.content in {second_person(text) for text in told}
        word = made.visible[0].content.removeprefix("What did I say about ").rstrip("?")
        if word != made.visible[0].content.rstrip("?"):
            assert sum(word in text.lower() for text in told) == 1


def test_dialogue_lines_tell_nothing_about_their_speaker(folder: Path) -> None:
    lines = persona_dialogue(folder)
    assert lines
    assert all(line.startswith("How is the weather") for line in lines)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_splits_of_real_text_share_no_passage(folder: Path, split: str) -> None:
    if split == "train":
        return_to = {story.told for story in squad(folder, "validation").stories}
        assert return_to.isdisjoint({story.told for story in squad(folder, "train").stories})
    assert real_text(folder, split).sample(random.Random(0)).written  # type: ignore[arg-type]


def test_replies_are_starts_of_passages_of_about_so_many_words(folder: Path) -> None:
    shown = replies(folder, words=5)
    assert shown
    assert all(re.fullmatch(r"Some intro\. The tower number \d+ was built by Ada Stone\.", text) for text in shown)
    assert set(shown).isdisjoint(replies(folder, "validation", words=5))


def test_the_first_person_turns_into_the_second() -> None:
    assert second_person("I love my dog, and I'm happy.") == "You love your dog, and you're happy."
    assert second_person("I was a nurse.") == "You were a nurse."


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"qa1_single-supporting-fact_train.*leave this source out"):
        babi(tmp_path)


def test_a_file_that_is_not_gzip_is_refused(folder: Path) -> None:
    (folder / "squadv2" / "test.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(ConfigError, match=r"gzip-compressed UTF-8 text in .*test\.jsonl\.gz"):
        squad(folder)


def test_a_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "hotpotqa" / "train_100.json.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="can't be read"):
        hotpot(folder)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("squadv2/test.jsonl.gz", '{"context": "x"', "one JSON object a line"),
        ("squadv2/test.jsonl.gz", '{"context": "x", "question": "q"}', "record 1 lacks answers"),
        ("hotpotqa/train_100.json.gz", '{"a": 1}', "a JSON list"),
        ("babi/qa1_single-supporting-fact_train.txt.gz", "hello world", "numbered bAbI lines"),
        ("babi/qa1_single-supporting-fact_train.txt.gz", "1 Where?\tx", "2 fields"),
        ("synthetic_persona_chat/Synthetic-Persona-Chat_valid.csv.gz", "a,b\n1,2\n", "record 1 lacks user 1"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name(folder: Path, name: str, text: str, error: str) -> None:
    (folder / name).write_bytes(gzip.compress(text.encode()))
    readers = {"squadv2": squad, "hotpotqa": hotpot, "babi": babi, "synthetic_persona_chat": persona_dialogue}
    with pytest.raises(ConfigError, match=error) as caught:
        readers[name.split("/")[0]](folder)
    assert Path(name).name in str(caught.value)


def test_unknown_babi_tasks_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="qa1, qa2, qa5"):
        module.babi(folder, tasks=("qa3",))
