"""A wrapped linear in compiled steps: what hooks into it is called, as without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from dmem_agents.errors import StateError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.fused import FusedPass, fits
from dmem_agents.layers.memory import LayerMemory
from dmem_agents.layers.projection import DeltaLinear, MemoryPass, active_pass

CONFIG = DeltaMemConfig(rank=4, num_state_heads=2)
HIDDEN = torch.randn(2, 1, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def layer() -> Iterator[tuple[DeltaLinear, DeltaLinear]]:
    """The q and the o projection of one layer, inside a compiled step that started with a random state."""
    generator = torch.Generator().manual_seed(0)
    memory = LayerMemory(CONFIG, hidden_size=10, out_features={"q": 12, "k": 6, "v": 6, "o": 10})
    bases = nn.Linear(10, 12), nn.Linear(12, 10)
    with torch.no_grad():
        for parameter in [*memory.parameters(), *bases[0].parameters(), *bases[1].parameters()]:
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    memory.requires_grad_(False)
    state = torch.randn(1, 2, 2, 4, 4, generator=generator)
    with torch.no_grad():
        packed = memory.packed_weights()
        assert packed is not None
        fused = FusedPass([packed], CONFIG, state=state, tokens=1, valid=None, write=True, write_mask=None)
        token = active_pass.set(
            MemoryPass(state=state, valid=None, write=True, write_mask=None, segments=None, fused=fused)
        )
        yield (
            DeltaLinear(bases[0], memory, layer=0, heads=(("q", slice(None)),), reads_input=True),
            DeltaLinear(bases[1], memory, layer=0, heads=(("o", slice(None)),), reads_input=False),
        )
        active_pass.reset(token)


def _doubled(_: nn.Module, __: object, output: Tensor) -> Tensor:
    return 2 * output


def test_calling_it_is_its_forward(layer: tuple[DeltaLinear, DeltaLinear]) -> None:
    q, o = layer
    called = q(HIDDEN)
    other = o(called)
    assert torch.equal(q.forward(HIDDEN), called)
    assert torch.equal(o.forward(called), other)
    assert not torch.allclose(called, q.base(HIDDEN), atol=1e-3)
    assert not torch.allclose(other, o.base(called), atol=1e-3)


@pytest.mark.parametrize("at", ["wrapper", "base", "own forward"])
def test_what_hooks_into_it_acts(layer: tuple[DeltaLinear, DeltaLinear], at: str) -> None:
    q, _ = layer
    output, plain = q(HIDDEN), q.base(HIDDEN)
    if at == "own forward":  # as accelerate does it
        usual: Callable[[Tensor], Tensor] = q.base.forward
        given: Any = q.base
        given.forward = lambda inputs: 2 * usual(inputs)
    else:
        (q if at == "wrapper" else q.base).register_forward_hook(_doubled)
    active = active_pass.get()
    assert active is not None
    assert active.fused is not None
    active.fused.layer = -1  # the same step again: it starts from the given state
    torch.testing.assert_close(q(HIDDEN), 2 * output if at == "wrapper" else output + plain, atol=2e-5, rtol=1e-4)


def test_where_a_hook_is_to_see_every_module_there_are_no_compiled_steps() -> None:
    with torch.no_grad():
        assert fits(HIDDEN, CONFIG)
        handle = register_module_forward_hook(lambda *_: None)
        try:
            assert not fits(HIDDEN, CONFIG)
        finally:
            handle.remove()


def test_an_output_projection_whose_layer_has_not_read_is_refused(layer: tuple[DeltaLinear, DeltaLinear]) -> None:
    with pytest.raises(StateError, match="memory layer 0"):
        layer[1](torch.zeros(2, 1, 12))
