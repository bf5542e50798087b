"""Episodes as tensors: the same spans and states as serving."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.memories import absorb_all
from dmem_agents.messages import Message
from dmem_agents.train.batching import IGNORE, Collator
from dmem_agents.train.data import Episode
from dmem_agents.train.objectives import answer_logits, row_nll, write_states
from dmem_agents.train.ordinary_text import OrdinaryRow


def user(text: str) -> Message:
    return Message(role="user", content=text)


def episode(*told: Message, ask: str = "Where?", answer: str = "In Oslo.", value: str = "Oslo") -> Episode:
    target = Message(role="assistant", content=answer)
    return Episode(written=told, visible=(user(ask),), target=target, value=value, task="recall")


PASTS = (
    (user("I live in Oslo."),),
    (user("Tom has a cat."), Message(role="assistant", content="Noted."), user("It rains."), user("Kate is 30.")),
)


@pytest.mark.parametrize(
    ("granularity", "by_turn"), [("token", False), ("token", True), ("message_mean", True), ("sentence_mean", True)]
)
def test_states_of_a_training_batch_are_those_of_serving_turn_by_turn(make_model, collator, granularity, by_turn):
    model = make_model(memory_write_granularity=granularity).eval()
    batch = dataclasses.replace(collator, by_turn=by_turn)([episode(*p) for p in PASTS], random.Random(0))
    assert [one.rows.tolist() for one in batch.writes] == ([[0, 1], [1], [1]] if by_turn else [[0, 1]])
    with torch.no_grad():
        states = write_states(model, batch)
    with Engine(model) as engine:
        served = absorb_all(engine, collator.tokenizer, PASTS)
    for row, state in enumerate(served):
        assert state.values.abs().max() > 1e-3
        torch.testing.assert_close(states[:, row], state.values, atol=1e-5, rtol=1e-4)


def test_a_turn_does_not_see_the_text_of_an_earlier_turn(make_model, collator):
    model = make_model(delta_heads=()).eval()  # nothing is steered: only attention could carry text over
    both, alone = episode(user("One."), user("Two.")), episode(user("Two."))
    with torch.no_grad():
        rule = [write_states(model, collator([e], random.Random(0)))[:, 0] for e in (both, alone)]
        first = write_states(model, collator([episode(user("One."))], random.Random(0)))
    continued = collator([alone], random.Random(0)).writes[0]
    with torch.no_grad():
        after = model(continued.ids, state=first, write_mask=continued.write_mask).state[:, 0]
    torch.testing.assert_close(rule[0], after, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(rule[0], rule[1], atol=1e-3)


def test_labels_are_the_answer_and_its_end_and_nothing_else(collator):
    batch = collator([episode(user("A."), answer="In Oslo."), episode(user("B."), answer="No.")], random.Random(0))
    for labels, text in zip(batch.labels, ("In Oslo.", "No."), strict=True):
        kept = labels[labels != IGNORE].tolist()
        assert collator.tokenizer.decode(kept) == text
        assert kept[-1] in collator.tokenizer.eos_ids
        assert batch.read_ids[:, -batch.labels.shape[1] :].shape == batch.labels.shape
    assert torch.equal(
        batch.read_ids[:, -batch.labels.shape[1] :][batch.labels != IGNORE], batch.labels[batch.labels != IGNORE]
    )


def test_value_weight_falls_on_the_value_and_on_the_first_word_alone(chat):
    collator = Collator(tokenizer=chat, value_weight=5.0, preamble_share=1.0)
    batch = collator([episode(user("A."), answer="He is in Oslo now.", value="Oslo")], random.Random(0))
    heavy = chat.decode(batch.labels[0][batch.label_weights[0] == 5.0].tolist())
    assert heavy == "HeOslo"
    assert set(batch.label_weights[0].tolist()) == {1.0, 5.0}


def test_value_weight_falls_on_what_says_that_it_was_never_said(chat):
    collator = Collator(tokenizer=chat, value_weight=5.0)
    for answer, heavy in (
        ("You haven't told me that.", "Youhaven't told me"),
        ("It is... You haven't told me that.", "It... You haven't told me"),
    ):
        batch = collator([episode(user("A."), answer=answer, value="")], random.Random(0))
        said = chat.decode(batch.labels[0][batch.label_weights[0] == 5.0].tolist())
        assert said.replace(" ", "") == heavy.replace(" ", "")


def test_ordinary_rows_end_together_and_are_compared_at_their_end(chat):
    class Text:
        rows = iter((OrdinaryRow(ids=tuple(range(70))), OrdinaryRow(ids=tuple(range(9)), first=7)))

        def sample(self, rng: random.Random) -> OrdinaryRow:
            return next(self.rows)

    batch = Collator(tokenizer=chat, ordinary=Text(), ordinary_rows=2)([episode(*PASTS[0])], random.Random(0))
    assert batch.ordinary_ids[:, -1].tolist() == [69, 8]
    assert batch.ordinary_mask.sum(dim=1).tolist() == [70, 9]
    assert batch.ordinary_compared.sum(dim=1).tolist() == [48, 2]
    assert batch.ordinary_compared[1].nonzero().flatten().tolist() == [46, 47]


def test_questions_of_one_past_share_one_written_row(collator):
    told = (user("I live in Oslo."),)
    batch = collator([episode(*told), episode(*told, ask="Who?"), episode(user("Other."))], random.Random(0))
    assert batch.writes[0].ids.shape[0] == 2
    assert batch.conversation.tolist() == [0, 0, 1]


def test_a_padded_row_has_the_loss_it_has_alone(make_model, collator):
    model = make_model().eval()
    short, long = episode(*PASTS[0]), episode(*PASTS[1], ask="How old is Kate, please?", answer="She is thirty.")

    def nll(*episodes: Episode) -> torch.Tensor:
        batch = collator(episodes, random.Random(0))
        with torch.no_grad():
            states = write_states(model, batch)
            return row_nll(answer_logits(model, batch, states), batch)

    torch.testing.assert_close(nll(short, long), torch.cat([nll(short), nll(long)]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("online", [0.0, 1.0])
def test_what_all_questions_open_with_is_read_once_and_changes_nothing(make_model, collator, online):
    model = make_model().eval()
    under = dataclasses.replace(collator, system_share=1.0, online_share=online)
    asked = [episode(*PASTS[0], ask="Where?"), episode(*PASTS[1], ask="Who?"), episode(*PASTS[0], ask="Why me?")]
    batch = under(asked, random.Random(0))
    assert len(batch.prefix) > 10
    with torch.no_grad():
        states = write_states(model, batch)
        logits = answer_logits(model, batch, states)
        for row, past in enumerate(batch.conversation.tolist()):
            own = batch.read_mask[row].bool()
            ids = torch.cat([batch.prefix, batch.read_ids[row, own]]).unsqueeze(0)
            written = torch.cat([torch.zeros(len(batch.prefix), dtype=torch.bool), batch.read_write_mask[row, own]])
            assert written.any() == bool(online)
            alone = model(ids, state=states[:, past : past + 1], write_mask=written.unsqueeze(0)).logits[0, :-1]
            labelled = batch.labels[row] != IGNORE
            count = int(labelled.sum())
            torch.testing.assert_close(logits[row, labelled], alone[-count:], atol=1e-5, rtol=1e-4)


def test_a_system_prompt_is_shown_at_every_turn_and_never_written(collator):
    under = dataclasses.replace(collator, system_share=1.0)
    writes = under([episode(*PASTS[1])], random.Random(0)).writes
    turns = [w.ids[0, w.turn[0] == turn] for w in writes for turn in range(int(w.turn.max()) + 1)]
    said = [under.tokenizer.decode(ids.tolist()) for ids in turns]
    kept = "".join(under.tokenizer.decode(w.ids[0, w.write_mask[0]].tolist()) for w in writes)
    opening = said[0].split("Tom")[0]
    assert len(said) == 3
    assert len(opening) > 20
    assert all(text.startswith(opening) for text in said)
    assert opening.strip() not in kept
    assert "Kate is 30." in kept


def test_an_online_question_is_written_while_it_is_read(make_model, collator):
    model = make_model().eval()
    online = dataclasses.replace(collator, online_share=1.0)
    frozen, live = (c([episode(*PASTS[0])], random.Random(0)) for c in (collator, online))
    assert not frozen.read_write_mask.any()
    assert live.read_write_mask.sum() == live.read_mask.sum()
    with torch.no_grad():
        state = write_states(model, frozen)
        assert not torch.allclose(answer_logits(model, frozen, state), answer_logits(model, live, state), atol=1e-4)


def test_an_episode_without_an_answer_is_refused(collator):
    with pytest.raises(ConfigError, match="max_tokens"):
        dataclasses.replace(collator, max_tokens=3)([episode(*PASTS[0])], random.Random(0))
