"""Each loss term against its definition."""

from __future__ import annotations

import random

import pytest
import torch

from dmem_agents.train.objectives import ObjectiveWeights, loss_terms
from tests.train.test_batching import PASTS, episode


@pytest.fixture
def batch(collator):
    return collator([episode(*PASTS[0]), episode(*PASTS[1], answer="She is 30.", value="30")], random.Random(0))


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
