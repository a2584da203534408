"""The contract on the stores that need no server."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest

from skyhold.errors import ReadOnlyError
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes, Buffer, ObjectInfo, Observer
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.cached import CachedStore
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.storage.wrappers.readonly import ReadonlyStore
from skyhold.testing import StoreContract


class _Quick(StoreContract):
    part_bytes = 1024 * 1024


class TestMemory(_Quick):
    @pytest.fixture
    def store(self) -> Store:
        return open_store(f"memory://{uuid4()}")


class TestFolder(_Quick):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        (tmp_path / "root").mkdir()
        return open_store(tmp_path / "root")


class TestMock(_Quick):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        (tmp_path / "root").mkdir()
        return open_store(f"mock://{tmp_path}/root")


class TestMockWithLatency(_Quick):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        (tmp_path / "root").mkdir()
        return open_store(f"mock://{tmp_path}/root?latency_ms=1&jitter_ms=1")


class TestFolderInAStore(_Quick):
    @pytest.fixture
    def store(self) -> Store:
        name = f"memory://{uuid4()}"
        open_store(name).write("beside", b"not seen from inside")
        return open_store(f"{name}/a folder")


class TestCached(_Quick):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return CachedStore(open_store(f"memory://{uuid4()}"), str(tmp_path / "cache"))


class TestMetered(_Quick):
    @pytest.fixture
    def store(self) -> Store:
        return MeteredStore(open_store(f"memory://{uuid4()}"))


class _WrittenBeside(DelegatingStore):
    """Reads through a read-only view, and writes past it."""

    def __init__(self, raw: Store) -> None:
        super().__init__(ReadonlyStore(raw))
        self._raw = raw

    def observed(self, observer: Observer) -> Self:
        view = super().observed(observer)
        view._raw = self._raw.observed(observer)
        return view

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        return self._raw.write(key, data, if_absent=if_absent, if_match=if_match, attributes=attributes)

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        return self._raw.open_writer(key, attributes=attributes)

    def delete(self, keys: str | Iterable[str]) -> None:
        self._raw.delete(keys)

    def copy(self, source: str, target: str) -> None:
        self._raw.copy(source, target)

    def rename(self, source: str, target: str) -> None:
        self._raw.rename(source, target)


_READING: dict[str, Callable[[Store], Any]] = {
    "exists": lambda store: store.exists("there"),
    "info": lambda store: store.info("there"),
    "list": lambda store: list(store.list()),
    "list_folder": lambda store: store.list_folder(),
    "list_pages": lambda store: list(store.list_pages()),
    "observed": lambda store: store.observed(print).uri,
    "open_reader": lambda store: store.open_reader("there").read(),
    "presign": lambda store: store.presign("there", method="GET").partition("expires")[0],
    "read": lambda store: store.read("there"),
    "read_with_info": lambda store: store.read_with_info("there"),
    "place_of": lambda store: store.place_of("there"),
    "uri_of": lambda store: store.uri_of("there"),
}
_VALUES: dict[str, Any] = {
    "key": "there",
    "keys": ["there"],
    "prefix": "th",
    "found": [],
    "source": "there",
    "target": "other",
    "data": b"changed",
}
_CHANGING = sorted(
    name for name, member in vars(Store).items() if callable(member) and name[0] != "_" and name not in _READING
)


class TestReadonly(_Quick):
    @pytest.fixture
    def store(self) -> Store:
        return _WrittenBeside(open_store(f"memory://{uuid4()}"))

    @pytest.mark.parametrize("name", _READING)
    def test_every_way_to_read_answers_as_the_store_itself_does(self, tmp_path: Path, name: str):
        raw = open_store(f"mock://{tmp_path}")
        raw.write("there", b"x")
        assert _READING[name](ReadonlyStore(raw)) == _READING[name](raw)

    @pytest.mark.parametrize("observed", [False, True])
    @pytest.mark.parametrize("name", _CHANGING)
    def test_every_other_method_of_a_store_refuses(self, name: str, observed: bool):
        raw = open_store(f"memory://{uuid4()}")
        raw.write("there", b"x")
        view: Store = ReadonlyStore(raw).observed(print) if observed else ReadonlyStore(raw)
        method = getattr(view, name)
        needed = [
            parameter.name
            for parameter in inspect.signature(method).parameters.values()
            if parameter.default is parameter.empty
        ]
        with pytest.raises(ReadOnlyError, match="for reading only") as caught:
            method(*(_VALUES[parameter] for parameter in needed))
        assert "read_only=True" in caught.value.remedy
        assert [(info.key, raw.read(info.key)) for info in raw.list()] == [("there", b"x")]

    def test_links_to_write_are_refused_too(self):
        with pytest.raises(ReadOnlyError):
            ReadonlyStore(open_store("mock:///none")).presign("there", method="PUT")

    def test_what_opens_read_only_refuses(self, tmp_path: Path):
        with pytest.raises(ReadOnlyError, match="folder/there"):
            open_store(tmp_path / "folder", read_only=True).write("there", b"x")
