"""Cells on their way into a table: exactly what the column holds, or an error that names it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import base64
import datetime as dt
from decimal import Decimal

import orjson
import pyarrow as pa

from skyhold.errors import MalformedInputError, SchemaError

__all__ = ["as_json", "fits", "is_list", "is_nested", "is_text", "plain_type", "to_type"]


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values, without dictionary or extension around them."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    return plain_type(kind.storage_type) if isinstance(kind, pa.BaseExtensionType) else kind


def is_list(kind: pa.DataType) -> bool:
    """Whether cells are lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def is_nested(kind: pa.DataType) -> bool:
    """Whether cells are structs, maps or lists."""
    return is_list(kind) or pa.types.is_struct(kind) or pa.types.is_map(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether cells are text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def fits(kind: pa.DataType, target: pa.DataType) -> bool:
    """Whether values of one type are, as they are, values of another; single ones may still be too large.

    Example:
        >>> fits(pa.int64(), pa.int32()), fits(pa.string(), pa.int32()), fits(pa.float64(), pa.decimal128(9, 2))
        (True, False, False)
    """
    tests = pa.types
    if kind == target or tests.is_null(kind) or (is_text(kind) and is_text(target)):
        return True
    if tests.is_integer(kind):
        return tests.is_integer(target) or tests.is_decimal(target) or tests.is_floating(target)
    if tests.is_timestamp(kind) and tests.is_timestamp(target):
        return (kind.tz is None) == (target.tz is None)
    if is_list(kind) and is_list(target):
        return fits(plain_type(kind.value_type), target.value_type)
    families = (tests.is_floating, tests.is_decimal, _is_binary, tests.is_date, tests.is_time, tests.is_duration)
    return any(family(kind) and family(target) for family in families)


def to_type(name: str, values: pa.Array, target: pa.DataType) -> pa.Array:
    """Return a column in a type, exactly.

    Raises:
        MalformedInputError: A value is too large or too fine for it.
    """
    if values.type == target:
        return values
    if isinstance(values, pa.ExtensionArray):
        return to_type(name, values.storage, target)
    if pa.types.is_dictionary(values.type):
        return to_type(name, values.dictionary_decode(), target)
    if pa.types.is_integer(values.type) and pa.types.is_decimal(target):
        values = values.cast(pa.decimal256(76, 0))
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise MalformedInputError(
            f"column {name!r} has a value that {target} cannot hold exactly: {error}",
            remedy="Widen the table's column, or reject such rows with a schema_model",
        ) from error


def as_json(values: pa.Array) -> pa.Array:
    """Return cells as JSON text: decimals, dates and times as text, binary as base64; maps as lists of pairs.

    Example:
        >>> as_json(pa.array([{"a": [1, None]}, None])).to_pylist()
        ['{"a":[1,null]}', None]
    """
    return pa.array([None if cell is None else _dump(cell) for cell in values.to_pylist()], pa.string())


def _dump(cell: object) -> str:
    return orjson.dumps(cell, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal | dt.timedelta):
        return str(value)
    raise SchemaError(f"a {type(value).__name__} inside a nested column has no JSON form")


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
