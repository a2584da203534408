"""Synchronizing again and again: on changes of the folder, every so often, and until somebody says stop."""

import builtins
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.components.library import Library
from skyhold.components.sync_watching import keep_synchronized
from skyhold.errors import BadOptionError, MissingExtraError, SkyholdError
from sync_sides import Machine

_LONG_S = 60


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "folder", Library(f"memory://watch-{uuid4().hex}"))


class _Results:
    """Results and errors, to wait for."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._changed = threading.Condition()

    def add(self, result: Any) -> None:
        with self._changed:
            self.all.append(result)
            self._changed.notify_all()

    def wait(self, fits: Callable[[list[Any]], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: fits(self.all), _LONG_S)


@contextmanager
def _running(machine: Machine, **options: Any) -> Generator[_Results]:
    results = _Results()
    stop = threading.Event()
    options = {"on_result": results.add, "stop": stop, **options}
    thread = threading.Thread(target=lambda: keep_synchronized(machine.synchronizer(), **options))
    thread.start()
    try:
        yield results
    finally:
        stop.set()
        thread.join(_LONG_S)
    assert not thread.is_alive()


def test_a_change_of_the_folder_is_followed_at_once(machine: Machine):
    machine.write(a="one")
    with _running(machine, watch=True) as results:
        results.wait(lambda all_: any("a" in result.paths("upload") for result in all_))
        machine.put("sub/b", "two")
        results.wait(lambda all_: any("sub/b" in result.paths("upload") for result in all_))
    assert machine.remote == {"a": "one", "sub/b": "two"}


def test_what_others_publish_is_seen_every_so_often(machine: Machine):
    with _running(machine, every_s=0.05) as results:
        results.wait(lambda all_: len(all_) >= 1)
        machine.library.publish("theirs", b"new")
        results.wait(lambda all_: any("theirs" in result.paths("download") for result in all_))
    assert machine.local == {"theirs": "new"}


def test_it_goes_on_after_an_error_that_somebody_is_told_of(machine: Machine):
    errors = _Results()
    machine.write(a="one", b="two")
    machine.sync()
    for path in ("a", "b"):
        (machine.folder / path).unlink()
    with _running(machine, every_s=0.05, on_error=errors.add) as results:
        errors.wait(lambda all_: len(all_) >= 2)
        machine.write(a="one")
        results.wait(lambda all_: len(all_) >= 1)
    assert machine.remote == {"a": "one"}


def test_without_somebody_to_tell_an_error_ends_it(machine: Machine):
    machine.folder.rmdir()
    with pytest.raises(SkyholdError, match="no such folder"):
        keep_synchronized(machine.synchronizer(direction="upload"), every_s=1)


@pytest.mark.parametrize("options", [{}, {"every_s": 0}, {"every_s": -1, "watch": True}])
def test_it_must_be_said_when(machine: Machine, options: Any):
    with pytest.raises(BadOptionError):
        keep_synchronized(machine.synchronizer(), **options)


def test_watching_needs_an_extra(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "watchfiles":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError) as caught:
        keep_synchronized(machine.synchronizer(), watch=True)
    assert "skyhold[components]" in caught.value.remedy
