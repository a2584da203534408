r"""Columnar checks and casts that accept only what pydantic provably accepts, with the same value.

A kernel may abstain from any text: pydantic itself then judges that row. It may never accept what
pydantic refuses, or give another value. ``tests/property/test_validation_kernels.py`` compares the two.
Patterns end in ``\z``, since ``$`` reads differently in different regex engines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from skyhold.records.validation.arrow import Array, DataType, pa, pc
from skyhold.records.validation.output import by_dictionary
from skyhold.records.validation.reading import read_clocks, read_decimals, read_floats, read_integers, read_moments

__all__ = [
    "BoolKernel",
    "Bounds",
    "ClockKernel",
    "DecimalKernel",
    "EmailKernel",
    "Kernel",
    "MemberKernel",
    "NumberKernel",
    "TextKernel",
    "TimeKernel",
    "email_pattern",
]

Bounds = Sequence[tuple[str, Any]]

_TRUE = [each for word in ("1", "on", "t", "true", "y", "yes") for each in {word, word.upper(), word.title()}]
_FALSE = [each for word in ("0", "off", "f", "false", "n", "no") for each in {word, word.upper(), word.title()}]
# Below this no part of an address can reach its own limit (64 before the @, 63 a label).
EMAIL_BYTES = 64


class Kernel(Protocol):
    """A columnar stand-in for pydantic's judgement of one field."""

    def accept(self, texts: Array) -> tuple[Array, Array]:
        """Judge texts (string, without nulls).

        Returns: Which are accepted (bool, without nulls), and the values (anything where not accepted).
        """
        ...


def _matches(texts: Array, pattern: str) -> Array:
    return pc.match_substring_regex(texts, pattern)


def _within(values: Array, accepted: Array, bounds: Bounds, target: DataType) -> Array:
    compare = {"gt": pc.greater, "ge": pc.greater_equal, "lt": pc.less, "le": pc.less_equal}
    for name, limit in bounds:
        inside = compare[name](values, pa.scalar(limit, target))
        accepted = pc.and_(accepted, pc.fill_null(inside, fill_value=False))
    return accepted


@dataclass(frozen=True, slots=True)
class TextKernel:
    """Text as it is, with lengths in characters, and a pattern that all engines read alike."""

    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    strip: bool = False

    def accept(self, texts: Array) -> tuple[Array, Array]:
        accepted: Array = None
        if self.strip:
            # Only printable ASCII at both ends: whether other characters count as blank is pydantic's to say.
            accepted = _matches(texts, r"(?s)\A(?:[!-~](?:.*[!-~])?)?\z")
        if self.min_length > 0 or self.max_length is not None:
            lengths = pc.utf8_length(texts)
            inside = pc.greater_equal(lengths, self.min_length)
            if self.max_length is not None:
                inside = pc.and_(inside, pc.less_equal(lengths, self.max_length))
            accepted = inside if accepted is None else pc.and_(accepted, inside)
        if self.pattern is not None:
            found = _matches(texts, self.pattern)
            accepted = found if accepted is None else pc.and_(accepted, found)
        return (pc.is_valid(texts) if accepted is None else accepted), texts


@dataclass(frozen=True, slots=True)
class NumberKernel:
    """Plain decimal notation, with bounds."""

    arrow_type: DataType
    bounds: Bounds = ()
    multiple_of: int | None = None

    def accept(self, texts: Array) -> tuple[Array, Array]:
        read = read_integers if pa.types.is_integer(self.arrow_type) else read_floats
        return self.check(*read(texts))

    def check(self, accepted: Array, values: Array) -> tuple[Array, Array]:
        """Judge numbers that have been read."""
        accepted = _within(values, accepted, self.bounds, self.arrow_type)
        if self.multiple_of is not None:
            factor = pa.scalar(self.multiple_of, self.arrow_type)
            exact = pc.equal(pc.multiply(pc.divide(values, factor), factor), values)
            accepted = pc.and_(accepted, pc.fill_null(exact, fill_value=False))
        return accepted, values


@dataclass(frozen=True, slots=True)
class DecimalKernel:
    """Plain decimal notation that the column holds without rounding, with bounds."""

    arrow_type: DataType
    bounds: Bounds = ()

    def accept(self, texts: Array) -> tuple[Array, Array]:
        return self.check(*read_decimals(texts, self.arrow_type))

    def check(self, accepted: Array, values: Array) -> tuple[Array, Array]:
        """Judge decimals that have been read."""
        return _within(values, accepted, self.bounds, self.arrow_type), values


@dataclass(frozen=True, slots=True)
class BoolKernel:
    """The words that pydantic takes for true and false, in three spellings each."""

    def accept(self, texts: Array) -> tuple[Array, Array]:
        places = pc.index_in(texts, value_set=pa.array([*_TRUE, *_FALSE]))
        return pc.is_valid(places), pc.less(places, len(_TRUE))


@dataclass(frozen=True, slots=True)
class TimeKernel:
    """ISO dates and date-times, with bounds."""

    pattern: str
    arrow_type: DataType
    bounds: Bounds = ()

    def accept(self, texts: Array) -> tuple[Array, Array]:
        return self.check(*read_moments(texts, self.pattern, self.arrow_type))

    def check(self, accepted: Array, values: Array) -> tuple[Array, Array]:
        """Judge times that have been read."""
        return _within(values, accepted, self.bounds, self.arrow_type), values


@dataclass(frozen=True, slots=True)
class ClockKernel:
    """ISO times of day without a zone, with bounds."""

    bounds: Bounds = ()

    def accept(self, texts: Array) -> tuple[Array, Array]:
        accepted, values = read_clocks(texts)
        return _within(values, accepted, self.bounds, values.type), values


@dataclass(frozen=True, slots=True)
class EmailKernel:
    """Short ASCII addresses with a lower-case domain, which email_validator returns unchanged."""

    pattern: str

    def accept(self, texts: Array) -> tuple[Array, Array]:
        short = pc.less_equal(pc.binary_length(texts), EMAIL_BYTES)
        return pc.and_(_matches(texts, self.pattern), short), texts


@dataclass(frozen=True, slots=True)
class MemberKernel:
    """Exactly one of some texts: a Literal, or an Enum of texts; the values are these by dictionary."""

    members: tuple[str, ...]

    def accept(self, texts: Array) -> tuple[Array, Array]:
        members = pa.array(self.members, pa.string())
        places = pc.index_in(texts, value_set=members)
        return pc.is_valid(places), by_dictionary(places, members)


def email_pattern(reserved: Sequence[str]) -> str:
    r"""Return the pattern of plain addresses whose last label is none of the reserved ones.

    RE2 has no look-ahead, so the reserved words are left out by spelling out all others. Two hyphens
    in a row are left out as well: they mark punycode, whose normal form differs. So is a single word of
    letters before the @ unless it is in lower case: email_validator turns Info and the like into that.

    Example:
        >>> import re
        >>> pattern = email_pattern(["test"]).replace(r"\z", r"\Z")
        >>> [bool(re.match(pattern, f"ann@shop.{tld}")) for tld in ("com", "tes", "test", "tests")]
        [True, True, False, True]
    """
    atom = "[A-Za-z0-9_%+-]+"
    label = "[a-z0-9]+(?:-[a-z0-9]+)*"
    tld = _all_but(["", *(each.rpartition(".")[2] for each in reserved)])
    local = rf"(?:[a-z0-9_%+-]+|[A-Za-z]*[0-9_%+-][A-Za-z0-9_%+-]*|{atom}(?:\.{atom})+)"
    return rf"\A{local}@(?:{label}\.)+{tld}\z"


def _all_but(words: Sequence[str]) -> str:
    """Return a pattern of the lower-case words that are not listed."""
    if not words:
        return "[a-z]*"
    branches = [] if "" in words else ["(?:)"]
    heads = {word[0] for word in words if word}
    others = "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in heads)
    branches.append(f"[{others}][a-z]*")
    branches += [head + _all_but([word[1:] for word in words if word[:1] == head]) for head in sorted(heads)]
    return f"(?:{'|'.join(branches)})"
