"""Two folders and one library, changed, killed and synchronized at random end equal, and nothing is lost.

Every content is written once and is unique. It is given up when somebody edits, replaces or deletes the file that has
it; whatever was not given up must be there in the end, on all sides.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from skyhold.components import folder_scan, publication, publisher, sync_session, sync_view
from skyhold.components.layout import LIBRARY
from skyhold.components.library import Library
from skyhold.components.pruning import prune_library
from skyhold.components.sync_config import SyncResult
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from sync_sides import Machine

_MEMORY = Path("/dev/shm")
_PATHS = st.sampled_from(["a.stl", "b.stl", "c", "sub/d", "sub/e"])
_WHO = st.integers(0, 1)


class _KilledError(BaseException):
    """The process ends here."""


class _Watched(DelegatingStore):
    """A store that does something before a request of a number, once; ``after`` lets the request be done first."""

    concurrency = 1

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.concurrency = 1
        self.left: int | None = None
        self.then: Callable[[], object] | None = None
        self.after = False

    def arm(self, left: int | None, then: Callable[[], object] | None = None, *, after: bool = False) -> None:
        self.left, self.then, self.after = left, then, after

    def observed(self, observer: Any) -> Any:
        return self

    def _count(self) -> Callable[[], object] | None:
        if self.left is None or self.then is None:
            return None
        self.left -= 1
        if self.left >= 0:
            return None
        then = self.then
        self.left = self.then = None
        if self.after:
            return then
        then()
        return None

    def _do(self, work: Callable[[], Any]) -> Any:
        then = self._count()
        done = work()
        if then is not None:
            then()
        return done

    def info(self, key: str) -> Any:
        return self._do(lambda: self._inner.info(key))

    def read_with_info(self, *arguments: Any, **options: Any) -> Any:
        return self._do(lambda: self._inner.read_with_info(*arguments, **options))

    def write(self, *arguments: Any, **options: Any) -> Any:
        return self._do(lambda: self._inner.write(*arguments, **options))

    def list_pages(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        return iter(self._do(lambda: list(self._inner.list_pages(*arguments, **options))))

    def delete(self, keys: Any) -> None:
        self._do(lambda: self._inner.delete(keys))


class _Clock(datetime):
    """The clock of the machine that is at work."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.off


class _Machine(Machine):
    """A machine whose clock may be wrong."""

    clock_off = timedelta(0)

    def sync(self, **options: Any) -> SyncResult:
        others, _Clock.off = _Clock.off, self.clock_off
        try:
            return super().sync(**options)
        finally:
            _Clock.off = others


class _Local:
    """The calls that change a folder; one of a number is the process's last."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise _KilledError
            return real(*arguments, **options)

        return call


def _kill() -> None:
    raise _KilledError


class Synchronizing(RuleBasedStateMachine):
    """What people, programs, machines and crashes do."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
        self.inner = open_store(f"memory://sync-{uuid4().hex}")
        self.stores = [_Watched(self.inner), _Watched(self.inner)]
        self.machines = [
            _Machine(self.root / f"machine{number}", Library(store, author=f"m{number}"), confirmed=True)
            for number, store in enumerate(self.stores)
        ]
        self.written = 0
        self.alive: set[str] = set()

    def _new(self) -> str:
        self.written += 1
        content = f"{self.written:04}" + "x" * self.written
        self.alive.add(content)
        return content

    def _give_up(self, contents: dict[str, str], path: str) -> None:
        self.alive.discard(contents.get(path, ""))

    @rule(who=_WHO, path=_PATHS, mtime=st.sampled_from([None, 1, 4_000_000_000]))
    def somebody_writes_a_file(self, who: int, path: str, mtime: int | None) -> None:
        machine = self.machines[who]
        self._give_up(machine.local, path)
        machine.put(path, self._new())
        if mtime is not None:
            os.utime(machine.folder / path, (mtime, mtime))

    @rule(who=_WHO, path=_PATHS)
    def somebody_deletes_a_file(self, who: int, path: str) -> None:
        machine = self.machines[who]
        self._give_up(machine.local, path)
        (machine.folder / path).unlink(missing_ok=True)

    @rule(who=_WHO, path=_PATHS, to=_PATHS)
    def somebody_renames_a_file(self, who: int, path: str, to: str) -> None:
        machine = self.machines[who]
        if path == to or path not in machine.local:
            return
        self._give_up(machine.local, to)
        target = machine.folder / to
        target.parent.mkdir(parents=True, exist_ok=True)
        (machine.folder / path).rename(target)

    @rule(path=_PATHS)
    def another_program_writes_an_object(self, path: str) -> None:
        self._give_up(self.machines[0].remote, path)
        self.inner.write(path, self._new().encode())

    @rule(path=_PATHS)
    def another_program_deletes_an_object(self, path: str) -> None:
        self._give_up(self.machines[0].remote, path)
        self.inner.delete(path)

    @rule(who=_WHO)
    def a_machine_synchronizes(self, who: int) -> None:
        self.machines[who].sync()

    @rule(who=_WHO, after=st.integers(0, 60), answered=st.booleans())
    def a_machine_is_killed_at_some_request(self, who: int, after: int, answered: bool) -> None:
        self.stores[who].arm(after, _kill, after=answered)
        with suppress(_KilledError):
            self.machines[who].sync()
        self.stores[who].arm(None)

    @rule(who=_WHO, after=st.integers(0, 6))
    def a_machine_is_killed_at_some_change_of_its_folder(self, who: int, after: int) -> None:
        local = _Local(after)
        with pytest.MonkeyPatch.context() as patch, suppress(_KilledError):
            for name in ("link", "replace", "unlink"):
                patch.setattr(os, name, local(getattr(os, name)))
            self.machines[who].sync()

    @rule(who=_WHO, after=st.integers(0, 60))
    def both_machines_synchronize_at_once(self, who: int, after: int) -> None:
        other = self.machines[1 - who]
        self.stores[who].arm(after, other.sync)
        self.machines[who].sync()
        self.stores[who].arm(None)

    @rule(who=_WHO, path=_PATHS, after=st.integers(0, 60))
    def another_program_writes_while_a_machine_synchronizes(self, who: int, path: str, after: int) -> None:
        self.stores[who].arm(after, lambda: self.another_program_writes_an_object(path))
        self.machines[who].sync()
        self.stores[who].arm(None)

    @rule(who=_WHO, path=_PATHS, after=st.integers(0, 60))
    def somebody_writes_a_file_while_a_machine_synchronizes(self, who: int, path: str, after: int) -> None:
        self.stores[who].arm(after, lambda: self.somebody_writes_a_file(who, path, None))
        self.machines[who].sync()
        self.stores[who].arm(None)

    @rule()
    def somebody_lets_old_versions_go(self) -> None:
        if self.inner.exists(LIBRARY):
            prune_library(Library(self.inner), keep_last=1, dry_run=False)

    @rule(who=_WHO, days=st.sampled_from([-10_000, -1, 0, 1, 10_000]))
    def a_machines_clock_is_set(self, who: int, days: int) -> None:
        self.machines[who].clock_off = timedelta(days=days)

    @rule(who=_WHO)
    def a_machine_loses_its_state(self, who: int) -> None:
        for file in self.machines[who].folder.glob(".skyhold-sync.sqlite*"):
            file.unlink()
        # What it had deleted it no longer knows, so that may come back; nothing else may change.

    def teardown(self) -> None:
        if not hasattr(self, "machines"):
            return
        try:
            for _ in range(3):
                for machine in self.machines:
                    machine.sync()
            first, second = self.machines
            assert first.local == second.local == first.remote
            assert self.alive <= set(first.local.values())
            for machine in self.machines:
                assert machine.sync().done == []
        finally:
            shutil.rmtree(self.root)


@pytest.fixture(autouse=True)
def one_thing_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill at the same request each time; sizes tell contents apart, so no clock need tick between two edits."""
    monkeypatch.setattr(sync_view, "_ASKING", 1)
    monkeypatch.setattr(folder_scan, "_TICK_NS", 0)
    for module in (publication, publisher, sync_session):
        monkeypatch.setattr(module, "datetime", _Clock)


def _run(examples: int) -> None:
    run_state_machine_as_test(
        Synchronizing, settings=settings(max_examples=examples, stateful_step_count=12, deadline=None)
    )


def test_two_folders_and_a_library_end_equal_and_lose_nothing():
    _run(15)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_folders_and_a_library_end_equal_and_lose_nothing_three_hundred_times():
    _run(300)
