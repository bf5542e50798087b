"""Adapter folders: `delta_mem_config.json` beside safetensors (ours) or the published `.pt`; local or on a hub.

Nothing executable is ever loaded: `.pt` files are opened with `weights_only=True`.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from dmem_agents.errors import AdapterError, ConfigError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel

CONFIG_FILE = "delta_mem_config.json"
WEIGHTS_FILE = "delta_mem_adapter.safetensors"
PUBLISHED_WEIGHTS_FILE = "delta_mem_adapter.pt"
FORMAT_VERSION = "1"


def save_adapter(model: DeltaMemModel, folder: str | Path, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write the adapter's config and weights into a folder, each file whole or not at all.

    Args:
        model: the model whose adapter is saved.
        folder: made when it is not there; files of an earlier save are replaced.
        dtype: float32, or bfloat16 for half the size; the rounded weights are what a later load gets.

    Raises:
        AdapterError: the folder can't be written.
    """
    folder = Path(folder)
    tensors = {name: p.detach().to("cpu", dtype).contiguous() for name, p in model.adapter_parameters().items()}
    metadata = {"format": "dmem-adapter", "format_version": FORMAT_VERSION, "backbone": model.backbone_id}
    text = json.dumps(model.config.to_dict(), indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            save_file(tensors, Path(scratch) / WEIGHTS_FILE, metadata=metadata)
            (Path(scratch) / CONFIG_FILE).write_text(text, encoding="utf-8")
            for name in (WEIGHTS_FILE, CONFIG_FILE):
                os.replace(Path(scratch) / name, folder / name)
    except (OSError, SafetensorError) as error:
        raise AdapterError(
            f"Could not write the adapter to {folder}: {error}. Check free space and permissions."
        ) from error
    return folder


def load_adapter(backbone: PreTrainedModel, source: str | Path, *, revision: str | None = None) -> DeltaMemModel:
    """Attach a trained adapter to a backbone. On any error the backbone is as it was.

    Args:
        backbone: the model that the adapter was trained for.
        source: a folder, or a hub id such as `declare-lab/delta-mem_qwen3_4b-instruct`.
        revision: branch, tag or commit on the hub.

    Raises:
        AdapterError: nothing there, damaged files, or tensors that don't fit this backbone.
    """
    folder = adapter_folder(source, revision=revision)
    try:
        config = DeltaMemConfig.from_dict(_read_json(folder / CONFIG_FILE))
        model = DeltaMemModel(backbone, config)
    except ConfigError as error:
        raise AdapterError(f"The adapter in {folder} does not fit: {error}") from error
    try:
        model.load_adapter_parameters(load_adapter_tensors(folder))
    except BaseException:
        model.detach()
        raise
    return model


def adapter_folder(source: str | Path, *, revision: str | None = None, hub_token: str | None = None) -> Path:
    """The local folder of an adapter; a hub id is fetched (its `delta_mem_*` files only).

    Raises:
        AdapterError: no such folder, and nothing under that name on the hub.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise AdapterError(
            f"Expected an adapter folder or a hub id like 'owner/name', got {name!r}: there is no such folder."
        )
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=["delta_mem_*"], token=hub_token)
        return Path(found)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise AdapterError(
            f"Found no adapter {name!r}: it is not a folder here, and the hub gave {type(error).__name__}. "
            "Check the name and the connection, or pass the path of a folder."
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterError(
            f"Expected {path.name} in {path.parent}, found none: this is not an adapter folder."
        ) from error
    except (OSError, ValueError) as error:
        raise AdapterError(f"Could not read {path}: {error}.") from error


def load_adapter_tensors(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of an adapter folder, as they are stored, on the CPU.

    Raises:
        AdapterError: no weights there, or a file that can't be read as plain tensors.
    """
    folder = Path(folder)
    ours, published = folder / WEIGHTS_FILE, folder / PUBLISHED_WEIGHTS_FILE
    try:
        if ours.exists():
            return load_file(ours)
        if published.exists():
            loaded = torch.load(published, map_location="cpu", weights_only=True)
            if isinstance(loaded, dict) and all(isinstance(t, Tensor) for t in loaded.values()):
                return loaded
            raise AdapterError(f"Expected {published} to hold a flat dict of tensors, got {type(loaded).__name__}.")
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        if isinstance(error, AdapterError):
            raise
        raise AdapterError(f"Could not read the adapter weights in {folder}: {error}") from error
    raise AdapterError(f"Expected {WEIGHTS_FILE} or {PUBLISHED_WEIGHTS_FILE} in {folder}, found neither.")
