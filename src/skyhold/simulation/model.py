"""A model of EnergyPlus: its epJSON, with objects by type and name."""

import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from os import PathLike, fspath
from typing import Any, ClassVar, TypedDict

from skyhold.errors import ModelError
from skyhold.simulation.document import Document, suggest
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.model_check import write_idf
from skyhold.simulation.patches import make_patch
from skyhold.simulation.plain import is_list, is_object, to_json
from skyhold.storage.opening import open_object

__all__ = ["Model", "ModelChange", "ModelObject", "fold_field", "is_epjson", "spell_numbers"]

_NOT_IN_FIELDS = re.compile(r"[^a-z0-9]+")
_INTEGERS_END = 2**31
"""EnergyPlus reads integers as 32 bits: 10**15, an upper limit in many models, would become a negative number."""

_FIRST_FIELD = 2
"""How deep fields begin: below them are types and names of objects."""


def fold_field(name: str) -> str:
    """Return a field's name as epJSON spells it.

    Example:
        >>> fold_field("Thermal Absorptance"), fold_field("100% Outdoor Air in Cooling")
        ('thermal_absorptance', '100_outdoor_air_in_cooling')
    """
    return _NOT_IN_FIELDS.sub("_", name.lower()).rstrip("_")


def spell_numbers(value: Any) -> Any:
    """Return a copy in which whole numbers are integers: EnergyPlus writes either for one, and reads both alike.

    Large ones are floats, since it reads no large integers.

    Example:
        >>> spell_numbers({"multiplier": 2.0, "height": 2.5, "limit": 10**15})
        {'multiplier': 2, 'height': 2.5, 'limit': 1000000000000000.0}
    """
    if is_object(value):
        return {name: spell_numbers(item) for name, item in value.items()}
    if is_list(value):
        return [spell_numbers(item) for item in value]
    if type(value) is float and value.is_integer() and abs(value) < _INTEGERS_END:
        return int(value)
    return float(value) if type(value) is int and abs(value) >= _INTEGERS_END else value


def is_epjson(data: Any) -> bool:
    """Return whether a JSON document is a model of EnergyPlus: it says of which version, or has a building."""
    return is_object(data) and any(name.lower() in {"version", "building"} for name in data) and not _misfit(data)


def _misfit(data: Any) -> str:
    if not is_object(data):
        return "it is no JSON object"
    for kind, objects in data.items():
        if not is_object(objects):
            return f"{kind!r} does not hold objects by name"
        for name, fields in objects.items():
            if not is_object(fields):
                return f"{kind!r} {name!r} does not hold fields by name"
    return ""


class ModelChange(TypedDict):
    """How an object differs between two models: plain data.

    ``change`` is ``"added"``, ``"removed"`` or ``"changed"``; ``fields`` has the old and the new value of each field
    that differs, None where there is none.
    """

    type: str
    name: str
    change: str
    fields: dict[str, list[Any]]


class ModelObject(MutableMapping[str, Any]):
    """An object of a model: its fields, spelt as in the IDF or as in epJSON. Changing it changes the model.

    Attributes:
        type: Such as ``"Material"``.
        name: Such as ``"1/2IN Gypsum"``.

    Example:
        >>> model = Model({"Material": {"Brick": {"thermal_absorptance": 0.9}}})
        >>> brick = model.get("material", "BRICK")
        >>> brick["Thermal Absorptance"] = 0.8
        >>> model.data
        {'Material': {'Brick': {'thermal_absorptance': 0.8}}}
    """

    def __init__(self, kind: str, name: str, fields: dict[str, Any], source: str = "") -> None:
        self.type = kind
        self.name = name
        self._fields = fields
        self._source = source

    def __getitem__(self, field: str) -> Any:
        return self._fields[self._find(field)]

    def __setitem__(self, field: str, value: Any) -> None:
        name = f"{field!r} of {self.type!r} {self.name!r}"
        self._fields[fold_field(field)] = Model.plain(value, name)

    def __delitem__(self, field: str) -> None:
        del self._fields[self._find(field)]

    def __contains__(self, field: object) -> bool:
        return isinstance(field, str) and fold_field(field) in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"ModelObject({self.type!r}, {self.name!r}, {self._fields!r})"

    def _find(self, field: str) -> str:
        folded = fold_field(field)
        if folded not in self._fields:
            raise _MissingFieldError(
                f"{self._source or 'the model'}: {self.type!r} {self.name!r} has no field {field!r}",
                remedy=suggest(folded, self._fields),
            )
        return folded


class _MissingFieldError(ModelError, KeyError):
    """A mapping must raise KeyError, or its `get` does not work."""


class Model(Document):
    """A model of EnergyPlus. Types and names may be in any case, as for EnergyPlus.

    Args:
        data: The epJSON, as a dict; it is copied.
        source: Where it came from, for errors.

    Raises:
        ModelError: It is not epJSON: types, names and fields.

    Example:
        >>> model = Model({"Version": {"Version 1": {"version_identifier": "25.2"}}})
        >>> model.add("Material", "Wool", conductivity=0.04, thickness=0.1)
        ModelObject('Material', 'Wool', {'conductivity': 0.04, 'thickness': 0.1})
        >>> model.set("material", "wool", thickness=0.2)
        >>> model.get("Material", "Wool")["Thickness"]
        0.2
    """

    suffix: ClassVar[str] = ".epJSON"

    def __init__(self, data: Any, *, source: str = "") -> None:
        super().__init__(data, source=source)
        if misfit := _misfit(self.data):
            raise ModelError(
                f"{source or 'the model'} is not epJSON: {misfit}", remedy="Give it as EnergyPlus writes it"
            )

    def __repr__(self) -> str:
        count = sum(len(objects) for objects in self.data.values())
        return f"Model({self.source!r}, version={self.version!r}, objects={count})"

    @staticmethod
    def plain(value: Any, name: str = "the value") -> Any:
        """Return a copy of a value as models have it: `to_json`, and `spell_numbers`."""
        return spell_numbers(to_json(value, name))

    @property
    def face(self) -> "Model":
        """What a function that changes the model is given: the model."""
        return self

    @property
    def version(self) -> str | None:
        """Which EnergyPlus it is written for, such as ``"25.2"``; None where it does not say."""
        for kind, objects in self.data.items():
            if kind.lower() == "version":
                return next((str(fields.get("version_identifier")) for fields in objects.values()), None)
        return None

    @property
    def types(self) -> tuple[str, ...]:
        """The types that it has objects of."""
        return tuple(self.data)

    def objects(self, kind: str) -> dict[str, ModelObject]:
        """Return the objects of a type by name; none where it has no such type."""
        spelt = self._spelling(self.data, kind)
        if spelt is None:
            return {}
        return {name: ModelObject(spelt, name, fields, self.source) for name, fields in self.data[spelt].items()}

    def get(self, kind: str, name: str | None = None) -> ModelObject:
        """Return an object.

        Args:
            kind: Its type, such as ``"Zone"``.
            name: Its name; not needed where it is the only one of its type, such as ``"Building"``.

        Raises:
            ModelError: There is none, or there are several and no name; the remedy names near ones.
        """
        objects = self.objects(kind)
        if not objects:
            raise self._unknown((kind,), self.data)
        if name is None:
            if len(objects) > 1:
                raise ModelError(
                    f"{self.source or 'the model'} has {len(objects)} objects of the type {kind!r}",
                    remedy=f"Give a name, such as {next(iter(objects))!r}",
                )
            return next(iter(objects.values()))
        spelt = self._spelling(objects, name)
        if spelt is None:
            raise self._unknown((kind, name), objects)
        return objects[spelt]

    def set(self, kind: str, name: str | None = None, /, **fields: Any) -> None:
        """Change fields of an object.

        Raises:
            ModelError: There is no such object.
            BadOptionError: A value is not JSON.
        """
        self.get(kind, name).update(fields)

    def add(self, kind: str, name: str | None = None, /, **fields: Any) -> ModelObject:
        """Add an object, and return it.

        Args:
            kind: Its type, such as ``"Output:Variable"``.
            name: Its name; without one it gets ``"Output:Variable 1"`` or the next number that is free.
            **fields: Its fields.

        Raises:
            ModelError: There is one of this name.
            BadOptionError: A value is not JSON.
        """
        spelt = self._spelling(self.data, kind) or kind
        objects: dict[str, Any] = self.data.get(spelt, {})
        if name is None:
            number = 1
            while self._spelling(objects, f"{spelt} {number}") is not None:
                number += 1
            name = f"{spelt} {number}"
        elif self._spelling(objects, name) is not None:
            raise ModelError(
                f"{self.source or 'the model'} has {spelt!r} {name!r} already",
                remedy="Change it with set(), or remove it",
            )
        added = ModelObject(spelt, name, {}, self.source)
        added.update(fields)
        self.data.setdefault(spelt, objects)[name] = dict(added)
        return self.get(spelt, name)

    def remove(self, kind: str, name: str | None = None) -> None:
        """Remove an object; what refers to it is not changed.

        Raises:
            ModelError: There is none.
        """
        found = self.get(kind, name)
        del self.data[found.type][found.name]
        if not self.data[found.type]:
            del self.data[found.type]

    def diff(self, other: "Model") -> list[ModelChange]:
        """Return how another model differs from this one, object by object.

        Example:
            >>> old = Model({"Zone": {"A": {"multiplier": 1}}})
            >>> new = old.copy()
            >>> new.set("Zone", "A", multiplier=2)
            >>> old.diff(new)
            [{'type': 'Zone', 'name': 'A', 'change': 'changed', 'fields': {'multiplier': [1, 2]}}]
        """
        ids = sorted({(kind, name) for data in (self.data, other.data) for kind in data for name in data[kind]})
        changes: list[ModelChange] = []
        for kind, name in ids:
            old, new = _fields(self, kind, name), _fields(other, kind, name)
            before, after = old or {}, new or {}
            names = {str(path[0]) for path, *_ in make_patch(before, after)}
            word = "added" if old is None else "removed" if new is None else "changed"
            if names or word != "changed":
                fields = {field: [before.get(field), after.get(field)] for field in sorted(names)}
                changes.append({"type": kind, "name": name, "change": word, "fields": fields})
        return changes

    def check(self, engine: Engine | None = None) -> None:
        """Let the engine read the model: finds wrong types and fields, missing values and values out of range.

        An engine that runs the model does not tell of fields that it does not know, and runs without them.

        Args:
            engine: Which one; None for one of the model's version.

        Raises:
            ModelError: The engine does not accept the model, or does not know some of it; the message says what.
            MissingExtraError: There is no engine.
        """
        self.to_idf(engine)

    def to_idf(self, engine: Engine | None = None) -> bytes:
        """Return the model as an IDF, as the engine writes it.

        Raises:
            ModelError: The engine does not accept it, or does not know some of it, which would be lost.
            MissingExtraError: There is no engine.
        """
        used = engine or find_engine(self.version)
        return write_idf(self.plain(self.data), json.loads, used, self.source or "the model")

    def save(self, path: str | PathLike[str], *, engine: Engine | None = None, **options: Any) -> None:
        """Write the model to a file or an object: an IDF where the name ends in ``.idf``, else epJSON.

        Args:
            path: A path or a URI.
            engine: Which one writes the IDF; None for one of the model's version.
            **options: Of the store.

        Raises:
            ModelError: The engine does not accept the model.
            StorageError: It could not be written.
        """
        is_idf = fspath(path).lower().endswith(".idf")
        content = self.to_idf(engine) if is_idf else self._to_text()
        store, key = open_object(path, **options)
        store.write(key, content)

    def _to_text(self) -> bytes:
        data = self.plain(self.data, self.source or "the model")
        return json.dumps(data, indent=4, ensure_ascii=False).encode()

    def _fold(self, name: str, depth: int) -> str:
        return name.lower() if depth < _FIRST_FIELD else fold_field(name)

    @staticmethod
    def _spelling(known: Mapping[str, Any], name: str) -> str | None:
        if name in known:
            return name
        return next((one for one in known if one.lower() == name.lower()), None)


def _fields(model: Model, kind: str, name: str) -> dict[str, Any] | None:
    return model.data.get(kind, {}).get(name)
