"""What a text says that it is: a rule for each type, narrow enough that the text comes back as it was."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from skyhold.records.modelling.kind import FLOAT_DIGITS, MOST_DIGITS, Kind, Name, join_all

__all__ = ["kind_of_cells", "kind_of_words"]

_WHOLE_DIGITS = 18
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_EXPONENT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")
_BOOLEANS = frozenset({"true", "false", "True", "False", "TRUE", "FALSE"})
_NOT_NUMBERS = frozenset({"nan", "NaN", "inf", "-inf"})
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"


class _Word(NamedTuple):
    name: Name
    pattern: re.Pattern[str]
    read: Callable[[str], Any]


def _as_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_WORDS = (
    _Word("date", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), date.fromisoformat),
    _Word("naive", re.compile(_MOMENT), datetime.fromisoformat),
    _Word("aware", re.compile(rf"{_MOMENT}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})"), _as_utc),
    _Word("uuid", re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), str),
)
_TIME = _Word("time", re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"), time.fromisoformat)


def kind_of_cells(cells: Iterable[str]) -> Kind:
    """Return what cells of a table of text are; an empty one is a null.

    Numbers with a plus, leading zeros or blanks are texts, since a number would lose them; so are whole ones past 18
    digits, which are mostly names. More digits than a float holds make decimals.

    Example:
        >>> kind_of_cells(["1", "2.5", ""])
        Kind(name='float', optional=True, digits=1, places=1, item=None, members={})
        >>> kind_of_cells(["007"]).name
        'str'
    """
    keys: set[tuple[Name, bool, int, int]] = {_cell(cell) for cell in cells}
    found = join_all(Kind(*key) for key in keys)
    return Kind("str", found.optional) if found.name == "anything" else found


def kind_of_words(texts: Iterable[str]) -> Kind:
    """Return what texts are that are surely texts: dates and moments are told, numbers are not.

    Example:
        >>> kind_of_words(["2026-01-02", "2026-02-30"]).name, kind_of_words(["2026-01-02"]).name
        ('str', 'date')
    """
    names: set[Name] = {_word(text, _WORDS) for text in texts}
    return join_all(Kind(name) for name in names)


def _cell(text: str) -> tuple[Name, bool, int, int]:
    if not text:
        return "nothing", True, 0, 0
    number = _NUMBER.fullmatch(text)
    if number:
        return _number(len(number[1]), len(number[2] or ""))
    if _EXPONENT.fullmatch(text) or text in _NOT_NUMBERS:
        return "float", False, 0, MOST_DIGITS + 1  # so that no decimal takes it
    return "bool" if text in _BOOLEANS else _word(text, (*_WORDS, _TIME)), False, 0, 0


def _number(digits: int, places: int) -> tuple[Name, bool, int, int]:
    if not places:
        return "int" if digits <= _WHOLE_DIGITS else "str", False, digits, 0
    return "float" if digits + places <= FLOAT_DIGITS else "decimal", False, digits, places


def _word(text: str, words: Iterable[_Word]) -> Name:
    for each in words:
        if each.pattern.fullmatch(text):
            try:
                each.read(text)
            except (ValueError, OverflowError):
                return "str"
            return each.name
    return "str"
