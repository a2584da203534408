"""What an object looks like: rows, text, a picture, or nothing that can be shown."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson

from skyhold.dashboard.desk import Place
from skyhold.errors import SkyholdError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo

__all__ = ["PICTURES", "Seen", "look_at"]

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
        picture: Whether it is one.
        text: Its beginning.
        is_whole: Whether that is all of it.
        fault: What kept it from being shown as what its name says.
    """

    names: Sequence[str] = ()
    types: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    malformed: Sequence[str] = ()
    picture: bool = False
    text: str = ""
    is_whole: bool = False
    fault: SkyholdError | None = None


def look_at(place: Place, store: Store, info: ObjectInfo) -> Seen:
    """Return what there is to show of an object, reading little of it."""
    ending = info.key.rpartition(".")[2].lower()
    if ending in PICTURES:
        return Seen(picture=True)
    if not info.size_bytes:
        return Seen()
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


def _look_at_rows(place: Place, store: Store, key: str) -> Seen | None:
    from skyhold.records.first_rows import cell_text, read_first_rows  # noqa: PLC0415 - pyarrow, for tables alone
    from skyhold.records.formats.detection import find_format  # noqa: PLC0415

    found = find_format(f"/{key.rpartition('/')[2]}")
    if found is None or found.databases:
        return None
    adapter = found.load("Input")(store.uri_of(key), glob=False, **found.options, **place.all_options())
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
