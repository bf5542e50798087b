"""Reading published data files, gzip-compressed. Every problem is a `ConfigError` that names the file."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmem_agents.errors import ConfigError


def read_text(path: Path) -> str:
    """The text of a gzip-compressed file."""
    try:
        return gzip.decompress(path.read_bytes()).decode()
    except FileNotFoundError as error:
        raise ConfigError(
            f"Expected the data file {path}; there is none. Give the folder that holds {path.parent.name}/, "
            "or leave this source out."
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected gzip-compressed UTF-8 text in {path}; it can't be read: {error}.") from error


def read_json(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The records of a JSON list, each checked to have the columns."""
    try:
        records = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ConfigError(f"Expected JSON in {path}; {error}.") from error
    if not isinstance(records, list):
        raise ConfigError(f"Expected a JSON list in {path}; got `{type(records).__name__}`.")
    return with_columns(path, records, columns)


def read_json_lines(path: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The records of a file with one JSON object a line, each checked to have the columns."""
    try:
        records = [json.loads(line) for line in read_text(path).splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ConfigError(f"Expected one JSON object a line in {path}; {error}.") from error
    return with_columns(path, records, columns)


def with_columns(path: Path, records: Sequence[Any], columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The records, after checking that each has the columns."""
    for number, record in enumerate(records, start=1):
        missing = [c for c in columns if not isinstance(record, Mapping) or record.get(c) is None]
        if missing:
            raise ConfigError(
                f"Expected {', '.join(columns)} in every record of {path}; record {number} lacks {', '.join(missing)}."
            )
        yield record
