"""Result files of `dmem eval`: one JSON each, kept whole at every moment, continued by a run of the same settings."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dmem_agents import __version__
from dmem_agents.errors import ConfigError
from dmem_agents.whole_files import write_whole


@dataclass(kw_only=True, slots=True)
class ResultsFile:
    """What was measured so far, by name of the part, and where it lies."""

    path: Path
    what: str
    """Which evaluation."""
    settings: dict[str, Any]
    """Everything that the numbers depend on; JSON values."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Results of finished parts."""

    @classmethod
    def open(cls, path: Path, what: str, settings: dict[str, Any]) -> Self:
        """A new file, or what an interrupted run of the same settings has finished.

        Raises:
            ConfigError: there is something else under this name, or it can't be written there.
        """
        if path.is_dir():
            raise ConfigError(f"Expected --output to name a file; {path} is a folder.")
        if not path.exists():
            return cls(path=path, what=what, settings=settings)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            different = [name for name in settings if stored["settings"].get(name) != settings[name]]
            parts: dict[str, Any] = dict(stored["results"])
            known = stored["what"] == what
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            different, parts, known = [], {}, False
        if not known or different:
            reason = f"measured with another {', '.join(different)}" if known else f"not of `dmem eval {what}`"
            raise ConfigError(
                f"{path} holds other results, {reason}. Name another file with --output, or move it away."
            )
        return cls(path=path, what=what, settings=settings, parts=parts)

    def keep(self, name: str, result: dict[str, Any]) -> None:
        """Add or replace one part, and write the file; the old one stays whole if that fails."""
        import torch

        self.parts[name] = result
        content = {
            "what": self.what,
            "version": __version__,
            "settings": self.settings,
            "machine": {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()},
            "results": self.parts,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            raise ConfigError(
                f"The results can't be written to {self.path}: {error}. Name another --output."
            ) from error
