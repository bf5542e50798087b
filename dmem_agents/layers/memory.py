"""One layer's memory: from the attention input and a state to reads and the next state.

Holds the adapter's weights of that layer, in float32 whatever the backbone's dtype. Holds no state: it comes in and
goes out as a value (`delta-mem.md` §1, §2; arXiv 2605.12357).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dmem_agents.delta_rule import scan
from dmem_agents.layers import fused
from dmem_agents.layers.config import HEAD_NAMES, DeltaMemConfig, HeadName
from dmem_agents.layers.gates import coefficients
from dmem_agents.layers.write_spans import Segments

_NORM_EPS = 1e-6


class LayerMemory(nn.Module):
    """The δ-mem weights of one attention layer, under the published parameter names.

    Args:
        config: shape and rule.
        hidden_size: d, width of the attention input.
        out_features: output width of each of the q, k, v, o projections.
        device: where the weights live.
    """

    def __init__(
        self,
        config: DeltaMemConfig,
        *,
        hidden_size: int,
        out_features: dict[HeadName, int],
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        width, gates = config.width, config.gate_channels

        def weight(*shape: int, trainable: bool = True) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=torch.float32, device=device), requires_grad=trainable)

        self.memory_q_proj = weight(width, hidden_size)
        self.memory_k_proj = weight(width, hidden_size)
        self.memory_v_proj = weight(width, hidden_size)
        for head in HEAD_NAMES:
            self.register_parameter(
                f"delta_{head}_proj", weight(out_features[head], width, trainable=head in config.delta_heads)
            )
        self.beta_proj = weight(gates, hidden_size)
        self.beta_bias = weight(gates)
        if not config.couple_lambda:
            self.lambda_proj = weight(gates, hidden_size)
            self.lambda_bias = weight(gates)
        if config.delta_o_rmsnorm:
            self.delta_o_rmsnorm_weight = weight(out_features["o"], trainable="o" in config.delta_heads)
        if config.trainable_delta_scale:
            self.delta_scale_raw = weight(1 if config.delta_scale_granularity == "layer" else len(HEAD_NAMES))
        self._packed: fused.PackedWeights | None = None

    @torch.no_grad()
    def initialise(self, base_weights: dict[HeadName, Tensor]) -> None:
        """Fresh values as in `delta-mem.md` §2; random ones follow torch's global seed.

        Args:
            base_weights: `[out, in]` weight of each base projection, for the base-slice starts.
        """
        c = self.config
        for name in ("memory_q_proj", "memory_k_proj", "memory_v_proj"):
            nn.init.kaiming_uniform_(getattr(self, name), a=math.sqrt(5))
        for head in HEAD_NAMES:
            target = self.delta_weight(head)
            target.zero_()
            if head not in c.delta_heads or c.output_init == "zero":
                continue
            if c.output_init == "random":
                nn.init.kaiming_uniform_(target, a=math.sqrt(5))
                target.mul_(c.online_gain)
                continue
            base = base_weights[head].float()
            columns = min(c.rank, base.shape[1])
            if c.output_init == "base_slice_fixed":
                columns = min(c.base_slice_ref_width, columns)
            chosen = base[:, :columns].to(target.device)
            target[:, :columns] = c.online_gain * chosen / chosen.norm(dim=0, keepdim=True).clamp_min(1e-6)
        self.beta_proj.zero_()
        self.beta_bias.fill_(c.beta_bias_init)
        if not c.couple_lambda:
            self.lambda_proj.zero_()
            self.lambda_bias.fill_(-c.beta_bias_init)
        if c.delta_o_rmsnorm:
            self.delta_o_rmsnorm_weight.fill_(1.0)
        if c.trainable_delta_scale:
            share = min(max(c.delta_scale_init / c.delta_scale_max, 1e-4), 1 - 1e-4)
            self.delta_scale_raw.fill_(math.log(share / (1 - share)))

    def delta_weight(self, head: HeadName) -> nn.Parameter:
        """`[out, R]` weight that turns reads into the correction of one projection."""
        parameter: nn.Parameter = getattr(self, f"delta_{head}_proj")
        return parameter

    def forward(
        self,
        hidden: Tensor,
        state: Tensor,
        *,
        valid: Tensor | None = None,
        write: bool = True,
        write_mask: Tensor | None = None,
        segments: Segments | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Read the memory for every token and write what is to be written.

        Args:
            hidden: `[B, T, d]` attention input, any dtype.
            state: `[B, H, r, r]` float32.
            valid: `[B, T]` bool, False on padding, which reads zero and writes nothing. None: all valid.
            write: False leaves the state as it is.
            write_mask: `[B, T]` bool; a valid token that is False reads but is not written. None: all.
            segments: the pooled writes of the segment granularities, which read the incoming state only.

        Returns:
            reads u `[B, T, R]` float32, head-major, and the next state `[B, H, r, r]`.
        """
        packed = self.packed_weights()
        if packed is not None and (segments is None or not write) and fused.fits(hidden, self.config):
            return fused.read_and_write(
                hidden.float(), state, weights=packed, config=self.config,
                valid=valid, write=write, write_mask=write_mask,
            )  # fmt: skip
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.float()
            if not write or segments is not None:
                reads = self.queries(hidden).transpose(1, 2) @ state.transpose(-1, -2)  # [B, H, T, r]
                reads = reads.transpose(1, 2).flatten(2)
                if write and segments is not None:
                    _, state = self._scan(segments.mean(hidden), state, segments.present)
            else:
                written = valid if write_mask is None else (write_mask if valid is None else write_mask & valid)
                reads, state = self._scan(hidden, state, written)
            if valid is not None:
                reads = reads.masked_fill(~valid.unsqueeze(-1), 0.0)
            return reads, state

    def steer(self, head: HeadName, output: Tensor, features: slice, reads: Tensor) -> Tensor:
        """Add the correction of one projection to its output.

        Args:
            head: which one.
            output: `[B, T, out]` of the base linear, any dtype; overwritten where no gradient is asked for.
            features: the projection's own columns in it.
            reads: `[B, T, R]` float32, of this layer's `forward`.

        Returns:
            `[B, T, out]` in the output's dtype.
        """
        packed = self._packed  # as `forward` left it earlier in this pass
        weight = None if packed is None or torch.is_grad_enabled() else packed.corrections.get(head)
        if weight is not None and output.dtype == torch.float32 and output.is_contiguous():
            output.flatten(0, 1)[:, features].addmm_(reads.flatten(0, 1), weight)
            return output
        change = self.delta(head, reads).to(output.dtype)
        if features == slice(None):
            return output + change
        before, after = output[..., : features.start], output[..., features.stop :]
        return torch.cat([before, output[..., features] + change, after], dim=-1)

    def delta(self, head: HeadName, reads: Tensor) -> Tensor:
        """Correction of one projection: `[B, T, R]` float32 → `[B, T, out]` float32 (`delta-mem.md` §1.4)."""
        c = self.config
        with torch.autocast(reads.device.type, enabled=False):
            change = F.linear(reads * self._scale(head), self.delta_weight(head))
            if head == "o" and c.delta_o_rmsnorm:
                mean_square = change.square().mean(dim=-1, keepdim=True)
                change = change * torch.rsqrt(mean_square + c.delta_o_rmsnorm_eps) * self.delta_o_rmsnorm_weight
            return change

    def queries(self, hidden: Tensor) -> Tensor:
        """Memory queries `[B, T, H, r]` float32 of these hidden states `[B, T, d]` (`delta-mem.md` §1.1)."""
        return self._heads(F.linear(hidden.float(), self.memory_q_proj))

    def keys(self, hidden: Tensor) -> Tensor:
        """`queries` for memory keys."""
        return self._heads(F.linear(hidden.float(), self.memory_k_proj))

    def _heads(self, projected: Tensor) -> Tensor:
        split = projected.reshape(*projected.shape[:2], self.config.num_state_heads, self.config.rank)
        return _unit(split) if self.config.normalize_qk else split

    def gates(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """keep, erase and write `[B, T, H, g]` that these hidden states `[B, T, d]` ask for."""
        projected = F.linear(hidden.float(), self._projection())
        return self._gates(projected[..., 3 * self.config.width :])

    def _gates(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        size = c.gate_channels
        shape = (*logits.shape[:2], c.num_state_heads, size // c.num_state_heads)
        beta = (logits[..., :size] + self.beta_bias).view(shape)
        own = None if c.couple_lambda else (logits[..., size:] + self.lambda_bias).view(shape)
        return coefficients(beta, own, c.state_update_mode)

    def _scan(self, hidden: Tensor, state: Tensor, written: Tensor | None) -> tuple[Tensor, Tensor]:
        c = self.config
        projected = F.linear(hidden, self._projection())
        q, k, v = projected[..., : 3 * c.width].split(c.width, dim=-1)
        q, k, v = self._heads(q), self._heads(k), v.reshape(*v.shape[:2], c.num_state_heads, c.rank)
        keep, erase, write = self._gates(projected[..., 3 * c.width :])
        reads, state = scan(q=q, k=k, v=v, keep=keep, erase=erase, write=write, state=state, write_mask=written)
        return reads.flatten(2), state

    def _scale(self, head: HeadName) -> float | Tensor:
        """What a correction is multiplied by."""
        c = self.config
        if not c.trainable_delta_scale:
            return c.alpha / c.rank
        index = HEAD_NAMES.index(head) if c.delta_scale_granularity == "head" else 0
        return c.alpha / c.rank * torch.sigmoid(self.delta_scale_raw[index]) * c.delta_scale_max

    def _projection(self) -> Tensor:
        """Memory q, k, v and gate weights as one matrix."""
        packed = self.packed_weights()
        return self._side_by_side() if packed is None else packed.projection

    def _side_by_side(self) -> Tensor:
        parts: list[Tensor] = [self.memory_q_proj, self.memory_k_proj, self.memory_v_proj, self.beta_proj]
        return torch.cat(parts if self.config.couple_lambda else [*parts, self.lambda_proj])

    def packed_weights(self) -> fused.PackedWeights | None:
        """The weights laid out for inference, made when they changed; None while any may train (`requires_grad`)."""
        parameters = [p for p in self._parameters.values() if p is not None]
        # A version counter alone won't do for weights that train: fused optimisers leave it where it was.
        if any([p.requires_grad for p in parameters]):  # a list: asked for every token, and twice as quick
            self._packed = None
            return None
        stamp = [p._version for p in parameters] + [p.data_ptr() for p in parameters]
        packed = self._packed
        if packed is None or packed.stamp != stamp:
            # A tensor made in inference mode could not take part in training later.
            with torch.inference_mode(False), torch.no_grad():
                biases: list[Tensor] = (
                    [self.beta_bias] if self.config.couple_lambda else [self.beta_bias, self.lambda_bias]
                )
                packed = self._packed = fused.PackedWeights(
                    projection=self._side_by_side(),
                    gate_bias=torch.cat(biases),
                    corrections={h: (self.delta_weight(h) * self._scale(h)).T.contiguous() for h in self._linear()},
                    stamp=stamp,
                )
        return packed

    def _linear(self) -> list[HeadName]:
        """Steered projections whose correction is one product."""
        c = self.config
        return [head for head in HEAD_NAMES if head in c.delta_heads and not (head == "o" and c.delta_o_rmsnorm)]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow a model to another device; a cast of the model leaves these weights in float32, unrounded."""
        self._packed = None
        super()._apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            lambda t: moved if (moved := fn(t)).dtype == t.dtype else t.to(moved.device), recurse
        )
        return self


def _unit(x: Tensor) -> Tensor:
    """tanh, then unit L2 norm over the last axis (`delta-mem.md` §1.1)."""
    squashed = torch.tanh(x)
    unit: Tensor = squashed / squashed.norm(dim=-1, keepdim=True).clamp_min(_NORM_EPS)
    return unit
