"""One training run on the Hugging Face `Trainer`: only the adapter trains; checkpoints are whole or not there.

Gradient accumulation, several GPUs, mixed precision, logging and resume come from `Trainer` and Accelerate. A
checkpoint counts only with the marker that is written last, so a run killed while saving resumes from the one before.
"""

from __future__ import annotations

import functools
import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from dmem_agents.engine.padding import left_padded
from dmem_agents.errors import ConfigError, DmemError
from dmem_agents.model.adapter import load_adapter_tensors, save_adapter
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.model.loading import checked_device, load_backbone
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.batching import Collator, TrainingBatch
from dmem_agents.train.compiled import compile_parts
from dmem_agents.train.dataset import CurriculumDataset, collate
from dmem_agents.train.objectives import ObjectiveWeights, loss_terms
from dmem_agents.train.ordinary_text import OrdinaryText
from dmem_agents.train.recipe import Recipe
from dmem_agents.whole_files import write_whole

COMPLETE = "complete"
"""Name of the marker that a whole checkpoint has."""
RECIPE = "recipe.json"
"""Name of the file that keeps what a folder's checkpoints were made by."""
_PROMPTS_AT_ONCE = 64
_ANSWER_TOKENS = 24
"""Of the frozen model's answers: a memory that interferes does so at their start."""


class EpisodeModel(nn.Module):
    """The model as a function from a batch to its loss terms, so that data-parallel wrappers see one forward.

    Args:
        memory_model: the backbone with its adapter.
        weights: the objective.
    """

    def __init__(self, memory_model: DeltaMemModel, weights: ObjectiveWeights) -> None:
        super().__init__()
        self.memory_model = memory_model
        self.weights = weights

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Every loss term of the batch, and their `total`."""
        return loss_terms(self.memory_model, batch.to(self.memory_model.device), self.weights)


class _OwnIntervals(TrainerCallback):
    """A run that goes on saves as often as its own recipe says, not as its checkpoint did."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *rest: Any, **kwargs: Any) -> None:
        """See `TrainerCallback`."""
        state.save_steps = int(args.save_steps)


class AdapterTrainer(Trainer):
    """`Trainer` that computes our objective and saves adapters instead of whole models."""

    def __init__(self, *, recipe: Recipe, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.is_fsdp_enabled or is_deepspeed_zero3_enabled():
            raise ConfigError(
                "Expected whole weights in every process, as under plain data parallelism and DeepSpeed's ZeRO 1 and "
                "2; FSDP and ZeRO 3 cut them up, and an adapter would be saved in part. Launch without them."
            )
        self.add_callback(_OwnIntervals())
        self.recipe = recipe
        self.model_accepts_loss_kwargs = False
        self._sums: dict[str, list[float]] = {}

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Tensor:
        """The weighted sum of the terms; each term is logged under its name."""
        terms: dict[str, Tensor] = model(inputs["batch"])
        for name, value in terms.items():
            if name != "total":
                self._sums.setdefault(name, []).append(float(value.detach()))
        return terms["total"]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the means of the loss terms since the last log."""
        if "loss" in logs:
            logs |= {name: round(sum(v) / len(v), 4) for name, v in self._sums.items() if v}
            self._sums.clear()
        super().log(logs, *args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        save_adapter(self._memory_model(), Path(output_dir or str(self.args.output_dir)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self._memory_model().load_adapter_parameters(load_adapter_tensors(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        optimiser, schedule = self.optimizer, self.lr_scheduler
        if checkpoint is None or self.is_deepspeed_enabled or optimiser is None or schedule is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        # A checkpoint brings the settings it was made by along; a run that goes on goes on by its own recipe.
        wanted = [{n: v for n, v in group.items() if n != "params"} for group in optimiser.param_groups]
        rates = list(schedule.base_lrs)
        super()._load_optimizer_and_scheduler(checkpoint)
        schedule.base_lrs = rates
        shares = [share(schedule.last_epoch) for share in schedule.lr_lambdas]
        for group, settings, rate, share in zip(optimiser.param_groups, wanted, rates, shares, strict=True):
            group.update(settings, lr=rate * share)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        output = Path(str(self.args.output_dir))
        folder = output / f"checkpoint-{self.state.global_step}"
        # Every process writes its own part of a checkpoint: it begins and counts only when all of them are there.
        first = self.is_world_process_zero()
        if first:
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if first:
                (folder / COMPLETE).write_text("")
        except (OSError, RuntimeError, DmemError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            kept = last_checkpoint(output)
            raise ConfigError(
                f"Could not write {folder}: {error}. Make room or choose another folder, then run the same command "
                f"again: it goes on from {kept.name if kept else 'the start'}."
            ) from error
        for old in _checkpoints(output)[: -max(2, self.recipe.average_checkpoints)] if first else ():
            shutil.rmtree(old, ignore_errors=True)

    def _memory_model(self) -> DeltaMemModel:
        unwrapped: EpisodeModel = self.accelerator.unwrap_model(self.model)
        return unwrapped.memory_model


def _checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    whole = [p.parent for p in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return sorted(whole, key=lambda p: int(p.name.rsplit("-", 1)[1]))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = _checkpoints(folder)
    return whole[-1] if whole else None


def _mean_weights(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of some checkpoints' adapters, tensor by tensor (stochastic weight averaging, arXiv 1803.05407)."""
    adapters = [load_adapter_tensors(folder) for folder in checkpoints]
    return {name: torch.stack([a[name] for a in adapters]).mean(dim=0) for name in adapters[0]}


def load_for_training(recipe: Recipe, *, device: str = "auto") -> tuple[DeltaMemModel, PreTrainedTokenizerBase]:
    """The recipe's backbone as its steps run fastest, with the adapter to start from, and its tokenizer.

    Args:
        recipe: backbone, number format, memory and where its weights come from: `start_from`, or the seed.
        device: "auto" or a kind of torch device; one of several is chosen by CUDA_VISIBLE_DEVICES.

    Raises:
        ModelLoadError: the backbone can't be found or opened.
        AdapterError: `start_from` can't be read or doesn't fit the backbone.
        ConfigError: a device that is not there, or a memory that doesn't fit the backbone.
    """
    target = checked_device(device)
    if target.index is not None:
        raise ConfigError(
            f"Expected a device without a number, since Trainer takes the first that it sees; got {device!r}. Show it "
            f"that one alone: CUDA_VISIBLE_DEVICES={target.index} and --device {target.type}."
        )
    # torch's fused attention is slow backwards on a CPU: without it a step takes four fifths of the time.
    attention = "eager" if target.type == "cpu" else None
    backbone, tokenizer = load_backbone(
        recipe.backbone or None,
        dtype="bfloat16" if recipe.optimisation.bf16 else "float32",
        device=device,
        attn_implementation=attention,
    )
    if recipe.optimisation.compile:
        compile_parts(backbone)
    torch.manual_seed(recipe.optimisation.seed)
    model = attach(backbone, recipe.memory)
    if recipe.start_from:
        model.load_adapter_parameters(load_adapter_tensors(recipe.start_from))
    return model, tokenizer


def train_adapter(
    recipe: Recipe,
    model: DeltaMemModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: str | Path,
    *,
    callbacks: list[TrainerCallback] | None = None,
    show_progress: bool = False,
) -> Path:
    """Train a model's adapter by a recipe; go on from the folder's last whole checkpoint if there is one.

    Args:
        recipe: what to do.
        model: the backbone with a fresh or loaded adapter.
        tokenizer: the backbone's.
        folder: checkpoints with the log (`trainer_state.json`) and, at the end, the adapter.
        callbacks: more `Trainer` callbacks.
        show_progress: draw progress bars.

    Returns:
        The folder of the finished adapter, `<folder>/adapter`.

    Raises:
        ConfigError: data or settings that can't be used, or a folder that can't be written.
    """
    folder = Path(folder)
    o = recipe.optimisation
    arguments = _arguments(recipe, folder, model.device, show_progress)
    collator = Collator(
        tokenizer=ChatTokenizer(tokenizer),
        by_turn=model.config.memory_write_granularity != "token",
        pad_id=tokenizer.pad_token_id or 0,
        ordinary=_ordinary_text(recipe, model, tokenizer),
        ordinary_rows=recipe.rendering.retention_rows,
        teacher=recipe.objectives.distillation > 0,
        **{
            name: getattr(recipe.rendering, name)
            for name in ("system_share", "preamble_share", "online_share", "join_share", "value_weight", "max_tokens")
        },
    )
    per_step = o.conversations_per_step * o.gradient_accumulation_steps * arguments.world_size
    trainer = AdapterTrainer(
        recipe=recipe,
        model=EpisodeModel(model, recipe.objectives),
        args=arguments,
        train_dataset=CurriculumDataset(recipe, conversations_per_step=per_step),
        data_collator=functools.partial(collate, collator=collator, seed=o.seed),
        callbacks=callbacks,
    )
    resume = last_checkpoint(folder)
    if trainer.is_world_process_zero():
        _write_down(recipe, folder, resume)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if trainer.is_world_process_zero():
        if recipe.average_checkpoints > 1:
            model.load_adapter_parameters(_mean_weights(_checkpoints(folder)[-recipe.average_checkpoints :]))
        save_adapter(model, folder / "adapter", dtype=torch.bfloat16)
    trainer.accelerator.wait_for_everyone()
    return folder / "adapter"


def _write_down(recipe: Recipe, folder: Path, resume: Path | None) -> None:
    """Leave the recipe with its checkpoints; say what changed when others were made by another."""
    kept, now = folder / RECIPE, recipe.fields()
    if resume is not None and kept.is_file():
        try:
            earlier = json.loads(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # nothing to compare with
            earlier = now
        changes = [f"{n}: {earlier.get(n)} → {now.get(n)}" for n in {**earlier, **now} if earlier.get(n) != now.get(n)]
        if changes:
            warnings.warn(
                f"{folder} was begun by another recipe and goes on from {resume.name} by this one "
                f"({'; '.join(changes)}). For a run from the start, choose another folder.",
                stacklevel=3,
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(now, indent=1).encode())
    except OSError as error:
        raise ConfigError(f"Could not write {kept}: {error}. Make room or choose another folder.") from error


def _ordinary_text(recipe: Recipe, model: DeltaMemModel, tokenizer: PreTrainedTokenizerBase) -> OrdinaryText | None:
    if not recipe.objectives.retention:
        return None
    answer = functools.partial(_continued, model, tokenizer.pad_token_id or 0, sorted(ChatTokenizer(tokenizer).eos_ids))
    return OrdinaryText(recipe.data_folder, tokenizer, tokens=recipe.rendering.retention_tokens, answer=answer)


@torch.no_grad()
def _continued(
    model: DeltaMemModel, pad_id: int, end_ids: list[int], prompts: Sequence[Sequence[int]]
) -> list[tuple[int, ...]]:
    """What the frozen model says to each prompt, greedily: outside a memory pass the wrapped linears are plain."""
    generate = cast(Callable[..., Tensor], model.backbone.generate)
    said: dict[int, tuple[int, ...]] = {}
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), _PROMPTS_AT_ONCE):
        part = order[start : start + _PROMPTS_AT_ONCE]
        ids = left_padded([prompts[i] for i in part], pad_id, model.device)
        found = generate(
            ids,
            attention_mask=left_padded([(1,) * len(prompts[i]) for i in part], 0, model.device),
            generation_config=GenerationConfig(
                max_new_tokens=_ANSWER_TOKENS, do_sample=False, pad_token_id=pad_id, eos_token_id=end_ids
            ),
        )[:, ids.shape[1] :]  # fmt: skip
        for i, row in zip(part, found.tolist(), strict=True):
            ends = [place for place, token in enumerate(row) if token in end_ids]
            said[i] = tuple(row[: ends[0] + 1] if ends else row)
    return [said[i] for i in range(len(prompts))]


def _arguments(recipe: Recipe, folder: Path, device: torch.device, show_progress: bool) -> TrainingArguments:
    """The recipe in the words of Hugging Face `Trainer`."""
    o = recipe.optimisation
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=recipe.steps,
        per_device_train_batch_size=o.conversations_per_step,
        gradient_accumulation_steps=o.gradient_accumulation_steps,
        learning_rate=o.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=o.warmup_steps,
        weight_decay=o.weight_decay,
        adam_beta2=o.adam_beta2,
        max_grad_norm=o.max_grad_norm,
        seed=o.seed,
        save_steps=recipe.save_every_steps,
        logging_steps=10,
        logging_first_step=True,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda",
        disable_tqdm=not show_progress,
        report_to=[],
        label_names=[],
    )
    if arguments.n_gpu > 1:  # one process trains on one GPU: torch's DataParallel can't split our batches
        arguments._n_gpu = 1
    return arguments
