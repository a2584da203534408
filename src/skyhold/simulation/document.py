"""A model of any simulator: a JSON document, and the places in it that a path names."""

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, ClassVar, Self

from skyhold.errors import ModelError
from skyhold.simulation.plain import (
    Key,
    Path,
    canonical_bytes,
    copy_json,
    format_path,
    is_list,
    is_object,
    parse_path,
    to_json,
)

__all__ = ["Document", "suggest"]

_FEW = 8


class Document:
    """A model of any simulator: a JSON document.

    Args:
        data: The document, of plain values; it is copied.
        source: Where it came from, for errors.

    Attributes:
        suffix: How a file of it ends.
        data: The document itself, to look at and to change.
        source: As given.

    Example:
        >>> document = Document({"wall": {"layers": [{"thickness": 0.1}, {"thickness": 0.2}]}})
        >>> document.find("wall/layers/*/thickness")
        [('wall', 'layers', 0, 'thickness'), ('wall', 'layers', 1, 'thickness')]
    """

    suffix: ClassVar[str] = ".json"

    def __init__(self, data: Any, *, source: str = "") -> None:
        self.data: Any = self.plain(data, source or "the model")
        self.source = source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment] - it changes

    @staticmethod
    def plain(value: Any, name: str = "the value") -> Any:
        """Return a copy of a value as documents of this kind have it.

        Raises:
            BadOptionError: It is not JSON.
        """
        return to_json(value, name)

    @property
    def face(self) -> Any:
        """What a function that changes the model is given: here the document itself."""
        return self.data

    @property
    def sha256(self) -> str:
        """Of the canonical bytes, in hexadecimal digits."""
        return sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: two models that are the same have the same.

        Raises:
            BadOptionError: Something that is not JSON was put into the document.
        """
        return canonical_bytes(self.plain(self.data, self.source or "the model"))

    def check(self, engine: Any = None) -> None:
        """Refuse a model that its simulator would refuse, as far as that can be told without a run.

        Args:
            engine: Which engine is asked, where the kind of model has one.

        Raises:
            ModelError: The model is wrong.
        """

    def copy(self) -> Self:
        """Return a copy that shares nothing with this one."""
        return self.with_data(copy_json(self.data))

    def with_data(self, data: Any) -> Self:
        """Return another of the kind, of plain data that is neither copied nor looked through."""
        twin = object.__new__(type(self))
        twin.data = data
        twin.source = self.source
        return twin

    def get_value(self, place: Path) -> Any:
        """Return what stands at a place that `find` gave; None where nothing does yet."""
        value = self.data
        for key in place:
            value = _step(value, key)
        return value

    def find(self, path: str | tuple[str, ...], *, create: bool = False) -> list[Path]:
        """Return the places that a path names, in the document's order.

        Args:
            path: Names from the outside in, with slashes between: ``"Material/Brick/conductivity"``. ``*`` stands for
                any text in a name, or for every position of a list; a name that is spelt with a star itself comes
                first. Write a slash in a name as ``~1``, or give the names as a tuple.
            create: The last name need not be there yet.

        Raises:
            ModelError: The model has no such place; the remedy names near ones.
        """
        names = parse_path(path) if isinstance(path, str) else tuple(path)
        places: list[tuple[Path, Any]] = [((), self.data)]
        for depth, name in enumerate(names):
            keys = self._keys_to_be if create and depth == len(names) - 1 else self._keys
            further = [
                ((*place, key), _step(value, key)) for place, value in places for key in keys(value, name, depth)
            ]
            if not further:
                raise self._unknown(names[: depth + 1], [key for _, value in places for key in _names_of(value)])
            places = further
        return [place for place, _ in places]

    def _fold(self, name: str, depth: int) -> str:  # noqa: ARG002 - a kind of model may take spellings for one
        return name

    def _keys(self, value: Any, name: str, depth: int) -> Iterator[Key]:
        if is_list(value):
            yield from (index for index in range(len(value)) if name in {"*", str(index)})
        elif is_object(value):
            if name in value:
                yield name
                return
            pattern = re.compile(".*".join(re.escape(part) for part in self._fold(name, depth).split("*")), re.DOTALL)
            yield from (key for key in value if pattern.fullmatch(self._fold(key, depth)))

    def _keys_to_be(self, value: Any, name: str, depth: int) -> Iterator[Key]:
        found = list(self._keys(value, name, depth))
        if not found and is_object(value) and "*" not in name:
            found = [self._fold(name, depth)]
        yield from found

    def _unknown(self, names: tuple[str, ...], known: Iterable[str]) -> ModelError:
        *outer, last = names
        where = f" in {format_path(tuple(outer))!r}" if outer else ""
        return ModelError(
            f"{self.source or 'the model'} has no {last!r}{where}",
            remedy=suggest(last, known, lambda name: self._fold(name, len(outer))),
        )


def _step(value: Any, key: Any) -> Any:
    return value[key] if is_list(value) else value.get(key)


def _names_of(value: Any) -> list[str]:
    if is_list(value):
        return [str(index) for index in range(len(value))]
    return list(value) if is_object(value) else []


def suggest(name: str, known: Iterable[str], fold: Callable[[str], str] = str.lower) -> str:
    """Return what may have been meant, as a remedy.

    Example:
        >>> suggest("condutivity", ["conductivity", "density"])
        "Did you mean 'conductivity'?"
        >>> suggest("colour", ["conductivity", "density"])
        "There is 'conductivity', 'density'"
        >>> suggest("lamp", ["Zone", "Lights", *(f"Output:{number}" for number in range(50))])[:21]
        "Nearest are 'Lights',"
    """
    spelt = {fold(one): one for one in known}
    close = get_close_matches(fold(name), spelt, 3)
    if close:
        return f"Did you mean {' or '.join(repr(spelt[one]) for one in close)}?"
    if len(spelt) <= _FEW:
        return f"There is {', '.join(map(repr, spelt.values()))}" if spelt else "There is nothing in it"
    nearest = get_close_matches(fold(name), spelt, _FEW, cutoff=0.0)
    return f"Nearest are {', '.join(repr(spelt[one]) for one in nearest)}, of {len(spelt)}"
