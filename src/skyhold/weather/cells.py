"""The cells of one line of a weather file, and what is said of one that is wrong."""

import calendar
import math
import re
from dataclasses import dataclass
from datetime import date, timedelta

from skyhold.errors import WeatherError

__all__ = ["Cells", "MonthDay", "days_in", "is_number"]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_ORDINAL = re.compile(r"\d{1,3}", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})\s*/\s*(\d{1,2})(?:\s*/\s*(\d{4}))?", re.ASCII)
_DAY_AND_NAME = re.compile(r"(\d{1,2})\s+([A-Za-z]{3,9})|([A-Za-z]{3,9})\s+(\d{1,2})", re.ASCII)
_MONTHS = {
    name.lower(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
}
_COMMON_YEAR = 2001
_MOST_DAYS = 366
_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class MonthDay:
    """A day of the year, and of a year where one is told."""

    month: int
    day: int
    year: int | None = None

    def __str__(self) -> str:
        """Return it as ISO 8601 has it, without a year as ``--02-29``."""
        return f"{'-' if self.year is None else f'{self.year:04d}'}-{self.month:02d}-{self.day:02d}"


@dataclass(frozen=True, slots=True)
class Cells:
    """One line, cut at its commas.

    Attributes:
        source: The file.
        line: Its number, from 1.
        texts: The cells, without spaces around them.
    """

    source: str
    line: int
    texts: tuple[str, ...]

    @classmethod
    def cut(cls, source: str, line: int, text: str) -> "Cells":
        """Cut a line."""
        return cls(source, line, tuple(cell.strip() for cell in text.split(",")))

    def text(self, column: int) -> str:
        """Return a cell, counted from 1; one past the end is empty."""
        return self.texts[column - 1] if column <= len(self.texts) else ""

    def number(self, column: int, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a cell as a number.

        Raises:
            WeatherError: It is none, or lies outside the limits.
        """
        cell = self.text(column)
        if not is_number(cell):
            raise self.fault(column, name, f"{_shown(cell)} is not a number" if cell else "it is missing")
        value = float(cell)
        if not low <= value <= high:
            raise self.fault(column, name, f"{_shown(cell)} is not between {low:g} and {high:g}")
        return value

    def maybe(self, column: int, name: str) -> float | None:
        """Return a cell as a number, None where it is empty."""
        return self.number(column, name) if self.text(column) else None

    def count(self, column: int, name: str) -> int:
        """Return a cell as a whole number; an empty one is 0."""
        cell = self.text(column)
        if cell and not _COUNT.fullmatch(cell):
            raise self.fault(column, name, f"{_shown(cell)} is not a count")
        return int(cell or "0")

    def day(self, column: int, name: str) -> MonthDay:
        """Return a cell as a day: ``7/13``, ``7/13/2017``, ``July 13``, ``13 Jul``, or its number in the year, ``194``.

        Days are counted as EnergyPlus counts them: without 29 February, whatever the file's years are.

        Raises:
            WeatherError: It is none, or there is no such day.
        """
        cell = self.text(column)
        found = _parse_day(cell)
        if found is None:
            raise self.fault(column, name, f"{_shown(cell)} is no day of the year" if cell else "it is missing")
        return found

    def fault(self, column: int, name: str, found: str) -> WeatherError:
        """Return the error that names the place."""
        return WeatherError(
            f"{self.source!r}, line {self.line}, column {column} ({name}): {found}",
            remedy="Correct the file, or get it anew from where it came",
        )


def is_number(text: str) -> bool:
    """Return whether a cell is a finite number.

    Example:
        >>> [is_number(cell) for cell in ("-1.5", "1e3", "", "nan", "1e999", "1_0")]
        [True, True, False, False, False, False]
    """
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def days_in(month: int, *, leap: bool = True) -> int:
    """Return how many days a month has.

    Example:
        >>> days_in(2), days_in(2, leap=False)
        (29, 28)
    """
    return calendar.monthrange(2000 if leap else 2001, month)[1]


def _parse_day(text: str) -> MonthDay | None:
    if _ORDINAL.fullmatch(text):
        return _day_number(int(text))
    if slashed := _SLASHED.fullmatch(text):
        month, day, year = (int(part) if part else None for part in slashed.groups())
    elif named := _DAY_AND_NAME.fullmatch(text):
        month = _MONTHS.get((named[2] or named[3]).lower())
        day, year = int(named[1] or named[4]), None
    else:
        return None
    if month is None or day is None or not 1 <= month <= len(calendar.month_name) - 1:
        return None
    if year is not None and not calendar.isleap(year) and (month, day) == (2, 29):
        return None
    return MonthDay(month, day, year) if 1 <= day <= days_in(month) else None


def _day_number(number: int) -> MonthDay | None:
    if not 1 <= number <= _MOST_DAYS:
        return None
    day = date(_COMMON_YEAR, 1, 1) + timedelta(days=min(number, _MOST_DAYS - 1) - 1)  # only a leap year has a 366th
    return MonthDay(day.month, day.day)


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= _SHOWN else cell[:_SHOWN] + "…")
