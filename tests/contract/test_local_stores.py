"""The contract on the stores that need no server."""

from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.cached import CachedStore
from skyhold.storage.wrappers.metered import MeteredStore
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
