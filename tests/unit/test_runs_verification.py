"""Verification: what changed, what is gone, and what only looks changed."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from skyhold.errors import AccessDeniedError, UnreachableError, VerificationError
from skyhold.runs.progress import Progress
from skyhold.runs.receipt import Artifact, Failure, Receipt
from skyhold.runs.verification import Verification, verify_receipt
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_object, open_store

DATA = bytes(range(256)) * 100


@pytest.fixture
def store() -> Store:
    store = open_store(f"memory://verification-{uuid4().hex}")
    store.write("in", b"input")
    store.write("out", DATA)
    return store


@pytest.fixture
def receipt(store: Store) -> Receipt:
    source, target = store.info("in"), store.info("out")
    now = datetime.now(UTC)
    return Receipt(
        run_id="1",
        kind="pipe",
        name="x",
        state="completed",
        started=now,
        ended=now,
        seconds=1,
        command="skyhold pipe in out",
        inputs=(Artifact(store.uri_of("in"), source.size_bytes, source.e_tag),),
        outputs=(Artifact(store.uri_of("out"), target.size_bytes, target.e_tag, hashlib.sha256(DATA).hexdigest(), 5),),
        counts={"rows_read": 5, "rows_written": 5, "rows_rejected": 0},
    )


def states(verification: Verification) -> dict[str, str]:
    return {line.check: line.state for line in verification.lines}


def test_what_was_written_holds(store: Store, receipt: Receipt):
    verification = verify_receipt(receipt, open_object)
    assert verification.ok
    expected = dict.fromkeys(("run", "counts", "rows", "size", "sha256", "input"), "ok")
    assert states(verification) == expected
    verification.check()


@pytest.mark.parametrize(
    ("rejected", "rows", "state"), [(0, (5,), "ok"), (0, (4,), "failed"), (2, (2, 5), "ok"), (2, (5,), "ok")]
)
def test_rows_of_the_outputs_are_those_that_the_run_counted(
    receipt: Receipt, rejected: int, rows: tuple[int, ...], state: str
):
    (output,) = receipt.outputs
    counts = {"rows_read": 5 + rejected, "rows_written": 5, "rows_rejected": rejected}
    outputs = tuple(replace(output, rows=each) for each in rows)
    assert states(verify_receipt(replace(receipt, outputs=outputs, counts=counts), open_object))["rows"] == state


def corrupt(store: Store) -> None:
    store.write("out", DATA[:-1] + b"!")


def cut(store: Store) -> None:
    store.write("out", DATA[:-1])


def lengthen(store: Store) -> None:
    store.write("out", DATA + b"!")


def remove(store: Store) -> None:
    store.delete("out")


@pytest.mark.parametrize(
    ("damage", "check", "found"),
    [
        (corrupt, "sha256", ""),
        (cut, "size", f"{len(DATA) - 1} bytes"),
        (lengthen, "size", f"{len(DATA) + 1} bytes"),
        (remove, "exists", "no such object"),
    ],
)
def test_an_output_that_is_not_what_was_written_fails(
    store: Store, receipt: Receipt, damage: Callable[[Store], None], check: str, found: str
):
    damage(store)
    verification = verify_receipt(receipt, open_object)
    (line,) = verification.failed
    assert (line.subject, line.check) == (store.uri_of("out"), check)
    assert found in line.found
    assert line.expected != line.found
    assert "skyhold pipe in out" in line.remedy
    with pytest.raises(VerificationError, match=check) as caught:
        verification.check()
    assert caught.value.remedy == line.remedy


def test_the_same_bytes_written_again_are_a_warning(store: Store, receipt: Receipt):
    store.write("out", DATA)
    verification = verify_receipt(receipt, open_object)
    assert verification.ok
    assert states(verification)["e_tag"] == "warning"


def test_without_a_hash_another_e_tag_fails(store: Store, receipt: Receipt):
    receipt = replace(receipt, outputs=(replace(receipt.outputs[0], sha256=None),))
    assert states(verify_receipt(receipt, open_object))["e_tag"] == "ok"
    store.write("out", DATA)
    assert states(verify_receipt(receipt, open_object))["e_tag"] == "failed"


def test_without_a_hash_and_an_e_tag_only_the_size_is_compared_and_that_is_said(store: Store, receipt: Receipt):
    bare = replace(receipt, outputs=(Artifact(store.uri_of("out"), len(DATA)),))
    assert states(verify_receipt(bare, open_object))["e_tag"] == "warning"


@pytest.mark.parametrize("data", [b"INPUT", b"longer input"])
def test_an_input_that_changed_is_a_warning(store: Store, receipt: Receipt, data: bytes):
    store.write("in", data)
    verification = verify_receipt(receipt, open_object)
    assert verification.ok
    assert states(verification)["input"] == "warning"
    assert "changed since" in verification.lines[-1].found


def test_an_input_that_is_gone_or_no_object_is_a_warning(store: Store, receipt: Receipt):
    store.delete("in")
    table = Artifact("postgresql://host/db", rows=5)
    verification = verify_receipt(replace(receipt, inputs=(*receipt.inputs, table)), open_object)
    assert verification.ok
    assert [line.state for line in verification.lines if line.check == "input"] == ["warning", "warning"]


def test_an_output_that_is_no_object_is_not_passed_off_as_checked(receipt: Receipt):
    table = replace(receipt, outputs=(Artifact("postgresql://host/db", rows=5),))
    assert states(verify_receipt(table, open_object))["exists"] == "warning"


@pytest.mark.parametrize("error", [AccessDeniedError("no"), UnreachableError("nobody there")])
def test_a_store_that_cannot_be_asked_is_no_verdict(receipt: Receipt, error: Exception):
    def refuse(uri: str) -> tuple[Store, str]:
        raise error

    with pytest.raises(type(error)):
        verify_receipt(receipt, refuse)


def test_a_receipt_of_a_run_that_failed_does_not_verify(receipt: Receipt):
    failed = replace(
        receipt, state="failed", failure=Failure("key_not_found", "no such object"), counts={"rows_read": 9}
    )
    verification = verify_receipt(failed, open_object)
    assert states(verification)["run"] == "failed"
    assert states(verification)["counts"] == "failed"
    with pytest.raises(VerificationError, match="and 1 more"):
        verification.check()


def test_outputs_of_many_blocks_and_of_none_are_hashed(monkeypatch: pytest.MonkeyPatch, store: Store, receipt: Receipt):
    monkeypatch.setattr("skyhold.runs.verification._BLOCK", 1000)
    empty = store.write("empty", b"")
    more = Artifact(store.uri_of("empty"), 0, empty.e_tag, hashlib.sha256().hexdigest())
    progress = Progress("2", "verify", "x", unit="bytes")
    progress.start()
    verification = verify_receipt(replace(receipt, outputs=(*receipt.outputs, more)), open_object, progress=progress)
    assert verification.ok
    assert progress.done == len(DATA)


def test_an_object_replaced_while_it_is_read_fails(monkeypatch: pytest.MonkeyPatch, store: Store, receipt: Receipt):
    monkeypatch.setattr("skyhold.runs.verification._BLOCK", 1000)
    progress = Progress("2", "verify", "x", unit="bytes")
    told: list[Any] = []

    def replace_once(done: int = 0, **counts: int) -> None:
        if not told:
            told.append(store.write("out", bytes(len(DATA))))

    monkeypatch.setattr(progress, "advance", replace_once)
    (line,) = verify_receipt(receipt, open_object, progress=progress).failed
    assert line.check in {"exists", "sha256"}


def test_a_verification_is_plain_json(receipt: Receipt):
    content = verify_receipt(receipt, open_object).as_dict()
    assert content["ok"] is True
    assert set(content["lines"][0]) == {"subject", "check", "state", "expected", "found", "remedy"}
