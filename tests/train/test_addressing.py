"""Which written tokens a question is about, and the loss on where reads look."""

from __future__ import annotations

import dataclasses
import math
import random
from statistics import mean

import pytest
import torch

from dmem_agents.delta_rule import scan
from dmem_agents.messages import Message
from dmem_agents.train.addressing import SOFTNESS, addressing, attention_inputs
from dmem_agents.train.objectives import ObjectiveWeights, answer_logits, loss_terms, write_states
from tests.train.test_batching import PASTS, episode, user

EPISODES = [episode(*PASTS[0]), episode(*PASTS[1], answer="She is 30.", value="30")]
UNTOLD = dataclasses.replace(
    episode(*PASTS[1], answer="Tom lives in... You haven't told me that.", value=""), task="unknown"
)

UPDATED = dataclasses.replace(
    episode(user("I live in Oslo."), user("I moved to Rome."), answer="In Rome.", value="Rome"), task="update"
)


@pytest.fixture
def batch(collator):
    return collator(EPISODES, random.Random(0))


def spelt(batch, chat, question: int) -> list[str]:
    ids = torch.cat([one.ids for one in batch.writes], dim=1)[batch.conversation[question]]
    return [chat.decode([i]).strip() for i in ids[batch.told[question] > 0].tolist()]


def test_the_asked_value_is_found_where_it_was_told_and_nowhere_else(batch, chat):
    assert "".join(spelt(batch, chat, 0)) == "Oslo"
    assert "".join(spelt(batch, chat, 1)) == "30"


def test_a_value_at_the_start_of_a_message_and_told_twice_is_found(collator, chat):
    batch = collator([episode(user("Oslo is home."), user("I like Oslo."))], random.Random(0))
    assert "".join(spelt(batch, chat, 0)) == "OsloOslo"


@pytest.mark.parametrize("change", [{"value": "Bergen"}, {"value": ""}])
def test_nothing_is_wanted_of_a_value_that_was_not_told(make_model, collator, change):
    batch = collator([dataclasses.replace(EPISODES[0], **change)], random.Random(0))
    assert not batch.told.any()
    terms = loss_terms(make_model(), batch, ObjectiveWeights(addressing=1.0))
    assert terms["addressing"] == 0


def test_a_past_that_tells_nothing_wants_nothing(make_model, collator):
    batch = collator([episode()], random.Random(0))
    assert batch.told.shape == (1, 0)
    assert loss_terms(make_model(), batch, ObjectiveWeights(addressing=1.0))["addressing"] == 0


def unit_reads(model, told, asked, past: int, row: int, place: int, written) -> list[float]:
    """What a read gives of each token's value: the rule as it stands, with a value of one there and none elsewhere."""
    length = written.shape[0]
    found = torch.zeros(length)
    for layer, memory in enumerate(model.memories):
        inputs = torch.cat(told[layer], dim=1)[past : past + 1]
        query = memory.queries(asked[layer][0][row : row + 1, place : place + 1])
        heads, rank = query.shape[2:]
        keys = memory.keys(inputs)
        keep, erase, write = (gate.mean(-1, keepdim=True) for gate in memory.gates(inputs))
        for token in range(length):
            values = torch.zeros(1, length, heads, rank)
            values[:, token] = 1.0
            _, state = scan(
                q=torch.zeros_like(keys), k=keys, v=values, keep=keep, erase=erase, write=write,
                state=torch.zeros(1, heads, rank, rank), write_mask=written.unsqueeze(0),
            )  # fmt: skip
            found[token] += torch.einsum("hij,hj->hi", state[0], query[0, 0]).mean()
    return (found / len(model.memories)).tolist()


@torch.no_grad()
@pytest.mark.parametrize("further", [[], [UNTOLD], [UPDATED]])
def test_it_is_the_share_of_the_reads_that_the_definition_says(make_model, collator, further):
    model, batch = make_model(), collator([*EPISODES, *further], random.Random(0))
    with attention_inputs(model, collect=True) as told:
        states = write_states(model, batch)
    with attention_inputs(model, collect=True) as asked:
        answer_logits(model, batch, states)
    written = torch.cat([one.write_mask for one in batch.writes], dim=1)
    wanted, unwanted, idle = [], [], []
    for row, past in enumerate(batch.conversation.tolist()):
        for label in batch.asks[row].nonzero().flatten().tolist():
            place = batch.read_ids.shape[1] - batch.labels.shape[1] + label - 1
            assert batch.read_ids[row, place + 1] == batch.labels[row, label]
            own, others = 0.0, 0.0
            held = unit_reads(model, told, asked, past, row, place, written[past])
            begins = batch.asks[row, label] == batch.asks[row].max()
            for token in written[past].nonzero().flatten().tolist():
                weight, spells = held[token], batch.told[row, token]
                if spells > 0 if begins else spells == batch.asks[row, label]:
                    own += weight
                else:
                    others += weight**2
            if batch.untold[row]:
                idle.append(others)
            else:
                wanted.append(own)
                unwanted.append(others)
    soft = [SOFTNESS * math.log1p(math.exp(o / u**0.5 / SOFTNESS)) for o, u in zip(wanted, unwanted, strict=True)]
    expected = mean(-math.log(s**2 / (s**2 + 1)) for s in soft)
    values = [e.value for e in (*EPISODES, *further)]  # the tests' tokenizer spells letter by letter
    assert (len(wanted), len(idle)) == (len("".join(values)), len("...") if UNTOLD in further else 0)
    if idle:
        expected += mean(math.log1p(energy / mean(max(o, 0) ** 2 for o in wanted)) for energy in idle)
    assert addressing(model, batch, told, asked).item() == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("row", [0, 1])
def test_a_part_of_the_questions_is_measured_as_it_is_alone(make_model, collator, batch, row):
    model, part = make_model(), batch.questions(torch.tensor([row]))
    found = []
    for told_to in (batch, collator([EPISODES[row]], random.Random(0))):
        asked_of = part if told_to is batch else told_to
        with attention_inputs(model, collect=True) as told:
            states = write_states(model, told_to)
        with attention_inputs(model, collect=True) as asked:
            answer_logits(model, asked_of, states)
        found.append(addressing(model, asked_of, told, asked))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_writing_faintly_gains_nothing(make_model, collator, monkeypatch):
    monkeypatch.setattr("dmem_agents.train.addressing._NO_ENERGY", 1e-30)
    model, batch = make_model(state_update_mode="no_lambda"), collator([*EPISODES, UNTOLD], random.Random(0))
    for memory in model.memories:
        memory.beta_proj.zero_()
        memory.beta_bias.fill_(-12.0)  # too faint to overwrite anything: only shares are left
    with attention_inputs(model, collect=True) as told:
        states = write_states(model, batch)
    with attention_inputs(model, collect=True) as asked:
        answer_logits(model, batch, states)
    before = addressing(model, batch, told, asked)
    for memory in model.memories:
        memory.beta_bias.sub_(3.0)
    torch.testing.assert_close(addressing(model, batch, told, asked), before, atol=1e-4, rtol=1e-3)


def test_it_trains_what_addresses_and_what_the_layers_below_add_and_leaves_no_hook_behind(make_model, batch):
    model = make_model()
    terms = loss_terms(model, batch, ObjectiveWeights(addressing=1.0))
    terms["addressing"].backward()
    trained = ["memory_q_proj", "memory_k_proj", "beta_proj", "beta_bias"]
    for above, memory in zip(reversed(range(len(model.memories))), model.memories, strict=True):
        assert not memory._forward_pre_hooks
        for name in [*trained, *(["memory_v_proj", "delta_o_proj"] if above else [])]:
            assert getattr(memory, name).grad.abs().max() > 0, name
    for name in ("memory_v_proj", "delta_q_proj", "delta_o_proj"):  # nothing looks where the last layer reads
        gradient = getattr(model.memories[-1], name).grad
        assert gradient is None or not gradient.any(), name


def test_descending_it_moves_reads_to_the_asked_value(make_model, collator):
    told = (user("I live in Oslo."), user("My dog is Rex."))
    asked = [episode(*told), episode(*told, ask="Who is my dog?", answer="Your dog is Rex.", value="Rex")]
    model, batch = make_model(), collator(asked, random.Random(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = loss_terms(model, batch, ObjectiveWeights(answer=0.0, addressing=1.0))["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_messages_that_are_only_read_hold_no_told_value(collator, chat):
    system = Message(role="system", content="You live in Oslo.")
    batch = collator([episode(system, user("I like Oslo."))], random.Random(0))
    assert "".join(spelt(batch, chat, 0)) == "Oslo"


@pytest.mark.parametrize("asked", [EPISODES[1], UNTOLD])
def test_a_value_is_looked_for_token_by_token_or_where_it_would_stand(collator, chat, asked):
    batch = collator([asked], random.Random(0))
    places = batch.asks[0].nonzero().flatten()
    assert batch.asks[0, places].tolist() == list(range(len(places), 0, -1))
    assert chat.decode(batch.labels[0, places].tolist()).strip() == (asked.value or "...")


@pytest.mark.parametrize("told", ["I am 4589.", "4589 is my number."])
def test_each_token_that_is_looked_for_is_numbered_as_it_was_told(collator, told):
    asked = episode(user(told), answer="Your number is 4589.", value="4589")
    batch = collator([asked], random.Random(0))
    ids = torch.cat([one.ids for one in batch.writes], dim=1)[0]
    places = batch.asks[0].nonzero().flatten()
    assert len(places) == len("4589")
    for place in places:
        (spelt_as,) = ids[batch.told[0] == batch.asks[0, place]]
        assert spelt_as == batch.labels[0, place]


def test_descending_it_quiets_the_reads_of_what_was_never_said(make_model, collator):
    asked = [EPISODES[1], UNTOLD]
    model, batch = make_model(), collator(asked, random.Random(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)

    def energy() -> float:
        """Of the untold question's read, as a share of what the other read holds of its value."""
        with torch.no_grad():
            parts = [loss_terms(model, b, ObjectiveWeights(addressing=1.0))["addressing"] for b in (batch, told_alone)]
        return float(parts[0] - parts[1])

    told_alone = batch.questions(torch.tensor([0]))
    before = energy()
    for _ in range(40):
        loss = loss_terms(model, batch, ObjectiveWeights(answer=0.0, addressing=1.0))["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert energy() < 0.3 * before
