"""The pages of storage: folders, objects, what comes and goes; and that nothing else does."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from conftest import make_bucket
from dashboard_client import OWN, entered
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.dashboard.uploading import receive_object
from skyhold.errors import IntegrityError
from skyhold.runs.journal import Journal
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer

_PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6300010000")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("not to be seen")
    return tmp_path / "data"


@pytest.fixture
def place(folder: Path) -> Place:
    return make_place(str(folder))


@pytest.fixture
def desk(tmp_path: Path, place: Place) -> Desk:
    return Desk(Journal(tmp_path / "journal"), {place.name: place})


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _page(place: Place, page: str = "", **query: str) -> str:
    return f"/storage/{place.name}{page}?{urlencode(query)}"


def test_where_there_is_no_place_the_page_says_how_to_begin(tmp_path: Path):
    text = entered(Desk(Journal(tmp_path))).get("/storage").text
    assert "skyhold ui s3://bucket/prefix" in text
    assert "Open a place" in text


def test_a_folder_shows_what_lies_in_it(user: TestClient, folder: Path, place: Place):
    (folder / "a b%2F&é.csv").write_text("x")
    (folder / "sub" / "deep.txt").write_text("x")
    assert place.uri in user.get("/storage").text
    text = user.get(_page(place)).text
    assert "a b%2F&amp;é.csv" in text
    assert "key=a+b%252F%26%C3%A9.csv" in text
    assert "prefix=sub%2F" in text or "prefix=sub/" in text
    assert "deep.txt" not in text
    assert "deep.txt" in user.get(_page(place, prefix="sub/")).text
    assert user.get(_page(place, "/object", key="a b%2F&é.csv")).status_code == 200


def test_big_folders_are_shown_screen_by_screen(user: TestClient, folder: Path, place: Place):
    for number in range(450):
        (folder / f"{number:04d}").touch()
    whole = user.get(_page(place)).text
    assert "0199" in whole
    assert "0200" not in whole
    part = user.get(_page(place, after="0199"), headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith("<tr>")
    assert part.count("<tr") == 201
    assert 'id="more"' not in user.get(_page(place, after="0399")).text
    assert "0007" in user.get(_page(place, prefix="0007")).text


def test_an_empty_place_says_how_to_fill_it(user: TestClient, place: Place):
    assert "skyhold cp --recursive FOLDER" in user.get(_page(place)).text
    assert "begins with" in user.get(_page(place, prefix="nothing")).text


def test_every_kind_of_object_is_shown_as_what_it_is(user: TestClient, folder: Path, place: Place):
    (folder / "t.csv").write_text("id,name\n1,one\n2,<b>two</b>\n3\n")
    (folder / "l.jsonl").write_text('{"a": 1}\n{"a": null, "b": [1]}\n')
    (folder / "o.json").write_text(json.dumps({"name": ["x", {"y": None}]}))
    (folder / "r.json").write_text('[{"q": 77}]')
    pq.write_table(pa.table({"n": list(range(500)), "t": ["é"] * 500}), folder / "p.parquet")
    (folder / "p.png").write_bytes(_PNG)
    (folder / "n.txt").write_text("é" * 60_000)
    (folder / "b.bin").write_bytes(bytes(range(256)))
    (folder / "empty").touch()
    (folder / "bad.parquet").write_bytes(b"PAR1 this is none PAR1")
    shown = {key.name: user.get(_page(place, "/object", key=key.name)) for key in folder.iterdir() if key.is_file()}
    assert {answer.status_code for answer in shown.values()} == {200}
    expected = {
        "t.csv": ["<td>one</td>", "&lt;b&gt;two&lt;/b&gt;", "row 3"],
        "l.jsonl": ["<td>1</td>", '<td class="null">null</td>', "[1]"],
        "o.json": ["&#34;y&#34;: null"],
        "r.json": ["<td>77</td>"],
        "p.parquet": ["int64", "string", "The first 100 rows", "<td>99</td>"],
        "p.png": ["<img", "/picture?key=p.png"],
        "n.txt": ["éééé", "This is the beginning"],
        "b.bin": ["no preview"],
        "empty": ["It is empty"],
        "bad.parquet": ["cannot be read as what its name says"],
    }
    for key, parts in expected.items():
        for part in parts:
            assert part in shown[key].text, (key, part)
    assert "<td>100</td>" not in shown["p.parquet"].text


def test_a_download_is_the_object_and_never_a_page(user: TestClient, folder: Path, place: Place):
    content = bytes(range(256)) * 20_000
    (folder / "x é.html").write_bytes(content)
    answer = user.get(_page(place, "/content", key="x é.html"))
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''x%20%C3%A9.html"


def test_a_picture_that_holds_a_script_cannot_run_it(user: TestClient, folder: Path, place: Place):
    (folder / "x.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    (folder / "x.html").write_text("<script>alert(1)</script>")
    answer = user.get(_page(place, "/picture", key="x.svg"))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert user.get(_page(place, "/picture", key="x.html")).status_code != 200


@pytest.mark.parametrize(
    "key",
    ["../secret.txt", "sub/../../secret.txt", "/etc/passwd", "..", "", "a//b", "\x00", "a" * 2000],
)
def test_no_name_leads_out_of_the_place(user: TestClient, place: Place, tmp_path: Path, key: str):
    for page in ("/object", "/content", "/picture", "/delete"):
        answer = user.get(_page(place, page, key=key))
        assert answer.status_code in {400, 404, 409, 500}, page
        assert "not to be seen" not in answer.text
    assert "secret.txt" not in user.get(_page(place, prefix=key)).text.replace(key, "")
    assert user.post(_page(place, "/upload", key=key), content=b"x", headers=OWN).status_code >= 400
    form = {"key": key, "count": "1"}
    assert user.post(f"/storage/{place.name}/delete", data=form, headers=OWN).status_code >= 400
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "journal") == ["data", "secret.txt"]


def test_names_that_hold_html_are_text(user: TestClient, folder: Path, place: Place):
    name = "<img src=x onerror=alert(1)>'\"&amp;\u202e.txt"
    (folder / name).write_text("<script>alert(2)</script>")
    pages = [
        _page(place),
        _page(place, "/object", key=name),
        _page(place, "/delete", key=name),
        _page(place, prefix="<b>"),
    ]
    for page in pages:
        text = user.get(page).text
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert "<b>" not in text
        assert "\u202e" not in re.sub('(value|data-copy)="[^"]*"', "", text)
    sent = re.search('name="key" value="([^"]*)"', user.get(_page(place)).text)
    assert sent is not None
    form = {"key": html.unescape(sent[1]), "count": "1"}
    assert user.post(f"/storage/{place.name}/delete", data=form, headers=OWN).status_code == 303, "fields are exact"
    assert not list(folder.glob("*.txt"))


def test_what_is_deleted_was_shown_before(user: TestClient, folder: Path, place: Place):
    for name in ("keep.txt", "go.txt", "sub/1", "sub/2"):
        (folder / name).write_text("x")
    query = urlencode([("key", "go.txt"), ("key", "sub/")])
    text = user.get(f"/storage/{place.name}/delete?{query}").text
    assert "Delete 3 objects, 3 B?" in text
    form = {"key": ["go.txt", "sub/"], "count": "3"}
    target = f"/storage/{place.name}/delete"
    assert user.post(target, data=form).status_code == 403, "not by another site"
    (folder / "sub" / "3").write_text("new")
    answer = user.post(target, data=form, headers=OWN)
    assert answer.status_code == 409
    assert "nothing was deleted" in answer.text
    answer = user.post(target, data={**form, "count": "4"}, headers=OWN)
    assert answer.status_code == 303
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["keep.txt"]
    assert user.post(target, data={"key": "/", "count": "1"}, headers=OWN).status_code == 409
    assert user.post(target, data={"count": "0"}, headers=OWN).status_code == 409
    assert user.get(f"{target}?key=gone.txt").status_code == 404


def test_an_upload_is_there_whole_and_listed_as_a_run(user: TestClient, desk: Desk, folder: Path, place: Place):
    content = bytes(range(256)) * 40_000
    answer = user.post(_page(place, "/upload", key="new/é.bin"), content=content, headers=OWN)
    assert (answer.status_code, answer.json()) == (201, {"key": "new/é.bin", "size_bytes": len(content)})
    assert (folder / "new" / "é.bin").read_bytes() == content
    run = desk.journal.list_runs()[0]
    assert (run.kind, run.state) == ("transfer", "completed")
    assert run.receipt is not None
    assert run.receipt.outputs[0].sha256


def test_an_upload_replaces_nothing_unasked(user: TestClient, folder: Path, place: Place):
    (folder / "a.txt").write_text("old")
    answer = user.post(_page(place, "/upload", key="a.txt"), content=b"new", headers=OWN)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert (folder / "a.txt").read_text() == "old"
    assert (
        user.post(_page(place, "/upload", key="a.txt", replace="yes"), content=b"new", headers=OWN).status_code == 201
    )
    assert (folder / "a.txt").read_text() == "new"
    assert user.post(_page(place, "/upload", key="b.txt"), content=b"new").status_code == 403, "not by another site"


def test_an_upload_that_breaks_off_leaves_what_was_there(place: Place, folder: Path, tmp_path: Path):
    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise ConnectionResetError("the browser has gone")

    (folder / "a.bin").write_text("old")
    journal = Journal(tmp_path / "journal")
    with pytest.raises(ConnectionResetError):
        receive_object(place, "a.bin", broken(), size_bytes=200, replace=True, journal=journal)
    with pytest.raises(IntegrityError, match="100 of 200 bytes"):
        receive_object(place, "a.bin", iter([b"x" * 100]), size_bytes=200, replace=True, journal=journal)
    assert (folder / "a.bin").read_text() == "old"
    assert [run.state for run in journal.list_runs()] == ["failed", "failed"]


def test_places_are_opened_by_this_machine_alone(user: TestClient, desk: Desk, folder: Path):
    answer = user.post("/storage", data={"uri": str(folder / "sub"), "profile": ""}, headers=OWN)
    assert answer.status_code == 303
    assert user.get(answer.headers["location"]).status_code == 200
    assert user.post("/storage", data={"uri": "nonsense://x"}, headers=OWN).status_code == 400
    desk.may_open = False
    assert user.post("/storage", data={"uri": "/etc"}, headers=OWN).status_code == 403
    assert "Open a place" not in user.get("/storage").text
    assert user.get("/storage/none-such").status_code == 404


def test_a_link_is_made_on_request_and_opens_the_object(moto: LocalServer, tmp_path: Path):
    place = make_place(f"s3://{make_bucket(moto)}", "", moto.options)
    open_store(place.uri, **moto.options).write("a.txt", b"hello")
    user = entered(Desk(Journal(tmp_path), {place.name: place}))
    assert "X-Amz-Signature" not in user.get(_page(place, "/object", key="a.txt")).text
    form = {"key": "a.txt", "seconds": "900"}
    for headers in (OWN, {**OWN, "HX-Request": "true"}):
        answer = user.post(f"/storage/{place.name}/link", data=form, headers=headers)
        assert "X-Amz-Signature=" in answer.text
        assert "X-Amz-Expires=900" in answer.text
        assert "15 minutes" in answer.text
        assert "secret" not in answer.text.lower().replace("x-amz-security", "")
    endless = user.post(f"/storage/{place.name}/link", data={**form, "seconds": "9" * 12}, headers=OWN)
    assert "X-Amz-Expires=3600" in endless.text


def test_what_has_no_links_says_so(user: TestClient, folder: Path, place: Place):
    (folder / "a.txt").write_text("x")
    answer = user.post(f"/storage/{place.name}/link", data={"key": "a.txt"}, headers={**OWN, "HX-Request": "true"})
    assert answer.status_code == 400
    assert "files have no links" in answer.text
    assert "<html" not in answer.text


def test_what_only_is_not_there_offers_no_test_of_the_connection(user: TestClient, place: Place):
    answer = user.get(_page(place, "/object", key="none"))
    assert answer.status_code == 404
    assert "Try again" not in answer.text
    assert "Test the connection" not in answer.text


def test_errors_say_operation_uri_cause_and_remedy_and_no_secret(tmp_path: Path, moto: LocalServer):
    options = {**moto.options, "secret_access_key": "hunter2-hunter2", "access_key_id": "AKIAIOSFODNN7EXAMPLE"}
    missing = make_place("s3://no-such-bucket-here/x", "", options)
    nowhere = make_place("s3://b", "", {**options, "endpoint": "http://127.0.0.1:9"})
    user = entered(Desk(Journal(tmp_path), {missing.name: missing, nowhere.name: nowhere}))
    for place, status, words in ((missing, 404, "list"), (nowhere, 502, "no connection")):
        answer = user.get(_page(place))
        assert answer.status_code == status
        for each in (words, place.uri, "What to do", "options"):
            assert each in answer.text
        assert f'<a class="button main" href="/storage/{place.name}">Try again</a>' in answer.text
        assert f'href="/connections/{place.name}">Test the connection</a>' in answer.text
    for page in ("/storage", "/connections", f"/connections/{missing.name}", _page(missing), _page(nowhere)):
        assert "hunter2" not in user.get(page).text
