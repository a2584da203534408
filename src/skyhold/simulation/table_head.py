"""Which tables of a campaign are the newest."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from skyhold.errors import AlreadyExistsError, KeyNotFoundError, MalformedInputError, PreconditionFailedError
from skyhold.simulation.layout import TABLE_HEAD
from skyhold.storage.contract import Store

__all__ = ["TableHead", "TablePart", "outdate", "put_head", "read_head"]

_SCHEMA = "skyhold.campaign-table/2"


@dataclass(frozen=True, slots=True)
class TablePart:
    """Rows of some blocks.

    Attributes:
        key: Where they are.
        sha256: Of their bytes.
        rows: How many.
        ended: How many of them have results.
        blocks: Whose labels they are.
        sources: The blocks in which their cases were run, where all of these have ended; else none.
    """

    key: str
    sha256: str
    rows: int
    ended: int
    blocks: tuple[str, ...]
    sources: tuple[str, ...] = ()

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "TablePart":
        """Return what JSON says."""
        blocks, sources = tuple(content["blocks"]), tuple(content["sources"])
        return TablePart(
            content["key"], content["sha256"], content["rows"], content["ended"], blocks=blocks, sources=sources
        )


@dataclass(frozen=True, slots=True)
class TableHead:
    """Which tables are the newest.

    Attributes:
        tables: In the order of the plan.
        ended: How many cases have come to an end, with those that were tried again.
        parts: How many parts of the plan it knows.
        is_complete: Whether every case of these parts has come to an end.
    """

    tables: tuple[TablePart, ...]
    ended: int
    parts: int
    is_complete: bool

    def to_json(self) -> bytes:
        """Return it for the store."""
        return json.dumps({"schema": _SCHEMA, **asdict(self)}).encode()

    @staticmethod
    def from_json(data: bytes) -> "TableHead":
        """Return what `to_json` wrote.

        Raises:
            MalformedInputError: It is of a version that this package does not know.
        """
        content: dict[str, Any] = json.loads(data)
        if content.pop("schema", "") != _SCHEMA:
            raise MalformedInputError("the table was written by another skyhold", remedy="Update skyhold")
        tables = tuple(TablePart.from_dict(each) for each in content.pop("tables"))
        return TableHead(tables, **content)


def put_head(store: Store, head: TableHead) -> TableHead:
    """Make a table the newest, and return the newest: another one, when that knows more."""
    while True:
        try:
            info, found = store.read_with_info(TABLE_HEAD)
        except KeyNotFoundError:
            e_tag = None
        else:
            e_tag, old = info.e_tag, TableHead.from_json(found)
            if (old.parts, old.ended) > (head.parts, head.ended):
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
