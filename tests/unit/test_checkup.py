"""The checkup on stores that refuse one thing: every step has its own line, and the probe goes away."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest

from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    KeyNotFoundError,
    MissingExtraError,
    NotFoundOrDeniedError,
    SkyholdError,
    StoreTimeoutError,
    UnreachableError,
)
from skyhold.storage.checkup import CheckLine, check_store
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore

STEPS = (
    "list", "put", "get", "get a range", "metadata", "create-only put", "if-match put", "multipart put", "delete",
)  # fmt: skip


class Refusing(DelegatingStore):
    """Raises an error for one verb; it calls itself a bucket on S3, which the remedies go by."""

    def __init__(self, inner: Store, verb: str, error: BaseException) -> None:
        super().__init__(inner)
        self.uri = "s3://bucket"
        self.identity = "options 'access_key_id', 'secret_access_key'"
        self.refused: dict[str, BaseException] = {verb: error}

    def info(self, key: str) -> ObjectInfo:
        self._check("info")
        return super().info(key)

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        self._check("read")
        return super().read_with_info(key, byte_range, if_match=if_match)

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        self._check("write")
        written = super().write(key, data, if_absent=if_absent, if_match=if_match, attributes=attributes)
        self._check("answer to write")
        return written

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        self._check("upload")
        return super().open_writer(key, attributes=attributes)

    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        self._check("list")
        return super().list_pages(prefix, start_after=start_after, delimiter=delimiter)

    def delete(self, keys: str | Iterable[str]) -> None:
        self._check("delete")
        super().delete(keys)

    def _check(self, verb: str) -> None:
        if verb in self.refused:
            raise self.refused[verb]


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://{uuid4().hex}")


def lines_of(store: Store, **options: Any) -> dict[str, CheckLine]:
    return {line.name: line for line in check_store(store, part_bytes=1000, **options)}


def states(lines: dict[str, CheckLine]) -> dict[str, set[str]]:
    """Return the steps in each state, without those that are well."""
    found: dict[str, set[str]] = {}
    for name, line in lines.items():
        if line.state != "ok":
            found.setdefault(line.state, set()).add(name)
    return found


DENIED = AccessDeniedError("access denied", remedy="Run: skyhold check 's3://bucket'")


@pytest.mark.parametrize(
    ("verb", "not_well", "right"),
    [
        ("list", {"warning": {"list"}}, "s3:ListBucket"),
        ("read", {"failed": {"get", "get a range"}}, "s3:GetObject"),
        ("upload", {"warning": {"multipart put"}}, "s3:PutObject and s3:AbortMultipartUpload"),
        ("delete", {"warning": {"delete"}}, "s3:DeleteObject"),
    ],
)
def test_a_right_that_is_missing_is_named_and_hides_no_other_line(
    memory: Store, verb: str, not_well: dict[str, set[str]], right: str
):
    lines = lines_of(Refusing(memory, verb, DENIED))
    assert tuple(lines) == STEPS
    assert states(lines) == not_well
    line = next(line for line in lines.values() if line.state != "ok")
    assert line.remedy == f"Grant the identity {right}"
    if verb == "delete":
        (left,) = memory.list()
        assert left.key in line.found, "what stays is named"
    else:
        assert not list(memory.list())


def test_where_nothing_can_be_put_an_object_that_is_there_is_read(memory: Store):
    memory.write("empty", b"")
    memory.write("found", b"123")
    lines = lines_of(Refusing(memory, "write", DENIED), settings=lambda: [CheckLine("versioning", "ok")])
    assert tuple(lines) == (*STEPS, "versioning")
    assert lines["get"].found == "the first byte of 'found'"
    assert states(lines) == {"failed": {"put"}, "unknown": set(STEPS) - {"list", "put", "get"}}
    assert lines["put"].remedy == "Grant the identity s3:PutObject"


def test_a_store_opened_for_reading_is_no_failure(memory: Store):
    readonly = open_store(memory.uri, read_only=True)
    lines = lines_of(readonly)
    assert lines["put"].state == "warning"
    assert "failed" not in states(lines)
    assert lines["put"].remedy == "Open it without read_only=True"


@pytest.mark.parametrize(
    "error", [BadCredentialsError("no such key"), UnreachableError("no connection", remedy="Check the endpoint")]
)
def test_what_lets_nothing_work_is_one_line(memory: Store, error: SkyholdError):
    asked: list[str] = []
    lines = lines_of(Refusing(memory, "list", error), settings=lambda: asked.append("settings") or [])
    (line,) = lines.values()
    assert (line.state, line.found) == ("failed", error.message)
    assert line.remedy in {
        "Correct or renew the credentials of options 'access_key_id', 'secret_access_key'",
        "Check the endpoint",
    }
    assert not asked


@pytest.mark.parametrize("verb", ["read", "info", "upload"])
@pytest.mark.parametrize("error", [StoreTimeoutError("too slow"), OSError("disk"), KeyboardInterrupt()])
def test_the_probe_goes_away_whatever_fails_in_the_middle(memory: Store, verb: str, error: BaseException):
    def check() -> None:
        for _ in check_store(Refusing(memory, verb, error), part_bytes=1000):
            pass

    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            check()
    else:
        check()
    assert not list(memory.list())


def test_the_probe_goes_away_when_its_put_lost_the_answer(memory: Store):
    lines = lines_of(Refusing(memory, "answer to write", StoreTimeoutError("the answer was lost")))
    assert lines["put"].state == "failed"
    assert not list(memory.list())


def test_the_probe_goes_away_when_whoever_asked_stops_listening(memory: Store):
    lines = check_store(memory)
    assert [next(lines).name, next(lines).name] == ["list", "put"]
    assert len(list(memory.list())) == 1
    lines.close()
    assert not list(memory.list())


def test_a_deletion_that_cannot_be_looked_at_is_believed(memory: Store):
    class Blind(Refusing):
        def info(self, key: str) -> ObjectInfo:
            try:
                return super().info(key)
            except KeyNotFoundError as error:
                raise NotFoundOrDeniedError("missing, or not allowed to see") from error

    line = lines_of(Blind(memory, "", DENIED))["delete"]
    assert (line.state, line.found) == ("ok", "accepted; whether it is gone is not told")


def test_versions_of_the_probe_are_deleted_with_it(memory: Store):
    purged: list[str] = []
    lines = lines_of(memory, purge=lambda uri: purged.append(uri) or 3)
    assert lines["delete"].found == "gone, with 3 versions that the bucket kept"
    assert len(purged) == 1
    assert purged[0].startswith(f"{memory.uri}/skyhold-checkup-")


def test_settings_that_cannot_be_asked_are_one_line_with_the_remedy(memory: Store):
    def settings() -> Iterator[CheckLine]:
        raise MissingExtraError.of("aws", "managing buckets on S3")

    line = lines_of(memory, settings=settings)["settings of the bucket"]
    assert (line.state, line.remedy) == ("unknown", "Run: pip install 'skyhold[aws]'")


@pytest.mark.parametrize("place", ["memory://checkup-everything", "{folder}", "mock://{folder}?latency_ms=1"])
def test_what_needs_no_server_can_do_everything(place: str, tmp_path: Path):
    store = open_store(place.format(folder=tmp_path))
    lines = lines_of(store)
    assert tuple(lines) == STEPS
    assert not states(lines)
    assert not list(store.list())
