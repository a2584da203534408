"""What is known of a value's type, and how two such findings become one."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

__all__ = ["ANYTHING", "FLOAT_DIGITS", "INT_DIGITS", "MOST_DIGITS", "NOTHING", "Kind", "Name", "join", "join_all"]

Name = Literal[
    "nothing",
    "bool",
    "int",
    "float",
    "decimal",
    "str",
    "bytes",
    "date",
    "naive",
    "aware",
    "time",
    "duration",
    "uuid",
    "list",
    "dict",
    "object",
    "anything",
]

MOST_DIGITS = 38
"""Of a decimal column."""
INT_DIGITS = 19
FLOAT_DIGITS = 15
"""That a float holds as they are written."""

_TEXTS = frozenset({"str", "date", "naive", "aware", "time", "uuid"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A type, as far as some values tell it.

    Attributes:
        name: Which; ``nothing`` where there was no value, ``anything`` where values have no type in common.
        optional: Whether a null or an absent member was among them.
        digits: Of numbers, before the point; 0 where they are not known.
        places: Of numbers, after the point.
        item: Of lists and dicts, what they hold.
        members: Of objects, by name in the order in which they came.
    """

    name: Name
    optional: bool = False
    digits: int = 0
    places: int = 0
    item: "Kind | None" = None
    members: dict[str, "Kind"] = field(default_factory=dict[str, "Kind"])


NOTHING = Kind("nothing")
ANYTHING = Kind("anything")


def join(one: Kind, other: Kind) -> Kind:
    """Return what holds for the values of both.

    Example:
        >>> join(Kind("int", optional=True), Kind("float")).name
        'float'
        >>> join(Kind("int"), Kind("str")).name
        'anything'
    """
    optional = one.optional or other.optional
    if "nothing" in (one.name, other.name):
        return replace(other if one.name == "nothing" else one, optional=optional)
    if one.name != other.name:
        return replace(_join_different(one, other), optional=optional)
    if one.name == "object":
        names = dict.fromkeys([*one.members, *other.members])
        absent = Kind("nothing", optional=True)
        members = {name: join(one.members.get(name, absent), other.members.get(name, absent)) for name in names}
        return Kind("object", optional, members=members)
    if one.item is not None and other.item is not None:
        return Kind(one.name, optional, item=join(one.item, other.item))
    digits, places = max(one.digits, other.digits), max(one.places, other.places)
    if one.name == "decimal" and digits + places > MOST_DIGITS:
        return replace(ANYTHING, optional=optional)
    return replace(one, optional=optional, digits=digits, places=places)


def join_all(kinds: Iterable[Kind]) -> Kind:
    """Return what holds for the values of all; nothing where there are none."""
    return reduce(join, kinds, NOTHING)


def _join_different(one: Kind, other: Kind) -> Kind:
    names = {one.name, other.name}
    if names <= _TEXTS:
        return Kind("str")
    if not names <= {"int", "float", "decimal"}:
        return ANYTHING
    digits, places = max(one.digits, other.digits), max(one.places, other.places)
    is_exact = all(each.name != "int" or each.digits <= FLOAT_DIGITS for each in (one, other))
    if "decimal" not in names and is_exact:
        return Kind("float", digits=digits, places=places)
    if any(each.name == "float" and not each.places for each in (one, other)):
        return ANYTHING  # floats whose digits are not known
    digits = max(digits, *(INT_DIGITS for each in (one, other) if each.name == "int" and not each.digits), 0)
    return Kind("decimal", digits=digits, places=places) if digits + places <= MOST_DIGITS else ANYTHING
