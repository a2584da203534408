"""The pages of runs: what they show, in every state that a run can be in."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import make_place
from skyhold.errors import ConflictError
from skyhold.execution.signals import Terminated
from skyhold.runs.event import Event
from skyhold.runs.journal import Journal
from skyhold.runs.receipt import Artifact, Failure, Receipt, RejectGroup, new_run_id
from skyhold.runs.stopping import can_stop, stop_run
from skyhold.storage.wrappers.metered import Usage

_START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def user(journal: Journal) -> TestClient:
    return entered(Desk(journal))


def _receipt(**fields: object) -> Receipt:
    given: dict[str, object] = {"kind": "pipe", "name": "orders", "state": "completed", "seconds": 2.5, **fields}
    return Receipt(run_id=new_run_id(_START), started=_START, ended=_START + timedelta(seconds=2), **given)  # type: ignore[arg-type]


def _event(run_id: str, **fields: object) -> Event:
    given: dict[str, object] = {"phase": "advanced", "done": 30, "total": 120, "rate": 10.0, **fields}
    return Event(run_id, "pipe", "x", state="running", unit="rows", **given)  # type: ignore[arg-type]


def _begin(journal: Journal, **fields: object) -> str:
    run_id = new_run_id(_START)
    journal.begin(run_id, "pipe", "a long one", _START, command="skyhold convert a b")
    journal._open[run_id].written = 0.0
    journal.update(_event(run_id, **fields))
    return run_id


def test_where_nothing_ran_the_page_says_how_to_begin(user: TestClient):
    assert "skyhold demo" in user.get("/runs").text


def test_a_run_that_goes_on_shows_how_far_it_is(user: TestClient, journal: Journal):
    usage = Usage({"read": 1000, "write": 100}, 2048, 1024)
    run_id = _begin(journal, step="writing", usage=usage, about={"input": "a.csv"}, counts={"rows_rejected": 7})
    for path in ("/runs", f"/runs/{run_id}"):
        text = user.get(path).text
        for words in ("30 of 120 rows", "10 rows/s", "9 s", "running", "2.0 KiB"):
            assert words in text, (path, words)
    for words in ("writing", "skyhold convert a b", "a.csv", "0.0009 USD", "1,100"):
        assert words in text
    assert f'hx-sse:connect="/runs/{run_id}/live"' in text


def test_what_a_run_says_is_kept_with_it_and_the_last_is_shown(user: TestClient, journal: Journal):
    run_id = _begin(journal)
    for number in range(60):
        journal.update(_event(run_id, phase="warned", message=f"message {number}"))
    journal._open[run_id].written = 0.0
    journal.update(_event(run_id, phase="stepped", step="closing"))
    running = journal.read_run(run_id).running
    assert running is not None
    assert [said.message for said in running.messages][:1] == ["message 11"]
    assert len(running.messages) == 50
    assert "message 59" in user.get(f"/runs/{run_id}").text
    assert "closing" in user.get(f"/runs/{run_id}").text


def test_what_a_run_said_is_shown_when_it_has_ended_too(user: TestClient, journal: Journal, tmp_path: Path):
    run_id = _begin(journal)
    for number in range(60):
        journal.update(_event(run_id, phase="warned", message=f"message <{number}>"))
    journal.finish(replace(_receipt(), run_id=run_id))
    assert journal.read_run(run_id).said[0].message == "message <10>"
    text = user.get(f"/runs/{run_id}").text
    assert "message &lt;59&gt;" in text
    assert len(journal.list_runs()) == 1
    (tmp_path / "journal" / f"{run_id}.said.json").write_text("{")
    assert user.get(f"/runs/{run_id}").status_code == 200, "the receipt is the proof"


def test_what_runs_said_goes_with_them(tmp_path: Path):
    journal = Journal(tmp_path, keep=2)
    for _ in range(4):
        run_id = new_run_id()
        journal.begin(run_id, "pipe", "x", _START)
        journal.update(_event(run_id, phase="warned", message="m"))
        journal.finish(replace(_receipt(), run_id=run_id))
    assert len(list(tmp_path.glob("*.said.json"))) == 2
    assert len(list(tmp_path.iterdir())) == 4


def test_a_run_that_has_ended_shows_what_it_did_and_gives_its_receipt(user: TestClient, journal: Journal):
    receipt = _receipt(
        counts={"rows_read": 5, "rows_written": 3, "rows_rejected": 2},
        rejects=(RejectGroup("$.price", "float_parsing", 2, "no number", (4, 9)),),
        outputs=(Artifact("s3://out/orders.parquet", 987, rows=3, sha256="ab" * 32),),
        inputs=(Artifact("https://me:hunter2@host/orders.csv", 1234),),
        asked={"secret_access_key": "hunter2", "max_errors": 10},
        command="skyhold convert orders.csv s3://out/orders.parquet",
        cost={"requests": 0.25, "transfer_out_if_to_internet": 0.5, "currency": "USD", "price_table": "a table"},
        requests={"read": 3},
    )
    journal.finish(receipt)
    text = user.get(f"/runs/{receipt.run_id}").text
    for words in ("$.price", "float_parsing", "no number", "4, 9", "s3://out/orders.parquet", "abababababab…", "0.25"):
        assert words in text
    assert "hunter2" not in text
    assert "hx-sse:connect" not in text, "nothing changes any more"
    answer = user.get(f"/runs/{receipt.run_id}/receipt.json")
    assert "attachment" in answer.headers["content-disposition"]
    assert Receipt.from_json(answer.content) == receipt


def test_what_a_run_wrote_and_rejected_is_one_step_away(journal: Journal, tmp_path: Path):
    (tmp_path / "out").mkdir()
    place = make_place(str(tmp_path / "out"))
    (tmp_path / "out" / "bad rows.parquet").write_text("x")
    receipt = _receipt(
        rejects=(RejectGroup("$.price", "float_parsing", 2, "no number", (4, 9)),),
        outputs=(
            Artifact(f"file://{tmp_path}/out/a&b.csv"),
            Artifact("s3://elsewhere/c.csv"),
            Artifact("not a place:"),
        ),
        asked={"error_output": f"file://{tmp_path}/out/bad rows.parquet"},
    )
    journal.finish(receipt)
    text = entered(Desk(journal, {place.name: place})).get(f"/runs/{receipt.run_id}").text
    assert f'<a href="/storage/{place.name}/object?key=bad+rows.parquet">' in text
    assert f'<a href="/storage/{place.name}/object?key=a%26b.csv">' in text
    assert "<code>s3://elsewhere/c.csv</code>" in text


def test_a_failure_is_shown_with_its_remedy(user: TestClient, journal: Journal):
    journal.finish(_receipt(state="failed", failure=Failure("access_denied", "may not write", "Grant s3:PutObject")))
    assert "may not write" in user.get("/runs").text
    run_id = journal.list_runs()[0].run_id
    text = user.get(f"/runs/{run_id}").text
    assert "Access denied" in text
    assert "Grant s3:PutObject" in text


def test_a_run_that_was_ended_is_no_failure_in_words_either(user: TestClient, journal: Journal):
    for error in (KeyboardInterrupt(), Terminated()):
        receipt = _receipt(state="stopped", failure=Failure.of(error))
        journal.finish(receipt)
        text = user.get(f"/runs/{receipt.run_id}").text
        assert "<h2>Stopped</h2>" in text
        assert "it was interrupted (Ctrl-C)" in text or "asked to end (SIGTERM)" in text
    receipt = _receipt(state="failed", failure=Failure.of(ZeroDivisionError("division by zero")))
    journal.finish(receipt)
    assert "<h2>ZeroDivisionError</h2>" in user.get(f"/runs/{receipt.run_id}").text


def test_a_damaged_entry_is_shown_as_such_and_harms_no_other(user: TestClient, journal: Journal, tmp_path: Path):
    journal.finish(_receipt())
    damaged = tmp_path / "journal" / "20260301T090000000001-abcdef.json"
    damaged.write_text("{")
    text = user.get("/runs").text
    assert "unreadable" in text
    assert "completed" in text
    assert user.get("/runs/20260301T090000000001-abcdef").status_code == 500


def test_runs_are_chosen_by_state(user: TestClient, journal: Journal):
    journal.finish(_receipt(name="good"))
    journal.finish(_receipt(name="bad", state="failed"))
    text = user.get("/runs?state=failed").text
    assert "bad" in text
    assert "good" not in text
    assert "No runs are killed" in user.get("/runs?state=killed").text
    for nonsense in ("state=%00", "state=<script>", "limit=-1", "limit=1e9", "limit=٣", "limit=99999999999999999999"):
        assert user.get(f"/runs?{nonsense}").status_code == 200


def test_more_runs_are_shown_on_request(user: TestClient, journal: Journal):
    for number in range(3):
        journal.finish(_receipt(name=f"number {number}"))
    text = user.get("/runs?limit=2").text
    assert text.count("<tr id=") == 2
    assert "limit=8" in text
    assert "limit=" not in user.get("/runs?limit=8").text.partition("List of runs")[2]


def test_names_that_hold_html_are_text(user: TestClient, journal: Journal):
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202etxt.exe\n"
    failure = Failure(attack, attack, attack)
    group = RejectGroup(attack, attack, 1, attack, (1,))
    artifact = Artifact(attack)
    fields = {"name": attack, "asked": {attack: attack}, "command": attack, "host": attack, "failure": failure}
    journal.finish(_receipt(state="failed", rejects=(group,), outputs=(artifact,), inputs=(artifact,), **fields))
    run_id = journal.list_runs()[0].run_id
    for path in ("/runs", f"/runs/{run_id}", f"/runs/{quote(attack)}", f"/runs?state={quote(attack)}"):
        text = user.get(path).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "\u202e" not in text


def test_a_run_that_is_not_there_is_a_page_that_says_so(user: TestClient, journal: Journal):
    journal.finish(_receipt())
    answer = user.get("/runs/2020")
    assert answer.status_code == 404
    assert "no run begins with" in answer.text
    assert "Name one of" in answer.text
    assert user.get("/runs/2020/receipt.json").status_code == 404
    assert user.get("/runs/2020/live").status_code == 404


def test_the_stream_of_an_ended_run_ends(user: TestClient, journal: Journal):
    journal.finish(_receipt())
    answer = user.get(f"/runs/{journal.list_runs()[0].run_id}/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("event: ended\ndata: \n\n")
    assert "data: " in answer.text.partition("\n")[0]


_RUN = """
    import sys, time
    from skyhold.runs.recording import record_run
    with record_run("pipe", "one that waits", asked={}, unit="rows") as run:
        print(run.run_id, flush=True)
        while True:
            time.sleep(0.05)
"""


def test_stopping_a_run_lets_it_end_in_good_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Journal, user: TestClient
):
    monkeypatch.setenv("SKYHOLD_STATE", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_RUN)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert "Stop this run" in user.get(f"/runs/{run_id}").text
        assert user.post(f"/runs/{run_id}/stop").status_code == 403, "not by another site"
        assert user.get(f"/runs/{run_id}/stop").status_code == 405, "not by a link"
        assert process.poll() is None
        answer = user.post(f"/runs/{run_id}/stop", headers=OWN)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run_id}")
        process.wait(60)
    assert journal.read_run(run_id).state == "stopped"
    assert user.post(f"/runs/{run_id}/stop", headers=OWN).status_code == 409


def test_nothing_is_stopped_that_is_not_certainly_that_run(journal: Journal, tmp_path: Path, user: TestClient):
    mine = _begin(journal)
    assert not can_stop(journal.read_run(mine)), "it is this very process"
    assert user.post(f"/runs/{mine}/stop", headers=OWN).status_code == 409
    elsewhere = _begin(journal)
    path = tmp_path / "journal" / f"{elsewhere}.json"
    note = json.loads(path.read_text())
    note["process"]["pid"], note["process"]["host"] = 1, "another-machine"
    path.write_text(json.dumps(note))
    assert journal.read_run(elsewhere).state == "running"
    with pytest.raises(ConflictError, match="another process of this machine"):
        stop_run(journal.read_run(elsewhere))
    note["process"]["host"] = json.loads((tmp_path / "journal" / f"{mine}.json").read_text())["process"]["host"]
    path.write_text(json.dumps(note))
    assert journal.read_run(elsewhere).state == "killed", "another process has its number now"
    with pytest.raises(ConflictError):
        stop_run(journal.read_run(elsewhere))
