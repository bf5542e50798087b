"""A recipe: one TOML file that says everything about a training run. Knows no tensors.

Every table is a frozen dataclass; a key that is not one of its fields is an error that names the nearest one.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.train.objectives import ObjectiveWeights

T = TypeVar("T")
_SIMPLE: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimisation:
    """AdamW with warm-up and a cosine to zero, as Hugging Face `Trainer` runs it."""

    learning_rate: float = 2e-3
    """Peak."""
    warmup_steps: int = 10
    """Linear from zero."""
    weight_decay: float = 0.0
    """On all adapter tensors."""
    adam_beta2: float = 0.95
    """Second-moment decay; the first is 0.9."""
    max_grad_norm: float = 1.0
    """Global clip."""
    conversations_per_step: int = 8
    """Pasts written per device and micro-batch."""
    reconstruct_share: float = 0.5
    """How often a conversation is also to be repeated, besides its question."""
    gradient_accumulation_steps: int = 1
    """Micro-batches per step."""
    bf16: bool = False
    """Backbone in bfloat16; the memory stays in float32."""
    compile: bool = False
    """Backbone's small operations compiled, which needs a C++ compiler; for CPUs."""
    seed: int = 0
    """Of initial weights, data and shares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One part of the curriculum."""

    steps: int
    """Optimiser steps."""
    life: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `train.data.AgentLife`: facts, distractors, tasks and so on; the split is always train."""
    single_share: float = 0.0
    """Share of steps that tell one fact among at most two turns that tell nothing, whatever `life` says."""
    real_share: float = 0.0
    """Share of conversations from the real texts in `data_folder`."""
    reply_share: float = 0.0
    """Share of steps in which the assistant answers at length, with passages from `data_folder`."""
    bare_share: float = 0.0
    """Share of answers with a value that are the value alone ("Oslo"), as published answers are, and no sentence."""

    def __post_init__(self) -> None:
        for name in ("single_share", "real_share", "reply_share", "bare_share"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ConfigError(f"Expected a stage's {name} between 0 and 1; got {share}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """How episodes become tokens; see `batching.Collator`."""

    system_share: float = 0.0
    """Share of batches under a system prompt such as an agent's author writes."""
    preamble_share: float = 0.8
    """Share of the others that keep the template's own system prompt, as serving always does."""
    online_share: float = 0.3
    """Share of questions asked with writes on."""
    join_share: float = 0.3
    """Share of user messages absorbed in one turn with the one before."""
    value_weight: float = 1.0
    """Loss weight of the value's tokens and of an answer's first word."""
    retention_rows: int = 2
    """Rows of ordinary text per micro-batch, for the `retention` objective."""
    retention_tokens: int = 64
    """Longest of them, in tokens."""
    max_tokens: int = 2048
    """Longest conversation or question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A whole training run.

    Raises:
        ConfigError: a wrong field or value; the text names the place and what was expected.
    """

    backbone: str = ""
    """Hub id or folder; empty: the embedded model."""
    start_from: str = ""
    """Adapter folder to go on from; empty: fresh weights."""
    memory: DeltaMemConfig = field(default_factory=DeltaMemConfig)
    """The adapter."""
    optimisation: Optimisation = field(default_factory=Optimisation)
    """The optimiser and batch sizes."""
    objectives: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    """Loss terms."""
    rendering: Rendering = field(default_factory=Rendering)
    """Episodes to tokens."""
    stages: tuple[Stage, ...] = ()
    """The curriculum, in order."""
    save_every_steps: int = 50
    """Checkpoint interval."""
    average_checkpoints: int = 1
    """The finished adapter is the mean of this many last checkpoints' weights; 1: those after the last step."""
    evaluate_every_steps: int = 100
    """Interval of recall on the validation split."""
    evaluate_episodes: int = 64
    """Questions per such check."""
    episodes_file: str = ""
    """JSONL of records with `messages`, instead of the curriculum; the last assistant message is the target."""

    data_folder: str = ""
    """Folder of published data sets (`train.data.real_text`), for `real_share`, `reply_share` and `retention`."""

    def __post_init__(self) -> None:
        if not self.stages or any(s.steps < 1 for s in self.stages):
            raise ConfigError("Expected at least one [[stages]] table, each with steps ≥ 1.")
        for name, least in (
            ("save_every_steps", 1),
            ("average_checkpoints", 1),
            ("evaluate_every_steps", 1),
            ("evaluate_episodes", 2),
        ):
            if (value := getattr(self, name)) < least:
                raise ConfigError(f"Expected {name} ≥ {least}; got {value}.")
        if self.objectives.addressing and self.memory.memory_write_granularity != "token":
            raise ConfigError(
                "Expected objectives.addressing = 0 where memory_write_granularity is "
                f"{self.memory.memory_write_granularity!r}: it follows writes token by token, which this memory lacks."
            )
        reads_data = self.objectives.retention or any(s.real_share or s.reply_share for s in self.stages)
        if reads_data and not self.data_folder:
            raise ConfigError(
                "Expected data_folder, a folder of published data sets, since the recipe has real_share, reply_share "
                "or a retention objective; got none. Name it in the recipe or with --data, or set them to 0."
            )

    @property
    def steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that optimiser step `step`, counted from 0, belongs to."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]

    def fields(self) -> dict[str, Any]:
        """Every setting under a dotted name like `stages.0.steps`."""
        return dict(_flat(dataclasses.asdict(self)))

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a TOML recipe.

        Raises:
            ConfigError: no such file, not TOML, or a field that can't be used.
        """
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"Could not read the recipe {path}: {error}") from error
        return cls.from_dict(tables)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Recipe:
        """The recipe of TOML-like tables."""
        values = dict(tables)
        for name, kind in (
            ("optimisation", Optimisation),
            ("objectives", ObjectiveWeights),
            ("rendering", Rendering),
            ("memory", DeltaMemConfig),
        ):
            if name in values:
                values[name] = _build(kind, values[name], name)
        values["stages"] = tuple(_build(Stage, s, f"stages[{i}]") for i, s in enumerate(values.get("stages", ())))
        return _build(cls, values, "the recipe")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name == "stages":
            value = {str(i): stage for i, stage in enumerate(value)}
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value


def _build(kind: type[T], table: Any, place: str) -> T:
    """A dataclass of a table; unknown keys and wrong types are errors that say where."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"Expected a table at {place}, got {type(table).__name__}.")
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
            raise ConfigError(f"Unknown field {name!r} in {place}: {hint}")
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}
    for name, value in values.items():
        wanted = str(known[name].type)
        kinds = _SIMPLE.get(wanted)
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and wanted != "bool")):
            raise ConfigError(f"Expected `{wanted}` for {name} in {place}, got {value!r}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"Could not read {place}: {error}") from error
