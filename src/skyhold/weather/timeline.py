"""Which hour a row of an EPW file stands for, and whether all the announced rows are there, in order.

Hour 1 of the format is the hour that *ends* at 01:00. Time stamps here are the *beginning* of a row's interval, in
local standard time: the first row of a year is 1 January 00:00, and its twelve o'clock row covers 12:00 to 13:00.
"""

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from skyhold.errors import WeatherError
from skyhold.weather.cells import MonthDay, days_in
from skyhold.weather.fields import FIELDS
from skyhold.weather.header import DataPeriod, EpwHeader

__all__ = ["RowTimes", "check_row_count", "reference_year"]

_LATEST = 2017
_HOURS = 24
_FEBRUARY_29 = (2, 29)


class RowTimes:
    """The five time columns of the rows.

    Args:
        header: What the file announces.
        source: The file.
        columns: Year, month, day, hour and minute, a value a row.
    """

    def __init__(self, header: EpwHeader, source: str, columns: Sequence[Sequence[int]]) -> None:
        self._header = header
        self._source = source
        self._years, self._months, self._days, self._hours, self._minutes = columns
        self._per_day = _HOURS * header.records_per_hour

    def check(self) -> None:
        """See that every row stands where its hour puts it.

        Raises:
            WeatherError: Rows are missing or too many, out of order, or no real times; with line and column.
        """
        self._check_days()
        check_row_count(self._header, self._source, len(self._months), has_leap_day=self._has_leap_day())
        per_hour = self._header.records_per_hour
        hours = [hour for hour in range(1, _HOURS + 1) for _ in range(per_hour)]
        starts = {(period.start.month, period.start.day) for period in self._header.data_periods}
        before: tuple[int, int] | None = None
        for first in range(0, len(self._months), self._per_day):
            today = (self._months[first], self._days[first])
            if today not in starts and (before is None or today not in _next_days(*before)):
                after = f"after {before[0]}/{before[1]}" if before else "at the beginning of the data period"
                raise self._fault(first, 2, f"the day {today[0]}/{today[1]} does not come {after}")
            self._check_hours(first, hours)
            before = today

    def times(self, year: int | None = None) -> list[datetime]:
        """Return the beginning of each row's interval.

        Args:
            year: Of the first row; None keeps the file's years where they go on from row to row. Typical years are
                put together from months of many: they are told as one year that begins on the announced weekday.
        """
        step = timedelta(hours=1) / self._header.records_per_hour
        return [
            datetime.combine(day, datetime.min.time()) + number * step
            for day in self._dates(year)
            for number in range(self._per_day)
        ]

    def _check_days(self) -> None:
        limits = ((1, self._months, 1, 12), (3, self._hours, 1, 24), (4, self._minutes, 0, 60))
        for index, values, low, high in limits:
            if values and not low <= min(values) <= max(values) <= high:
                row = next(row for row, value in enumerate(values) if not low <= value <= high)
                raise self._fault(row, index + 1, f"{values[row]} is not between {low} and {high}")
        for row, (month, day) in enumerate(zip(self._months, self._days, strict=True)):
            if not 1 <= day <= days_in(month):
                raise self._fault(row, 3, f"month {month} has no day {day}")

    def _check_hours(self, first: int, hours: list[int]) -> None:
        today = slice(first, first + self._per_day)
        if list(self._hours[today]) != hours:
            row = next(row for row, hour in enumerate(hours, first) if self._hours[row] != hour)
            found = f"hour {self._hours[row]} stands where hour {hours[row - first]} belongs"
            raise self._fault(row, 4, found)
        for index, values in ((2, self._months), (3, self._days)):
            if len(set(values[today])) > 1:
                row = next(row for row in range(*today.indices(len(values))) if values[row] != values[first])
                raise self._fault(row, index, f"{values[row]} stands where {values[first]} belongs")

    def _has_leap_day(self) -> bool:
        return any(day == _FEBRUARY_29 for day in zip(self._months, self._days, strict=True))

    def _dates(self, year: int | None) -> Iterator[date]:
        starts = range(0, len(self._months), self._per_day)
        days = [(self._years[row], self._months[row], self._days[row]) for row in starts]
        turns = [after[1:] < before[1:] for before, after in pairwise(days)]
        own = [after[0] - before[0] for before, after in pairwise(days)]
        if year is None and days and own == [int(turn) for turn in turns] and all(_is_real(*day) for day in days):
            yield from (date(*day) for day in days)
            return
        current = reference_year(self._header, has_leap_day=self._has_leap_day()) if year is None else year
        for (_, month, day), turn in zip(days, [False, *turns], strict=True):
            current += turn
            if not _is_real(current, month, day):
                raise WeatherError(
                    f"{self._source!r} has {month}/{day}, which the year {current} has not",
                    remedy="Ask for a leap year",
                )
            yield date(current, month, day)

    def _fault(self, row: int, column: int, found: str) -> WeatherError:
        line, name = self._header.lines + 1 + row, FIELDS[column - 1].title
        return WeatherError(
            f"{self._source!r}, line {line}, column {column} ({name}): {found}",
            remedy="Correct the file, or get it anew from where it came",
        )


def reference_year(header: EpwHeader, *, has_leap_day: bool) -> int:
    """Return the latest year up to 2017 that has the calendar of a typical year (as EnergyPlus chooses it).

    Its 1 January is on the weekday on which the first data period begins, counted back from that period's first day.
    """
    first = header.data_periods[0]
    for year in range(_LATEST, _LATEST - 400, -1):
        if calendar.isleap(year) != has_leap_day:
            continue
        if _is_real(year, first.start.month, first.start.day) and (
            date(year, first.start.month, first.start.day).weekday() == first.start_weekday
        ):
            return year
    return _LATEST - 1 if has_leap_day else _LATEST


def check_row_count(header: EpwHeader, source: str, rows: int, *, has_leap_day: bool | None = None) -> None:
    """Refuse a file that has not as many rows as its data periods announce.

    Args:
        header: What is announced.
        source: The file.
        rows: How many there are.
        has_leap_day: Whether 29 February is among them; None where that is not known.

    Raises:
        WeatherError: Rows are missing, as in a file that was cut off, or there are too many.
    """
    per_day = _HOURS * header.records_per_hour
    may_leap = (False, True) if has_leap_day is None else (has_leap_day,)
    expected = [per_day * sum(_days_of(period, leap=leap) for period in header.data_periods) for leap in may_leap]
    if rows not in expected:
        raise WeatherError(
            f"{source!r}, line {header.lines + rows}: its data periods announce {expected[0]} rows, and {rows} are "
            "there",
            remedy="Get the file anew: it may have been cut off",
        )


def _days_of(period: DataPeriod, *, leap: bool) -> int:
    """Return how many days a period has, where a year without 29 February may be told apart by ``leap`` alone."""
    start, end = period.start, period.end
    if start.year is not None and end.year is not None:
        days = _real_date(end, end.year) - _real_date(start, start.year)
        return days.days + 1 - (0 if leap else _leap_days(start, end))
    first, last = (_day_of_year(day, leap=leap) for day in (start, end))
    return last - first + 1 + ((366 if leap else 365) if last < first else 0)


def _leap_days(start: MonthDay, end: MonthDay) -> int:
    assert start.year is not None
    assert end.year is not None
    first, last = _real_date(start, start.year), _real_date(end, end.year)
    return sum(calendar.isleap(y) and first <= date(y, 2, 29) <= last for y in range(start.year, end.year + 1))


def _real_date(day: MonthDay, year: int) -> date:
    return date(year, day.month, day.day)


def _day_of_year(day: MonthDay, *, leap: bool) -> int:
    return sum(days_in(month, leap=leap) for month in range(1, day.month)) + day.day


def _next_days(month: int, day: int) -> tuple[tuple[int, int], ...]:
    """Return the days that may follow one; after 28 February there are two."""
    after = (month, day + 1) if day < days_in(month) else (month % 12 + 1, 1)
    return (after, (3, 1)) if after == _FEBRUARY_29 else (after,)


def _is_real(year: int, month: int, day: int) -> bool:
    return 1 <= year <= 9999 and 1 <= day <= calendar.monthrange(year, month)[1]  # noqa: PLR2004 - datetime's limits
