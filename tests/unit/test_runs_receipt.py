"""Receipts: one shape, balanced, stable, without secrets."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.errors import CredentialsError, KeyNotFoundError, MalformedInputError, VerificationError
from skyhold.runs.receipt import (
    Artifact,
    Failure,
    Receipt,
    RejectGroup,
    imbalance,
    new_run_id,
    read_receipt,
    versions,
)
from skyhold.storage.opening import open_store

GOLDEN = Path(__file__).parent.parent / "golden" / "receipt-1.json"


def full() -> Receipt:
    return Receipt(
        run_id="20260301T093000000000-0a1b2c",
        kind="pipe",
        name="s3://in/orders.csv → s3://out/orders.parquet",
        state="completed",
        started=datetime(2026, 3, 1, 10, 30, tzinfo=timezone(timedelta(hours=1))),
        ended=datetime(2026, 3, 1, 9, 30, 2, 500_000, tzinfo=UTC),
        seconds=2.5,
        asked={"input": Path("orders.csv"), "max_errors": 10, "secret_access_key": "hunter2", "columns": ("a", "b")},
        command="skyhold pipe orders.csv s3://out/orders.parquet",
        inputs=(Artifact("s3://in/orders.csv", 1234, '"tag-in"', None, 3),),
        outputs=(Artifact("s3://out/orders.parquet", 987, '"tag-out"', "ab" * 32, 2),),
        counts={"rows_read": 3, "rows_written": 2, "rows_rejected": 1},
        rejects=(RejectGroup("$.price", "float_parsing", 1, "Input should be a valid number", (2,)),),
        requests={"read": 2, "write": 3, "list": 0, "delete": 0},
        bytes_in=1234,
        bytes_out=987,
        cost={"requests": 0.000016, "currency": "USD", "price_table": "a table of 2026"},
        failure=None,
        versions={"python": "3.12.1", "skyhold": "1.0.0"},
        host="worker-7",
    )


def test_the_json_is_what_it_was():
    assert full().to_json() == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_receipt_is_read_back():
    assert Receipt.from_json(GOLDEN.read_bytes()) == full()


_texts = st.text(max_size=12)
_numbers = st.integers(0, 2**70)
_moments = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is added
_asked = st.dictionaries(
    _texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
_artifacts = st.builds(
    Artifact, _texts, st.none() | _numbers, st.none() | _texts, st.none() | _texts, st.none() | _numbers
)
_receipts = st.builds(
    Receipt,
    run_id=_texts,
    kind=_texts,
    name=_texts,
    state=st.sampled_from(["failed", "stopped"]),
    started=_moments,
    ended=_moments,
    seconds=st.floats(0, 1e9),
    asked=_asked,
    command=_texts,
    inputs=st.lists(_artifacts, max_size=3).map(tuple),
    outputs=st.lists(_artifacts, max_size=3).map(tuple),
    counts=st.dictionaries(_texts, _numbers, max_size=4),
    rejects=st.lists(
        st.builds(RejectGroup, _texts, _texts, _numbers, _texts, st.lists(_numbers, max_size=5).map(tuple)), max_size=3
    ).map(tuple),
    requests=st.dictionaries(_texts, _numbers, max_size=4),
    bytes_in=_numbers,
    bytes_out=_numbers,
    cost=st.none() | st.dictionaries(_texts, _texts | st.floats(0, 1e6), max_size=3),
    failure=st.none() | st.builds(Failure, _texts, _texts, _texts),
    versions=st.dictionaries(_texts, _texts, max_size=4),
    host=_texts,
)


@given(_receipts)
def test_every_receipt_survives_its_json(receipt: Receipt):
    text = receipt.to_json()
    assert Receipt.from_json(text.encode()) == receipt
    assert Receipt.from_json(text).to_json() == text


def test_file_names_that_are_no_text_survive():
    name = os.fsdecode(b"caf\xe9.csv")
    receipt = replace(full(), name=name, outputs=(Artifact(f"file:///{name}"),), asked={"input": name})
    assert Receipt.from_json(receipt.to_json().encode()) == receipt


def test_the_order_in_which_options_were_given_does_not_show():
    def text(asked: dict[str, Any]) -> str:
        content = json.loads(GOLDEN.read_text(encoding="utf-8"))
        return Receipt.from_json(json.dumps({**content, "asked": asked})).to_json()

    assert text({"a": 1, "b": 2}) == text({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ({}, ""),
        ({"objects": 7}, ""),
        ({"rows_read": 3, "rows_written": 2, "rows_rejected": 1}, ""),
        ({"rows_read": 2, "rows_written": 2}, ""),
        ({"rows_read": 3, "rows_written": 2}, "rows_read 3 is not rows_written 2 + rows_rejected 0"),
        ({"rows_written": 2}, "rows_read 0 is not rows_written 2 + rows_rejected 0"),
        ({"rows_read": 0, "rows_written": 1, "rows_rejected": -1}, "are not all positive"),
    ],
)
def test_counts_balance_or_the_receipt_is_refused(counts: dict[str, int], fault: str):
    def make(state: Any) -> Receipt:
        now = datetime.now(UTC)
        return Receipt(run_id="1", kind="pipe", name="x", state=state, started=now, ended=now, seconds=1, counts=counts)

    if fault:
        assert fault in imbalance(counts)
        with pytest.raises(VerificationError, match="does not balance"):
            make("completed")
        with pytest.raises(VerificationError, match="does not balance"):
            make("failed").check()
    else:
        make("completed").check()


@pytest.mark.parametrize(
    ("state", "counts", "outcome"),
    [
        ("completed", {"uploaded": 2, "problems": 0}, "completed"),
        ("completed", {"rows_read": 2, "rows_written": 1, "rows_rejected": 1}, "completed"),
        ("completed", {"uploaded": 2, "problems": 1}, "incomplete"),
        ("completed", {"waiting": 1}, "incomplete"),
        ("completed", {"failed": 1}, "incomplete"),
        ("completed", {"cases_done": 3, "cases_failed": 1}, "incomplete"),
        ("stopped", {"waiting": 1}, "stopped"),
    ],
)
def test_what_was_left_undone_is_not_called_complete(state: Any, counts: dict[str, int], outcome: str):
    assert replace(full(), state=state, counts=counts).outcome == outcome


def test_a_receipt_whose_counts_were_changed_is_refused():
    text = GOLDEN.read_text(encoding="utf-8").replace('"rows_written": 2', '"rows_written": 3')
    with pytest.raises(VerificationError, match="rows_read 3 is not rows_written 3"):
        Receipt.from_json(text)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        Receipt(
            run_id="1",
            kind="x",
            name="x",
            state="failed",
            started=datetime(2026, 1, 1),  # noqa: DTZ001 - that is the point
            ended=datetime.now(UTC),
            seconds=1,
        )


def _changed(**values: Any) -> str:
    content = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, value in values.items():
        if value is ...:
            del content[name]
        else:
            content[name] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "this is not JSON"),
        (GOLDEN.read_text(encoding="utf-8")[:-300], "this is not JSON"),
        ("[1]", r"\$ should be an object"),
        ("{}", "its schema is ''"),
        (_changed(schema="something/1"), "its schema is 'something/1'"),
        (_changed(run_id=...), r"\$\.run_id is missing"),
        (_changed(state="running"), r"\$\.state should be one of completed, failed, stopped, found 'running'"),
        (_changed(started="yesterday"), r"\$\.started should be a time, found 'yesterday'"),
        (_changed(ended="2026-01-01T00:00:00"), r"\$\.ended should be a time with its zone"),
        (_changed(seconds="2"), r"\$\.seconds should be a number"),
        (_changed(bytes_in=True), r"\$\.bytes_in should be an integer, found True"),
        (_changed(counts={"rows_read": "3"}), r"\$\.counts\.rows_read should be an integer, found '3'"),
        (_changed(outputs=[{"uri": "s3://b/k"}, {"uri": 3}]), r"\$\.outputs\[1\]\.uri should be a text, found 3"),
        (_changed(outputs={"uri": "s3://b/k"}), r"\$\.outputs should be a list"),
        (_changed(rejects=[{"field": "", "type": "", "count": 1, "sample_rows": ["1"]}]), r"sample_rows\[0\] should"),
        (_changed(failure="it broke"), r"\$\.failure should be an object"),
    ],
)
def test_what_is_no_receipt_is_refused_with_the_place(text: str, words: str):
    with pytest.raises(MalformedInputError, match=words) as caught:
        Receipt.from_json(text)
    assert caught.value.remedy


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(MalformedInputError):
        Receipt.from_json(b"\xff\xfe\x00{")


def test_a_receipt_of_a_newer_version_says_to_update():
    with pytest.raises(MalformedInputError, match=r"skyhold\.receipt/2") as caught:
        Receipt.from_json(_changed(schema="skyhold.receipt/2"))
    assert "pip install --upgrade skyhold" in caught.value.remedy


def test_names_added_by_a_later_skyhold_of_this_version_are_passed_over():
    output = {"uri": "s3://b/k", "colour": "blue"}
    receipt = Receipt.from_json(_changed(mood="good", outputs=[output]))
    assert receipt.outputs == (Artifact("s3://b/k"),)


def test_secrets_never_reach_a_receipt():
    now = datetime.now(UTC)
    receipt = Receipt(
        run_id="1",
        kind="pipe",
        name="x",
        state="failed",
        started=now,
        ended=now,
        seconds=1,
        asked={"password": "hunter2", "options": {"account_key": "hunter2"}},
        inputs=(Artifact("postgresql://me:hunter2@host/db"), Artifact("https://h/c/k?sv=1&sig=hunter2")),
        failure=Failure.of(CredentialsError("no: password=hunter2", remedy="Set password=hunter2")),
    )
    assert "hunter2" not in receipt.to_json()
    assert "hunter2" not in repr(receipt)


def test_a_receipt_does_not_follow_later_changes_of_what_it_was_made_from():
    counts = {"rows_read": 1, "rows_written": 1}
    now = datetime.now(UTC)
    receipt = Receipt(
        run_id="1", kind="x", name="x", state="completed", started=now, ended=now, seconds=1, counts=counts
    )
    counts["rows_read"] = 2
    assert receipt.counts["rows_read"] == 1


def test_a_receipt_is_written_and_read_by_uri():
    uri = f"memory://receipts-{uuid4().hex}"
    info = full().write(open_store(uri), "out/orders.parquet.receipt.json")
    assert info.attributes is not None
    assert info.attributes.content_type == "application/json"
    assert read_receipt(f"{uri}/out/orders.parquet.receipt.json") == full()
    with pytest.raises(KeyNotFoundError):
        read_receipt(f"{uri}/missing")


def test_run_ids_sort_by_time_and_are_never_given_twice():
    ids = [new_run_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [each[:21] for each in ids] == sorted(each[:21] for each in ids)
    assert new_run_id(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))).startswith("20260101T000000000000-")


def test_a_failure_names_errors_that_are_not_ours_by_their_class():
    assert Failure.of(ZeroDivisionError()) == Failure("ZeroDivisionError", "ZeroDivisionError")
    assert Failure.of(KeyboardInterrupt()) == Failure("KeyboardInterrupt", "it was interrupted (Ctrl-C)")
    assert Failure.of(MalformedInputError("bad", remedy="mend it")) == Failure("malformed_input", "bad", "mend it")


def test_versions_leave_out_what_is_not_installed():
    found = versions("no-such-package-anywhere")
    assert {"python", "skyhold"} <= set(found)
    assert "no-such-package-anywhere" not in found
