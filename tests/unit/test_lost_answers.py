"""Lost answers, faults and patience, on the mock cloud whose faults follow a script."""

from pathlib import Path

import pytest

from skyhold.errors import (
    AlreadyExistsError,
    BadOptionError,
    PreconditionFailedError,
    ServerFaultError,
    StoreTimeoutError,
    ThrottledError,
    UnreachableError,
)
from skyhold.storage.attempts import Attempts, Result, RetryPolicy
from skyhold.storage.backends.mock import MockBackend, parse_faults
from skyhold.storage.objects import Attributes, Operation
from skyhold.storage.opening import open_store

_QUICK = RetryPolicy(max_attempts=4, first_delay_s=0.001, max_delay_s=0.002)


def _mock(folder: Path, *script: str) -> MockBackend:
    (folder / "root").mkdir(exist_ok=True)
    return MockBackend(str(folder / "root"), parse_faults({"script": script} if script else {}), _QUICK)


@pytest.mark.parametrize("script", [("lost",), ("lost", "lost"), ("throttle", "lost", "error"), ("lost",) * 4])
def test_a_create_only_write_whose_answer_was_lost_has_won(tmp_path: Path, script: tuple[str, ...]):
    store = _mock(tmp_path, *script)
    attributes = Attributes({"who": "me"})
    written = store.write("claim", b"mine", if_absent=True, attributes=attributes)
    info = store.info("claim")
    assert (info.e_tag, store.read("claim")) == (written.e_tag, b"mine")
    assert info.attributes is not None
    assert dict(info.attributes.metadata) == {"who": "me"}, "the write-id is not the user's metadata"


def test_an_if_match_write_whose_answer_was_lost_has_won(tmp_path: Path):
    first = _mock(tmp_path).write("head", b"0")
    _mock(tmp_path, "lost").write("head", b"1", if_match=first.e_tag)
    assert _mock(tmp_path).read("head") == b"1"


def test_a_real_conflict_stays_one_after_a_lost_answer(tmp_path: Path):
    _mock(tmp_path).write("claim", b"theirs", if_absent=True)
    with pytest.raises(AlreadyExistsError):
        _mock(tmp_path, "throttle").write("claim", b"mine", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        _mock(tmp_path, "error").write("claim", b"mine", if_match='"other"')
    assert _mock(tmp_path).read("claim") == b"theirs"


def test_faults_are_tried_again_and_every_attempt_is_seen(tmp_path: Path):
    store = _mock(tmp_path, "throttle", "error", "ok", "cut", "ok")
    seen: list[Operation] = []
    watched = store.observed(seen.append)
    watched.write("a", b"12")
    assert watched.read("a") == b"12"
    assert [(one.verb, one.attempt, one.error) for one in seen] == [
        ("write", 1, "ThrottledError"),
        ("write", 2, "ServerFaultError"),
        ("write", 3, ""),
        ("read", 1, "BrokenBodyError"),
        ("read", 2, ""),
    ]


@pytest.mark.parametrize(("fault", "kind"), [("throttle", ThrottledError), ("error", ServerFaultError)])
def test_patience_ends(tmp_path: Path, fault: str, kind: type[Exception]):
    with pytest.raises(kind):
        _mock(tmp_path, *[fault] * 4).read("a")


def test_a_listing_goes_on_where_it_broke_off(tmp_path: Path):
    plain = _mock(tmp_path)
    for number in range(5):
        plain.write(f"k{number}", b"")
    broken = _mock(tmp_path, "error", "throttle", "ok")
    assert [info.key for info in broken.list()] == [f"k{number}" for number in range(5)]


def test_an_endpoint_that_never_answered_is_given_up_soon(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr("skyhold.storage.attempts.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("skyhold.storage.attempts.time.sleep", lambda s: clock.__setitem__(0, clock[0] + s))

    def refuse(_: Result) -> None:
        raise UnreachableError("refused")

    def succeed(_: Result) -> None: ...

    attempts = Attempts(RetryPolicy(max_attempts=100))
    with pytest.raises(UnreachableError):
        attempts.run("read", "x", refuse, request_class="read")
    assert clock[0] <= 3.0
    attempts.run("read", "x", succeed, request_class="read")
    clock[0] = 0.0
    with pytest.raises(UnreachableError):
        attempts.run("read", "x", refuse, request_class="read")
    assert 100 < clock[0] <= 120, "once it has answered, it is worth waiting for"


def test_an_unreachable_endpoint_and_a_silent_one_are_two_errors():
    options = {"endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "b", "retries": 0}
    with pytest.raises(UnreachableError, match="options 'access_key_id'"):
        open_store("s3://bucket", **options).read("k")
    assert not issubclass(UnreachableError, StoreTimeoutError)


@pytest.mark.parametrize("query", ["error_rate=2", "script=boom", "latency_ms=soon", "latencyms=3"])
def test_a_mock_with_a_wrong_option_is_refused(query: str):
    with pytest.raises(BadOptionError):
        open_store(f"mock://somewhere?{query}")
