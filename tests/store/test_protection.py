from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import ConfigError, StateCorruptError, StateMismatchError
from dmem_agents.store import (
    InMemoryStateStore,
    Retention,
    SQLiteStateStore,
    StateStore,
    ThreadedStateStore,
    open_async_store,
    open_store,
)
from dmem_agents.store.portable import export_agent, import_agent
from dmem_agents.store.protection import (
    Encryption,
    KeyRing,
    Protection,
    Signing,
    protected,
    protection_of,
)
from dmem_agents.store.upkeep import examine
from dmem_agents.testing.retention_conformance import RetentionConformance
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_writers import StoreFactory

ROOT = Path(__file__).parents[2]
OLD, NEW = bytes(range(32)), bytes(range(1, 33))
RING = KeyRing({"2026-11": OLD})
BOTH = [Encryption(RING), Signing(RING)]
both = pytest.mark.parametrize("protection", BOTH, ids=["encryption", "signing"])


class TestEncryptedStore(StoreConformance, RetentionConformance):
    def store_factory(self) -> StoreFactory:
        return lambda: protected(InMemoryStateStore(), Encryption(RING))

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return lambda: protected(InMemoryStateStore(retention), Encryption(RING))


class TestAsyncSignedStore(StoreConformance):
    def store_factory(self) -> StoreFactory:
        return lambda: protected(ThreadedStateStore(InMemoryStateStore()), Signing(RING))


@pytest.fixture
def inside() -> StateStore:
    return InMemoryStateStore(Retention(snapshots=3))


def test_nothing_of_an_encrypted_record_is_stored_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    with protected(SQLiteStateStore(path, retention=Retention(snapshots=2)), Encryption(RING)) as store:
        first = store.commit("a", b"a secret state " * 100, expected=None)
        store.commit("a", b"a secret state " * 100, expected=first)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"a secret state" not in stored
    assert OLD not in stored


@both
def test_plain_text_is_never_accepted_by_a_protected_store(inside: StateStore, protection: Protection) -> None:
    plain = inside.commit("a", b"plain", expected=None)
    store = protected(inside, protection)
    with pytest.raises(StateCorruptError, match=r"'a', version 1, is not protected by"):
        store.load("a")
    assert inside.load("a") == plain


def test_encrypted_and_signed_records_are_not_taken_for_each_other(inside: StateStore) -> None:
    protected(inside, BOTH[0]).commit("a", b"1", expected=None)
    with pytest.raises(StateCorruptError, match="not protected by dmem-hmac"):
        protected(inside, BOTH[1]).load("a")


@both
def test_a_record_opens_only_for_its_agent_version_and_prefix(inside: StateStore, protection: Protection) -> None:
    store = protected(inside, protection)
    first = store.commit("a", b"1", expected=None)
    sealed_first = inside.load("a")
    assert sealed_first is not None
    second = store.commit("a", b"2", expected=first)
    inside.commit("b", sealed_first.data, expected=None)
    with pytest.raises(StateCorruptError, match="another agent, prefix or version"):
        store.load("b")
    inside.commit("a", sealed_first.data, expected=inside.load("a"))  # an old record under a new number
    with pytest.raises(StateCorruptError, match="another agent, prefix or version"):
        store.load("a")
    assert second.version == 2
    inside.namespace = "elsewhere"
    with pytest.raises(StateCorruptError, match="another agent, prefix or version"):
        protected(inside, protection).load_snapshot("a", 1)


@both
def test_every_flipped_bit_is_refused(inside: StateStore, protection: Protection) -> None:
    store = protected(inside, protection)
    store.commit("a", b"state", expected=None)
    sealed = inside.load("a")
    assert sealed is not None
    for position in range(len(sealed.data)):
        for bit in (0, 3, 7):
            flipped = bytearray(sealed.data)
            flipped[position] ^= 1 << bit
            current = inside.load("a")
            inside.commit("a", bytes(flipped), expected=current)
            with pytest.raises((StateCorruptError, StateMismatchError)):
                store.load("a")


@both
@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=2000), agent_id=st.text(min_size=1, max_size=20))
def test_what_is_protected_comes_back_as_it_was(protection: Protection, data: bytes, agent_id: str) -> None:
    binding = agent_id.encode("utf-8", "surrogatepass")
    assert protection.open(protection.protect(data, binding), binding, subject="x") == data


def test_the_same_record_is_never_encrypted_to_the_same_bytes() -> None:
    assert len({Encryption(RING).protect(b"same", b"") for _ in range(100)}) == 100


@pytest.mark.parametrize("kind", [Encryption, Signing])
def test_keys_are_changed_without_a_pause_and_retired_in_the_end(inside: StateStore, kind: type[Encryption]) -> None:
    record = protected(inside, kind(RING)).commit("a", b"1", expected=None)
    rotated = protected(inside, kind(KeyRing({"2026-12": NEW, "2026-11": OLD})))
    assert rotated.load("a") == record
    assert protection_of(inside.load("a").data) == (kind.kind, "2026-11")  # type: ignore[union-attr]
    rotated.commit("a", b"2", expected=record)
    assert protection_of(inside.load("a").data) == (kind.kind, "2026-12")  # type: ignore[union-attr]
    only_new = protected(inside, kind(KeyRing({"2026-12": NEW})))
    assert only_new.load("a").data == b"2"  # type: ignore[union-attr]
    with pytest.raises(StateMismatchError, match=r"by the key '2026-11', which is not in the key ring"):
        only_new.load_snapshot("a", 1)
    (finding,) = examine(only_new, lambda agent_id, data: None)
    assert (finding.subject, finding.problem) == ("a", "wrong model")
    assert "'2026-11'" in finding.text
    assert list(examine(rotated, lambda agent_id, data: None)) == []
    assert protection_of(b"plain") is None


def test_a_restored_and_a_forked_record_open_at_their_new_place(inside: StateStore) -> None:
    store = protected(inside, Encryption(RING))
    first = store.commit("a", b"1", expected=None)
    store.commit("a", b"2", expected=first)
    assert store.restore("a", 1).data == b"1"
    store.fork("a", "b")
    assert [store.load(agent_id).data for agent_id in "ab"] == [b"1", b"1"]  # type: ignore[union-attr]


@both
@pytest.mark.parametrize("way", ["restore", "import"])
def test_what_does_not_open_can_be_repaired_under_its_keys(
    inside: StateStore, protection: Protection, way: str
) -> None:
    store = protected(inside, protection)
    good = store.commit("a", b"good", expected=None)
    file = export_agent(store, "a")
    store.commit("a", b"newer", expected=good)
    inside.commit("a", b"plain", expected=inside.load("a"))
    with pytest.raises(StateCorruptError):
        store.load("a")
    if way == "restore":
        store.restore("a", good.version)
    else:
        import_agent(store, file, replace=True)
    repaired = store.load("a")
    assert repaired is not None
    assert (repaired.data, repaired.version) == (b"good", 4)


def test_a_record_under_a_key_that_is_missing_is_not_written_over(inside: StateStore) -> None:
    protected(inside, Signing(KeyRing({"other": NEW}))).commit("a", b"theirs", expected=None)
    before = inside.load("a")
    store = protected(inside, Signing(RING))
    plain = InMemoryStateStore()
    plain.commit("a", b"mine", expected=None)
    file = export_agent(plain, "a")
    with pytest.raises(StateMismatchError):
        import_agent(store, file, replace=True)
    assert inside.load("a") == before


def test_a_record_without_room_for_its_protection_is_refused(inside: StateStore) -> None:
    with pytest.raises(StateCorruptError, match="at most"):
        protected(inside, Encryption(RING)).commit("a", bytes(MAX_SEALED_BYTES), expected=None)
    largest = bytes(MAX_SEALED_BYTES - 512)
    assert protected(inside, Encryption(RING)).commit("a", largest, expected=None).data == largest


def test_a_key_file_names_the_active_key_first_and_shows_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# keys of our agents\n{KeyRing.new_line('new')}\n\n{KeyRing.new_line('old')} # until May\n")
    ring = KeyRing.from_file(file)
    assert ring.active == "new"
    assert repr(ring) == "KeyRing(new, old)"
    assert len(ring.key("old") or b"") == 32
    with InMemoryStateStore() as inside:
        protected(inside, Encryption(ring)).commit("a", b"1", expected=None)


@pytest.mark.parametrize("keys", [(OLD, NEW), (OLD, OLD)])
def test_a_name_that_a_key_file_gives_twice_is_refused(tmp_path: Path, keys: tuple[bytes, bytes]) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(f"main {base64.b64encode(key).decode()}\n" for key in keys))
    with pytest.raises(ConfigError, match=r"line 2 has 'main' again"):
        KeyRing.from_file(path)


@pytest.mark.parametrize("text", ["", "name not-base64!", "name c2hvcnQ=", f"na/me {'A' * 43}="])
def test_a_file_without_usable_keys_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ConfigError) as caught:
        KeyRing.from_file(tmp_path / "keys")
    assert "c2hvcnQ" not in str(caught.value)
    with pytest.raises(ConfigError, match="can't be read"):
        KeyRing.from_file(tmp_path / "nowhere")


def test_a_key_file_takes_tabs_and_any_spaces_between_name_and_key(tmp_path: Path) -> None:
    name, key = KeyRing.new_line("new").split()
    (tmp_path / "keys").write_text(f"  {name}\t{key}\t# until May\nold   {key}\n")
    ring = KeyRing.from_file(tmp_path / "keys")
    assert (ring.active, repr(ring), ring.key("new")) == ("new", "KeyRing(new, old)", ring.key("old"))


@pytest.mark.parametrize(
    "line",
    [
        *("{key}", "{hex}", "{url_safe}", "{key} name", "{key} {key}", "name {key} {key}", "name: {key}"),
        *("na/me {key}", "na/me\t{key}", "name {hex}", "name é{key}"),
    ],
)
def test_a_line_that_is_no_key_is_named_by_its_number_and_never_shown(tmp_path: Path, line: str) -> None:
    raw = bytes(range(200, 232))
    key = base64.b64encode(raw).decode()
    url_safe = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    shown = line.format(key=key, hex=raw.hex(), url_safe=url_safe)
    (tmp_path / "keys").write_text(f"# ours\n{KeyRing.new_line('k')}\n{shown}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="on line 3 of ") as caught:
        KeyRing.from_file(tmp_path / "keys")
    assert not any(secret[:12] in str(caught.value) for secret in (key, raw.hex(), url_safe))
    assert 'KeyRing.new_line("2026-11")' in str(caught.value)


def test_a_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(bytes(range(200, 232)))
    with pytest.raises(ConfigError, match="UTF-8"):
        KeyRing.from_file(tmp_path / "keys")


@pytest.mark.parametrize("keys", [{OLD.hex(): b""}, {"good": OLD, base64.b64encode(OLD).decode(): OLD}])
def test_a_ring_of_unusable_keys_is_refused_without_showing_them(keys: dict[str, bytes]) -> None:
    with pytest.raises(ConfigError, match=f"number {len(keys)} is not") as caught:
        KeyRing(keys)
    assert not any(text in str(caught.value) for text in (OLD.hex()[:12], base64.b64encode(OLD).decode()[:12]))


def test_a_ring_without_keys_says_how_one_is_made() -> None:
    with pytest.raises(ConfigError, match=r'KeyRing\.new_line\("2026-11"\)'):
        KeyRing({})


def test_without_cryptography_encryption_says_how_to_install_it_and_signing_works() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None; sys.modules['cryptography.exceptions'] = None\n"
        "from dmem_agents.errors import ConfigError\n"
        "from dmem_agents.store.protection import Encryption, KeyRing, Signing\n"
        "Signing(KeyRing({'k': bytes(32)})).protect(b'', b'')\n"
        "try: Encryption(KeyRing({'k': bytes(32)}))\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'dmem-agents[encryption]'" in done.stdout


async def test_a_url_names_the_key_file_and_both_twins_use_it(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KeyRing.new_line("k"))
    url = f"sqlite:///{tmp_path}/agents.db"
    with open_store(f"{url}?keys={tmp_path}/keys&snapshots=1") as store:
        record = store.commit("a", b"1", expected=None)
    async with open_async_store(f"{url}?keys={tmp_path}/keys") as store:
        assert await store.load("a") == record
    with open_store(url) as store:
        assert protection_of(store.load("a").data) == ("dmem-aes-gcm", "k")  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="got both"):
        open_store(f"{url}?keys=x&signing_keys=y")
