"""The Arrow type of a field, and how its Python values get there, from its core schema."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, cast

from pydantic import Secret, SecretBytes, SecretStr

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import Array, DataType, pa
from skyhold.records.validation.shape import (
    CoreDict,
    FieldShape,
    ModelShape,
    accepts_none,
    choices_of,
    declared_type,
    read_fields,
)
from skyhold.records.validation.values import (
    Convert,
    OverflowedError,
    to_aware_datetime,
    to_bytes,
    to_date,
    to_decimal,
    to_duration,
    to_float,
    to_json_text,
    to_naive_datetime,
    to_number,
    to_plain,
    to_printed,
    to_text,
    to_time,
)

__all__ = ["OutputType", "field_output", "output_type"]

_PRINTED = (ipaddress._BaseAddress, ipaddress._BaseNetwork, ipaddress.IPv4Interface, PurePath)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
_SECRETS: tuple[type, ...] = (Secret, SecretBytes, SecretStr)
_MAX_DEPTH = 20
_MAX_DIGITS = 38
_PLAIN_SCALE = 18


@dataclass(frozen=True, slots=True)
class OutputType:
    """An Arrow type with the conversion of one value, None excepted."""

    arrow_type: DataType
    convert: Convert
    nullable: bool = False

    def convert_one(self, value: object) -> object:
        """Return what the column holds for a value.

        Raises:
            OverflowedError: The column cannot hold it exactly.
        """
        if value is None:
            if not self.nullable:
                raise OverflowedError("None does not fit in a column of a field that is not Optional")
            return None
        return self.convert(value)

    def build(self, converted: Sequence[object]) -> Array:
        """Return an array of values that ``convert_one`` gave, and of None."""
        return pa.array(converted, self.arrow_type)


_JSON = OutputType(pa.string(), to_json_text)
_TEXT = OutputType(pa.string(), to_text)
_PRINTED_TEXT = OutputType(pa.string(), to_printed)
_NAIVE = OutputType(pa.timestamp("us"), to_naive_datetime)
_AWARE = OutputType(pa.timestamp("us", tz="UTC"), to_aware_datetime)
_SIMPLE: dict[str, OutputType] = {
    "str": _TEXT,
    "int": OutputType(pa.int64(), to_number),
    "float": OutputType(pa.float64(), to_float),
    "bool": OutputType(pa.bool_(), to_plain(bool)),
    "date": OutputType(pa.date32(), to_date),
    "time": OutputType(pa.time64("us"), to_time),
    "timedelta": OutputType(pa.duration("us"), to_duration),
    "bytes": OutputType(pa.binary(), to_bytes),
    "url": _PRINTED_TEXT,
    "multi-host-url": _PRINTED_TEXT,
    "uuid": _PRINTED_TEXT,
}
_INNER = {
    **dict.fromkeys(
        ("default", "nullable", "function-before", "function-after", "function-wrap", "json", "custom-error"), "schema"
    ),
    "lax-or-strict": "strict_schema",
    "json-or-python": "python_schema",
}


def field_output(field: FieldShape, shape: ModelShape, cells: DataType | None = None) -> OutputType:
    """Return a field's output type, nullable where None can come out of it.

    Args:
        field: The field.
        shape: Its model's.
        cells: The type of the column that feeds it, where that is known. A ``datetime`` that may or may not have a
            zone takes over whether this has one.
    """
    base = output_type(field.schema, shape.definitions)
    if cells is not None and pa.types.is_timestamp(cells) and cells.tz is not None and _is_plain_datetime(field.schema):
        base = _AWARE
    none_default = field.schema["type"] == "default" and field.schema.get("default", ...) is None
    absent = shape.kind == "typed-dict" and not field.required
    return OutputType(
        base.arrow_type,
        base.convert,
        nullable=none_default or absent or accepts_none(field.schema, shape.definitions),
    )


def _is_plain_datetime(schema: CoreDict) -> bool:
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    return schema["type"] == "datetime" and "tz_constraint" not in schema


def output_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int = 0) -> OutputType:  # noqa: PLR0911 - one return a kind
    """Return the output type of a core schema; JSON text where none is clear.

    Raises:
        SchemaError: The type is a secret, which a column would either tell or lose.
    """
    kind: str = schema["type"]
    if depth > _MAX_DEPTH:
        return _JSON
    if schema.get("serialization", {}).get("type") == "to-string":
        return _PRINTED_TEXT
    if (simple := _SIMPLE.get(kind) or _own_type(schema)) is not None:
        return simple
    if kind in _INNER and _INNER[kind] in schema:
        return output_type(schema[_INNER[kind]], definitions, depth + 1)
    if kind == "definition-ref":
        return _referred(schema["schema_ref"], definitions, depth)
    if kind in ("list", "set", "frozenset") or (kind == "tuple" and _is_variadic(schema)):
        return _list_type(schema, definitions, depth)
    if kind in ("model", "dataclass", "typed-dict"):
        return _struct_type(schema, definitions, depth)
    return _scalar_type(schema, definitions, depth)


def _scalar_type(  # noqa: PLR0911 - one return a kind
    schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int
) -> OutputType:
    match schema["type"]:
        case "datetime" if schema.get("tz_constraint", "naive") == "naive":
            return _NAIVE
        case "datetime":
            return _AWARE
        case "decimal":
            return _decimal_type(schema)
        case "literal":
            return _member_type(schema["expected"])
        case "enum":
            return _member_type([cast("Enum", member).value for member in schema["members"]])
        case "is-instance":
            return _instance_type(schema["cls"])
        case "function-plain" if (declared := declared_type(schema)) is not None:
            return output_type(declared, definitions, depth + 1)
        case "chain":
            return output_type(schema["steps"][-1], definitions, depth + 1)
        case "union":
            return _union_type(schema["choices"], definitions, depth)
        case _:
            return _JSON


def _own_type(schema: CoreDict) -> OutputType | None:
    """Return the type of a class that validates itself, as pydantic's ByteSize: an int, though made from text."""
    owner: object = None
    if schema["type"] == "function-after":
        owner = getattr(schema["function"]["function"], "__self__", None)
    if not isinstance(owner, type):
        return None
    return next((_SIMPLE[kind.__name__] for kind in (int, float, str) if issubclass(owner, kind)), None)


def _instance_type(cls: object) -> OutputType:
    if not isinstance(cls, type):
        return _JSON
    if issubclass(cls, _SECRETS):
        raise SchemaError(
            f"a field of type {cls.__name__} cannot be written: a column would tell the secret, or lose it",
            remedy="Declare it str or bytes, or keep it out of the output with Field(exclude=True).",
        )
    return _PRINTED_TEXT if issubclass(cls, _PRINTED) else _JSON


def _decimal_type(schema: CoreDict) -> OutputType:
    digits, places = schema.get("max_digits"), schema.get("decimal_places")
    if digits is None:
        precision, scale = _MAX_DIGITS, _PLAIN_SCALE if places is None else cast("int", places)
    else:
        precision, scale = (_MAX_DIGITS, _PLAIN_SCALE) if places is None else (cast("int", digits), cast("int", places))
    if not 1 <= precision <= _MAX_DIGITS or not 0 <= scale <= precision:
        return _JSON
    return OutputType(pa.decimal128(precision, scale), to_decimal(precision, scale))


def _member_type(members: Sequence[object]) -> OutputType:
    kinds = {type(member).__name__ for member in members if member is not None}
    plain = kinds in ({"str"}, {"int"}, {"bool"})
    return _SIMPLE[kinds.pop()] if plain else _JSON


def _union_type(choices: Sequence[Any], definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    schemas = choices_of(choices)
    kinds = [output_type(each, definitions, depth + 1) for each in schemas if each["type"] != "none"]
    # Two members may share a type and not a conversion (text and a URL): then only JSON is clear.
    same = kinds and all(each == kinds[0] for each in kinds)
    return kinds[0] if same else _JSON


def _is_variadic(schema: CoreDict) -> bool:
    return schema.get("variadic_item_index") == 0 and len(schema["items_schema"]) == 1


def _list_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    items = schema.get("items_schema")
    if items is None:
        return _JSON
    inner_schema = cast("list[CoreDict]", items)[0] if isinstance(items, list) else cast("CoreDict", items)
    inner = output_type(inner_schema, definitions, depth + 1)
    has_order = schema["type"] not in ("set", "frozenset")
    element = OutputType(inner.arrow_type, inner.convert, nullable=accepts_none(inner_schema, definitions))

    def convert(value: object) -> object:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise OverflowedError(f"{type(value).__name__} value is not a list")
        found = [element.convert_one(each) for each in cast("Sequence[object]", value)]
        # A set has no order of its own, and the column should be the same in every run.
        return found if has_order else sorted(found, key=repr)

    return OutputType(pa.list_(pa.field("item", inner.arrow_type)), convert)


def _referred(reference: str, definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    # The definition is hidden while it is read: a type that contains itself has no finite Arrow type.
    rest = {name: each for name, each in definitions.items() if name != reference}
    return output_type(definitions[reference], rest, depth + 1) if reference in definitions else _JSON


def _struct_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    node = schema
    while node["type"] in ("model", "dataclass", "function-before", "function-after", "function-wrap"):
        node = cast("CoreDict", node["schema"])
    if node["type"] not in ("model-fields", "dataclass-args", "typed-dict"):
        return _JSON
    config = cast("CoreDict", schema.get("config") or {})
    named = read_fields(node)
    keeps_extra = (node.get("extra_behavior") or config.get("extra_fields_behavior")) == "allow"
    if keeps_extra or not named or node.get("computed_fields") or any(each.get("init_only") for each in named.values()):
        return _JSON
    outputs: dict[str, OutputType] = {}
    for name, each in named.items():
        inner = output_type(each["schema"], definitions, depth + 1)
        # Members are nullable throughout: defaults and absent keys may leave None in any of them.
        outputs[name] = OutputType(inner.arrow_type, inner.convert, nullable=True)

    def convert(value: object) -> object:
        if isinstance(value, dict):
            held = cast("dict[str, object]", value)
            return {name: each.convert_one(held.get(name)) for name, each in outputs.items()}
        try:
            found = {name: getattr(value, name) for name in outputs}
        except AttributeError as exc:
            raise OverflowedError(f"{type(value).__name__} value has no such fields") from exc
        return {name: outputs[name].convert_one(each) for name, each in found.items()}

    return OutputType(pa.struct([pa.field(name, each.arrow_type) for name, each in outputs.items()]), convert)
