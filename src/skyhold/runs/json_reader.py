"""Reading JSON that somebody else wrote: each value of the right type, or an error that says where."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from skyhold.errors import MalformedInputError

__all__ = ["JsonReader"]

T = TypeVar("T")
_NUMBER = (int, float)


class JsonReader:
    """One JSON object, read by name and type. Names that nobody asks for are passed over.

    Args:
        content: The object.
        path: Where it stands, such as ``$.outputs[2]``.

    Example:
        >>> reader = JsonReader.parse('{"name": "x", "rows": "3"}')
        >>> reader.text("name")
        'x'
        >>> reader.integer("rows")
        Traceback (most recent call last):
        skyhold.errors.MalformedInputError: $.rows should be an integer, found '3'
    """

    def __init__(self, content: Any, path: str = "$") -> None:
        if not isinstance(content, dict):
            raise _wrong(path, "an object", content)
        self._content = cast("dict[str, Any]", content)
        self._path = path

    @classmethod
    def parse(cls, text: str | bytes) -> "JsonReader":
        """Return the object that is the whole of ``text``.

        Raises:
            MalformedInputError: It is not JSON, or not an object.
        """
        try:
            return cls(json.loads(text))
        except (ValueError, RecursionError) as error:
            if isinstance(error, MalformedInputError):
                raise
            raise MalformedInputError(f"this is not JSON: {error}") from error

    def has(self, name: str) -> bool:
        """Return whether there is a value of this name other than null."""
        return self._content.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; a missing one is the default, or an error where there is none."""
        return self._typed(name, str, "a text", default)

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer."""
        return self._typed(name, int, "an integer", default)

    def number(self, name: str) -> float:
        """Return an integer or a fraction."""
        return self._typed(name, _NUMBER, "a number", None)

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None where it is null or missing."""
        return self.text(name) if self.has(name) else None

    def integer_or_none(self, name: str) -> int | None:
        """Return an integer, or None where it is null or missing."""
        return self.integer(name) if self.has(name) else None

    def moment(self, name: str) -> datetime:
        """Return a time with its zone."""
        try:
            found = datetime.fromisoformat(self.text(name))
        except ValueError as error:
            if isinstance(error, MalformedInputError):
                raise
            raise _wrong(f"{self._path}.{name}", "a time", self._content[name]) from error
        if found.tzinfo is None:
            raise _wrong(f"{self._path}.{name}", "a time with its zone", self._content[name])
        return found

    def one_of(self, name: str, *choices: str) -> str:
        """Return a text that is one of a few."""
        found = self.text(name)
        if found not in choices:
            raise _wrong(f"{self._path}.{name}", f"one of {', '.join(choices)}", found)
        return found

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object as it stands; a missing one is empty."""
        return dict(self._typed(name, dict, "an object", cast("dict[str, Any]", {})))

    def mapping_of(self, name: str, kind: type[T], words: str) -> dict[str, T]:
        """Return an object whose values are all of one type."""
        reader = JsonReader(self.mapping(name), f"{self._path}.{name}")
        return {key: reader._typed(key, kind, words, None) for key in reader._content}

    def child(self, name: str, read: "Callable[[JsonReader], T]") -> T | None:
        """Return an object read by ``read``, or None where it is null or missing."""
        return read(JsonReader(self._content[name], f"{self._path}.{name}")) if self.has(name) else None

    def children(self, name: str, read: "Callable[[JsonReader], T]") -> tuple[T, ...]:
        """Return a list of objects, each read by ``read``; a missing one is empty."""
        found = self._typed(name, list, "a list", cast("list[Any]", []))
        return tuple(read(JsonReader(each, f"{self._path}.{name}[{place}]")) for place, each in enumerate(found))

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of integers; a missing one is empty."""
        found = self._typed(name, list, "a list", cast("list[Any]", []))
        for place, each in enumerate(found):
            if not isinstance(each, int) or isinstance(each, bool):
                raise _wrong(f"{self._path}.{name}[{place}]", "an integer", each)
        return tuple(cast("list[int]", found))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of numbers; a missing one is empty."""
        found = self._typed(name, list, "a list", cast("list[Any]", []))
        for place, each in enumerate(found):
            if not isinstance(each, _NUMBER) or isinstance(each, bool):
                raise _wrong(f"{self._path}.{name}[{place}]", "a number", each)
        return tuple(map(float, cast("list[float]", found)))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; a missing one is empty."""
        found = self._typed(name, list, "a list", cast("list[Any]", []))
        for place, each in enumerate(found):
            if not isinstance(each, str):
                raise _wrong(f"{self._path}.{name}[{place}]", "a text", each)
        return tuple(cast("list[str]", found))

    def flag(self, name: str) -> bool:
        """Return a yes or no; a missing one is no."""
        found = self._content.get(name, False)
        if not isinstance(found, bool):
            raise _wrong(f"{self._path}.{name}", "true or false", found)
        return found

    def _typed(self, name: str, kind: type[T] | tuple[type[T], ...], words: str, default: T | None) -> T:
        if name not in self._content:
            if default is None:
                raise MalformedInputError(f"{self._path}.{name} is missing")
            return default
        found = self._content[name]
        if not isinstance(found, kind) or isinstance(found, bool):
            raise _wrong(f"{self._path}.{name}", words, found)
        return found


def _wrong(path: str, words: str, found: object) -> MalformedInputError:
    shown = repr(found)
    return MalformedInputError(f"{path} should be {words}, found {shown[:60]}{'…' if len(shown) > 60 else ''}")  # noqa: PLR2004
