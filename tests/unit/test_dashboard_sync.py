"""The pages of synchronization: the plan first, conflicts, the guard, what goes on and what came of it."""

import re
import threading
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import default_journal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "models").mkdir()
    return make_place(str(tmp_path / "models"))


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.uri, author="ann@desk")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def desk(place: Place) -> Desk:
    return Desk(default_journal(), {place.name: place})


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _chosen(user: TestClient, place: Place, folder: Path, **fields: str) -> str:
    """Choose a pair, and return the address of its plan."""
    answer = user.post("/sync", data={"folder": str(folder), "place": place.name, **fields}, headers=OWN)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _text(user: TestClient, page: str) -> str:
    answer = user.get(page)
    assert answer.status_code == 200, answer.text
    return answer.text


def _carried_out(user: TestClient, page: str, **fields: str) -> str:
    """Carry a plan out, and return the page of what came of it."""
    answer = user.post(f"{page}/apply", data=fields, headers=OWN)
    assert answer.status_code == 303, answer.text
    while "Plan again" not in (text := _text(user, answer.headers["location"])):
        time.sleep(0.05)
    return text


def _figure(text: str, name: str) -> str:
    found = re.search(rf"<dt>{name}</dt><dd>\s*([\d,]+)", text)
    return found[1] if found else ""


def test_where_there_is_no_library_the_page_says_how_to_begin(user: TestClient):
    assert "skyhold ui s3://bucket/models" in entered(Desk(default_journal())).get("/sync").text
    assert "Nothing was synchronized yet" in user.get("/sync").text


def test_among_several_places_none_is_chosen_for_the_user(user: TestClient, desk: Desk, tmp_path: Path):
    assert "choose one" not in _text(user, "/sync")
    other = make_place(str(tmp_path / "study"))
    desk.add([other])
    assert '<option value="">choose one</option>' in _text(user, "/sync")
    assert f'<option value="{other.name}" selected>' in _text(user, f"/sync?place={other.name}")


def test_the_plan_comes_first_with_counts_and_bytes(user: TestClient, place: Place, library: Library, folder: Path):
    (folder / "arm.stl").write_bytes(b"x" * 2048)
    library.publish("leg.stl", b"y" * 1024)
    page = _chosen(user, place, folder)
    text = _text(user, page)
    assert _figure(text, "Upload") == _figure(text, "Download") == "1"
    for words in ("2.0 KiB", "1.0 KiB", "arm.stl", "leg.stl", "Carry it out", "skyhold sync", "--both"):
        assert words in text
    assert not (folder / "leg.stl").exists(), "nothing was done"
    assert [each for each, _ in library.list_heads()] == ["leg.stl"]
    assert page in user.get("/sync").text


def test_a_plan_is_carried_out_and_remembered(user: TestClient, place: Place, library: Library, folder: Path):
    (folder / "arm.stl").write_bytes(b"arm")
    library.publish("leg.stl", b"leg")
    page = _chosen(user, place, folder)
    text = _carried_out(user, page)
    assert "completed" in text
    assert _figure(text, "Uploaded") == _figure(text, "Downloaded") == "1"
    assert (folder / "leg.stl").read_bytes() == b"leg"
    assert library.read("arm.stl") == b"arm"
    assert "there is nothing to do" in _text(user, page)
    history = _text(user, "/sync")
    assert "completed" in history
    assert "/runs/" in history
    assert "2 changed" in history
    assert "2 changed" in _text(user, "/runs")
    run = re.search(r"/runs/([0-9T]+-[0-9a-f]+)", text)
    assert run is not None
    told = _text(user, f"/runs/{run[1]}")
    assert "completed" in told
    assert _figure(told, "Uploaded") == _figure(told, "Downloaded") == "1"


def _conflict(library: Library, folder: Path, *names: str) -> None:
    """Make files that both sides have changed since they agreed."""
    for name in names:
        (folder / name).write_bytes(b"agreed")
    StorageSynchronizer(library, SyncConfig(folder)).synchronize()
    for name in names:
        (folder / name).write_bytes(b"ours")
        library.publish(name, b"theirs!")


def test_each_conflict_is_chosen_for_by_itself(user: TestClient, place: Place, library: Library, folder: Path):
    _conflict(library, folder, "a.stl", "b.stl", "c.stl")
    page = _chosen(user, place, folder, conflict="ask")
    text = _text(user, page)
    assert _figure(text, "Conflicts") == "3"
    assert "version 2" in text
    choices = {"path": ["a.stl", "b.stl", "c.stl"], "choice": ["local", "remote", ""]}
    assert user.post(f"{page}/choose", data=choices, headers=OWN).status_code == 303
    text = _text(user, page)
    assert _figure(text, "Upload") == _figure(text, "Download") == "1"
    text = _carried_out(user, page)
    assert library.read("a.stl") == b"ours"
    assert (folder / "b.stl").read_bytes() == b"theirs!"
    assert (library.read("c.stl"), (folder / "c.stl").read_bytes()) == (b"theirs!", b"ours")
    assert "c.stl" in text.partition("Left as it is")[2]


def test_what_was_left_out_is_never_shown_as_completed(user: TestClient, place: Place, library: Library, folder: Path):
    _conflict(library, folder, "a.stl")
    (folder / "link.stl").symlink_to(folder / "a.stl")
    (folder / "new.stl").write_bytes(b"new")
    page = _chosen(user, place, folder, conflict="ask")
    ended = _carried_out(user, page)
    for text in (ended, _text(user, "/sync"), _text(user, "/runs")):
        assert 'class="state incomplete"' in text
    assert 'class="state completed"' not in ended
    assert "All but 2 files are in step. 1 conflict waits for your choice" in ended
    assert "symbolic link" in ended
    nothing = _text(user, page)
    assert "1 conflict waits for your choice. 1 cannot be synchronized" in nothing
    assert "note ok" not in nothing


def test_a_choice_about_what_is_no_conflict_is_refused(user: TestClient, place: Place, folder: Path, library: Library):
    library.publish("a.stl", b"x")
    page = _chosen(user, place, folder)
    wrong = user.post(f"{page}/choose", data={"path": "a.stl", "choice": "local"}, headers=OWN)
    assert wrong.status_code == 404
    assert user.post(f"{page}/choose", data={"path": "a.stl", "choice": "nonsense"}, headers=OWN).status_code == 303


def test_the_guard_stops_deletions_until_just_these_are_confirmed(
    user: TestClient, place: Place, library: Library, folder: Path
):
    for number in range(6):
        (folder / f"{number}.stl").write_bytes(b"x%d" % number)
    StorageSynchronizer(library, SyncConfig(folder)).synchronize()
    for number in range(4):
        (folder / f"{number}.stl").unlink()
    page = _chosen(user, place, folder, delete_files="yes")
    text = _text(user, page)
    assert "Stopped by the delete guard" in text
    assert "4 of 6 files would be deleted" in text
    assert "would be deleted" in _carried_out(user, page), "it is not enough to press the button"
    assert len(list(library.list())) == 6
    confirmed = re.search(r'name="confirmed" value="([0-9a-f]+)"', text)
    assert confirmed is not None
    (folder / "4.stl").unlink()
    stale = user.post(f"{page}/apply", data={"confirmed": confirmed[1]}, headers=OWN)
    assert stale.status_code == 409
    assert len(list(library.list())) == 6
    again = re.search(r'name="confirmed" value="([0-9a-f]+)"', _text(user, page))
    assert again is not None
    assert "completed" in _carried_out(user, page, confirmed=again[1])
    assert [each.component for each in library.list()] == ["5.stl"]


def test_a_synchronization_is_watched_and_stopped(
    user: TestClient, place: Place, library: Library, folder: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    for number in range(300):
        (folder / f"{number}.stl").write_bytes(b"%d" % number)
    go_on = threading.Event()
    publish = Library.publish_listed

    def slowly(self: Library, *args: object, **options: object):
        assert go_on.wait(30)
        return publish(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Library, "publish_listed", slowly)
    page = _chosen(user, place, folder)
    assert user.post(f"{page}/apply", headers=OWN).status_code == 303
    text = _text(user, f"{page}/progress")
    assert "hx-sse:connect" in text
    assert "Stop" in text
    assert user.get(page).headers["location"] == f"{page}/progress"
    assert user.post(f"{page}/apply", headers=OWN).status_code == 409, "not twice at once"
    run = f"/runs/{desk.journal.list_runs(1)[0].run_id}"
    stop = re.search(r'action="(/[^"]+/stop)"', _text(user, run))
    assert stop is not None, "it is stopped from the page of its run, too"
    assert user.post(stop[1], headers=OWN).status_code == 303
    go_on.set()
    events = user.get(f"{page}/live").text
    assert "/stop" not in _text(user, run)
    assert events.rstrip().endswith("event: ended\ndata:")
    assert "synchronize again to go on" in events
    assert 0 < len(list(library.list_heads())) < 300


def test_what_fails_says_what_and_why(user: TestClient, desk: Desk, place: Place, folder: Path, library: Library):
    missing = user.get(_chosen(user, place, folder / "none"))
    assert missing.status_code == 404
    assert "there is no such folder" in missing.text
    assert user.get(_chosen(user, place, folder / "made", create="yes")).status_code == 200
    far = make_place("s3://nobody", options={"endpoint": "http://127.0.0.1:9", "anonymous": True, "retries": 0})
    desk.add([far])
    assert user.get(_chosen(user, far, folder)).status_code == 502
    (folder / "bad.stl").write_bytes(b"x")
    library.locks.take("bad.stl", reason="mine")
    Library(place.uri, author="bob@lab").locks.release("bad.stl", force=True, reason="x")
    Library(place.uri, author="bob@lab").locks.take("bad.stl", reason="his")
    text = _carried_out(user, _chosen(user, place, folder))
    assert "bob@lab" in text
    assert 'class="state failed"' in text
    for fields in ({"folder": ""}, {"folder": "x", "direction": "up"}, {"folder": "x", "conflict": "x"}):
        given = {"place": place.name, **fields}
        assert user.post("/sync", data=given, headers=OWN).status_code == 400
    assert user.post("/sync", data={"folder": "x", "place": "none"}, headers=OWN).status_code == 404
    for nowhere in ("/sync/none", "/sync/none/progress", "/sync/none/live"):
        assert user.get(nowhere).status_code == 404
    assert user.get(f"{_chosen(user, place, folder, prefix='x/')}/progress").status_code == 404


def test_folders_are_chosen_on_this_machine_alone_and_by_its_own_pages(
    user: TestClient, desk: Desk, place: Place, folder: Path
):
    fields = {"folder": str(folder), "place": place.name}
    assert user.post("/sync", data=fields, headers={"Origin": "http://evil.example"}).status_code == 403
    desk.may_open = False
    assert user.post("/sync", data=fields, headers=OWN).status_code == 403
    assert 'name="folder"' not in user.get("/sync").text
    assert not list(folder.iterdir())


def test_a_library_that_is_shown_no_more_harms_no_other(user: TestClient, desk: Desk, place: Place, folder: Path):
    page = _chosen(user, place, folder)
    desk.places.clear()
    assert page not in _text(user, "/sync")
    assert user.get(page).status_code == 404


def test_names_that_hold_html_are_text(user: TestClient, place: Place, library: Library, tmp_path: Path):
    attack = "<script>alert(1)<b>'\"><img src=x onerror=alert(1)>.stl"
    folder = tmp_path / attack
    folder.mkdir()
    _conflict(library, folder, attack)
    (folder / f"new{attack}").write_bytes(b"x")
    page = _chosen(user, place, folder, prefix="")
    texts = [_text(user, page), _carried_out(user, page), _text(user, "/sync")]
    for text in texts:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "&lt;script&gt;" in texts[0]
