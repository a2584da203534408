"""What an object looks like: rows, text, a picture, a mesh, or nothing that can be shown."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from skyhold.components.shown_files import MESHES
from skyhold.dashboard.place import Place
from skyhold.errors import MalformedInputError, SkyholdError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo

if TYPE_CHECKING:
    from skyhold.records.formats.adapter import InputAdapter
    from skyhold.records.parquet_facts import ParquetFacts

__all__ = ["PICTURES", "Seen", "look_at", "rows_of"]

PICTURES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "svg": "image/svg+xml",
}
"""Endings of names that browsers show as pictures, and their types."""

_PARQUET = (".parquet", ".pq")
_ROWS = 100
_HEAD_BYTES = 64 * 1024
_WHOLE_BYTES = 512 * 1024
_CONTROLS = set(range(32)) - {9, 10, 12, 13, 27}


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show of an object; the first that is not empty.

    Attributes:
        names: Columns of rows.
        types: Types of the columns, empty where the format has none.
        rows: Cells as text; None is a null.
        malformed: Rows that cannot be read, in words.
        facts: What a Parquet object says of itself, beside its rows.
        picture: Whether it is one.
        mesh: Whether it may be one, to be drawn.
        text: Its beginning.
        is_whole: Whether that is all of it.
        fault: What kept it from being shown as what its name says.
    """

    names: Sequence[str] = ()
    types: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    malformed: Sequence[str] = ()
    facts: "ParquetFacts | None" = None
    picture: bool = False
    mesh: bool = False
    text: str = ""
    is_whole: bool = False
    fault: SkyholdError | None = None


def look_at(place: Place, store: Store, info: ObjectInfo) -> Seen:
    """Return what there is to show of an object, reading little of it."""
    name = info.key.lower()
    if name.rpartition(".")[2] in PICTURES:
        return Seen(picture=True)
    if not info.size_bytes:
        return Seen()
    if name.endswith(MESHES):
        return Seen(mesh=True)
    seen = _look_inside(place, store, info)
    return replace(seen, facts=_facts(store, info.key)) if name.endswith(_PARQUET) else seen


def _look_inside(place: Place, store: Store, info: ObjectInfo) -> Seen:
    ending = info.key.rpartition(".")[2].lower()
    fault = None
    if ending != "json" or store.read(info.key, ByteRange(0, 1)) == b"[":
        try:
            seen = _look_at_rows(place, store, info.key)
        except (SkyholdError, OSError) as error:
            fault = error if isinstance(error, SkyholdError) else None
        else:
            if seen is not None:
                return seen
    return _look_at_text(store, info, fault)


def rows_of(place: Place, store: Store, key: str) -> "InputAdapter | None":
    """Return what reads the rows of an object; None where its name is of no format with rows."""
    from skyhold.records.formats.detection import find_format  # noqa: PLC0415 - pyarrow, for tables alone

    found = find_format(f"/{key.rpartition('/')[2]}")
    if found is None or found.databases:
        return None
    return found.load("Input")(store.uri_of(key), glob=False, **found.options, **place.all_options())


def _look_at_rows(place: Place, store: Store, key: str) -> Seen | None:
    adapter = rows_of(place, store, key)
    if adapter is None:
        return None
    from skyhold.records.first_rows import cell_text, read_first_rows  # noqa: PLC0415 - pyarrow, for tables alone

    first = read_first_rows(adapter, _ROWS)
    names = first.names
    good = [row for row in first.rows if row.values is not None]
    bad = [row for row in first.rows if row.malformed is not None]
    return Seen(
        names=names,
        types=[first.columns.get(name, "") for name in names],
        rows=[[cell_text(row, name) for name in names] for row in good],
        malformed=[f"row {row.number}: {row.malformed.message}" for row in bad if row.malformed],
        is_whole=len(first.rows) < _ROWS,
    )


def _facts(store: Store, key: str) -> "ParquetFacts | None":
    from skyhold.records.parquet_facts import read_parquet_facts  # noqa: PLC0415 - for Parquet alone

    with suppress(MalformedInputError):  # its rows were tried too, and said why they cannot be read
        return read_parquet_facts(store, key)
    return None


def _look_at_text(store: Store, info: ObjectInfo, fault: SkyholdError | None) -> Seen:
    is_json = info.key.lower().endswith(".json") and info.size_bytes <= _WHOLE_BYTES
    head = store.read(info.key, None if is_json else ByteRange(0, _HEAD_BYTES))
    if is_json:
        with suppress(orjson.JSONDecodeError):  # then it is shown as it stands
            head = orjson.dumps(orjson.loads(head), option=orjson.OPT_INDENT_2)
    is_whole = is_json or info.size_bytes <= _HEAD_BYTES
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if is_whole or error.start < len(head) - 4:  # else a character was cut at the end
            return Seen(fault=fault)
        text = head[: error.start].decode()
    if _CONTROLS & {ord(each) for each in text[:4096]}:
        return Seen(fault=fault)
    return Seen(text=text, is_whole=is_whole, fault=fault)
