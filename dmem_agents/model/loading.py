"""Names of a backbone and an adapter → a model with memory and its tokenizer; never an untrained memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import constants as hub, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from dmem_agents.errors import AdapterError, ConfigError, ModelLoadError
from dmem_agents.model.adapter import adapter_folder, load_adapter
from dmem_agents.model.embedded import EMBEDDED_MODEL_ID, embedded_model_folder
from dmem_agents.model.progress_bars import hidden_progress_bars

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from dmem_agents.model.attach import DeltaMemModel

_PACKAGED_ADAPTER = Path(__file__).parent / "adapters" / "smollm2-135m"
_HUB_SECONDS = 20.0
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedModel:
    """A backbone with its memory attached, and the tokenizer that belongs to it."""

    model: DeltaMemModel
    """The frozen backbone with a trained adapter, in evaluation mode."""
    tokenizer: PreTrainedTokenizerBase
    """The backbone's own tokenizer, chat template included."""


def load_model(
    model: str | Path | None = None,
    adapter: str | Path | None = None,
    *,
    dtype: str = "auto",
    device: str = "auto",
    attn_implementation: str | None = None,
    revision: str | None = None,
    hub_token: str | None = None,
) -> LoadedModel:
    """Open a backbone, its tokenizer and a trained adapter.

    Args:
        model: Hub id or folder of the backbone; None is the embedded model (`EMBEDDED_MODEL_ID`).
        adapter: Hub id or folder of the adapter; None is the one shipped for the embedded model.
        dtype: Of the backbone: "auto" (the checkpoint's own), "float32", "bfloat16" or "float16". The memory
            computes in float32 whatever is chosen.
        device: "auto" (a CUDA GPU if there is one, else the CPU) or a torch device such as "cuda:1".
        attn_implementation: What transformers calls it: "sdpa", "eager", ...; None leaves the choice to it.
        revision: Branch, tag or commit of a hub backbone.
        hub_token: Access token for gated and private models; None takes the one of `hf auth login`.

    Raises:
        ModelLoadError: The backbone or its tokenizer can't be found or opened.
        AdapterError: No adapter was named and none is shipped for this model, or it can't be found or does
            not fit. An untrained memory is never attached; training code calls `attach` for that.
        ConfigError: An unknown dtype or a device that is not there.
    """
    _checked_dtype(dtype), checked_device(device)  # before anything is fetched
    memory = _adapter_folder(model, adapter, hub_token)
    backbone, tokenizer = load_backbone(
        model,
        dtype=dtype,
        device=device,
        attn_implementation=attn_implementation,
        revision=revision,
        hub_token=hub_token,
    )
    with_memory = load_adapter(backbone, memory)
    return LoadedModel(model=with_memory.eval().requires_grad_(False), tokenizer=tokenizer)


def load_backbone(
    model: str | Path | None = None,
    *,
    dtype: str = "auto",
    device: str = "auto",
    attn_implementation: str | None = None,
    revision: str | None = None,
    hub_token: str | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open a plain backbone and its tokenizer, as `load_model` does; for training and for comparisons.

    Raises:
        ModelLoadError: The backbone or its tokenizer can't be found or opened.
        ConfigError: An unknown dtype or a device that is not there.
    """
    checked_dtype = _checked_dtype(dtype)
    target = checked_device(device)
    name = EMBEDDED_MODEL_ID if model is None else str(model)
    source = str(embedded_model_folder()) if model is None else _backbone_source(model)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False, "token": hub_token}
    try:
        _require_found(source, revision, hub_token)
        with hidden_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            backbone: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                source, dtype=checked_dtype, attn_implementation=attn_implementation, **options
            )
    # The libraries raise OSError, ValueError, ImportError, KeyError and their own kinds for unusable folders.
    except Exception as error:
        raise _cannot_load(name, source, revision, attn_implementation, error) from error
    backbone.config.name_or_path = name  # for messages: a cache path says nothing
    nn.Module.to(backbone, target)
    return backbone.eval(), tokenizer


def packaged_adapter_folder() -> Path | None:
    """The adapter for the embedded model that this wheel ships; None when it ships none."""
    return _PACKAGED_ADAPTER if (_PACKAGED_ADAPTER / "delta_mem_config.json").is_file() else None


def _checked_dtype(dtype: str) -> torch.dtype | str:
    if dtype == "auto":
        return dtype
    if dtype not in _DTYPES:
        raise ConfigError(f"Expected a dtype out of auto, {', '.join(_DTYPES)}; got {dtype!r}.")
    return _DTYPES[dtype]


def checked_device(device: str) -> torch.device:
    """The device of that name; "auto" is a CUDA GPU if there is one, else the CPU.

    Raises:
        ConfigError: a device that this torch can't use.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    # A build without CUDA answers with AssertionError, a missing GPU with RuntimeError.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"Expected a device that this torch can use, got {device!r}: {reason}. Use 'auto' or 'cpu', or "
            "install a torch build for that device."
        ) from error
    return found


def _adapter_folder(model: str | Path | None, adapter: str | Path | None, hub_token: str | None) -> Path:
    """Where the adapter lies, fetched if need be; found before the backbone's gigabytes are read."""
    if adapter is not None:
        return adapter_folder(adapter, hub_token=hub_token)
    if model is None:
        packaged = packaged_adapter_folder()
        if packaged is not None:
            return packaged
        raise AdapterError(
            "This build of dmem-agents ships no adapter for the embedded model. Name one: adapter='<folder "
            "or hub id>' (for the command `dmem`: --adapter or DMEM_ADAPTER). An untrained memory is never attached "
            "silently."
        )
    raise AdapterError(
        f"Model {str(model)!r} needs an adapter that was trained for it, and none was given. Name one: "
        "adapter='<folder or hub id>' (for Qwen/Qwen3-4B-Instruct-2507: "
        "'declare-lab/delta-mem_qwen3_4b-instruct'); or leave out model= for the embedded one. An untrained "
        "memory is never attached silently."
    )


def _backbone_source(model: str | Path) -> str:
    """A folder's path or a hub id; refuses a path that can't be a model folder."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelLoadError(
                f"Expected a model folder with a config.json, or a hub id; the folder {folder.absolute()} "
                "has no config.json. Give the folder that save_pretrained wrote."
            )
        return str(folder)
    if _looks_like_a_path(model):
        raise ModelLoadError(
            f"Expected a model folder or hub id; the folder {folder.absolute()} does not exist. Check the "
            "path, or leave out model= for the embedded one."
        )
    return str(model)


def _require_found(source: str, revision: str | None, hub_token: str | None) -> None:
    """Ask the hub once for a model that is not cached; transformers would ask for a minute."""
    if Path(source).is_dir() or hub.HF_HUB_OFFLINE:
        return
    if not isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
        url = hf_hub_url(source, "config.json", revision=revision)
        get_hf_file_metadata(url, timeout=_HUB_SECONDS, token=hub_token)


def _looks_like_a_path(name: str | Path) -> bool:
    text = os.fspath(name)
    return isinstance(name, Path) or text.startswith((".", "~", "/", os.sep)) or text.count("/") > 1 or "\\" in text


def _cannot_load(
    name: str, source: str, revision: str | None, attn_implementation: str | None, error: Exception
) -> ModelLoadError:
    if Path(source).is_dir():
        tried = f"the folder {source}"
        hint = "Check that the folder is complete and of a model that this transformers release knows."
        if isinstance(error, SafetensorError):
            hint = "Its weight files are damaged: copy or download them again."
    else:
        tried = f"a folder of that name (there is none), the local cache {hub.HF_HUB_CACHE}"
        if hub.HF_HUB_OFFLINE:
            tried += "; the hub was not asked, because HF_HUB_OFFLINE is set"
            hint = (
                f"Unset HF_HUB_OFFLINE, or fetch the model on a connected machine with `hf download {name}` "
                "and pass its folder"
            )
        else:
            tried += f" and {hub.ENDPOINT}" + (f" at revision {revision!r}" if revision else "")
            hint = (
                "Check the spelling and the connection; a gated model needs its licence accepted on the hub "
                "and `hf auth login`"
            )
        hint += ". Or leave out model= for the embedded one, which needs no network."
    if attn_implementation:
        hint += f" If the reason speaks of attention, leave out attn_implementation={attn_implementation!r}."
    lines = str(error).strip().splitlines()
    reason = lines[0].rstrip(".") if lines else "none given"
    return ModelLoadError(
        f"The model {name!r} can't be loaded. Tried: {tried}. Reason: {type(error).__name__}: {reason}. {hint}"
    )
