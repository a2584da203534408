"""The pages of components: what they show, what they do, and that they do nothing else."""

import html
import io
import json
import re
import shlex
import struct
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from mesh_samples import as_binary_stl, box, gear
from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import default_journal

_PART = {**OWN, "HX-Request": "true"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "models").mkdir()
    return make_place(str(tmp_path / "models"))


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.uri, author="ann@desk")


@pytest.fixture
def desk(place: Place) -> Desk:
    return Desk(default_journal(), {place.name: place})


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _page(place: Place, page: str = "", **query: object) -> str:
    return f"/components/{place.name}{'/' * bool(page)}{page}?{urlencode(query, doseq=True)}"


def _do(user: TestClient, place: Place, act: str, **fields: object):
    return user.post(_page(place, act), data=fields, headers=OWN)


def _told(answer) -> str:
    assert answer.status_code == 200, answer.text
    return answer.text


def test_objects_of_other_programs_in_a_library_that_seems_empty_are_told(
    user: TestClient, place: Place, library: Library
):
    assert "skyhold comp adopt" not in user.get(_page(place)).text
    library.store.write("arm.stl", b"by a script")
    assert "skyhold comp adopt" in user.get(_page(place)).text
    assert "skyhold comp adopt" not in user.get(_page(place, prefix="leg")).text
    library.reconcile("arm.stl")
    assert "skyhold comp adopt" not in user.get(_page(place)).text


def test_where_nothing_is_the_page_says_how_to_begin(tmp_path: Path, user: TestClient, place: Place):
    assert "skyhold ui s3://bucket/models" in entered(Desk(default_journal())).get("/components").text
    assert "the first upload makes one" in user.get("/components").text
    assert f"skyhold comp add {place.uri} FILE" in user.get(_page(place)).text
    assert "No component" in user.get(_page(place, prefix="x")).text


def test_a_place_that_cannot_be_reached_is_told_beside_the_others(desk: Desk, user: TestClient, library: Library):
    library.publish("arm.stl", b"solid")
    desk.add([make_place("s3://nobody-has-this", options={"endpoint": "http://127.0.0.1:9", "anonymous": True})])
    text = _told(user.get("/components"))
    assert "s3://nobody-has-this" in text
    assert 'class="state ok"' in text
    assert 'class="state failed"' in text


def test_a_library_is_opened_by_its_uri_where_pages_may(user: TestClient, desk: Desk, tmp_path: Path):
    answer = user.post("/components", data={"uri": str(tmp_path)}, headers=OWN)
    assert answer.status_code == 303
    assert answer.headers["location"].removeprefix("/components/") in desk.places
    desk.may_open = False
    assert user.post("/components", data={"uri": "/etc"}, headers=OWN).status_code == 403
    assert 'name="uri"' not in user.get("/components").text


def test_components_are_listed_with_who_when_why_tags_and_locks(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid", message="a first arm")
    library.publish("arm.stl", b"solid 2", message="a longer arm")
    library.tag("arm.stl", "released", 1)
    Library(place.uri, author="bob@lab").locks.take("arm.stl", reason="drilling")
    library.publish("gone.stl", b"solid")
    library.delete("gone.stl")
    text = _told(user.get(_page(place)))
    for words in ("arm.stl", "a longer arm", "ann@desk", "released", "locked by bob@lab", "7 B"):
        assert words in text
    assert "gone.stl" not in text
    assert "gone.stl" in user.get(_page(place, deleted="yes")).text
    assert "arm.stl" not in user.get(_page(place, prefix="b")).text


def test_many_components_are_shown_screen_by_screen(
    user: TestClient, place: Place, library: Library, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("skyhold.dashboard.components._SCREENFUL", 6)
    for number in range(9):
        library.publish(f"{number}.txt", b"x")
    whole = _told(user.get(_page(place)))
    assert "5.txt" in whole
    assert "6.txt" not in whole
    part = _told(user.get(_page(place, after="5.txt"), headers=_PART))
    assert part.lstrip().startswith("<tr>")
    assert part.count('name="id"') == 3
    assert 'id="more"' not in part


def test_a_damaged_component_is_shown_as_such_beside_the_others(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    library.publish("bad.stl", b"solid")
    library.store.write(".skyhold/heads/bad.stl/@.json", b"{")
    text = _told(user.get(_page(place)))
    assert "arm.stl" in text
    assert "failed" in text
    assert user.get(_page(place, "component", id="bad.stl")).status_code == 500


def test_a_component_shows_all_that_is_known_of_it(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", as_binary_stl(box()), message="a box", metadata={"material": "steel"})
    library.publish("robot", b"x", dependencies=["arm.stl"], message="whole")
    library.publish("arm.stl", as_binary_stl(box((2, 3, 4))), message="a bigger box")
    library.get("arm.stl", place.uri + "-out")
    text = _told(user.get(_page(place, "component", id="arm.stl")))
    for words in ("a bigger box", "a box", "ann@desk", "material", "steel", "Compare", "version=1", "Restore"):
        assert words in text
    facts = _told(user.get(_page(place, "facts", id="arm.stl", version=2)))
    assert "2 \N{MULTIPLICATION SIGN} 3 \N{MULTIPLICATION SIGN} 4" in facts
    assert "closed" in facts
    related = _told(user.get(_page(place, "related", id="arm.stl")))
    assert "Needed by" in related
    assert "get arm.stl" in related
    assert "arm.stl</a>" in _told(user.get(_page(place, "related", id="robot")))


def test_what_is_not_there_says_so(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    for page in ("component", "facts", "related", "view", "compare", "content", "scene", "picture", "delete"):
        answer = user.get(_page(place, page, id="none.stl"))
        assert answer.status_code == 404, page
        assert "none.stl" in answer.text
    for page in ("view", "content", "scene", "picture"):
        assert user.get(_page(place, page, id="arm.stl", version=7)).status_code == 404
        assert user.get(_page(place, page, id="arm.stl", version="9" * 5000)).status_code in {400, 404}
    assert user.get(_page(place, "component", id="../../etc/passwd")).status_code == 400
    assert user.get("/components/nowhere").status_code == 404


def test_tags_are_given_and_taken(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    assert _do(user, place, "tag", id="arm.stl", name="released", version=1).status_code == 303
    assert library.head("arm.stl")[0].tags == {"released": 1}
    assert "Remove the tag released" in user.get(_page(place, "component", id="arm.stl")).text
    assert _do(user, place, "tag", id="arm.stl", name="7", version=1).status_code == 400
    assert _do(user, place, "untag", id="arm.stl", name="released").status_code == 303
    assert library.head("arm.stl")[0].tags == {}


def test_an_old_version_is_restored_as_the_newest(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"one")
    assert "Compare" not in user.get(_page(place, "component", id="arm.stl")).text, "there is nothing to compare with"
    library.publish("arm.stl", b"two")
    assert "Compare version 1 as the old one" in user.get(_page(place, "component", id="arm.stl")).text
    assert _do(user, place, "restore", id="arm.stl", version=1).status_code == 303
    assert library.info("arm.stl").number == 3
    assert library.read("arm.stl") == b"one"
    for nonsense in (9, "x"):
        assert _do(user, place, "restore", id="arm.stl", version=nonsense).status_code == 404


def test_a_component_is_deleted_after_a_look_and_brought_back(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    text = _told(user.get(_page(place, "delete", id="arm.stl")))
    assert "Delete 1 component?" in text
    assert not library.info("arm.stl").is_deleted, "looking deletes nothing"
    stale = _do(user, place, "delete", id="arm.stl", version=7)
    assert stale.status_code == 409
    assert not library.info("arm.stl").is_deleted
    assert _do(user, place, "delete", id="arm.stl", version=1, message="not used").status_code == 303
    assert library.info("arm.stl").message == "not used"
    assert "Bring it back" in user.get(_page(place, "component", id="arm.stl")).text
    assert _do(user, place, "undelete", id="arm.stl").status_code == 303
    assert library.read("arm.stl") == b"solid"


def test_many_are_deleted_at_once_and_those_that_are_needed_stay(user: TestClient, place: Place, library: Library):
    for name in ("a.stl", "b.stl", "c.stl"):
        library.publish(name, b"solid")
    library.publish("robot", b"x", dependencies=["c.stl"])
    text = _told(user.get(_page(place, "delete", id=["a.stl", "b.stl", "c.stl"])))
    assert "Delete 3 components?" in text
    answer = _do(user, place, "delete", id=["a.stl", "b.stl", "c.stl"], version=[1, 1, 1])
    assert answer.status_code == 409
    assert "1 of 3 components failed" in answer.text
    assert "needed by" in answer.text
    assert [each.component for each in library.list()] == ["c.stl", "robot"]
    assert _do(user, place, "delete", id="c.stl", version=1).status_code == 409
    assert _do(user, place, "delete", id="c.stl", version=1, even_if_needed="yes").status_code == 303
    assert user.get(_page(place, "delete")).status_code == 409


def test_a_component_is_locked_and_unlocked(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    page = _page(place, "component", id="arm.stl")
    assert _do(user, place, "lock", id="arm.stl", reason="drilling", hours=8).status_code == 303
    assert "drilling" in user.get(page).text
    assert _do(user, place, "unlock", id="arm.stl").status_code == 303
    assert library.locks.find("arm.stl") is None
    assert _do(user, place, "lock", id="arm.stl", hours="0").status_code == 400
    Library(place.uri, author="bob@lab").locks.take("arm.stl", reason="mine")
    assert "Unlock all the same" in user.get(page).text
    assert _do(user, place, "unlock", id="arm.stl").status_code == 409
    assert _do(user, place, "delete", id="arm.stl", version=1).status_code == 409
    assert _do(user, place, "unlock", id="arm.stl", force="yes", reason="he is away").status_code == 303
    assert library.locks.find("arm.stl") is None


def test_a_version_is_downloaded_as_it_was_published(user: TestClient, place: Place, library: Library):
    for content in (b"one" * 900_000, b"two", b""):
        library.publish("parts/a b&é.stl", content)
        number = library.info("parts/a b&é.stl").number
        answer = user.get(_page(place, "content", id="parts/a b&é.stl", version=number))
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))
        assert "a%20b%26%C3%A9.stl" in answer.headers["content-disposition"]
        assert answer.headers["content-type"] == "application/octet-stream"


def test_damaged_content_is_not_sent(user: TestClient, place: Place, library: Library):
    sha256 = library.publish("arm.stl", b"solid").files[0].sha256
    library.store.write(f".skyhold/blobs/{sha256[:2]}/{sha256}", b"sOlid")
    answer = user.get(_page(place, "content", id="arm.stl"))
    assert answer.status_code == 500
    assert b"sOlid" not in answer.content


def test_many_are_downloaded_as_one_file(user: TestClient, place: Place, library: Library, tmp_path: Path):
    (tmp_path / "robot" / "sub").mkdir(parents=True)
    (tmp_path / "robot" / "sub" / "a.stl").write_bytes(b"a" * 3_000_000)
    (tmp_path / "robot" / "b.stl").write_bytes(b"b")
    library.publish("robot", tmp_path / "robot")
    library.publish("parts/arm.stl", b"solid")
    both = zipfile.ZipFile(io.BytesIO(user.get(_page(place, "content", id=["robot", "parts/arm.stl"])).content))
    assert both.testzip() is None
    assert sorted(both.namelist()) == ["parts/arm.stl", "robot/b.stl", "robot/sub/a.stl"]
    assert both.read("robot/sub/a.stl") == b"a" * 3_000_000
    one = user.get(_page(place, "content", id="robot"))
    assert "robot.zip" in one.headers["content-disposition"]
    assert sorted(zipfile.ZipFile(io.BytesIO(one.content)).namelist()) == ["robot/b.stl", "robot/sub/a.stl"]
    assert user.get(_page(place, "content")).status_code == 409
    assert not list(Path("/tmp").glob("skyhold-*/content/robot")), "nothing is left behind"


def test_an_upload_becomes_a_version(user: TestClient, place: Place, library: Library):
    where = _page(place, "upload", key="new/arm.stl", message="by drop")
    answer = user.post(where, content=b"solid" * 500_000, headers=OWN)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"key": "new/arm.stl", "version": 1}
    version = library.info("new/arm.stl")
    assert (version.message, version.size_bytes) == ("by drop", 2_500_000)
    assert user.post(where, content=b"x").status_code == 403, "not by another site"


def test_an_upload_upon_a_newer_version_is_refused_unless_it_is_wanted(
    user: TestClient, place: Place, library: Library
):
    for content in (b"one", b"two"):
        library.publish("arm.stl", content)
    fields = {"key": "arm.stl", "expected": 1}
    answer = user.post(_page(place, "upload", **fields), content=b"three", headers=OWN)
    assert answer.status_code == 409
    assert answer.json()["code"] == "version_conflict"
    assert user.post(_page(place, "upload", **fields, replace="yes"), content=b"three", headers=OWN).status_code == 201
    assert library.read("arm.stl") == b"three"


def test_half_an_upload_publishes_nothing(user: TestClient, place: Place, library: Library):
    headers = {**OWN, "Content-Length": "99"}
    answer = user.post(_page(place, "upload", key="arm.stl"), content=b"half", headers=headers)
    assert answer.status_code == 500
    assert "4 of 99 bytes" in answer.json()["cause"]
    assert list(library.list_heads()) == []
    bad = user.post(_page(place, "upload", key="../arm.stl"), content=b"x", headers=OWN)
    assert bad.status_code == 400


def test_pictures_are_small_and_what_has_none_shows_its_ending(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", as_binary_stl(box()))
    library.publish("notes.txt", b"text")
    picture = user.get(_page(place, "picture", id="arm.stl", version=1))
    assert picture.content[1:4] == b"PNG"
    assert "max-age" in picture.headers["cache-control"]
    assert picture.headers["content-security-policy"]
    drawn = user.get(_page(place, "picture", id="notes.txt", version=1))
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "txt" in drawn.text
    assert user.get(_page(place, "picture", id="arm.stl")).headers["cache-control"] == "no-store"


def _scene(content: bytes) -> dict[str, Any]:
    assert content[:4] == b"SKY1"
    (length,) = struct.unpack("<I", content[4:8])
    head = json.loads(content[8 : 8 + length])
    assert len(content) == 8 + length + 12 * head["vertices"] + 12 * head["triangles"]
    return head


def test_a_mesh_is_sent_for_the_viewer(user: TestClient, place: Place, library: Library):
    library.publish("gear.stl", as_binary_stl(gear()))
    library.publish("notes.txt", b"text")
    head = _scene(user.get(_page(place, "scene", id="gear.stl")).content)
    assert head["triangles"] == sum(group["count"] for group in head["groups"]) == 256
    assert head["up"] == "z"
    fault = user.get(_page(place, "scene", id="notes.txt"))
    assert fault.status_code >= 400
    assert "STL" in fault.json()["cause"]
    assert "holds none" in _told(user.get(_page(place, "view", id="notes.txt")))
    assert "data-scene" in _told(user.get(_page(place, "view", id="gear.stl")))


def test_two_versions_are_compared_in_words_and_in_3d(user: TestClient, place: Place, library: Library):
    library.publish("gear.stl", as_binary_stl(gear(16)), metadata={"teeth": "16"})
    library.publish("gear.stl", as_binary_stl(gear(18)), metadata={"teeth": "18"})
    text = _told(user.get(_page(place, "compare", id="gear.stl", old=1, new=2)))
    for words in ("triangles 256 → 288", "teeth", 'data-side="old"', 'data-side="new"', "/static/viewer.js"):
        assert words in text
    assert _told(user.get(_page(place, "compare", id="gear.stl"))).count("data-scene") == 2
    same = _told(user.get(_page(place, "compare", id="gear.stl", old=2, new=2)))
    assert "Nothing: both versions" in same
    assert "viewer.js" not in same


def test_names_that_hold_html_are_text(user: TestClient, place: Place, library: Library):
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.stl"
    content = as_binary_stl(box())
    library.publish(attack, content, message=attack, metadata={attack: attack})
    library.publish(attack, as_binary_stl(box((1, 2, 3))), message=attack, metadata={attack: "other"})
    library.publish("robot", b"x", dependencies=[attack])
    library.locks.take(attack, reason=attack)
    pages = ["component", "facts", "related", "view", "compare", "delete"]
    for page in [_page(place), *(_page(place, page, id=attack) for page in pages)]:
        text = _told(user.get(page))
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
    assert attack not in user.get(_page(place, "related", id="robot")).text


def test_names_are_quoted_in_commands(user: TestClient, place: Place, library: Library):
    name = "<b>x</b>; rm -rf ~ && 'y'.stl"
    library.publish(name, b"x")
    command = re.search('data-copy="(skyhold comp get [^"]*)"', _told(user.get(_page(place, "component", id=name))))
    assert command is not None
    assert shlex.split(html.unescape(command[1])) == ["skyhold", "comp", "get", place.uri, name]


def test_another_site_changes_nothing(user: TestClient, place: Place, library: Library):
    library.publish("arm.stl", b"solid")
    before = library.head("arm.stl")
    for act in ("tag", "untag", "restore", "undelete", "lock", "unlock", "delete", "upload"):
        fields = {"id": "arm.stl", "name": "x", "version": 1, "hours": 1}
        assert user.post(_page(place, act), data=fields, headers={"Origin": "http://evil.example"}).status_code == 403
    assert library.head("arm.stl") == before
