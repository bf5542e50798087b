"""Attaching a memory to a frozen backbone, and the one forward call that carries a state through it.

Attaching replaces the q, k, v and o linears of the adapted layers by `DeltaLinear`s; detaching puts the very same
modules back. The state is an argument and a result of `forward`, never a property of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel

from dmem_agents.backbones import AttentionSite, as_additive, attention_sites, valid_tokens
from dmem_agents.errors import AdapterError, ConfigError, StateError
from dmem_agents.layers.config import HEAD_NAMES, DeltaMemConfig, HeadName
from dmem_agents.layers.fused import FusedPass, PackedWeights, fits
from dmem_agents.layers.memory import LayerMemory
from dmem_agents.layers.projection import DeltaLinear, MemoryPass, active_pass
from dmem_agents.layers.write_spans import Segments
from dmem_agents.model.fingerprint import fingerprint_of
from dmem_agents.state.memory_state import MemoryState, StateLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardOutput:
    """What one forward call gives back."""

    logits: Tensor
    """`[B, K, V]` in the backbone's dtype; K = T unless `logits_to_keep` asks for fewer."""
    state: Tensor
    """`[L, B, H, r, r]` float32, after the call's last token."""
    cache: Cache | None
    """The KV cache, when one was used."""


class DeltaMemModel(nn.Module):
    """A frozen backbone whose attention reads, is steered by and writes an associative memory (arXiv 2605.12357).

    Made by `attach` or `load_adapter`. Its trainable parameters are the adapter's alone.

    Args:
        backbone: a causal LM of a supported family; its parameters are frozen while attached.
        config: the adapter's shape and rule.
        backbone_id: name for messages, such as a hub id.
    """

    def __init__(self, backbone: PreTrainedModel, config: DeltaMemConfig, *, backbone_id: str = "") -> None:
        super().__init__()
        taken = next((path for path, m in backbone.named_modules() if isinstance(m, DeltaLinear)), None)
        if taken is not None:
            raise ConfigError(f"Expected a plain backbone, but {taken} carries a memory already. Call detach() first.")
        sites = attention_sites(backbone, config)
        self._wrapped: list[tuple[nn.Module, str, DeltaLinear]] = []
        self.backbone = backbone
        self.config = config
        self.backbone_id = backbone_id or backbone.config.name_or_path or backbone.config.model_type
        self.layout = StateLayout(layers=tuple(s.path for s in sites), heads=config.num_state_heads, rank=config.rank)
        self.memories = nn.ModuleList(self._attach(layer, site) for layer, site in enumerate(sites))
        self._required_grad = [p for p in backbone.parameters() if p.requires_grad]
        for parameter in self._required_grad:
            parameter.requires_grad_(False)
        self._fingerprint: tuple[tuple[int, ...], str] | None = None
        self._packed: list[PackedWeights] | None = None

    def _attach(self, layer: int, site: AttentionSite) -> LayerMemory:
        """Make one layer's memory and wrap its linears; the q linear always, since it sees the attention input."""
        weight = site.base_weight("q")
        memory = LayerMemory(
            self.config, hidden_size=site.hidden_size, out_features=site.out_features, device=weight.device
        )
        memory.initialise({head: site.base_weight(head) for head in HEAD_NAMES})
        for name in dict.fromkeys(site.linears.values()):
            base = site.module.get_submodule(name)
            heads = tuple(
                (head, _whole_or(site.features[head], cast(nn.Linear, base).out_features))
                for head in HEAD_NAMES
                if site.linears[head] == name and head in self.config.delta_heads
            )
            if heads or name == site.linears["q"]:
                wrapper = DeltaLinear(base, memory, layer=layer, heads=heads, reads_input=name != site.linears["o"])
                wrapper.train(base.training)
                setattr(site.module, name, wrapper)
                self._wrapped.append((site.module, name, wrapper))
        return memory

    @property
    def layers(self) -> dict[str, LayerMemory]:
        """Each adapted layer's memory by module path, in forward order."""
        return {path: cast(LayerMemory, m) for path, m in zip(self.layout.layers, self.memories, strict=True)}

    @property
    def device(self) -> torch.device:
        """Where input ids go."""
        return self.backbone.device

    @property
    def max_context(self) -> int:
        """Tokens that one prompt and its answer may have together.

        Where the frequencies of positions change with the longest row of a call (`longrope`, `dynamic`), as many as
        they don't change for: a row must not depend on its neighbours, nor a prompt on how it was cut.
        """
        config = self.backbone.config
        most = int(config.max_position_embeddings)
        rope = getattr(config, "rope_parameters", None) or {}
        if rope.get("rope_type") in ("longrope", "dynamic"):
            most = min(most, int(rope.get("original_max_position_embeddings") or most))
        return most

    def empty_state(self) -> MemoryState:
        """The state of an agent that has seen nothing."""
        return MemoryState.zeros(self.layout)

    def forward(
        self,
        input_ids: Tensor,
        *,
        state: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        write: bool = True,
        write_mask: Tensor | None = None,
        message_ids: Tensor | None = None,
        sentence_ids: Tensor | None = None,
        cache: Cache | None = None,
        use_cache: bool = False,
        logits_to_keep: int | Tensor = 0,
    ) -> ForwardOutput:
        """Run tokens of B agents, each row with its own state.

        Args:
            input_ids: `[B, T]` int64.
            state: `[L, B, H, r, r]` float32; None is the empty state.
            attention_mask: see `backbones.valid_tokens`; padding reads zero and writes nothing.
            position_ids: `[B, T]`; by default the backbone counts from the cache's length.
            write: False reads only.
            write_mask: `[B, T]` bool; False tokens read but leave no trace.
            message_ids: `[B, T]` int64, −1 = not part of a write; the segment granularities need them to write.
            sentence_ids: the same for `sentence_mean`.
            cache: a KV cache to continue. A few tokens that go on from one may be run with the adapter's weights as the
                last call without one found them: change weights in place before a prompt, not within its answer.
            use_cache: make one when none is given.
            logits_to_keep: how many of the last positions get logits (0 = all), or an index tensor of which; an empty
                one computes none.

        Raises:
            ConfigError: ids, masks or write spans of another shape, or write spans that are missing.
            StateError: a state of another shape or dtype. It is never reset, cast or cut.
        """
        if not self._wrapped:
            raise ConfigError(
                "This memory was detached from its backbone. Attach it again: attach() or load_adapter()."
            )
        batch, tokens = input_ids.shape
        past = 0 if cache is None else int(cache.get_seq_length())
        valid = valid_tokens(attention_mask, batch=batch, tokens=tokens, past=past)
        state = self._checked_state(state, batch)
        if write_mask is not None and (tuple(write_mask.shape) != (batch, tokens) or write_mask.dtype != torch.bool):
            raise ConfigError(
                f"Expected write_mask as torch.bool of shape {[batch, tokens]}, "
                f"got {write_mask.dtype} of shape {list(write_mask.shape)}."
            )
        segments = None
        if write and self.config.memory_write_granularity != "token":
            keys, write_mask = self._segment_keys(input_ids, valid, write_mask, message_ids, sentence_ids)
            if tokens > 1:  # a single token is its own mean, read before it is written
                segments = Segments.from_ids(keys, write_mask)
        if attention_mask is not None and attention_mask.dim() == 4 and attention_mask.dtype == torch.bool:
            # Eager attention adds whatever it is given to the scores; the others read both forms alike.
            attention_mask = as_additive(attention_mask, self.backbone.dtype)
        fused = None
        if past == 0:
            self._packed = None
        if segments is None and not torch.is_autocast_enabled("cpu") and fits(input_ids, self.config):
            if self._packed is None:
                self._packed = self._packed_layers()
            if self._packed is not None:
                fused = FusedPass(
                    self._packed, self.config,
                    state=state, tokens=tokens, valid=valid, write=write, write_mask=write_mask,
                )  # fmt: skip
        current = MemoryPass(
            state=state, valid=valid, write=write, write_mask=write_mask, segments=segments, fused=fused
        )
        token = active_pass.set(current)
        try:
            output = self.backbone(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=cache,
                use_cache=use_cache or cache is not None,
                logits_to_keep=_positions(logits_to_keep, tokens, input_ids.device),
            )
        finally:
            active_pass.reset(token)
        return ForwardOutput(logits=output.logits, state=current.next_state(), cache=output.past_key_values)

    def _packed_layers(self) -> list[PackedWeights] | None:
        """Each layer's weights for compiled steps; None where those can't serve: some train, or aren't float32."""
        plain = all(type(w.base) is nn.Linear and w.base.weight.dtype == torch.float32 for _, _, w in self._wrapped)
        if not plain or ("o" in self.config.delta_heads and self.config.delta_o_rmsnorm):
            return None
        packed = [memory.packed_weights() for memory in self.layers.values()]
        found = [weights for weights in packed if weights is not None]
        return found if len(found) == len(packed) else None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._packed = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """See torch; what is known of weights that may train is not kept."""
        self._packed = self._fingerprint = None
        super().requires_grad_(requires_grad)
        return self

    def _checked_state(self, state: Tensor | None, batch: int) -> Tensor:
        layers, *matrix = self.layout.shape
        expected = (layers, batch, *matrix)
        if state is None:
            return torch.zeros(expected, dtype=torch.float32, device=self.device)
        if tuple(state.shape) != expected or state.dtype != torch.float32:
            raise StateError(
                f"Expected a float32 state of shape {list(expected)} [layers, batch, heads, rank, rank], "
                f"got {state.dtype} of shape {list(state.shape)}. Stack one state per row; nothing is reset or cast."
            )
        return state.to(self.device)

    def _segment_keys(
        self,
        input_ids: Tensor,
        valid: Tensor | None,
        write_mask: Tensor | None,
        message_ids: Tensor | None,
        sentence_ids: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """What the tokens of this call are pooled by `[B, T]`, and which of them are part of a write."""
        granularity = self.config.memory_write_granularity
        needed = {"message_ids": message_ids}
        if granularity == "sentence_mean":
            needed["sentence_ids"] = sentence_ids
        active = torch.ones_like(input_ids, dtype=torch.bool)
        for mask in (valid, write_mask):
            if mask is not None:
                active = active & mask
        for name, ids in needed.items():
            if ids is None or ids.shape != input_ids.shape:
                came = "none" if ids is None else f"shape {list(ids.shape)}"
                raise ConfigError(
                    f"Expected {name} of shape {list(input_ids.shape)} to write by {granularity}, got {came}. "
                    "Pass the ids (−1 = not written), or write=False."
                )
            active = active & (ids >= 0)
        return cast(Tensor, message_ids if granularity == "message_mean" else sentence_ids), active

    def adapter_parameters(self) -> dict[str, Tensor]:
        """All adapter tensors, float32, under their published names `<module path>.<parameter>`."""
        return {f"{path}.{name}": p for path, m in self.layers.items() for name, p in m.named_parameters()}

    @torch.no_grad()
    def load_adapter_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy adapter tensors in; all or nothing.

        Raises:
            AdapterError: a tensor is missing, unknown, not floating point, not finite or of another shape.
        """
        own = self.adapter_parameters()
        missing, unknown = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
        if missing or unknown:
            raise AdapterError(
                f"Expected {len(own)} tensors, for {len(self.layout.layers)} layers of {self.backbone_id}; "
                f"{len(missing)} are missing ({_few(missing)}), {len(unknown)} are unknown ({_few(unknown)}). "
                "Check that the adapter was trained for this backbone and that its config belongs to it."
            )
        for name, tensor in tensors.items():
            if tensor.shape != own[name].shape or not tensor.is_floating_point():
                raise AdapterError(
                    f"Expected {name} as a floating-point tensor of shape {list(own[name].shape)}, "
                    f"got {tensor.dtype} of shape {list(tensor.shape)}. It belongs to another backbone or config."
                )
            if not torch.isfinite(tensor).all():
                raise AdapterError(f"Expected finite numbers in {name}, found NaN or infinity: the file is damaged.")
        self._packed = None
        for name, tensor in tensors.items():
            own[name].copy_(tensor)

    @property
    def fingerprint(self) -> str:
        """Hash of backbone, adapter weights and layout, 64 hex digits: a state opens only under its own."""
        adapter = self.adapter_parameters()
        stamp = tuple(p._version for p in adapter.values())
        if self._fingerprint is not None and self._fingerprint[0] == stamp:
            return self._fingerprint[1]
        digest = fingerprint_of(self.backbone, self.config.to_dict(), self.layout, adapter)
        # Fused optimisers leave the version counters where they were: of weights that train nothing is kept.
        trains = any(p.requires_grad for p in adapter.values())
        self._fingerprint = None if trains else (stamp, digest)
        return digest

    def detach(self) -> PreTrainedModel:
        """Put the backbone's own linears back and return it as it was; this object is of no use afterwards."""
        for module, name, wrapper in self._wrapped:
            setattr(module, name, wrapper.base)
        for parameter in self._required_grad:
            parameter.requires_grad_(True)
        self._wrapped, self._required_grad = [], []
        return self.backbone


def attach(backbone: PreTrainedModel, config: DeltaMemConfig, *, backbone_id: str = "") -> DeltaMemModel:
    """Give a backbone an untrained memory (initial values of `delta-mem.md` §2).

    Raises:
        ConfigError: an unsupported family, layers that are not there, a memory attached already, or a call inside
            `torch.inference_mode()`.
    """
    if torch.is_inference_mode_enabled():
        raise ConfigError(
            "Expected attach() outside torch.inference_mode(): parameters made inside it can be neither trained nor "
            "watched for change. Attach first, then run under inference_mode()."
        )
    return DeltaMemModel(backbone, config, backbone_id=backbone_id)


def _whole_or(features: slice, width: int) -> slice:
    return slice(None) if (features.start, features.stop) == (0, width) else features


def _positions(logits_to_keep: int | Tensor, tokens: int, device: torch.device) -> int | Tensor:
    """The last n positions as an index.

    A plain slice of the hidden states is not contiguous, and the vocabulary projection of one copies its weight for
    every row.
    """
    if isinstance(logits_to_keep, Tensor) or logits_to_keep == 0:
        return logits_to_keep
    return torch.arange(max(tokens - logits_to_keep, 0), tokens, device=device)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "") if names else "none"


__all__ = ["DeltaMemModel", "ForwardOutput", "HeadName", "attach"]
