"""What a study varies: places in the model, or a function that changes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from skyhold.errors import BadOptionError, ModelError
from skyhold.simulation.document import Document
from skyhold.simulation.patches import Patch
from skyhold.simulation.plain import Path, format_path

__all__ = ["Apply", "How", "Parameter", "Resolved"]

How = Literal["set", "multiply", "add"]
Apply = Callable[[Any, Any], object]
Target = str | Sequence[str | tuple[str, ...]] | Apply

_HOWS: tuple[How, ...] = ("set", "multiply", "add")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a study varies.

    Args:
        target: A path in the model (`Document.find`), such as ``"Material/*/conductivity"``; a list of paths, which
            get the same value; or a function ``(model, value)`` that changes the model it is given: a `Model`, or the
            document itself where it is another simulator's.
        values: A list of values. For samples a tuple ``(low, high)`` is a range. None where `Study` is given the
            combinations themselves.
        how: ``"set"`` the value; or ``"multiply"`` the base model's number with it; or ``"add"`` it to that.
        create: A field that the path names need not be in the model yet: its default stands there. Without it, a
            field that no object has is taken for a mistake, and objects without the field are left alone.

    Raises:
        BadOptionError: The values are none, or not JSON; or ``how`` does not fit.

    Example:
        >>> Parameter("Lights/*/watts_per_floor_area", [0.8, 1.0], how="multiply").values
        [0.8, 1.0]
    """

    target: Target
    values: Sequence[Any] | None = None
    how: How = "set"
    create: bool = False

    def __post_init__(self) -> None:
        if self.how not in _HOWS:
            raise BadOptionError(f"how={self.how!r} is none of {', '.join(map(repr, _HOWS))}")
        if callable(self.target) and self.how != "set":
            raise BadOptionError(f"how={self.how!r} needs a path; a function does what it likes with the value")
        if self.create and self.how != "set":
            raise BadOptionError(
                f"how={self.how!r} needs a number in the base model, and create=True says there is none"
            )

    def resolve(self, name: str, base: Document) -> "Resolved":
        """Return the parameter with its places in a model found, and the base values there checked.

        Raises:
            ModelError: There is no such place, or no number to multiply or to add to.
        """
        if callable(self.target):
            return Resolved(name, self, {}, self.target)
        paths = [*self.target] if isinstance(self.target, list) else [cast("str | tuple[str, ...]", self.target)]
        try:
            places = {place: base.get_value(place) for path in paths for place in base.find(path, create=self.create)}
        except ModelError as error:
            raise ModelError(f"the parameter {name!r}: {error}", remedy=error.remedy) from error
        if self.how != "set":
            _need_numbers(name, places)
        return Resolved(name, self, places)


def _need_numbers(name: str, places: dict[Path, Any]) -> None:
    for place, value in places.items():
        if type(value) not in {int, float}:
            raise ModelError(
                f"the parameter {name!r}: {format_path(place)!r} is {value!r} in the base model, not a number",
                remedy="Name the objects that have a number there, or set values in place of changing the base's",
            )


@dataclass(frozen=True, slots=True)
class Resolved:
    """A parameter of one model.

    Attributes:
        name: Its name in the study.
        parameter: What it is.
        places: Where it acts, with what the base model has there; empty for a function.
        function: What it calls, if it does.
    """

    name: str
    parameter: Parameter
    places: dict[Path, Any]
    function: Apply | None = None

    def changes(self, value: Any) -> Patch:
        """Return the changes that a value means, where it is one of places.

        Raises:
            BadOptionError: The value is no number, and the base's should be multiplied with it or added to it.
        """
        how = self.parameter.how
        if how != "set" and type(value) not in {int, float}:
            raise BadOptionError(f"the parameter {self.name!r}: {value!r} is not a number to {how}")
        return [[list(place), _combine(how, old, value)] for place, old in self.places.items()]

    def call(self, document: Document, value: Any) -> Document:
        """Return a copy of the document that the function has changed.

        Raises:
            ModelError: The function failed.
        """
        assert self.function is not None
        changed = document.copy()
        try:
            self.function(changed.face, value)
        except Exception as error:
            raise ModelError(
                f"the function of the parameter {self.name!r} failed with {value!r}: {type(error).__name__}: {error}",
                remedy=getattr(error, "remedy", "") or f"Try it on a copy of {document.source or 'the model'}",
            ) from error
        return changed


def _combine(how: How, old: Any, value: Any) -> Any:
    if how == "multiply":
        return old * value
    return old + value if how == "add" else value
