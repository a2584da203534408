"""Previews are made once for each content, kept in the library, and made again when what they were made of differs."""

import io
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from conftest import make_bucket
from mesh_samples import as_binary_stl, as_gltf, ball, box, gltf_of
from skyhold.components import previews
from skyhold.components.layout import PREVIEWS, blob_key, preview_key
from skyhold.components.library import Library
from skyhold.components.meshes import source
from skyhold.components.previews import load_preview
from skyhold.errors import BadOptionError, ComponentNotFoundError, IntegrityError
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter, MeteredStore
from skyhold.storage.wrappers.readonly import ReadonlyStore
from skyhold.testing.servers import LocalServer


@pytest.fixture
def library() -> Library:
    return Library(f"memory://{uuid4().hex}", author="ann")


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    def write(**files: bytes) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for name, content in files.items():
            real = name.replace("__", "/").replace("_", ".")
            paths[real] = tmp_path / uuid4().hex
            paths[real].write_bytes(content)
        return paths

    return write


def size_of(png: bytes | None) -> tuple[int, int]:
    assert png is not None
    return Image.open(io.BytesIO(png)).size


def test_a_preview_is_made_once_and_kept_by_content(library: Library, monkeypatch: pytest.MonkeyPatch):
    library.publish("arm.stl", as_binary_stl(ball()))
    made = load_preview(library, "arm.stl")
    sha256 = library.info("arm.stl").files[0].sha256
    keys = [preview_key(sha256, suffix) for suffix in (".256.png", ".json", ".png")]
    assert [info.key for info in library.store.list(PREVIEWS)] == keys
    record = json.loads(library.store.read(keys[1]))
    assert (record["schema"], record["facts"]["triangles"], record["note"]) == ("skyhold.preview/1", 2208, "")
    attributes = library.store.info(keys[2]).attributes
    assert attributes is not None
    assert attributes.content_type == "image/png"
    library.publish("copy of arm.stl", as_binary_stl(ball()))
    monkeypatch.setattr(previews._Work, "make", None)
    assert load_preview(library, "copy of arm.stl") == made
    assert size_of(made.picture) == (256, 256)
    assert size_of(load_preview(library, "arm.stl", size_px=512).picture) == (512, 512)


def test_what_is_kept_is_shown_without_numpy_and_pillow(library: Library, monkeypatch: pytest.MonkeyPatch):
    library.publish("arm.stl", as_binary_stl(box()))
    made = load_preview(library, "arm.stl")
    for name in list(sys.modules):
        if name.startswith(("skyhold.components.thumbnails", "skyhold.components.meshes.draw", "PIL")):
            monkeypatch.setitem(sys.modules, name, None)
    assert load_preview(library, "arm.stl") == made


def test_what_cannot_be_shown_is_written_down_and_not_tried_again(library: Library, monkeypatch: pytest.MonkeyPatch):
    library.publish("arm.stl", b"nothing of the kind")
    library.publish("arm.step", b"ISO-10303-21;")
    assert load_preview(library, "arm.stl").note.startswith("'arm.stl' is damaged")
    monkeypatch.setattr(library.history, "read", None)  # what is not shown is not read
    assert load_preview(library, "arm.step").note.startswith("no preview of 'arm.step': pictures are made of .glb")
    again = load_preview(library, "arm.stl")
    assert again.picture is None
    assert again.note.startswith("'arm.stl' is damaged")


def test_a_mesh_without_triangles_has_measures_and_no_picture(library: Library):
    library.publish("none.stl", as_binary_stl((box()[0], box()[1][:0])))
    for _ in range(2):
        preview = load_preview(library, "none.stl")
        assert (preview.picture, preview.note) == (None, "no preview of 'none.stl': it has no triangles")
        assert preview.facts is not None


def test_the_same_content_under_another_ending_is_tried_again(library: Library):
    library.publish("arm.dat", as_binary_stl(box()))
    library.publish("arm.stl", as_binary_stl(box()))
    assert load_preview(library, "arm.dat").picture is None
    assert load_preview(library, "arm.stl").picture is not None


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"{}", b'{"schema": "skyhold.preview/2"}', b'{"schema": "skyhold.preview/1", "maker": 0}'],
)
def test_a_record_that_is_damaged_or_older_is_made_again(library: Library, record: bytes):
    library.publish("arm.stl", as_binary_stl(box()))
    made = load_preview(library, "arm.stl")
    key = preview_key(library.info("arm.stl").files[0].sha256, ".json")
    library.store.write(key, record)
    assert load_preview(library, "arm.stl") == made
    assert json.loads(library.store.read(key))["maker"] == 1


def test_a_picture_that_is_gone_is_made_again(library: Library):
    library.publish("arm.stl", as_binary_stl(box()))
    made = load_preview(library, "arm.stl")
    library.store.delete(preview_key(library.info("arm.stl").files[0].sha256, ".256.png"))
    assert load_preview(library, "arm.stl") == made


def test_of_several_files_the_one_that_shows_most_is_shown(library: Library, files: Callable[..., dict[str, Path]]):
    library.publish("robot", files(a_txt=b"read me", b_png=b"no image", c_stl=as_binary_stl(box()), d_stl=b"x"))
    shown = load_preview(library, "robot")
    assert (shown.file, shown.picture is not None) == ("c.stl", True)
    assert load_preview(library, "robot", file="a.txt").note.startswith("no preview of 'a.txt'")
    with pytest.raises(ComponentNotFoundError, match=r"no file 'z\.stl'"):
        load_preview(library, "robot", file="z.stl")


def test_a_gltf_file_is_shown_with_the_buffers_of_its_version(library: Library, files: Callable[..., dict[str, Path]]):
    content = as_gltf(box(), "a.bin")
    for size in (1, 2):
        library.publish("robot", files(parts__x_gltf=content, parts__a_bin=gltf_of(box((size, 1, 1)))[1]))
    for version in (1, 2, 1):
        facts = load_preview(library, "robot", version=version).facts
        assert facts is not None
        assert facts.volume == pytest.approx(version)


def test_a_gltf_file_that_is_a_component_is_shown_with_the_components_beside_it(library: Library):
    library.publish("parts/x.gltf", as_gltf(box(), "a.bin"))
    assert "needs the file 'a.bin', which is not at hand" in load_preview(library, "parts/x.gltf").note
    library.publish("a.bin", gltf_of(box((9, 1, 1)))[1])  # not beside it
    for size in (2, 3):
        library.publish("parts/a.bin", gltf_of(box((size, 1, 1)))[1])
        facts = load_preview(library, "parts/x.gltf").facts
        assert facts is not None
        assert facts.volume == pytest.approx(size)


def test_who_may_only_read_sees_a_preview_and_leaves_nothing(library: Library):
    library.publish("arm.stl", as_binary_stl(box()))
    shown = load_preview(Library(ReadonlyStore(library.store)), "arm.stl")
    assert shown.picture is not None
    assert not list(library.store.list(PREVIEWS))


def test_a_large_blender_file_is_shown_by_its_beginning(library: Library, monkeypatch: pytest.MonkeyPatch):
    picture = np.full((128, 128, 4), 200, np.uint8)
    blocks = [(b"TEST", struct.pack("<ii", 128, 128) + picture.tobytes()), (b"DATA", bytes(50_000))]
    content = b"BLENDER-v405" + b"".join(
        struct.pack("<4siQii", code, len(data), 0, 0, 1) + data for code, data in blocks
    )
    library.publish("arm.blend", content)
    monkeypatch.setattr(previews, "MOST_BYTES", 10_000)
    monkeypatch.setattr(source, "MOST_BYTES", 10_000)
    assert size_of(load_preview(library, "arm.blend", size_px=512).picture) == (128, 128)
    library.publish("arm.stl", as_binary_stl(ball()))
    assert "at most 0 MB are read" in load_preview(library, "arm.stl").note


def test_damage_and_deletion_are_errors_and_leave_no_note(library: Library):
    library.publish("arm.stl", as_binary_stl(box()))
    library.store.write(blob_key(library.info("arm.stl").files[0].sha256), b"flipped")
    with pytest.raises(IntegrityError):
        load_preview(library, "arm.stl")
    assert not list(library.store.list(PREVIEWS))
    library.delete("arm.stl")
    with pytest.raises(ComponentNotFoundError, match="says that it was deleted"):
        load_preview(library, "arm.stl")
    with pytest.raises(BadOptionError, match="size_px is 300"):
        load_preview(library, "arm.stl", size_px=300)  # pyright: ignore[reportArgumentType]


def test_showing_what_is_kept_on_s3_takes_two_requests_beside_those_for_the_version(moto: LocalServer):
    store = open_store(f"s3://{make_bucket(moto)}/models", **moto.options)
    Library(store).publish("arm.stl", as_binary_stl(box()))
    made = load_preview(Library(store), "arm.stl")
    counts: list[int] = []
    for look in (lambda counted: counted.info("arm.stl"), lambda counted: load_preview(counted, "arm.stl")):
        meter = Meter()
        found = look(Library(MeteredStore(store, meter)))
        counts.append(sum(meter.usage.requests.values()))
    assert found == made
    assert counts[1] == counts[0] + 2 > 2
