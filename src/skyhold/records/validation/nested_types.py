"""Output types of what has parts: lists, maps and structs; None where the parts are not clear."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from skyhold.records.validation.arrow import pa
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.plain_arrays import lists_of, structs_of
from skyhold.records.validation.shape import CoreDict, choices_of, read_fields
from skyhold.records.validation.values import Convert, OverflowedError, refuse, to_json_text

__all__ = ["list_type", "map_type", "named_tuple_type", "struct_type", "tagged_type", "tuple_type"]

Read = Callable[[CoreDict], OutputType]
"""Gives the output type of a part, nullable where its own type says so."""

_WRAPPERS = ("model", "dataclass", "function-before", "function-after", "function-wrap")


def list_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return the type of a list or set whose items are all of one type."""
    items = schema.get("items_schema")
    if items is None:
        return None
    return _list_of(read(items), list if schema["type"] == "list" else set)


def tuple_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return a list type for a tuple whose items, however many, are all of one type."""
    items = [read(each) for each in schema["items_schema"]]
    if not items or any(each.arrow_type != items[0].arrow_type or each.convert != items[0].convert for each in items):
        return None
    return _list_of(replace(items[0], nullable=any(each.nullable for each in items)), tuple)


def _list_of(element: OutputType, kind: type) -> OutputType:
    has_order = kind is not set
    build = lists_of(kind, element.build_plain, nullable_items=element.nullable) if element.build_plain else None

    def convert(value: object) -> object:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise refuse(value, "is not a list")
        found = [element.convert_one(each) for each in cast("Sequence[object]", value)]
        # A set has no order of its own, and the column should be the same in every run.
        return found if has_order else sorted(found, key=repr)

    # Sets are put in order one by one.
    arrow_type = pa.list_(pa.field("item", element.arrow_type))
    return OutputType(arrow_type, convert, build_plain=build if has_order else None)


def map_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return the type of a dict with keys that are texts or ints, and values of one clear type."""
    key, value = read(schema.get("keys_schema") or _ANY), read(schema.get("values_schema") or _ANY)
    is_plain_key = key.arrow_type in (pa.string(), pa.int64()) and not key.nullable
    if not is_plain_key or key.convert is to_json_text or value.convert is to_json_text:
        return None

    def convert(held: object) -> object:
        if not isinstance(held, Mapping):
            raise refuse(held, "is not a dict")
        pairs = cast("Mapping[object, object]", held)
        found = {key.convert_one(name): value.convert_one(each) for name, each in pairs.items()}
        if len(found) != len(pairs):
            raise refuse(pairs, "has two keys that are the same in the column")
        return list(found.items())

    return OutputType(pa.map_(key.arrow_type, value.arrow_type), convert)


_ANY: CoreDict = {"type": "any"}


def _root_type(schema: CoreDict, read: Read) -> OutputType:
    inner = read(schema["schema"])

    def convert(value: object) -> object:
        root = _attribute(value, "root")
        return None if root is None else inner.convert(root)

    return replace(inner, convert=convert, build_plain=None)


def struct_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return the type of a model, dataclass or TypedDict: a struct of what would be its columns.

    That of a RootModel is its root's.
    """
    if schema.get("root_model"):
        return _root_type(schema, read)
    parts = _parts(schema, read)
    if parts is None:
        return None
    # Computed fields are asked for one by one, and keys of a dict may be absent.
    members = {name: each.build_plain for name, each in parts[0].items() if each.build_plain}
    is_plain = schema["type"] == "model" and len(members) == len(parts[0]) and not _has_computed(schema)
    return replace(_struct_of(*parts), build_plain=structs_of(schema["cls"], members) if is_plain else None)


def _has_computed(schema: CoreDict) -> bool:
    node = schema
    while node["type"] in _WRAPPERS:
        node = cast("CoreDict", node["schema"])
    return bool(node.get("computed_fields"))


def _parts(schema: CoreDict, read: Read) -> tuple[dict[str, OutputType], frozenset[str]] | None:
    """Return what goes into the struct, and the names of what does not; None where that is not clear."""
    node = schema
    while node["type"] in _WRAPPERS and not node.get("root_model"):
        node = cast("CoreDict", node["schema"])
    if node["type"] not in ("model-fields", "dataclass-args", "typed-dict"):
        return None
    config = cast("CoreDict", schema.get("config") or {})
    if (node.get("extra_behavior") or config.get("extra_fields_behavior")) == "allow":
        return None
    fields = read_fields(node)
    hidden = {name for name, each in fields.items() if each.get("init_only") or each.get("serialization_exclude")}
    kept = {name: each["schema"] for name, each in fields.items() if name not in hidden}
    kept |= {each["property_name"]: each["return_schema"] for each in node.get("computed_fields") or ()}
    # Members are nullable throughout: defaults and absent keys may leave None in any of them.
    members = {name: replace(read(each), nullable=True) for name, each in kept.items()}
    return (members, frozenset(hidden)) if members else None


def _struct_of(members: Mapping[str, OutputType], hidden: frozenset[str] = frozenset()) -> OutputType:
    known = members.keys() | hidden

    def convert(value: object) -> object:
        if not isinstance(value, dict):
            return {name: each.convert_one(_attribute(value, name)) for name, each in members.items()}
        held = cast("dict[str, object]", value)
        if not held.keys() <= known:
            raise refuse(held, "has keys that the column has not")
        return {name: each.convert_one(held.get(name)) for name, each in members.items()}

    return OutputType(_struct(members), convert)


def _struct(members: Mapping[str, OutputType]) -> Any:
    return pa.struct([pa.field(name, each.arrow_type) for name, each in members.items()])


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except Exception as exc:
        raise OverflowedError(f"{type(value).__name__} value has no {name!r} ({type(exc).__name__})") from exc


def named_tuple_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return a struct type for a NamedTuple."""
    members = {each["name"]: replace(read(each["schema"]), nullable=True) for each in schema["fields"]}
    return _struct_of(members) if members else None


def tagged_type(schema: CoreDict, read: Read) -> OutputType | None:
    """Return the type of models told apart by a field: a struct of the fields of all, those of the others null.

    None if the discriminator is no field of theirs, or if two of them have different types for the same name.
    """
    tag = schema["discriminator"]
    kinds: dict[type, Convert] = {}
    together: dict[str, OutputType] = {}
    for node in choices_of([*schema["choices"].values()]):
        parts = _parts(node, read) if node["type"] in ("model", "dataclass") else None
        if parts is None or tag not in parts[0]:
            return None
        for name, each in parts[0].items():
            if together.setdefault(name, each).arrow_type != each.arrow_type:
                return None
        kinds[node["cls"]] = _struct_of(*parts).convert

    def convert(value: object) -> object:
        found = kinds.get(type(value))
        if found is None:
            raise refuse(value, "is none of the union's models")
        return dict.fromkeys(together) | cast("dict[str, object]", found(value))

    return OutputType(_struct(together), convert)
