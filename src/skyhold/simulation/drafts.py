"""The cases of a study before they are made: each is told when it is asked for, so that millions take no memory."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from typing import Any, overload

from skyhold.errors import BadOptionError
from skyhold.simulation.plain import canonical_bytes, to_json

__all__ = ["Draft", "Drafts", "GridRows", "Row", "label_of"]

Row = tuple[str, Mapping[str, Any]]
"""A combination of values: its label, and the value of each parameter."""

_AND = ", "
_BESIDE = " | "


@dataclass(frozen=True, slots=True)
class Draft:
    """A case before its patch is made."""

    label: str
    values: Mapping[str, Any]
    model: str
    weather: str | None
    baseline: str | None


class GridRows(Sequence[Row]):
    """Every value with every other; the last parameter changes fastest.

    Args:
        spaces: The values of each parameter.

    Example:
        >>> GridRows({"a": [1, 2], "b": ["x", "y"]})[2]
        ('a=2, b=x', {'a': 2, 'b': 'x'})
    """

    def __init__(self, spaces: Mapping[str, Sequence[Any]]) -> None:
        self._values = {name: [to_json(value, _named(name)) for value in values] for name, values in spaces.items()}
        self._words = {name: [f"{name}={_spell(value)}" for value in values] for name, values in self._values.items()}

    def __len__(self) -> int:
        return prod(map(len, self._values.values()))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        left, places = range(len(self))[index], list[int]()
        for values in reversed(self._values.values()):
            left, place = divmod(left, len(values))
            places.append(place)
        found = dict(zip(self._values, reversed(places), strict=True))
        words = _AND.join(self._words[name][place] for name, place in found.items()) or "base"
        return words, {name: deepcopy(self._values[name][place]) for name, place in found.items()}

    @property
    def have_names(self) -> bool:
        """Whether no two of them can have one label, as far as that is seen without making them."""
        return all(
            len(set(words)) == len(words) and not any(_AND in word for word in words) for words in self._words.values()
        )


class Drafts(Sequence[Draft]):
    """Each combination for each model and each weather: model by model, and the weathers of a combination together.

    Args:
        rows: The combinations.
        models: Names of the models.
        weathers: Names of the weathers; without one, cases have none.
        baseline: What the baseline sets, of which each model and weather has one; None without.

    Raises:
        BadOptionError: Two would have one label.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        models: Sequence[str],
        weathers: Sequence[str],
        baseline: Mapping[str, Any] | None,
    ) -> None:
        self._rows = rows
        self._models = models
        self._weathers: Sequence[str | None] = weathers or [None]
        self._base: tuple[Row, ...] = () if baseline is None else (("baseline", baseline),)
        self._last: tuple[int, Row] | None = None
        if not self._have_names():
            self._refuse_twins()

    def __len__(self) -> int:
        return len(self._models) * self._in_model

    @overload
    def __getitem__(self, index: int) -> Draft: ...

    @overload
    def __getitem__(self, index: slice) -> list[Draft]: ...

    def __getitem__(self, index: int | slice) -> Draft | list[Draft]:
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        model, place = divmod(range(len(self))[index], self._in_model)
        number, weather = divmod(place, len(self._weathers))
        label, values = self._row(number)
        names = self._models[model], self._weathers[weather]
        baseline = self._label(*names, "baseline") if self._base else None
        return Draft(self._label(*names, label), values, *names, baseline)

    def model_of(self, index: int) -> str:
        """Return the name of a draft's model, without making it."""
        return self._models[index // self._in_model]

    @property
    def _in_model(self) -> int:
        return (len(self._base) + len(self._rows)) * len(self._weathers)

    def _row(self, number: int) -> Row:
        # The same object for all weathers of a combination: whoever makes the patches goes by that.
        if self._last is None or self._last[0] != number:
            count = len(self._base)
            self._last = number, self._base[number] if number < count else self._rows[number - count]
        return self._last[1]

    def _label(self, model: str, weather: str | None, label: str) -> str:
        parts = [model] if len(self._models) > 1 else []
        if weather is not None and len(self._weathers) > 1:
            parts.append(weather)
        return _BESIDE.join([*parts, label])

    def _have_names(self) -> bool:
        names = [name for name in (*self._models, *self._weathers) if name is not None]
        return isinstance(self._rows, GridRows) and self._rows.have_names and not any(_BESIDE in each for each in names)

    def _refuse_twins(self) -> None:
        seen: set[bytes] = set()
        for draft in self:
            name = blake2b(draft.label.encode(), digest_size=16).digest()
            if name in seen:
                raise BadOptionError(
                    f"two cases are called {draft.label!r}",
                    remedy="Remove the value that is there twice, or give labels",
                )
            seen.add(name)


def label_of(values: Mapping[str, Any]) -> str:
    """Return what a combination is called that has no label of its own.

    Example:
        >>> label_of({"u": 0.3, "glass": "double"})
        'u=0.3, glass=double'
    """
    return _AND.join(f"{name}={_spell(to_json(value, _named(name)))}" for name, value in values.items()) or "base"


def _named(parameter: str) -> str:
    return f"the parameter {parameter!r}"


def _spell(plain: Any) -> str:
    return plain if isinstance(plain, str) else canonical_bytes(plain).decode()
