"""A library may lie inside another, as two documented configurations of one bucket do: its history is its own."""

from pathlib import Path

import pytest

from skyhold.components import Library, StorageSynchronizer, SyncConfig
from skyhold.errors import InvalidKeyError


def test_the_history_of_a_library_inside_is_not_synchronized(tmp_path: Path):
    inner = Library(f"{tmp_path}/bucket/models", author="ann")
    inner.publish("arm.stl", b"solid arm")
    before = sorted(path for path in Path(tmp_path, "bucket").rglob("*") if path.is_file())
    config = SyncConfig(tmp_path / "folder", delete_files=True, confirmed=True)
    synchronizer = StorageSynchronizer(f"{tmp_path}/bucket", config)
    result = synchronizer.synchronize()
    assert result.paths("download") == ["models/arm.stl"]
    assert not result.problems
    (tmp_path / "folder" / "models" / "arm.stl").unlink()
    synchronizer.synchronize()
    left = {path for path in before if path.exists()}
    assert {path.name for path in before if path not in left} == {"arm.stl"}
    assert inner.read("arm.stl", version=1) == b"solid arm"


@pytest.mark.parametrize("name", [".skyhold/a", "models/.skyhold/a", "models/.skyhold-store/a", ".skyhold-store/a"])
def test_no_component_lies_where_a_library_keeps_its_history(name: str):
    library = Library("memory://nested-libraries")
    with pytest.raises(InvalidKeyError, match="own history"):
        library.publish(name, b"")
    assert library.publish(name.replace("/a", "-a"), b"").number == 1
