"""``skyhold comp preview``: measures in words and as data, and a picture where one can be made."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from conftest import make_bucket
from mesh_samples import as_glb, as_obj, box
from skyhold.cli.application import run
from skyhold.components import Library
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


def test_a_component_in_a_bucket_is_shown(moto: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    uri = f"s3://{make_bucket(moto)}/models"
    Library(open_store(uri, **moto.options)).publish("arm.glb", as_glb(box((2, 3, 4))))
    options = [word for name, value in moto.options.items() for word in ("-o", f"{name}={value}")]
    picture = tmp_path / "arm.png"
    assert run(["comp", "preview", uri, "arm.glb", "--output", str(picture), "--size", "256", *options]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "arm.glb",
        "glTF, 12 triangles, 8 vertices",
        "size 2 x 3 x 4 m",
        "area 52 m²",
        "volume 24 m³",
        "closed",
        "materials steel",
        "parts part",
        f"picture {picture}",
    ]
    assert Image.open(io.BytesIO(picture.read_bytes())).size == (256, 256)
    assert run(["comp", "preview", uri, "arm.glb", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["facts"]["volume"], found["picture"]) == (pytest.approx(24), None)


def test_what_has_no_picture_says_why_and_fails_where_one_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    uri, picture = str(tmp_path / "library"), tmp_path / "a.png"
    Library(uri).publish("readme.txt", b"nothing to see")
    Library(uri).publish("odd.obj", as_obj(box()).replace(b"o part", b"o \x1b[2Jpart"))
    assert run(["comp", "preview", uri, "readme.txt"]) == 0
    assert "no preview of 'readme.txt': pictures are made of .glb" in capsys.readouterr().out
    assert run(["comp", "preview", uri, "readme.txt", "--output", str(picture)]) == 1
    assert not picture.exists()
    assert run(["comp", "preview", uri, "odd.obj", "--output", str(picture), "--dry-run"]) == 0
    assert not picture.exists()
    assert "\x1b" not in capsys.readouterr().out
    assert run(["comp", "preview", uri, "gone.obj"]) == 3
