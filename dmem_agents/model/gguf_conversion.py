"""One GGUF file → a folder of float32 safetensors and tokenizer files. Knows nothing of caches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from dmem_agents.errors import ModelLoadError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_READERS = ("gguf", "accelerate")
"""What transformers needs to open a GGUF file."""


def convert_gguf(source: Path, folder: Path, *, progress: bool = True) -> None:
    """De-quantise the model in `source` to float32 and write it, with its tokenizer, into `folder`.

    Args:
        source: A GGUF file of an architecture that transformers opens.
        folder: An existing folder; `from_pretrained` opens it afterwards.
        progress: Show a progress bar, if stderr is a terminal.

    Raises:
        ModelLoadError: The file can't be opened, weights are missing from it, or a package that reads it.
        OSError: `folder` can't be written; safetensors raises its own `SafetensorError` for that.
    """
    _require_readers(source)
    with _stages("opening", "weights", "tokenizer", "writing", show=progress) as next_stage:
        next_stage()
        from dmem_agents.model.progress_bars import hidden_progress_bars  # loads transformers

        with hidden_progress_bars():
            next_stage()
            model = _open_model(source)
            next_stage()
            tokenizer = _open_tokenizer(source)
        next_stage()
        _write(model, tokenizer, folder)


def _require_readers(source: Path) -> None:
    missing = [package for package in _READERS if find_spec(package) is None]
    if missing:
        raise ModelLoadError(
            f"Opening {source} takes the packages {' and '.join(_READERS)}; missing: {', '.join(missing)}. "
            "Run: pip install 'dmem-agents[embedded]'."
        )


def _open_model(source: Path) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    try:
        # Typed as a model alone; with this option it is a pair.
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            dtype="float32",
            output_loading_info=True,
            local_files_only=True,
        )
    except Exception as error:
        raise _cannot_open(source, error) from error
    model: PreTrainedModel = loaded[0]
    missing = sorted({*loaded[1]["missing_keys"]} - _tied_weights(model))
    if missing:
        raise ModelLoadError(f"{source} lacks {len(missing)} weights of the model, {missing[0]} first.")
    return model


def _open_tokenizer(source: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
    except Exception as error:
        raise _cannot_open(source, error) from error


def _write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    from safetensors.torch import save_file

    # save_pretrained refuses a model that was opened quantised. The weights are plain float32 by now, so
    # they are written as such, and nothing in the configuration may say otherwise.
    model.config.__dict__.pop("quantization_config", None)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tied = _tied_weights(model)
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name not in tied}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _tied_weights(model: PreTrainedModel) -> set[str]:
    return {"lm_head.weight"} if model.config.tie_word_embeddings else set()


def _cannot_open(source: Path, error: Exception) -> ModelLoadError:
    return ModelLoadError(f"{source} can't be opened ({type(error).__name__}: {error}).")


@contextmanager
def _stages(*names: str, show: bool) -> Iterator[Callable[[], None]]:
    """A progress bar over named stages on stderr; none when hidden or when stderr is no terminal."""
    hidden = not (show and sys.stderr is not None and sys.stderr.isatty())
    upcoming = iter(enumerate(names))
    with tqdm(total=len(names), disable=hidden, bar_format="{desc} |{bar:20}| {elapsed}", leave=False) as bar:

        def next_stage() -> None:
            done, name = next(upcoming)
            bar.update(done - bar.n)
            bar.set_description_str(f"Preparing the embedded model, once: {name}")

        yield next_stage
        bar.update(len(names) - bar.n)
