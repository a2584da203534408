"""What an engine would pass over in a model without stopping: fields that it does not know, and another version."""

from collections.abc import Iterator
from typing import Any

from skyhold.errors import ModelError
from skyhold.simulation.engine import Engine
from skyhold.simulation.model import Model
from skyhold.simulation.plain import is_list, is_object

__all__ = ["check_fields", "note_fields"]

_known: dict[str, set[tuple[str, ...]]] = {}


def check_fields(model: Model, engine: Engine) -> None:
    """Let the engine read a model that has fields which it has not been seen to read in this process.

    Variants of one model have the same fields, so only the first of them costs the conversion.

    Raises:
        ModelError: The engine does not accept the model, or does not know some of it, or is of another version.
    """
    version = model.version
    if version is not None and version.split(".")[:2] != engine.version.split(".")[:2]:
        raise ModelError(
            f"{model.source or 'the model'} is of EnergyPlus {version}, and the engine is {engine.version}: "
            "it would warn, and run it all the same",
            remedy=f"Give engine=find_engine({version!r}), or bring the model to {engine.version}",
        )
    if not set(_fields(model.data)) <= _known.get(engine.build, set()):
        model.check(engine)
        note_fields(model.data, engine)


def note_fields(data: dict[str, Any], engine: Engine) -> None:
    """Note that the engine knows all fields of a model: it has written them itself, or given them back."""
    _known.setdefault(engine.build, set()).update(_fields(data))


def _fields(data: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for kind, objects in data.items():
        for fields in objects.values():
            yield from _inside(fields, (kind,))


def _inside(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if is_object(value):
        for name, item in value.items():
            yield (*path, name)
            yield from _inside(item, (*path, name))
    elif is_list(value):
        for item in value:
            yield from _inside(item, path)
