"""Compiled parts compute what the plain ones do, padding and all."""

from __future__ import annotations

import pytest
import torch

from dmem_agents.testing.tiny_model import tiny_model
from dmem_agents.train.compiled import compile_parts


# Warnings of torch's compiler about torch's own code; errors here, it takes them for its own.
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:The .grad attribute:UserWarning")
@pytest.mark.timeout(600)  # compiling took more than the usual limit beside other work
@pytest.mark.parametrize("tokens", [5, 9])
def test_compiled_parts_give_the_plain_logits_and_gradients(tokens):
    ids = torch.arange(2 * tokens).view(2, tokens) % 50
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        backbone = tiny_model().requires_grad_(False)
        backbone.set_attn_implementation("eager")
        if compiled:
            compile_parts(backbone)
        embedded = backbone.get_input_embeddings()(ids).detach().requires_grad_()
        logits = backbone(inputs_embeds=embedded, attention_mask=mask).logits[:, 3:]
        (slope,) = torch.autograd.grad(logits.square().sum(), embedded)
        found += [(logits, slope)]
    torch.testing.assert_close(found[1][0], found[0][0])
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-4, atol=1e-4)
