"""The Arrow type of a field, from its core schema; those of what has parts are in `nested_types`."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast

from pydantic import Secret, SecretBytes, SecretStr

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import DataType, pa
from skyhold.records.validation.column_type import asked_type, fit_output
from skyhold.records.validation.nested_types import (
    list_type,
    map_type,
    named_tuple_type,
    struct_type,
    tagged_type,
    tuple_type,
)
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.plain_arrays import naive_moments, values_of
from skyhold.records.validation.shape import (
    CoreDict,
    FieldShape,
    ModelShape,
    accepts_none,
    choices_of,
    declared_type,
)
from skyhold.records.validation.values import (
    Convert,
    is_utf8,
    to_aware_datetime,
    to_bytes,
    to_date,
    to_decimal,
    to_duration,
    to_float,
    to_json_text,
    to_member,
    to_naive_datetime,
    to_number,
    to_plain,
    to_printed,
    to_text,
    to_time,
)

__all__ = ["column_output", "decimal_type", "field_output", "output_type"]

_PRINTED = (ipaddress._BaseAddress, ipaddress._BaseNetwork, ipaddress.IPv4Interface, PurePath)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
_SECRETS: tuple[type, ...] = (Secret, SecretBytes, SecretStr)
_MAX_DEPTH = 20
_MAX_DIGITS = 38
_MAX_LONG_DIGITS = 76
_PLAIN_SCALE = 18


def _plain(arrow_type: DataType, convert: Convert, kind: type) -> OutputType:
    return OutputType(arrow_type, convert, build_plain=values_of(arrow_type, kind))


_JSON = OutputType(pa.string(), to_json_text)
_TEXT = _plain(pa.string(), to_text, str)
_PRINTED_TEXT = OutputType(pa.string(), to_printed)
_NAIVE = OutputType(pa.timestamp("us"), to_naive_datetime, build_plain=naive_moments)
_AWARE = OutputType(pa.timestamp("us", tz="UTC"), to_aware_datetime)
_SIMPLE: dict[str, OutputType] = {
    "str": _TEXT,
    "int": _plain(pa.int64(), to_number, int),
    "float": _plain(pa.float64(), to_float, float),
    "bool": _plain(pa.bool_(), to_plain(bool), bool),
    "date": _plain(pa.date32(), to_date, date),
    "time": OutputType(pa.time64("us"), to_time),
    "timedelta": _plain(pa.duration("us"), to_duration, timedelta),
    "bytes": _plain(pa.binary(), to_bytes, bytes),
    "url": _PRINTED_TEXT,
    "multi-host-url": _PRINTED_TEXT,
    "uuid": _PRINTED_TEXT,
}
_MEMBERS: dict[type, OutputType] = {
    str: _TEXT,
    int: _SIMPLE["int"],
    float: _plain(pa.float64(), to_member(to_float), float),
    bool: _plain(pa.bool_(), to_member(to_plain(bool)), bool),
}
_NESTED = {
    **dict.fromkeys(("list", "set", "frozenset"), list_type),
    **dict.fromkeys(("model", "dataclass", "typed-dict"), struct_type),
    "tuple": tuple_type,
    "dict": map_type,
    "named-tuple": named_tuple_type,
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
    nullable = none_default or absent or accepts_none(field.schema, shape.definitions)
    return replace(base.as_column(), nullable=nullable)


def column_output(schema: CoreDict, shape: ModelShape) -> OutputType:
    """Return the output type of a computed field's core schema."""
    base = output_type(schema, shape.definitions)
    return replace(base.as_column(), nullable=accepts_none(schema, shape.definitions))


def _is_plain_datetime(schema: CoreDict) -> bool:
    while schema["type"] in ("default", "nullable") and asked_type(schema) is None:
        schema = schema["schema"]
    return schema["type"] == "datetime" and "tz_constraint" not in schema and asked_type(schema) is None


def output_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int = 0) -> OutputType:
    """Return the output type of a core schema; JSON text where none is clear.

    Raises:
        SchemaError: The type is a secret, which a column would either tell or lose; or it asks for another type that
            cannot hold its values.
    """
    base = _JSON if depth > _MAX_DEPTH else _annotated_type(schema, definitions, depth)
    asked = asked_type(schema)
    has_it = asked is None or (asked == base.arrow_type and not base.members)
    return base if has_it else fit_output(base, asked)


def _annotated_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    kind: str = schema["type"]
    if schema.get("serialization", {}).get("type") == "to-string":
        return _PRINTED_TEXT
    if (simple := _SIMPLE.get(kind) or _own_type(schema)) is not None:
        return simple
    if kind in _INNER and _INNER[kind] in schema:
        return output_type(schema[_INNER[kind]], definitions, depth + 1)
    if kind == "definition-ref":
        return _referred(schema["schema_ref"], definitions, depth)
    return _nested_type(schema, definitions, depth) or _scalar_type(schema, definitions, depth)


def _nested_type(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int) -> OutputType | None:
    """Return the output type of what has parts, or None if it has none or they are not clear."""

    def read(inner: CoreDict) -> OutputType:
        found = output_type(inner, definitions, depth + 1)
        return replace(found, nullable=accepts_none(inner, definitions))

    kind = schema["type"]
    if kind == "tagged-union":
        known = {label: _resolved(each, definitions) for label, each in schema["choices"].items()}
        return tagged_type({**schema, "choices": known}, read)
    return _NESTED[kind](schema, read) if kind in _NESTED else None


def _resolved(schema: CoreDict, definitions: Mapping[str, CoreDict]) -> CoreDict:
    return definitions.get(schema["schema_ref"], schema) if schema["type"] == "definition-ref" else schema


def _scalar_type(  # noqa: PLR0911 - one return a kind
    schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int
) -> OutputType:
    match schema["type"]:
        case "datetime" if schema.get("tz_constraint", "naive") == "naive":
            return _NAIVE
        case "datetime":
            return _AWARE
        case "decimal":
            return _decimal_output(schema)
        case "literal":
            return _member_type([each for each in schema["expected"] if each is not None])
        case "enum":
            return _member_type(schema["members"])
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


def _decimal_output(schema: CoreDict) -> OutputType:
    kind = decimal_type(schema)
    return _JSON if kind is None else _plain(kind, to_decimal(kind.precision, kind.scale), Decimal)


def decimal_type(schema: CoreDict) -> DataType | None:
    """Return the type of a decimal's core schema; None if Arrow has no decimals of so many digits."""
    digits, places = schema.get("max_digits"), schema.get("decimal_places")
    if digits is None:
        precision, scale = _MAX_DIGITS, _PLAIN_SCALE if places is None else cast("int", places)
    else:
        precision, scale = (_MAX_DIGITS, _PLAIN_SCALE) if places is None else (cast("int", digits), cast("int", places))
    if not 1 <= precision <= _MAX_LONG_DIGITS or not 0 <= scale <= precision:
        return None
    return (pa.decimal128 if precision <= _MAX_DIGITS else pa.decimal256)(precision, scale)


def _member_type(members: Sequence[object]) -> OutputType:
    """Return the type of what is always one of some values: members of an Enum count as their values."""
    values: list[Any] = [each.value if isinstance(each, Enum) else each for each in members]
    kinds: set[type] = {type(value) for value in values}
    if len(kinds) != 1 or (simple := _MEMBERS.get(kinds.pop())) is None:
        return _JSON
    texts = tuple(dict.fromkeys(each for each in values if isinstance(each, str) and is_utf8(each)))
    return replace(simple, members=texts)


def _union_type(choices: Sequence[Any], definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    schemas = choices_of(choices)
    kinds = [output_type(each, definitions, depth + 1) for each in schemas if each["type"] != "none"]
    # Two members may share a type and not a conversion (text and a URL): then only JSON is clear.
    if not kinds or any(each != kinds[0] for each in kinds):
        return _JSON
    known = all(each.members for each in kinds)
    return replace(kinds[0], members=tuple(dict.fromkeys(m for each in kinds for m in each.members)) if known else ())


def _referred(reference: str, definitions: Mapping[str, CoreDict], depth: int) -> OutputType:
    # The definition is hidden while it is read: a type that contains itself has no finite Arrow type.
    rest = {name: each for name, each in definitions.items() if name != reference}
    return output_type(definitions[reference], rest, depth + 1) if reference in definitions else _JSON
