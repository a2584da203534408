"""Search by an index, meshes in storage, and how much a first page weighs."""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from mesh_samples import as_binary_stl, box
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import Journal
from skyhold.storage.browsing import browse_folder
from skyhold.storage.contract import Store
from skyhold.storage.objects import ListPage, Operation


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(f"memory://search-{tmp_path.name}-{tmp_path.parent.name}")


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


@pytest.fixture
def desk(tmp_path: Path, place: Place) -> Iterator[Desk]:
    desk = Desk(Journal(tmp_path / "journal"), {place.name: place})
    yield desk
    desk.closing.set()


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _page(place: Place, page: str = "", **query: str) -> str:
    return f"/storage/{place.name}{page}?{urlencode(query)}"


def _take(user: TestClient, desk: Desk, place: Place, prefix: str = "", words: str = "") -> str:
    answer = user.post(_page(place, "/index"), data={"prefix": prefix, "q": words}, headers=OWN)
    assert answer.status_code == 303
    task = desk.indexes.find(place.name, prefix)
    assert task is not None
    task.wait(30)
    return user.get(answer.headers["location"]).text


def test_without_an_index_the_page_says_what_one_is(user: TestClient, place: Place, store: Store):
    store.write("a", b"")
    text = user.get(_page(place, "/search", q="a")).text
    assert "Stores do not search" in text
    assert "Make the index" in text
    assert "Nothing found" not in text
    assert "/search?prefix=" in user.get(_page(place)).text


def test_names_are_found_as_of_when_the_index_was_made(user: TestClient, desk: Desk, place: Place, store: Store):
    for key in ("wings/left.stl", "wings/right.stl", "<b>&.txt"):
        store.write(key, b"123")
    text = _take(user, desk, place, words="*.stl")
    assert "As of" in text
    assert "2 objects, 6 B" in text
    assert "wings/left.stl" in text
    store.write("wings/third.stl", b"")
    assert "third" not in user.get(_page(place, "/search", q="wing")).text
    assert "third" in _take(user, desk, place, words="third")
    below = user.get(_page(place, "/search", q="left", prefix="wings/")).text
    assert "key=wings%2Fleft.stl" in below or "key=wings/left.stl" in below
    assert ">left.stl<" in below
    assert "&lt;b&gt;&amp;.txt" in user.get(_page(place, "/search", q="<b>")).text
    assert "Nothing found" in user.get(_page(place, "/search", q="zebra")).text


def test_what_one_identity_has_seen_is_not_shown_to_another(desk: Desk, user: TestClient, tmp_path: Path):
    keys = {"access_key_id": "me", "secret_access_key": "x"}
    ways: list[dict[str, Any]] = [
        {"anonymous": True},
        keys,
        {"anonymous": True, "endpoint": "http://127.0.0.1:9"},
        {**keys, "endpoint": "http://127.0.0.1:9"},
    ]
    connections = [make_place("s3://b", "", options).connection() for options in ways]
    connections += [make_place("s3://b/a", "", keys).connection()]
    assert len(set(connections)) == 5
    assert connections[1] == make_place("s3://b", "", keys).connection()
    half = make_place("s3://b", "", {"access_key_id": "me"})
    desk.add([half])
    assert user.get(_page(half, "/search")).status_code == 400


def test_an_index_is_listed_as_a_run_and_tells_what_fails(user: TestClient, desk: Desk, place: Place):
    assert "0 objects" in _take(user, desk, place)
    (run,) = desk.journal.list_runs()
    assert (run.kind, run.state) == ("index", "completed")
    broken = make_place("file:///nonexistent-folder/none")
    desk.add([broken])
    text = _take(user, desk, broken)
    assert 'role="alert"' in text


def test_what_is_found_is_shown_screen_by_screen(user: TestClient, desk: Desk, place: Place, store: Store):
    for number in range(250):
        store.write(f"{number:04d}", b"x" * number)
    text = _take(user, desk, place)
    assert "0099" in text
    assert "0100" not in text
    more = re.search(r'href="([^"]*from=100[^"]*)"', text)
    assert more is not None
    part = user.get(more[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith("<tr>")
    assert "0100" in part
    assert "0249" in user.get(_page(place, "/search", order="largest")).text
    assert "0000" in user.get(_page(place, "/search", order="none such", **{"from": "-1"})).text


def test_odd_questions_get_an_answer(user: TestClient, desk: Desk, place: Place, store: Store):
    store.write("a", b"")
    _take(user, desk, place)
    odd = ["%00", "%ED%A0%80", "'%22;--", "x" * 900, "%F0%9F%98%80", "*", "* *", "<script>"]
    for words in odd:
        assert user.get(f"/storage/{place.name}/search?q={words}").status_code == 200, words
    assert user.get(_page(place, "/search", q="x" * 2000)).status_code == 400
    assert user.get(_page(place, "/search", **{"from": "9" * 30})).status_code == 200
    assert user.post(_page(place, "/index"), data={"prefix": "a//b/"}, headers=OWN).status_code == 400
    assert user.post(_page(place, "/index"), data={"prefix": ""}).status_code == 403, "it comes from elsewhere"


def test_an_index_can_be_stopped(
    user: TestClient, desk: Desk, place: Place, store: Store, monkeypatch: pytest.MonkeyPatch
):
    store.write("a", b"")
    _take(user, desk, place)
    pages = type(store).list_pages

    def endless(self: Store, prefix: str = "", **options: object) -> Iterator[ListPage]:
        while True:
            yield from pages(self, prefix)

    monkeypatch.setattr(type(store), "list_pages", endless)
    user.post(_page(place, "/index"), data={"prefix": ""}, headers=OWN)
    assert "making the index" in user.get(_page(place, "/search")).text
    assert user.post(_page(place, "/index"), data={"prefix": ""}, headers=OWN).status_code == 409
    user.post(_page(place, "/index/stop"), data={"prefix": ""}, headers=OWN)
    task = desk.indexes.find(place.name, "")
    assert task is not None
    task.wait(30)
    assert not task.goes_on
    text = user.get(_page(place, "/search")).text
    assert "stopped before it was whole" in text
    assert "As of" in text, "the one before stays"


def test_meshes_are_drawn_from_storage(user: TestClient, place: Place, store: Store):
    store.write("parts/box.stl", as_binary_stl(box()))
    store.write("parts/bad.glb", b"glTF nothing")
    text = user.get(_page(place, "/object", key="parts/box.stl")).text
    assert "data-scene=" in text
    assert "/static/viewer.js" in text
    scene = user.get(_page(place, "/scene", key="parts/box.stl"))
    assert scene.content[:4] == b"SKY1"
    assert scene.headers["content-type"] == "application/octet-stream"
    answer = user.get(_page(place, "/scene", key="parts/bad.glb"))
    assert (answer.status_code, answer.json()["code"]) == (422, "preview")
    assert user.get(_page(place, "/scene", key="none.stl")).status_code == 404
    assert "/static/viewer.js" not in user.get(_page(place)).text


def test_a_mesh_names_files_beside_it_alone(user: TestClient, place: Place, store: Store):
    content: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    store.write("m/points.bin", struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0))
    store.write("secret.bin", struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0))
    states = {"points.bin": 200, "../secret.bin": 422, "/etc/passwd": 422, "a/../../secret.bin": 422, "none.bin": 422}
    for uri, state in states.items():
        content["buffers"] = [{"byteLength": 36, "uri": uri}]
        store.write("m/a.gltf", json.dumps(content).encode())
        assert user.get(_page(place, "/scene", key="m/a.gltf")).status_code == state, uri


def test_parquet_is_told_by_its_footer_too(user: TestClient, place: Place, tmp_path: Path, store: Store):
    pq.write_table(pa.table({"n<b>": [5, None, 7], "t": ["a", "é", "c"]}), tmp_path / "a.parquet")
    store.write("a.parquet", (tmp_path / "a.parquet").read_bytes())
    text = user.get(_page(place, "/object", key="a.parquet")).text
    assert "3 rows in 1 row group" in text
    assert "n&lt;b&gt;" in text
    assert '<td class="mono">5</td><td class="mono">7</td>' in text.replace("\n", "")
    store.write("b.parquet", b"PAR1 none of it PAR1")
    answer = user.get(_page(place, "/object", key="b.parquet"))
    assert answer.status_code == 200
    assert "by the footer" not in answer.text


def test_the_first_page_of_20_000_objects_is_less_than_200_kb_over_the_wire(
    user: TestClient, place: Place, store: Store
):
    for number in range(20_000):
        store.write(f"a folder of results/with names as people give them/case-{number:06d}-result.parquet", b"")
    page = user.get(_page(place, prefix="a folder of results/with names as people give them/"))
    assert page.text.count("<tr>") > 200
    needed = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(needed) >= 4
    weight = len(page.content) + sum(len(user.get(each).content) for each in needed)
    assert weight < 200_000


@pytest.mark.slow
def test_any_screen_of_100_000_objects_takes_as_few_requests(place: Place, store: Store):
    for number in range(100_000):
        store.write(f"{number:06d}", b"")
    requests: list[int] = []
    for after in (None, "050000", "099700"):
        seen: list[Operation] = []
        view = browse_folder(store.observed(seen.append), after=after)
        assert len(view.entries) == 200
        assert view.entries[0].key == ("000000" if after is None else f"{int(after) + 1:06d}")
        requests.append(sum(each.requests for each in seen))
    assert requests == [1, 1, 1]
    keys: list[str] = []
    while after is not None:
        view = browse_folder(store, after=after)
        keys += [entry.key for entry in view.entries]
        after = view.after
    assert keys == [f"{number:06d}" for number in range(99_701, 100_000)]
