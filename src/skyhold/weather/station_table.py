"""Stations as an Arrow table, and an index kept as Parquet on this machine."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from skyhold.config import cache_folder
from skyhold.errors import NotFoundError
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.weather.station import Station

__all__ = ["Entry", "keep_index", "kept_index", "table_of"]

_UNITS = {"latitude": "deg", "longitude": "deg", "elevation_m": "m", "time_zone_h": "h"}
_LAYOUT = "1"
"""Part of the name of every index that is kept: change it with the columns."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A station, and the version of the object that it was read from."""

    station: Station
    key: str = ""
    e_tag: str | None = None
    size_bytes: int = 0


def table_of(stations: Sequence[Station]) -> pa.Table:
    """Return a row a station, with units in the fields' metadata."""
    columns: list[pa.Field] = []
    for field in fields(Station):
        kind = pa.float64() if field.name in _UNITS else pa.string()
        columns.append(pa.field(field.name, kind, metadata={"unit": _UNITS.get(field.name, "")}))
    arrays = [pa.array([getattr(station, column.name) for station in stations], column.type) for column in columns]
    return pa.table(arrays, schema=pa.schema(columns))


def keep_index(name: str, entries: Sequence[Entry]) -> None:
    """Keep an index under a name, instead of the one before."""
    table = table_of([entry.station for entry in entries])
    table = table.append_column("key", pa.array([entry.key for entry in entries], pa.string()))
    table = table.append_column("e_tag", pa.array([entry.e_tag for entry in entries], pa.string()))
    table = table.append_column("size_bytes", pa.array([entry.size_bytes for entry in entries], pa.int64()))
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    _store().write(_file(name), memoryview(sink.getvalue()))


def kept_index(name: str) -> list[Entry]:
    """Return the index that is kept under a name; one that is missing or damaged is empty, for it can be made again."""
    try:
        table = parquet.read_table(pa.BufferReader(_store().read(_file(name))))
        rows: list[Mapping[str, Any]] = table.to_pylist()
        names = [field.name for field in fields(Station)]
        return [
            Entry(Station(**{field: row[field] for field in names}), row["key"], row["e_tag"], row["size_bytes"])
            for row in rows
        ]
    except (NotFoundError, pa.ArrowException, OSError, KeyError):
        return []


def _store() -> Store:
    return open_store(str(cache_folder() / "weather" / "indexes"))


def _file(name: str) -> str:
    return f"{hashlib.sha256(f'{_LAYOUT} {name}'.encode()).hexdigest()}.parquet"
