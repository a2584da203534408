"""Values that JSON says exactly, their one spelling, and paths into them."""

import json
from hashlib import sha256
from math import isfinite
from typing import Any, TypeGuard, cast

from skyhold.errors import BadOptionError

__all__ = [
    "Key",
    "Path",
    "canonical_bytes",
    "copy_json",
    "format_path",
    "hash_json",
    "is_list",
    "is_object",
    "is_same",
    "parse_path",
    "to_json",
]

Key = str | int
"""A name in an object, or a position in a list."""

Path = tuple[Key, ...]
"""The keys from the whole to a place in it."""

_REMEDY = "Use text, finite numbers, booleans, None, lists and dicts with text as keys"


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a plain value is an object: names and their values."""
    return type(value) is dict


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Return whether a plain value is a list."""
    return type(value) is list


def canonical_bytes(value: Any) -> bytes:
    """Return the one spelling of a JSON value: names sorted, nothing between, UTF-8.

    Numbers keep their kind: ``1`` and ``1.0`` are two values, as they are to whoever reads them.

    Raises:
        BadOptionError: The value is not JSON.

    Example:
        >>> canonical_bytes({"b": 1, "a": [True, 0.5]})
        b'{"a":[true,0.5],"b":1}'
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError):
        to_json(value)  # names the place
        raise


def hash_json(value: Any) -> str:
    """Return the SHA-256 of the canonical bytes, in hexadecimal digits.

    Raises:
        BadOptionError: The value is not JSON.
    """
    return sha256(canonical_bytes(value)).hexdigest()


class _UnfitError(Exception):
    """Something has no form in JSON; the keys to it gather on the way out."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found
        self.keys: list[Key] = []


def to_json(value: Any, name: str = "the value") -> Any:
    """Return a copy in plain types: numbers and arrays of numpy become Python's, tuples become lists.

    Args:
        value: What to copy.
        name: What it is, for the error.

    Raises:
        BadOptionError: It holds what JSON cannot say; the message tells where.

    Example:
        >>> to_json({"vertices": ((0, 0), (0, 1.5))})
        {'vertices': [[0, 0], [0, 1.5]]}
        >>> to_json({"u": [1.0, float("nan")]}, "the parameter 'glass'")
        Traceback (most recent call last):
        ...
        skyhold.errors.BadOptionError: the parameter 'glass' is not JSON: nan at 'u/1'
        Remedy: Use text, finite numbers, booleans, None, lists and dicts with text as keys
    """
    try:
        return _plain(value)
    except _UnfitError as unfit:
        where = f" at {format_path(tuple(reversed(unfit.keys)))!r}" if unfit.keys else ""
        raise BadOptionError(f"{name} is not JSON: {unfit.found}{where}", remedy=_REMEDY) from None
    except RecursionError:
        raise BadOptionError(f"{name} is not JSON: it is nested too deeply, or in itself", remedy=_REMEDY) from None


def _plain(value: Any) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, int | float):
        return _plain_number(value)
    if isinstance(value, dict):
        return {_plain_name(name): _inside(name, item) for name, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_inside(index, item) for index, item in enumerate(cast("list[Any]", value))]
    if hasattr(value, "tolist"):  # arrays and numbers of numpy, without importing it
        return _plain(value.tolist())
    raise _UnfitError(f"a {type(value).__name__}")


def _inside(key: Key, item: Any) -> Any:
    try:
        return _plain(item)
    except _UnfitError as unfit:
        unfit.keys.append(key)
        raise


def _plain_number(value: float) -> float:
    if isinstance(value, int):
        return int(value)
    if not isfinite(value):
        raise _UnfitError(repr(float(value)))
    return float(value)


def _plain_name(name: object) -> str:
    if not isinstance(name, str):
        raise _UnfitError(f"the key {name!r}")
    return _plain_text(name)


def _plain_text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _UnfitError(f"half a character in {text!r}") from None
    return str(text)


def copy_json(value: Any) -> Any:
    """Return a copy of a plain value that shares no list and no object with it."""
    if is_object(value):
        return {name: copy_json(item) for name, item in value.items()}
    if is_list(value):
        return [copy_json(item) for item in value]
    return value


def is_same(one: Any, other: Any) -> bool:
    """Return whether two plain values are spelled alike.

    Example:
        >>> is_same([1, {"a": 2}], [1, {"a": 2}]), is_same(1, 1.0), is_same(1, True), is_same(0.0, -0.0)
        (True, False, False, False)
    """
    if one is other:
        return True
    if is_object(one) and is_object(other):
        return one.keys() == other.keys() and all(is_same(item, other[name]) for name, item in one.items())
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(is_same, one, other))
    # The sign of a zero is in the spelling, and equality does not see it.
    return type(one) is type(other) and bool(one == other) and (one != 0 or repr(one) == repr(other))


def parse_path(text: str) -> tuple[str, ...]:
    """Split ``"Material/Brick/conductivity"`` at its slashes; ``~1`` is a slash in a name, and ``~0`` a tilde.

    Example:
        >>> parse_path("Material/1~12IN Gypsum/thickness")
        ('Material', '1/2IN Gypsum', 'thickness')
    """
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/"))


def format_path(path: Path) -> str:
    """Write a path as text that `parse_path` splits again.

    Example:
        >>> format_path(("Material", "1/2IN Gypsum", "thickness"))
        'Material/1~12IN Gypsum/thickness'
    """
    return "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in path)
