"""Pictures show what is there, in bounded time, and whatever cannot be shown is refused by name and reason."""

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from mesh_samples import (
    Shape,
    as_binary_stl,
    as_fbx,
    as_glb,
    as_gltf,
    as_obj,
    as_text_stl,
    ball,
    box,
    bracket,
    gear,
    glb_of,
    gltf_of,
)
from skyhold.components import thumbnails
from skyhold.components.meshes import drawing
from skyhold.components.meshes.reading import read_mesh
from skyhold.components.meshes.source import open_source
from skyhold.components.thumbnails import make_thumbnail
from skyhold.errors import BadOptionError, PreviewError


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def is_drawn(picture: np.ndarray) -> np.ndarray:
    """Where it is darker than the brightest of its line's ends, which are background."""
    return np.abs(picture - picture[:, :1]).sum(axis=2) > 20


@pytest.mark.parametrize("size_px", [256, 512])
def test_a_picture_fills_its_square_and_leaves_a_margin(size_px: int):
    picture = pixels(make_thumbnail(as_binary_stl(ball()), "ball.stl", size_px))
    assert picture.shape == (size_px, size_px, 3)
    assert picture[0].mean() > 235  # a light background
    drawn = is_drawn(picture)
    assert not drawn[:5].any()
    assert not drawn[:, -5:].any()
    across = np.flatnonzero(drawn.any(axis=0))
    assert across[-1] - across[0] == pytest.approx(0.88 * size_px, abs=3)
    assert drawn.mean() == pytest.approx(np.pi / 4 * 0.88**2, abs=0.01)  # a sphere is a circle


def test_every_format_gives_the_same_picture_but_for_its_colours():
    vertices, faces = gear()
    upright: Shape = (vertices[:, [1, 2, 0]], faces)  # what is z in STL is y in glTF and OBJ
    writers: list[tuple[str, Callable[[Shape], bytes], Shape]] = [
        ("a.stl", as_binary_stl, (vertices, faces)),
        ("b.stl", as_text_stl, (vertices, faces)),
        ("a.obj", as_obj, upright),
        ("a.glb", as_glb, upright),
        ("a.gltf", as_gltf, upright),
        ("a.fbx", as_fbx, upright),
    ]
    shapes = [is_drawn(pixels(make_thumbnail(write(shape), name, 128))) for name, write, shape in writers]
    assert np.array_equal(shapes[0], shapes[1])
    assert np.array_equal(shapes[3], shapes[4])
    assert np.array_equal(shapes[3], shapes[5])
    assert np.mean(shapes[0] != shapes[2]) < 0.02  # turned about its own axis, by other names of axes
    assert np.mean(shapes[2] != shapes[3]) < 0.002


def test_what_is_nearer_hides_what_is_behind_it_whatever_comes_first():
    near, far = box(), box(at=(0.6, 1.05, -0.6))
    materials = [{"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1]}} for colour in ((1, 0, 0), (0, 0, 1))]
    vertices = np.vstack([near[0], far[0]])[:, [0, 2, 1]] * [1, 1, -1]
    pictures = []
    for order in ((0, 1), (1, 0)):
        content, buffer = gltf_of((vertices, np.vstack([near[1], far[1] + 8])), materials=materials)
        content["accessors"] = [
            content["accessors"][0],
            *({**content["accessors"][1], "count": 36, "byteOffset": start} for start in (0, 144)),
        ]
        content["meshes"] = [
            {"primitives": [{"attributes": {"POSITION": 0}, "indices": 1 + k, "material": k} for k in order]}
        ]
        pictures.append(pixels(make_thumbnail(glb_of(content, buffer), "a.glb", 128)))
    assert np.array_equal(*pictures)
    red = (pictures[0][..., 0] > pictures[0][..., 2] + 40).sum()
    blue = (pictures[0][..., 2] > pictures[0][..., 0] + 40).sum()
    assert red > 1.5 * blue > 0


def test_a_mesh_and_its_inside_out_twin_look_alike():
    vertices, faces = bracket()
    pictures = [make_thumbnail(as_binary_stl((vertices, f)), "a.stl", 64) for f in (faces, faces[:, ::-1])]
    assert np.abs(pixels(pictures[0]) - pixels(pictures[1])).max() < 40


def test_flat_thin_tiny_and_far_away_meshes_are_drawn():
    vertices, faces = box()
    for shape in (
        (vertices * [1, 1, 0], faces),
        (vertices * [1, 0, 0] + [0, 0, 0], faces),
        (vertices * 0, faces),
        (vertices * 1e-20, faces),
        (vertices * 1e29, faces),
        (vertices + 1e6, faces),
    ):
        assert make_thumbnail(as_binary_stl(shape), "a.stl", 32)[:4] == b"\x89PNG"


def test_triangles_that_would_take_too_long_together_are_drawn_by_a_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drawing, "_MOST_SAMPLES", 1_000_000)
    filled: list[int] = []
    fill = drawing._fill
    monkeypatch.setattr(
        drawing, "_fill", lambda canvas, corners, first: (filled.append(len(corners.x)), fill(canvas, corners, first))
    )
    vertices, faces = box()
    mesh = read_mesh(open_source(as_binary_stl((vertices, np.tile(faces, (1000, 1)))), "many.stl"))
    assert is_drawn(drawing.draw_mesh(mesh, 256).astype(int)).any()
    assert sum(filled) < 500


def test_many_small_groups_give_the_picture_of_one(monkeypatch: pytest.MonkeyPatch):
    content = as_binary_stl(bracket())
    whole = make_thumbnail(content, "a.stl", 64)
    monkeypatch.setattr(drawing, "_GROUP", 100)
    monkeypatch.setattr(drawing, "_BLOCK", 5)
    assert make_thumbnail(content, "a.stl", 64) == whole


def blend(
    picture: np.ndarray | None, *, head: bytes = b"BLENDER-v279", block: str = "<4siQii", extra: int = 0
) -> bytes:
    """A Blender file of a few blocks, made from its description."""

    def written(code: bytes, data: bytes) -> bytes:
        if "q" in block:
            return struct.pack(block, code, 0, 1, len(data), 1) + data
        return struct.pack(block, code, len(data), 1, 0, 1) + data

    text = head + written(b"REND", b"\0" * 72)
    if picture is not None:
        size = struct.pack(f"{block[0]}ii", picture.shape[1], picture.shape[0])
        text += written(b"TEST", size + np.flipud(picture).tobytes())
    return text + written(b"GLOB", b"\1" * extra) + written(b"ENDB", b"")


def zstd(data: bytes) -> bytes:
    """As Blender does: frames one after another."""
    half = len(data) // 2
    return b"".join(pa.compress(part, "zstd", asbytes=True) for part in (data[:half], data[half:]))


PICTURE = np.zeros((128, 128, 4), np.uint8)
PICTURE[..., 3] = 255
PICTURE[:40, :, 0] = 200  # red at the top


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"BLENDER_v248", "<4siIii"),
        (b"BLENDER-V279", ">4siQii"),
        (b"BLENDER-v402", "<4siQii"),
        (b"BLENDER17-01v0500", "<4siQqq"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_the_picture_in_a_blender_file_is_found(
    head: bytes, block: str, pack: Callable[[bytes], bytes], tmp_path: Path
):
    content = pack(blend(PICTURE, head=head, block=block, extra=100_000))
    (tmp_path / "a.blend").write_bytes(content)
    for found in (make_thumbnail(content, "a.blend", 128), make_thumbnail(tmp_path / "a.blend", size_px=128)):
        assert np.array_equal(pixels(found), PICTURE[..., :3])
    assert pixels(make_thumbnail(content, "a.blend1", 64)).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (blend(None), "saved without a picture"),
        (blend(PICTURE)[:500], "ends in the middle"),
        (b"BLENDER nothing", "does not begin as a Blender file"),
        (gzip.compress(b"something else altogether", mtime=0), "does not begin as a Blender file"),
        (gzip.compress(blend(PICTURE), mtime=0)[:60], "damaged"),
        (zstd(blend(PICTURE))[:40], "damaged"),
        (b"\x28\xb5\x2f\xfdnoise that is no frame", "damaged"),
        (blend(PICTURE).replace(struct.pack("<ii", 128, 128), struct.pack("<ii", 128, 127)), "128 by 127"),
        (blend(PICTURE).replace(struct.pack("<ii", 128, 128), struct.pack("<ii", -1, 128)), "-1 by 128"),
        (b"BLENDER-v279" + struct.pack("<4siQii", b"TEST", 2**31 - 1, 0, 0, 1), "without a picture"),
        (b"BLENDER-v279" + struct.pack("<4siQii", b"TEST", 4, 0, 0, 1) + b"1234", "damaged"),
        (b"BLENDER-v279" + struct.pack("<4siQii", b"DATA", 0, 0, 0, 1) * 1000, "without a picture"),
    ],
)
def test_a_blender_file_without_a_sound_picture_says_so(content: bytes, words: str):
    with pytest.raises(PreviewError, match=words) as caught:
        make_thumbnail(content, "a.blend")
    assert "'a.blend'" in str(caught.value)


def test_a_bomb_in_a_blender_file_is_not_unpacked():
    bomb = b"BLENDER-v279" + struct.pack("<4siQii", b"REND", 2**31 - 1, 0, 0, 1) + bytes(50_000_000)
    with pytest.raises(PreviewError, match="without a picture"):
        make_thumbnail(gzip.compress(bomb, 1), "a.blend")


def image(kind: str, size: tuple[int, int] = (300, 150), mode: str = "RGB", **options: object) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size, "red" if mode.startswith("RGB") else 1).save(sink, kind, **options)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff", "tga"])
def test_images_are_made_smaller_and_keep_their_proportions(kind: str):
    found = pixels(make_thumbnail(image(kind), f"a.{kind}", 100))
    assert found.shape == (50, 100, 3)
    assert np.abs(found - [255, 0, 0]).max() < 5
    assert pixels(make_thumbnail(image(kind, (20, 30)), f"a.{kind}", 100)).shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_images_of_every_colour_model_are_shown(mode: str):
    kind = "tiff" if mode in {"CMYK", "F"} else "png"
    assert make_thumbnail(image(kind, mode=mode), f"a.{kind}", 64)[:4] == b"\x89PNG"


def test_an_image_with_too_many_pixels_is_not_decompressed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thumbnails, "_MOST_PIXELS", 10_000)
    with pytest.raises(PreviewError, match=r"'a\.png': it has 300 by 150 pixels"):
        make_thumbnail(image("png"), "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(PreviewError, match=r"'a\.png'"):
        make_thumbnail(image("png"), "a.png")


def test_what_cannot_be_shown_is_refused_by_name_and_reason():
    with pytest.raises(PreviewError, match=r"'a\.step': meshes are read from STL, glTF, GLB, OBJ and FBX"):
        make_thumbnail(b"ISO-10303-21;", "a.step")
    with pytest.raises(PreviewError, match=r"'a\.stl': it has no triangles"):
        make_thumbnail(as_binary_stl((box()[0], box()[1][:0])), "a.stl")
    with pytest.raises(PreviewError, match=r"'a\.png' is damaged"):
        make_thumbnail(as_binary_stl(box()), "a.png")
    with pytest.raises(BadOptionError, match="size_px is 5000"):
        make_thumbnail(as_binary_stl(box()), "a.stl", 5000)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of damage that it passes over
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff", "tga", "blend"])
def test_any_broken_byte_of_an_image_gives_a_picture_or_an_error(kind: str):
    noise = np.random.default_rng(3)
    sound = zstd(blend(PICTURE)) if kind == "blend" else image(kind, (40, 30))
    for _ in range(150):
        broken = bytearray(sound)
        for place in noise.integers(0, min(len(sound), 400), 4):
            broken[place] = int(noise.integers(0, 256))
        try:
            make_thumbnail(bytes(broken), f"a.{kind}", 32)
        except PreviewError as error:
            assert f"'a.{kind}'" in str(error)  # noqa: PT017 - both outcomes are right
