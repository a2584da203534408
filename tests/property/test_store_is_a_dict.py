"""A store behaves as a dict, whatever is done to it in whatever order, also when the network is bad."""

import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from skyhold.errors import AlreadyExistsError, KeyNotFoundError, PreconditionFailedError
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.backends.file import FileBackend
from skyhold.storage.backends.mock import Faults, MockBackend
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_store

KEYS = st.sampled_from(["a", "b c", "ü", "x/1", "x/2", "x/y/3", "z%20", ".dot"])
DATA = st.binary(max_size=40)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to a dict."""

    def make(self) -> Store:
        return open_store(f"memory://{uuid4()}")

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make()
        self.model: dict[str, bytes] = {}

    @rule(key=KEYS, data=DATA)
    def write(self, key: str, data: bytes) -> None:
        self.store.write(key, data)
        self.model[key] = data

    @rule(key=KEYS, data=DATA)
    def stream(self, key: str, data: bytes) -> None:
        with self.store.open_writer(key) as writer:
            writer.write(data)
        self.model[key] = data

    @rule(key=KEYS, data=DATA)
    def break_off(self, key: str, data: bytes) -> None:
        writer = self.store.open_writer(key)
        writer.write(data)
        writer.abort()

    @rule(key=KEYS, data=DATA)
    def create(self, key: str, data: bytes) -> None:
        try:
            self.store.write(key, data, if_absent=True)
        except AlreadyExistsError:
            assert key in self.model
        else:
            assert key not in self.model
            self.model[key] = data

    @rule(key=KEYS, data=DATA, stale=st.booleans())
    def swap(self, key: str, data: bytes, stale: bool) -> None:
        e_tag = '"stale"' if stale or key not in self.model else self.store.info(key).e_tag
        try:
            self.store.write(key, data, if_match=e_tag)
        except PreconditionFailedError:
            assert stale or key not in self.model
        else:
            self.model[key] = data

    @rule(keys=st.lists(KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        self.store.delete(keys)
        for key in keys:
            self.model.pop(key, None)

    @rule(source=KEYS, to=KEYS)
    def rename(self, source: str, to: str) -> None:
        if source in self.model:
            self.store.rename(source, to)
            self.model[to] = self.model.pop(source)
        else:
            with pytest.raises(KeyNotFoundError):
                self.store.rename(source, to)

    @rule(key=KEYS, start=st.integers(0, 50), length=st.integers(1, 50))
    def read_range(self, key: str, start: int, length: int) -> None:
        data = self.model.get(key)
        if data is not None and (start < len(data) or start == 0):
            assert self.store.read(key, ByteRange(start, start + length)) == data[start : start + length]

    @invariant()
    def same(self) -> None:
        assert {info.key: info.size_bytes for info in self.store.list()} == {
            key: len(data) for key, data in self.model.items()
        }
        assert [info.key for info in self.store.list("x/")] == sorted(key for key in self.model if key[:2] == "x/")
        for key, data in self.model.items():
            assert self.store.read(key) == data


class FolderMachine(StoreMachine):
    def make(self) -> Store:
        self.folder = tempfile.mkdtemp()
        return FileBackend(self.folder)

    def teardown(self) -> None:
        left = [path for path in Path(self.folder).rglob("*.tmp") if path.is_file()]
        shutil.rmtree(self.folder)
        assert not left


class MockMachine(FolderMachine):
    def make(self) -> Store:
        self.folder = tempfile.mkdtemp()
        faults = Faults(error_rate=0.05, throttle_rate=0.05, cut_rate=0.05, lost_rate=0.15, seed=3)
        return MockBackend(self.folder, faults, RetryPolicy(max_attempts=20, first_delay_s=1e-4, max_delay_s=1e-4))


@pytest.mark.parametrize("machine", [StoreMachine, FolderMachine, MockMachine])
def test_a_store_is_a_dict(machine: type[StoreMachine]):
    run_state_machine_as_test(machine)
