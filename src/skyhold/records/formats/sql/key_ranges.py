"""Ranges of a key that together hold every row exactly once, and what notices that a database's file has changed."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from skyhold.errors import BadOptionError, ConflictError
from skyhold.records.formats.sql.asked import KeyRange, ReadRequest

__all__ = ["KeyRanges", "check_moment", "even_bounds", "key_of", "moment_of_file", "range_conditions"]

_JOURNALS = ("-wal", ".wal")


@dataclass(frozen=True, slots=True)
class KeyRanges:
    """How a table or the result of a query is divided.

    Attributes:
        parts: In order.
        release: Lets go of the moment at which all of them are read.
    """

    parts: Sequence[KeyRange]
    release: Callable[[], None] = lambda: None


def even_bounds(least: int | None, most: int | None, parts: int) -> list[int]:
    """Return the whole numbers that divide ``least`` to ``most`` into ranges of one width.

    Example:
        >>> even_bounds(0, 99, 4), even_bounds(5, 6, 4)
        ([25, 50, 75], [6])
    """
    if least is None or most is None:
        return []
    width = most + 1 - least
    return sorted({least + width * part // parts for part in range(1, parts)} - {least})


def range_conditions(key: str, bounds: Sequence[str]) -> list[str]:
    """Return one condition for each range: together they hold for every row exactly once, NULL being the least.

    Args:
        key: As SQL.
        bounds: As SQL, ascending.

    Example:
        >>> range_conditions("k", ["3", "5"])
        ['(k < 3 OR k IS NULL)', 'k >= 3 AND k < 5', 'k >= 5']
        >>> range_conditions("k", [])
        ['TRUE']
    """
    if not bounds:
        return ["TRUE"]
    between = [f"{key} >= {low} AND {key} < {high}" for low, high in pairwise(bounds)]
    return [f"({key} < {bounds[0]} OR {key} IS NULL)", *between, f"{key} >= {bounds[-1]}"]


def key_of(request: ReadRequest, schema: pa.Schema) -> str | None:
    """Return the column by which the user wants it divided; None if that was not said.

    Raises:
        BadOptionError: There is no such column.
    """
    name = request.partition_on
    if name is not None and name not in schema.names:
        raise BadOptionError(f"partition_on={name!r} is not a column of {request.uri!r}: {schema.names}")
    return name


def moment_of_file(path: str) -> str:
    """Return what differs after every change of a database that is a file."""
    files = [Path(path + suffix) for suffix in ("", *_JOURNALS)]
    stats = [file.stat() for file in files if file.exists()]
    return " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats if stat.st_size)


def check_moment(request: ReadRequest) -> None:
    """Refuse to read a part of a database that has changed since it was divided; to be called within a transaction.

    Raises:
        ConflictError: It has.
    """
    if request.part is not None and request.part.moment != moment_of_file(request.address.path):
        raise ConflictError(
            "the database has changed since it was divided",
            operation="read",
            uri=request.uri,
            remedy="Run again, while nobody writes into it",
        )
