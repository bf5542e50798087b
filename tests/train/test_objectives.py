"""Each loss term against its definition."""

from __future__ import annotations

import dataclasses
import random
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from dmem_agents.train.batching import IGNORE
from dmem_agents.train.objectives import (
    ObjectiveWeights,
    answer_logits,
    distillation,
    loss_terms,
    retention,
    row_nll,
    write_states,
)
from dmem_agents.train.ordinary_text import OrdinaryRow
from tests.train.test_batching import PASTS, episode

EPISODES = [episode(*PASTS[0]), episode(*PASTS[1], answer="She is 30.", value="30")]


@pytest.fixture
def batch(collator):
    return collator(EPISODES, random.Random(0))


def test_total_is_the_weighted_sum_and_terms_without_weight_are_absent(make_model, batch):
    model = make_model()
    weights = ObjectiveWeights(answer=2.0, contrast=0.5, sparsity=3.0)
    terms = loss_terms(model, batch, weights)
    assert set(terms) == {"answer", "contrast", "sparsity", "total"}
    expected = 2.0 * terms["answer"] + 0.5 * terms["contrast"] + 3.0 * terms["sparsity"]
    torch.testing.assert_close(terms["total"], expected)
    assert set(loss_terms(model, batch, ObjectiveWeights())) == {"answer", "total"}


def test_only_the_adapter_gets_gradients_and_writing_gets_some(make_model, batch):
    model = make_model()
    loss_terms(model, batch, ObjectiveWeights())["total"].backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    memory = model.memories[0]
    for name in ("memory_k_proj", "memory_v_proj", "beta_proj", "delta_q_proj"):
        assert getattr(memory, name).grad.abs().max() > 0, name


def test_sparsity_is_measured_where_tokens_are_written(make_model, batch):
    model = make_model()
    with torch.no_grad():
        for memory in model.memories:
            memory.beta_proj.zero_()
            memory.beta_bias.fill_(torch.logit(torch.tensor(0.2)).item())
    term = loss_terms(model, batch, ObjectiveWeights(sparsity=1.0, sparsity_target=0.05))["sparsity"]
    torch.testing.assert_close(term, torch.tensor(0.15**2), atol=1e-6, rtol=1e-4)


@dataclasses.dataclass
class FixedText:
    """Ordinary text of several lengths, compared from some token on."""

    first: int = 0

    def sample(self, rng: random.Random) -> OrdinaryRow:
        return OrdinaryRow(ids=tuple(range(5, 5 + rng.randint(4, 9))), first=self.first)


@pytest.mark.parametrize("first", [0, 3])
def test_retention_is_zero_without_memory_and_the_kl_to_the_frozen_model_with_one(make_model, collator, first):
    model = make_model().eval()
    half_online = dataclasses.replace(collator, ordinary=FixedText(first), ordinary_rows=5, online_share=0.5)
    batch = half_online(EPISODES, random.Random(1))
    lengths = batch.ordinary_mask.sum(dim=1).tolist()
    online = batch.ordinary_write_mask.any(dim=1).tolist()
    assert len(set(lengths)) > 1
    assert len(set(online)) == 2
    with torch.no_grad():
        states = write_states(model, batch)
        unwritten = dataclasses.replace(batch, ordinary_write_mask=torch.zeros_like(batch.ordinary_write_mask))
        assert retention(model, unwritten, torch.zeros_like(states)) == 0.0
        expected = []
        for row, length in enumerate(lengths):
            ids = batch.ordinary_ids[row : row + 1, -length:]
            state = states[:, row % states.shape[1]].unsqueeze(1)
            frozen = model(ids, write=False).logits[0].log_softmax(-1)
            loaded = model(ids, state=state, write=online[row]).logits[0].log_softmax(-1)
            expected.append((frozen.exp() * (frozen - loaded)).sum(-1)[first:].mean())
        kl = torch.stack(expected).mean()
        assert kl > 1e-4
        torch.testing.assert_close(retention(model, batch, states), kl, atol=1e-6, rtol=1e-4)


def test_retention_teaches_the_memory_to_stay_out(make_model, collator):
    model = make_model()
    batch = dataclasses.replace(collator, ordinary=FixedText(), ordinary_rows=2)(EPISODES, random.Random(1))
    retention(model, batch, write_states(model, batch)).backward()
    assert model.memories[0].delta_q_proj.grad.abs().max() > 0
    assert all(p.grad is None for p in model.backbone.parameters())


def test_distillation_is_the_kl_to_the_frozen_model_with_the_text_in_its_prompt(make_model, collator, chat):
    model = make_model().eval()
    batch = dataclasses.replace(collator, teacher=True)(EPISODES, random.Random(0))
    with torch.no_grad():
        own = write_states(model, batch)
        logits = answer_logits(model, batch, own)
        total, tokens = 0.0, 0
        for row, e in enumerate(EPISODES):
            labels = batch.labels[row][batch.labels[row] != IGNORE]
            prompt = chat.render([*e.written, *e.visible], add_generation_prompt=True).input_ids
            ids = torch.tensor([[*prompt, *labels.tolist()]])
            teacher = model(ids, write=False).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            student = logits[row, batch.labels[row] != IGNORE].log_softmax(-1)
            total += float((teacher.exp() * (teacher - student)).sum())
            tokens += len(labels)
        assert total / tokens > 1e-3
        torch.testing.assert_close(
            distillation(model, batch, logits), torch.tensor(total / tokens), atol=1e-5, rtol=1e-4
        )


def test_the_new_terms_join_the_total(make_model, collator):
    both = dataclasses.replace(collator, teacher=True, ordinary=FixedText(), ordinary_rows=1)
    batch = both(EPISODES, random.Random(0))
    terms = loss_terms(make_model(), batch, ObjectiveWeights(distillation=0.5, retention=2.0))
    assert set(terms) == {"answer", "distillation", "retention", "total"}
    torch.testing.assert_close(terms["total"], terms["answer"] + 0.5 * terms["distillation"] + 2.0 * terms["retention"])


LONG = episode(*PASTS[1], ask="Repeat what I told you, please, word for word.", answer="Tom has a cat. It rains.")


def test_short_and_long_questions_run_apart_and_lose_what_they_lose_together(make_model, collator, monkeypatch):
    batch = dataclasses.replace(collator, teacher=True)([*EPISODES, LONG], random.Random(0))
    weights = ObjectiveWeights(contrast=0.5)
    model = make_model()
    together = loss_terms(model, batch, weights)
    monkeypatch.setattr("dmem_agents.train.batching._PASS_TOKENS", 0)
    short, long = batch.by_length()
    assert long.tolist() == [2]
    assert batch.questions(short).read_ids.shape[1] < batch.read_ids.shape[1]
    apart = loss_terms(model, batch, weights)
    for name, term in together.items():
        torch.testing.assert_close(apart[name], term, atol=1e-5, rtol=1e-4, msg=name)


def test_the_likelihood_of_labels_and_its_gradient_are_those_of_cross_entropy():
    torch.manual_seed(0)
    labels = torch.randint(0, 50, (3, 70))
    labels[0, :20], labels[2] = IGNORE, IGNORE
    weights = torch.rand(3, 70) * (labels != IGNORE)
    batch = SimpleNamespace(labels=labels, label_weights=weights)
    logits = torch.randn(3, 70, 50, requires_grad=True)
    plain = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none") * weights
    expected = plain.sum(dim=1) / weights.sum(dim=1).clamp_min(1e-6)
    (slope,) = torch.autograd.grad(expected.square().sum(), logits)
    found = row_nll(logits, batch)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found.square().sum(), logits)[0], slope)
