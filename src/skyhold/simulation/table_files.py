"""Tables as files for other programs."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import io
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from skyhold.errors import BadOptionError
from skyhold.simulation.table import unit_of

__all__ = ["format_csv", "format_parquet", "formatter_of"]


def format_csv(table: Any) -> bytes:
    """Return a table as CSV, with units in the header.

    Example:
        >>> from skyhold.simulation.table import make_table
        >>> table = make_table([{"label": "a", "values": {"site_energy": (7.2e9, "J")}}])
        >>> format_csv(table.select(["label", "site_energy"])).decode().splitlines()
        ['"label","site_energy [J]"', '"a",7200000000']
    """
    sink = io.BytesIO()
    units = {name: unit_of(table, name) for name in table.column_names}
    names = [f"{name} [{unit}]" if unit else name for name, unit in units.items()]
    pa_csv.write_csv(table.rename_columns(names), sink)
    return sink.getvalue()


def format_parquet(table: Any) -> bytes:
    """Return a table as Parquet, with units in the metadata of its fields."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def formatter_of(name: str) -> Callable[[Any], bytes]:
    """Return what makes the file that a name ends like.

    Raises:
        BadOptionError: Tables are not written so.
    """
    known = {".csv": format_csv, ".parquet": format_parquet}
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in known:
        raise BadOptionError(
            f"no table is written to {name!r}: it ends neither in .csv nor in .parquet",
            remedy="Write one of these, and convert it: skyhold convert table.parquet …",
        )
    return known[suffix]
