"""A process that dies at any request leaves a library that says the old or the new, and is finished by the next one."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.components.layout import RESERVED
from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.runs.journal import Journal
from skyhold.runs.recording import RunRecorder
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.backends.memory import MemoryBackend
from skyhold.storage.backends.mock import Faults, MockBackend
from skyhold.storage.contract import Store
from stepped_store import Keepsake, SteppedStore

ID = "robot"
LARGE = os.urandom(5000)

SCENARIOS = [
    "first",
    "listed",
    "second",
    "large",
    "several",
    "folder from file",
    "file from folder",
    "delete",
    "delete several",
    "undelete",
    "restore",
    "edited",
    "reconcile",
    "adopted",
]

Work = Callable[[Library], object]


class _Death(BaseException):
    """The process is gone: nothing handles it."""


class _Mortal:
    """Lets so many requests through; dies before the next one, or after it was done."""

    def __init__(self, requests: int, *, answered: bool) -> None:
        self.left = requests
        self._answered = answered

    def before(self, verb: str, key: str) -> None:
        del verb, key
        if self.left <= 0 and not self._answered:
            raise _Death
        if self.left < 0:
            raise _Death
        self.left -= 1

    def after(self, verb: str, key: str) -> None:
        del verb, key
        if self.left < 0:
            raise _Death


def _run() -> RunRecorder:
    return RunRecorder("publish", ID, asked={}, unit="bytes", journal=Journal(None))


def _publish(content: object) -> Work:
    def work(library: Library) -> object:
        return library.publish(ID, content, run=_run())  # type: ignore[arg-type]

    return work


def _files(tmp_path: Path, **contents: bytes) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, content in contents.items():
        files[name] = tmp_path / uuid4().hex
        files[name].write_bytes(content)
    return files


def _contents(library: Library, version: Version) -> dict[str, bytes]:
    return {entry.name: library.history.read(entry.sha256) for entry in version.files}


def _plain(store: Store) -> dict[str, bytes]:
    found = {info.key: store.read(info.key) for info in store.list() if not info.key.startswith(RESERVED)}
    return {key.removeprefix(ID).removeprefix("/"): content for key, content in found.items()}


def _scenarios(tmp_path: Path) -> dict[str, tuple[list[Work], Work]]:
    one, two = _publish(b"one"), _publish(b"two")
    several = _publish(_files(tmp_path, a=b"a", b=b"b"))
    others = _publish(_files(tmp_path, b=b"b changed", c=b"c"))

    def edit(library: Library) -> None:
        library.store.write(ID, b"edited elsewhere")

    return {
        "first": ([], one),
        "listed": ([], lambda library: library.publish_listed(ID, b"one", is_new=True, run=_run())),
        "second": ([one], two),
        "large": ([_publish(LARGE)], _publish(LARGE[::-1])),
        "several": ([several], others),
        "folder from file": ([one], several),
        "file from folder": ([several], one),
        "delete": ([one, two], lambda library: library.delete(ID)),
        "delete several": ([several], lambda library: library.delete(ID)),
        "undelete": ([one, lambda library: library.delete(ID)], lambda library: library.undelete(ID)),
        "restore": ([one, two], lambda library: library.restore(ID, 1)),
        "edited": ([one, edit], two),
        "reconcile": ([one, edit], lambda library: library.reconcile(ID)),
        "adopted": ([edit], two),
    }


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_death_at_any_request_is_made_good_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, answered: bool
) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1000)
    monkeypatch.setattr("skyhold.components.in_parallel._JOBS", 1)
    begin, work = _scenarios(tmp_path)[name]
    whole = _begun(begin)
    work(whole)
    wanted = [(version.number, version.origin, _contents(whole, version)) for version in whole.log(ID)]
    requests, died = 0, True
    while died:
        library = _begun(begin)
        store = library.store
        died = _dies(store, work, _Mortal(requests, answered=answered))
        requests += 1
        _check_old_or_new(store, [_contents_of(each) for each in wanted])
        work(library)
        found = [(version.number, version.origin, _contents(library, version)) for version in library.log(ID)]
        assert found == wanted, f"after {requests} requests"
        assert _plain(store) == wanted[0][2], f"after {requests} requests"
        head, _ = library.head(ID)
        assert (head.version, [each.name for each in head.plain]) == (wanted[0][0], sorted(wanted[0][2]))
        assert all(each.e_tag == store.info(f"{ID}/{each.name}".rstrip("/")).e_tag for each in head.plain)
    assert requests > 5


def _contents_of(wanted: tuple[int, str, dict[str, bytes]]) -> dict[str, bytes]:
    return wanted[2]


def _begun(begin: list[Work]) -> Library:
    library = Library(MemoryBackend(f"crashes-{uuid4().hex}"), author="ann")
    for work in begin:
        work(library)
    return library


def _dies(store: Store, work: Work, mortal: _Mortal) -> bool:
    try:
        work(Library(SteppedStore(Keepsake(store, ID), mortal.before, mortal.after), author="ann"))
    except _Death:
        return True
    return False


def _check_old_or_new(store: Store, known: list[dict[str, bytes]]) -> None:
    """Whoever reads meanwhile gets a version as a whole, and no file under a plain key that never was."""
    library = Library(store)
    if next(library.list_heads(), None) is not None:
        assert _contents(library, library.info(ID)) in known
    for name, content in _plain(store).items():
        assert content == b"edited elsewhere" or any(each.get(name) == content for each in known)


@pytest.mark.parametrize("seed", range(6))
def test_lost_answers_change_nothing(tmp_path: Path, seed: int) -> None:
    faults = Faults(lost_rate=0.3, error_rate=0.1, cut_rate=0.1, seed=seed)
    store = MockBackend(str(tmp_path / "store"), faults, RetryPolicy(max_attempts=30, first_delay_s=0.0005))
    library = Library(store, author="ann")
    contents = [f"content {number}".encode() for number in range(6)]
    for content in contents:
        _publish(content)(library)
    library.tag(ID, "approved", 3)
    library.delete(ID)
    library.undelete(ID)
    log = library.log(ID)
    assert [version.number for version in log] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [library.read(ID, version=number) for number in range(1, 7)] == contents
    assert (library.info(ID, "approved").number, store.read(ID)) == (3, contents[-1])
    assert all(version.origin == "skyhold" for version in log)
