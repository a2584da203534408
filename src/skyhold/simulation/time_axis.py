"""The rows of time in the database of EnergyPlus, read as one text for each column."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Mapping, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.simulation.series import AXIS, NO_YEAR, Environment

__all__ = ["TIMES", "build_axis", "split_integers"]

_MONTH = 3
"""The interval type of months; smaller ones are of a day or less."""

_RADIX = (16, 32, 32, 64)
"""What holds month, day, hour and minute; the year stands before them."""

_MOMENT = f"""(((CASE WHEN Year > 0 THEN Year ELSE {NO_YEAR} END * {_RADIX[0]} + Month) * {_RADIX[1]} + Day)
    * {_RADIX[2]} + Hour) * {_RADIX[3]} + Minute"""

_REMEMBERED = 4_000_000
"""Letters that are kept in memory: ten times an hourly year. The cases of a study mostly have the same times."""

TIMES = f"""
    SELECT GROUP_CONCAT(TimeIndex), GROUP_CONCAT(EnvironmentPeriodIndex), GROUP_CONCAT(IFNULL({_MOMENT}, -1)),
        GROUP_CONCAT(IFNULL(IntervalType, -1)), GROUP_CONCAT(IFNULL(Interval, -1)), GROUP_CONCAT(IFNULL(Dst, -1)),
        GROUP_CONCAT(IFNULL(DayType, ''))
    FROM Time NOT INDEXED WHERE COALESCE(WarmupFlag, 0) = 0"""  # noqa: S608 - only ours is put in
"""Gives one row, in the order of ``TimeIndex``, which is that of the table where no index is used.

A row for each moment takes three times as long, and as often the lock of the interpreter.
"""


def build_axis(columns: Sequence[str | None], periods: Mapping[int, Environment]) -> pa.Table:
    """Return the columns of `AXIS`, and ``id`` with the number of each row in the database.

    Args:
        columns: What `TIMES` gave.
        periods: The environments by their number.
    """
    build = _build_once if sum(len(text or "") for text in columns) < _REMEMBERED else _build
    return build(tuple(columns), tuple(periods.items()))


def _build(columns: tuple[str | None, ...], environments: tuple[tuple[int, Environment], ...]) -> pa.Table:
    periods = dict(environments)
    ids, period, moment, kind, interval, dst = (split_integers(text) for text in columns[:-1])
    names = period.dictionary_encode()
    words = pa.array([periods[number].name for number in names.dictionary.to_pylist()], pa.string())
    day_type = _split(columns[-1]).cast(pa.string())
    arrays = [
        pc.multiply(_seconds(moment, period, kind), 1000).cast(AXIS["timestamp"]),
        pa.DictionaryArray.from_arrays(names.indices, words),
        _known(interval).cast(AXIS["interval_min"]),
        pc.not_equal(_known(dst), 0),
        pc.if_else(pc.equal(day_type, ""), None, day_type).dictionary_encode(),
    ]
    return pa.table({**dict(zip(AXIS, arrays, strict=True)), "id": ids})


_build_once = lru_cache(2)(_build)


def split_integers(text: str | None) -> pa.Array:
    """Return the numbers in a text that SQLite's ``GROUP_CONCAT`` made.

    Example:
        >>> split_integers("7,-1,3").to_pylist(), split_integers(None).to_pylist()
        ([7, -1, 3], [])
    """
    return _split(text).cast(pa.int64())


def _split(text: str | None) -> pa.Array:
    return pc.split_pattern(pa.array([] if text is None else [text], pa.large_string()), ",").flatten()


def _known(numbers: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(numbers, -1), None, numbers)


def _seconds(moment: pa.Array, period: pa.Array, kind: pa.Array) -> pa.Array:
    """Return the end of each row's interval, in seconds since 1970.

    A row without a date, such as that of a whole run period, stands where its environment ends.
    """
    parts: list[pa.Array] = []
    for radix in reversed(_RADIX):
        whole = pc.divide(moment, radix)
        parts.append(pc.subtract(moment, pc.multiply(whole, radix)))
        moment = whole
    minute, hour, day, month = parts
    days = _days(moment, month, day)
    seconds = pc.add(pc.multiply(days, 86400), pc.add(pc.multiply(hour, 3600), pc.multiply(minute, 60)))
    is_dated = pc.and_(pc.greater(month, 0), pc.greater(day, 0))
    seconds = pc.if_else(is_dated, seconds, None)
    if seconds.null_count:
        for number in pc.unique(period.filter(pc.is_null(seconds))).to_pylist():
            is_here = pc.equal(period, number)
            fine = seconds.filter(pc.and_(is_here, pc.less(kind, _MONTH))).drop_null()
            coarse = seconds.filter(is_here).drop_null()
            end = pc.max(fine) if len(fine) else coarse[0] if len(coarse) else pa.scalar(None, pa.int64())
            seconds = pc.if_else(pc.and_(is_here, pc.is_null(seconds)), end, seconds)
    return seconds


def _days(year: pa.Array, month: pa.Array, day: pa.Array) -> pa.Array:
    """Return the days since 1970 of dates of the Gregorian calendar; 29 February of any year is the day after the 28th.

    The year is taken to begin in March, so that the day that not all years have is its last.
    """
    is_early = pc.less_equal(month, 2)
    year = pc.subtract(year, pc.cast(is_early, pa.int64()))
    since_march = pc.add(month, pc.if_else(is_early, 9, -3))
    in_year = pc.divide(pc.add(pc.multiply(since_march, 153), 2), 5)
    leaps = pc.add(pc.subtract(pc.divide(year, 4), pc.divide(year, 100)), pc.divide(year, 400))
    return pc.add(pc.add(pc.multiply(year, 365), leaps), pc.subtract(pc.add(in_year, day), 719469))
