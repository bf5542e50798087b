"""Records that a server's owner can't read or forge: AES-GCM at rest, or an HMAC for integrity alone.

Each record is sealed for one agent, key prefix and version: moved to another agent, store or version, it does not
open. A protected store never accepts a record that is not protected. Keys come as a ring: the first one protects
what is written, all of them open what is read, so that keys are changed without a pause.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, Self, overload

from dmem_agents.agents import check_agent_id
from dmem_agents.envelope import MAX_SEALED_BYTES, SealedReader, seal
from dmem_agents.errors import ConfigError, StateCorruptError, StateMismatchError
from dmem_agents.store.base import AsyncStateStore, StateStore, StoredRecord, check_data
from dmem_agents.store.procedures import Procedure
from dmem_agents.store.wrapped import AsyncWrappedStateStore, StorePlans, WrappedStateStore

SCHEMA: Final = 1
"""Schema number of the protected records this version writes."""

KEY_BYTES: Final = 32
MAX_PROTECTED_BYTES: Final = MAX_SEALED_BYTES - 512
"""No protected record is larger, in bytes: the rest is for the seal around it."""

_NONCE_BYTES = 12
_ADVICE = '`KeyRing.new_line("2026-11")` makes a line for a key file.'


class KeyRing:
    """Named keys of 32 bytes; the first protects, all open.

    Args:
        keys: name → key, in that order. Names are stored beside what they protect.

    Raises:
        ConfigError: there is none, or one has another size or an unusable name. The text never holds a key.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise ConfigError(f"Expected at least one key. {_ADVICE}")
        for number, (name, key) in enumerate(keys.items(), start=1):
            if not _usable(name, key):  # the name is not shown: it may be a key that stands in the wrong place
                raise ConfigError(
                    f"Expected keys of {KEY_BYTES} bytes under names of up to 64 letters, digits, `.`, `_` and `-`; "
                    f"number {number} is not. {_ADVICE}"
                )
        self._keys = dict(keys)
        self.active = next(iter(keys))
        """Name of the key that protects what is written."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """The keys in a file: a line `name base64` each, the active one first; `#` begins a comment.

        Raises:
            ConfigError: the file can't be read, or a line is no key. The text names the line and shows nothing of it.
        """
        try:
            lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ConfigError(f"The key file {path} can't be read: {error.strerror}.") from error
        except UnicodeDecodeError:
            raise ConfigError(f"Expected the key file {path} to be text in UTF-8, got something else.") from None
        keys: dict[str, bytes] = {}
        for number, line in enumerate(lines, start=1):
            words = line.partition("#")[0].strip().split(None, 1)
            if not words:
                continue
            name, key = words[0], _decoded(words[-1])
            if len(words) < 2 or not _usable(name, key):
                raise ConfigError(
                    f"Expected a name and a key of {KEY_BYTES} bytes in base64 on line {number} of {path}, "
                    f"got something else. {_ADVICE}"
                )
            if name in keys:
                raise ConfigError(
                    f"Expected each key of {path} under a name of its own; line {number} has {name!r} again. Records "
                    "name the key that opens them: give a new key a new name."
                )
            keys[name] = key
        return cls(keys)

    @staticmethod
    def new_line(name: str) -> str:
        """A line for a key file, with a key drawn just now."""
        return f"{name} {base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"

    def key(self, name: str) -> bytes | None:
        """The key of that name."""
        return self._keys.get(name)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"


class Protection(Protocol):
    """How bytes are protected, and opened again."""

    kind: str

    def protect(self, data: bytes, binding: bytes) -> bytes:
        """The bytes, sealed for this binding."""

    def open(self, sealed: bytes, binding: bytes, *, subject: str) -> bytes:
        """What `protect` was given. Raises `StateCorruptError` or `StateMismatchError`."""


class Encryption:
    """AES-256-GCM with a random nonce of 96 bits. Needs `cryptography` (extra `encryption`).

    One key is good for 2³² records, after which chance could repeat a nonce: change it before that.

    Raises:
        ConfigError: `cryptography` is not installed.
    """

    kind = "dmem-aes-gcm"

    def __init__(self, keys: KeyRing) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ModuleNotFoundError as error:
            raise ConfigError(
                "Encrypted stores need cryptography, which is not installed: pip install 'dmem-agents[encryption]'."
            ) from error
        self._keys, self._cipher, self._invalid = keys, AESGCM, InvalidTag

    def protect(self, data: bytes, binding: bytes) -> bytes:
        """See `Protection.protect`."""
        name, nonce = self._keys.active, secrets.token_bytes(_NONCE_BYTES)
        key = self._keys.key(name) or b""
        return _framed(self.kind, name, nonce, self._cipher(key).encrypt(nonce, data, binding))

    def open(self, sealed: bytes, binding: bytes, *, subject: str) -> bytes:
        """See `Protection.open`."""
        reader, name, nonce, body = _unframed(self.kind, sealed, subject)
        if len(nonce) != _NONCE_BYTES:
            raise reader.damaged(f"expected a nonce of {_NONCE_BYTES} bytes, got {len(nonce)}")
        try:
            return self._cipher(_known(self._keys, name, subject)).decrypt(nonce, body, binding)
        except self._invalid:
            raise _foreign(subject) from None


class Signing:
    """HMAC-SHA-256 over the record as it is: anybody with access reads it, nobody without the key forges it."""

    kind = "dmem-hmac-sha256"

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def protect(self, data: bytes, binding: bytes) -> bytes:
        """See `Protection.protect`."""
        name = self._keys.active
        return _framed(self.kind, name, _tag(self._keys.key(name) or b"", data, binding), data)

    def open(self, sealed: bytes, binding: bytes, *, subject: str) -> bytes:
        """See `Protection.open`."""
        _, name, tag, data = _unframed(self.kind, sealed, subject)
        if not hmac.compare_digest(tag, _tag(_known(self._keys, name, subject), data, binding)):
            raise _foreign(subject)
        return data


@overload
def protected(store: StateStore, protection: Protection) -> StateStore: ...
@overload
def protected(store: AsyncStateStore, protection: Protection) -> AsyncStateStore: ...
def protected(store: StateStore | AsyncStateStore, protection: Protection) -> StateStore | AsyncStateStore:
    """The store with every record protected: nothing else reaches it, and nothing else is taken from it."""
    plans = _ProtectingPlans(protection, store.namespace)
    if isinstance(store, StateStore):
        return WrappedStateStore(store, plans)
    return AsyncWrappedStateStore(store, plans)


def protection_of(data: bytes) -> tuple[str, str] | None:
    """How a stored record is protected, and the name of its key; None when it is not."""
    for kind in (Encryption.kind, Signing.kind):
        if data.startswith(_beginning(kind)):
            return kind, _unframed(kind, data, "The record")[1]
    return None


class _ProtectingPlans(StorePlans):
    def __init__(self, protection: Protection, namespace: str) -> None:
        self._protection = protection
        self._namespace = namespace

    def load(self, agent_id: str) -> Procedure[StoredRecord | None]:
        return self._opened(agent_id, (yield from super().load(agent_id)))

    def commit(
        self, agent_id: str, data: bytes, expected: StoredRecord | None, token: str | None, fence: int | None
    ) -> Procedure[StoredRecord]:
        check_data(agent_id, data)
        if len(data) > MAX_PROTECTED_BYTES:
            raise StateCorruptError(
                f"Expected a record of at most {MAX_PROTECTED_BYTES} bytes for agent {agent_id!r}, got {len(data)} "
                f"(a store without protection takes {MAX_SEALED_BYTES}). Nothing was written."
            )
        version = 1 if expected is None else expected.version + 1
        sealed = self._protection.protect(data, self._binding(agent_id, version))
        done = yield from super().commit(agent_id, sealed, expected, token, fence)
        return replace(done, data=data)

    def load_snapshot(self, agent_id: str, version: int) -> Procedure[StoredRecord | None]:
        return self._opened(agent_id, (yield from super().load_snapshot(agent_id, version)))

    def _opened(self, agent_id: str, record: StoredRecord | None) -> StoredRecord | None:
        if record is None:
            return None
        subject = f"Record of agent {agent_id!r}, version {record.version},"
        try:
            data = self._protection.open(record.data, self._binding(agent_id, record.version), subject=subject)
        except StateCorruptError as error:
            error.stored = record
            raise
        return replace(record, data=data)

    def _binding(self, agent_id: str, version: int) -> bytes:
        """What a record is sealed for. Lengths first: no two of these are the same bytes."""
        check_agent_id(agent_id)
        parts = (self._protection.kind.encode(), self._namespace.encode("utf-8", "surrogatepass"), agent_id.encode())
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts) + version.to_bytes(8, "big")


def _usable(name: str, key: bytes) -> bool:
    return re.fullmatch("[A-Za-z0-9._-]{1,64}", name) is not None and len(key) == KEY_BYTES


def _decoded(text: str) -> bytes:
    """The bytes of a text in base64; none when it is something else."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _framed(kind: str, key_name: str, nonce: bytes, body: bytes) -> bytes:
    return seal([("schema", SCHEMA), ("format", kind), ("key", key_name), ("nonce", nonce), ("body", body)])


def _beginning(kind: str) -> bytes:
    return _framed(kind, "", b"", b"").partition(b"\xa3key")[0]


def _unframed(kind: str, sealed: bytes, subject: str) -> tuple[SealedReader, str, bytes, bytes]:
    """Reader, name of the key, nonce or tag, body."""
    if not sealed.startswith(_beginning(kind)):
        raise StateCorruptError(
            f"{subject} is not protected by {kind}, and this store takes nothing else. It was left as it is. Open "
            "the store without its keys to read it, or migrate it into a protected one."
        )
    reader = SealedReader(sealed, subject=subject)
    reader.integer("schema", low=SCHEMA, high=SCHEMA)
    reader.text("format")
    name, nonce, body = reader.text("key", max_bytes=64), reader.binary("nonce"), reader.binary("body")
    reader.finish()
    return reader, name, nonce, body


def _known(keys: KeyRing, name: str, subject: str) -> bytes:
    key = keys.key(name)
    if key is None:
        raise StateMismatchError(
            f"{subject} is protected by the key {name!r:.70}, which is not in the key ring. Add it after the active "
            "one. The record was left as it is."
        )
    return key


def _foreign(subject: str) -> StateCorruptError:
    return StateCorruptError(
        f"{subject} does not open under its key: it was changed, or belongs to another agent, prefix or version. "
        "It was left as it is. Restore a backup of it, or forget the agent and start anew."
    )


def _tag(key: bytes, data: bytes, binding: bytes) -> bytes:
    own = hmac.digest(key, b"dmem record signing", hashlib.sha256)  # never the bare key: it may encrypt as well
    return hmac.digest(own, binding + data, hashlib.sha256)
