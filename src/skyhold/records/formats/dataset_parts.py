"""The log of a dataset that is being written: one small object a part, so that a run can go on after the last."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from skyhold.errors import AlreadyExistsError, ConflictError, KeyNotFoundError, MalformedInputError
from skyhold.records.formats.adapter import Checkpoint, Written
from skyhold.records.formats.objects import ObjectPlace
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes

__all__ = ["RECEIPT_KEY", "PartLog", "PartRecord", "part_number"]

_FOLDER = "_skyhold"
RECEIPT_KEY = f"{_FOLDER}/receipt.json"
"""Below the dataset's prefix; written last, it makes the dataset complete."""

_SCHEMA = "skyhold/part/1"


def part_number(part: int) -> str:
    """Return a part's number as it stands in keys.

    Example:
        >>> part_number(7)
        '00007'
    """
    return f"{part:05d}"


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What is noted of one part.

    Attributes:
        part: Its number.
        fingerprint: Of the run.
        checkpoint: How far the run had come.
        files: Key below the prefix, rows, size, e-tag and SHA-256 of each file.
    """

    part: int
    fingerprint: str
    checkpoint: Checkpoint
    files: tuple[tuple[str, int, int | None, str | None, str | None], ...]

    @classmethod
    def of(
        cls, part: int, fingerprint: str, reached: Checkpoint, written: Sequence[Written], place: ObjectPlace
    ) -> "PartRecord":
        """Return the record of files that have been written below a place."""
        start = len(place.key) + 1
        files = tuple(
            (each.info.key[start:], each.rows, each.info.size_bytes, each.info.e_tag, each.sha256)
            for each in written
            if each.info is not None
        )
        return cls(part, fingerprint, reached, files)

    def check(self, fingerprint: str, uri: str) -> None:
        """Refuse to go on from the part of another run.

        Raises:
            ConflictError: Input, model or options were others.
        """
        if self.fingerprint != fingerprint:
            raise ConflictError(
                "the unfinished run there has another input, model, options or version of skyhold",
                operation="resume",
                uri=uri,
                remedy="Run it with what it had, or begin anew with overwrite=True",
            )

    def written(self, place: ObjectPlace) -> list[Written]:
        """Return the files as they were when they were written."""
        found: list[Written] = []
        for key, rows, size, e_tag, sha256 in self.files:
            at = f"{place.key}/{key}"
            info = replace(place.store.info(at), e_tag=e_tag, size_bytes=size or 0)
            found.append(Written(place.store.uri_of(at), rows, info, sha256))
        return found

    def to_json(self) -> bytes:
        """Return all but the rejected lines as text."""
        reached = self.checkpoint
        content = {
            "schema": _SCHEMA,
            "part": self.part,
            "fingerprint": self.fingerprint,
            "files": self.files,
            "counts": reached.counts,
            "rows_by_source": reached.rows_by_source,
            "sources": reached.sources,
            "rejects": reached.rejects,
        }
        return json.dumps(content, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes, rejected: pa.Table | None, uri: str) -> "PartRecord":
        """Return a record.

        Raises:
            MalformedInputError: It is damaged, or of another version.
        """
        try:
            held: dict[str, Any] = json.loads(text)
            if held["schema"] != _SCHEMA:
                raise MalformedInputError(f"{uri!r} is of another version: {held['schema']!r}")
            reached = Checkpoint(
                held["counts"],
                held["rows_by_source"],
                tuple((uri, size, e_tag) for uri, size, e_tag in held["sources"]),
                tuple((field, kind, count, words, tuple(rows)) for field, kind, count, words, rows in held["rejects"]),
                rejected,
            )
            return cls(held["part"], held["fingerprint"], reached, tuple(tuple(each) for each in held["files"]))
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedInputError(
                f"{uri!r} is damaged: {error}", remedy="Begin anew with overwrite=True"
            ) from error


class PartLog:
    """The records below a dataset's prefix.

    Args:
        store: Where it is.
        prefix: The dataset's, without a ``/`` at the end.
        suffix: Of its files.
    """

    def __init__(self, store: Store, prefix: str, suffix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._file = re.compile(rf"(?:.*/)?part-(\d{{5,}})\.{re.escape(suffix)}")

    def is_complete(self) -> bool:
        """Tell whether a run has ended here."""
        return self._store.exists(f"{self._prefix}/{RECEIPT_KEY}")

    def read(self) -> list[PartRecord]:
        """Return the records of parts 0, 1, 2, … as far as they are there."""
        found: list[PartRecord] = []
        while True:
            key = self._key(len(found), "json")
            try:
                text = self._store.read(key)
            except KeyNotFoundError:
                return found
            found.append(PartRecord.from_json(text, self._read_rejected(len(found)), self._store.uri_of(key)))

    def add(self, record: PartRecord) -> None:
        """Note a part; its files are there already.

        Raises:
            AlreadyExistsError: Another run has noted this part meanwhile.
        """
        rejected = record.checkpoint.rejected
        if rejected is not None:
            buffer = io.BytesIO()
            with pa.ipc.new_file(buffer, rejected.schema) as sink:
                sink.write_table(rejected)
            self._store.write(self._key(record.part, "rejects.arrow"), buffer.getvalue())
        attributes = Attributes(content_type="application/json")
        self._store.write(self._key(record.part, "json"), record.to_json(), attributes=attributes, if_absent=True)

    def clear(self, *, keep: int, refuse_parts: bool) -> None:
        """Take away what an earlier run has left from part ``keep`` on, and whatever made it complete.

        Args:
            keep: The first part that is not wanted.
            refuse_parts: Refuse instead of taking away.

        Raises:
            AlreadyExistsError: Something else is there, or an unfinished run and ``refuse_parts``.
        """
        start = len(self._prefix) + 1
        mine: list[str] = []
        for info in self._store.list(f"{self._prefix}/"):
            key = info.key[start:]
            number = self._file.fullmatch(key)
            if not number and not key.startswith(f"{_FOLDER}/"):
                raise AlreadyExistsError(
                    "something that is no part of a dataset is there already",
                    operation="write",
                    uri=self._store.uri_of(info.key),
                    remedy="Choose another prefix, or take it away",
                )
            if not self._is_kept(key, number, keep):
                mine.append(info.key)
        if mine and refuse_parts:
            raise AlreadyExistsError(
                "parts of an unfinished run are there already",
                operation="write",
                uri=self._store.uri_of(self._prefix) + "/",
                remedy="Go on with it by resume=True, or begin anew by overwrite=True",
            )
        # The receipt first: without it, nobody takes the rest for complete.
        receipts = [key for key in mine if key.endswith(RECEIPT_KEY)]
        self._store.delete(receipts)
        self._store.delete([key for key in mine if key not in receipts])

    @staticmethod
    def _is_kept(key: str, number: re.Match[str] | None, keep: int) -> bool:
        if number is None:
            number = re.fullmatch(rf"{_FOLDER}/part-(\d+)\.(?:json|rejects\.arrow)", key)
        return number is not None and int(number.group(1)) < keep

    def _key(self, part: int, suffix: str) -> str:
        return f"{self._prefix}/{_FOLDER}/part-{part_number(part)}.{suffix}"

    def _read_rejected(self, part: int) -> pa.Table | None:
        try:
            data = self._store.read(self._key(part, "rejects.arrow"))
        except KeyNotFoundError:
            return None
        with pa.ipc.open_file(pa.BufferReader(data)) as source:
            return source.read_all()
