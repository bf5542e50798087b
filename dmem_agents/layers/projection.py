"""A base linear that adds the memory's correction to its output, and the forward pass it belongs to.

The pass is a value of the running forward call, found through a context variable: no module keeps a state, and two
threads can run one model with different states. Outside a pass the linear is its base.
"""

from __future__ import annotations

from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dmem_agents.errors import StateError
from dmem_agents.layers.config import HeadName
from dmem_agents.layers.fused import FusedPass
from dmem_agents.layers.memory import LayerMemory
from dmem_agents.layers.write_spans import Segments


class MemoryPass:
    """What one forward call reads and writes: masks, the incoming states, and the outgoing ones as they come.

    Args:
        state: `[L, B, H, r, r]` float32.
        valid: `[B, T]` bool or None, see `LayerMemory.forward`.
        write: whether this call writes.
        write_mask: `[B, T]` bool or None.
        segments: pooled writes or None.
        fused: the same pass in compiled steps, which then does the work.
    """

    def __init__(
        self,
        *,
        state: Tensor,
        valid: Tensor | None,
        write: bool,
        write_mask: Tensor | None,
        segments: Segments | None,
        fused: FusedPass | None = None,
    ) -> None:
        self.fused = fused
        self.state = state
        self.valid = valid
        self.write = write
        self.write_mask = write_mask
        self.segments = segments
        self._layer, self._reads = -1, state  # of the last layer that read: kept for all, they grow with the context
        self._before = state.unbind()
        self._after: dict[int, Tensor] = {}

    def reads_of(self, layer: int, memory: LayerMemory, hidden: Tensor) -> Tensor:
        """Reads `[B, T, R]` of one layer; the first of its projections to ask does the work."""
        if self._layer != layer:
            self._reads, self._after[layer] = memory(
                hidden,
                self._before[layer],
                valid=self.valid,
                write=self.write,
                write_mask=self.write_mask,
                segments=self.segments,
            )
            self._layer = layer
        return self._reads

    def reads_before(self, layer: int) -> Tensor:
        """What `reads_of` gave to this layer's other projections."""
        self.require_read(layer, self._layer)
        return self._reads

    @staticmethod
    def require_read(layer: int, last: int) -> None:
        """Refuse an output projection whose layer was not the last to read."""
        if last != layer:
            raise StateError(
                f"Expected memory layer {layer} to have read before its output projection ran, but layer "
                f"{last} was the last. Run the backbone's layers whole and in order."
            )

    def next_state(self) -> Tensor:
        """`[L, B, H, r, r]` after the call; the very input when nothing was to be written."""
        if not self.write:
            return self.state
        if self.fused is not None:
            return self.fused.after
        return torch.stack([self._after[layer] for layer in range(self.state.shape[0])])


active_pass: ContextVar[MemoryPass | None] = ContextVar("dmem_active_pass", default=None)


class DeltaLinear(nn.Module):
    """The base linear of one projection (or of several packed ones) plus Δ.

    The base's parameters are registered here under their own names, so the backbone's `state_dict` stays as it was.

    Args:
        base: the wrapped linear; called as it is.
        memory: the layer's weights; owned by the model, not registered here.
        layer: index into the state's first axis.
        heads: steered projections in the base's output, each with its slice of the features.
        reads_input: whether the base's input is the attention input (q, k, v; not o).
    """

    base: nn.Module
    memory: LayerMemory

    def __init__(
        self,
        base: nn.Module,
        memory: LayerMemory,
        *,
        layer: int,
        heads: tuple[tuple[HeadName, slice], ...],
        reads_input: bool,
    ) -> None:
        super().__init__()
        for name, parameter in base.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in base.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        # Plain attributes, so that neither appears among the backbone's modules and parameters.
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "memory", memory)
        self.layer = layer
        self.heads = heads
        self.reads_input = reads_input
        self._key = f"{layer}" + "".join(head for head, _ in heads)

    def __call__(self, inputs: Tensor) -> Tensor:
        """`forward`, in compiled steps without what a module's call goes through.

        For a token, whatever Python runs here runs cold, since the weights of a layer have passed through the caches
        since the last time: the way to `forward` would take as long as the memory's arithmetic.
        """
        current = active_pass.get()
        base = self.base
        if (
            current is None
            or (fused := current.fused) is None
            or type(base) is not nn.Linear  # or calling it is more than one product: somebody hooked into it
            or "forward" in base.__dict__
            or base._forward_hooks
            or base._forward_pre_hooks
            or self._forward_hooks
            or self._forward_pre_hooks
        ):
            output: Tensor = super().__call__(inputs)
            return output
        parameters = base._parameters
        output = F.linear(inputs, parameters["weight"], parameters["bias"])  # type: ignore[arg-type]
        self._steer_in_place(inputs, output, fused)
        return output

    def forward(self, inputs: Tensor) -> Tensor:
        """`[B, T, in]` → `[B, T, out]` of the base, with Δ added inside a memory pass."""
        current = active_pass.get()
        output: Tensor = self.base(inputs)
        if current is None:
            return output
        if current.fused is not None:
            self._steer_in_place(inputs, output, current.fused)
            return output
        reads = (
            current.reads_of(self.layer, self.memory, inputs) if self.reads_input else current.reads_before(self.layer)
        )
        for head, features in self.heads:
            output = self.memory.steer(head, output, features, reads)
        return output

    def _steer_in_place(self, inputs: Tensor, output: Tensor, fused: FusedPass) -> None:
        weights = fused.layers[self.layer]
        plan = weights.plans.get(self._key) or weights.plan(self._key, self.layer, self.heads, output.shape[-1])
        if fused.layer != self.layer:
            if self.reads_input:
                fused.read_and_write(self.layer, inputs, output, plan)
                return
            MemoryPass.require_read(self.layer, fused.layer)
        if self.heads:
            fused.steer(output, plan)
