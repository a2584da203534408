"""Which table of a campaign is the newest."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from skyhold.errors import AlreadyExistsError, KeyNotFoundError, MalformedInputError, PreconditionFailedError
from skyhold.simulation.layout import TABLE_HEAD
from skyhold.storage.contract import Store

__all__ = ["TableHead", "outdate", "put_head", "read_head"]

_SCHEMA = "skyhold.campaign-table/1"


@dataclass(frozen=True, slots=True)
class TableHead:
    """Which table is the newest.

    Attributes:
        part: Key of its rows.
        sha256: Of their bytes.
        rows: How many.
        chunks: How many finished chunks are in it.
        parts: How many parts of the plan it knows.
        is_complete: Whether every case of these parts has come to an end.
    """

    part: str
    sha256: str
    rows: int
    chunks: int
    parts: int
    is_complete: bool

    def to_json(self) -> bytes:
        """Return it for the store."""
        content = {
            "schema": _SCHEMA,
            "part": self.part,
            "sha256": self.sha256,
            "rows": self.rows,
            "chunks": self.chunks,
            "parts": self.parts,
            "is_complete": self.is_complete,
        }
        return json.dumps(content).encode()

    @staticmethod
    def from_json(data: bytes) -> "TableHead":
        """Return what `to_json` wrote.

        Raises:
            MalformedInputError: It is of a version that this package does not know.
        """
        content: dict[str, Any] = json.loads(data)
        if content.pop("schema", "") != _SCHEMA:
            raise MalformedInputError("the table was written by another skyhold", remedy="Update skyhold")
        return TableHead(**content)


def put_head(store: Store, head: TableHead) -> TableHead:
    """Make a table the newest, and return the newest: another one, when that knows more."""
    while True:
        try:
            info, found = store.read_with_info(TABLE_HEAD)
        except KeyNotFoundError:
            e_tag = None
        else:
            e_tag, old = info.e_tag, TableHead.from_json(found)
            if (old.parts, old.chunks) > (head.parts, head.chunks):
                return old
        try:
            store.write(TABLE_HEAD, head.to_json(), if_absent=e_tag is None, if_match=e_tag)
        except (AlreadyExistsError, PreconditionFailedError):
            continue
        return head


def outdate(store: Store) -> None:
    """Say that the newest table lacks something: the plan grows."""
    while True:
        try:
            info, found = store.read_with_info(TABLE_HEAD)
        except KeyNotFoundError:
            return
        head = TableHead.from_json(found)
        if not head.is_complete:
            return
        with suppress(PreconditionFailedError):
            store.write(TABLE_HEAD, replace(head, is_complete=False).to_json(), if_match=info.e_tag)
            return


def read_head(store: Store) -> TableHead | None:
    """Return which table is the newest, if there is one."""
    try:
        return TableHead.from_json(store.read(TABLE_HEAD))
    except KeyNotFoundError:
        return None
