"""The names and texts of a library are a format: whoever changes them changes this golden file, and the version."""

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from skyhold.components.library import Library
from skyhold.components.manifest import Dependency, Head, Version
from skyhold.storage.backends.memory import MemoryBackend

GOLDEN = Path(__file__).parent.parent / "golden" / "library-1.json"
_VARIABLE = {"created", "e_tag", "modified"}


def _library(tmp_path: Path) -> Library:
    library = Library(MemoryBackend(f"golden-library-{uuid4().hex}"), author="ann@desk")
    library.publish("bolt.stl", b"solid bolt")
    library.publish("nut", b"nut")
    metadata = {"mass": "2 kg", "Prüfer": "✓"}
    library.publish("arm/left.stl", b"solid arm", message="first", metadata=metadata)
    library.publish(
        "arm/left.stl", b"solid longer arm", message="länger", dependencies=["bolt.stl", Dependency("nut", 1)]
    )
    library.tag("arm/left.stl", "approved", 1)
    path = tmp_path / "part"
    path.write_bytes(b"part")
    library.publish("robot", {"parts/arm.bin": path, "robot.gltf": path})
    library.publish("gone.stl", b"solid gone")
    library.delete("gone.stl", message="not needed")
    library.store.write("edited.stl", b"by another program")
    library.reconcile("edited.stl")
    return library


def _steady(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: "…" if name in _VARIABLE and value else _steady(value) for name, value in found.items()}
    return [_steady(each) for each in found] if isinstance(found, list) else found


def test_a_library_lies_in_its_store_as_the_golden_file_says(tmp_path: Path) -> None:
    store = _library(tmp_path).store
    found: dict[str, Any] = {}
    for info in store.list():
        text = store.read(info.key).decode()
        found[info.key] = _steady(json.loads(text)) if info.key.endswith(".json") else text
    assert found == json.loads(GOLDEN.read_text("utf-8"))


def test_plain_objects_say_which_content_and_version_they_are(tmp_path: Path) -> None:
    store = _library(tmp_path).store
    attributes = store.info("arm/left.stl").attributes
    assert attributes is not None
    assert attributes.metadata == {"sha256": hashlib.sha256(b"solid longer arm").hexdigest(), "version": "2"}


def test_what_was_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    library = _library(tmp_path)
    for key in (info.key for info in library.store.list(".skyhold/versions/")):
        text = library.store.read(key)
        assert Version.from_json(text).to_json() == text
    for key in (info.key for info in library.store.list(".skyhold/heads/")):
        text = library.store.read(key)
        assert Head.from_json(text).to_json() == text
