"""Rows of Arrow as JSON texts, exactly or not at all."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import base64
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_jsonable_python

from skyhold.errors import UnwritableValueError
from skyhold.records.validation.python_values import Unreadable, python_values

__all__ = ["JsonEncoder", "NonFinite"]

NonFinite = Literal["refuse", "null"]


class JsonEncoder:
    """Turns batches into one JSON object a row.

    Args:
        schema: The columns.
        non_finite: ``"refuse"`` raises at NaN and infinities, ``"null"`` writes null.
        indent: Whether objects are spread over lines.

    Example:
        >>> batch = pa.record_batch({"a": [1, None], "b": [1.5, float("nan")]})
        >>> JsonEncoder(batch.schema, "null").encode(batch)
        [b'{"a":1,"b":1.5}', b'{"a":null,"b":null}']
    """

    def __init__(self, schema: pa.Schema, non_finite: NonFinite, *, indent: bool = False) -> None:
        self._names = list(schema.names)
        self._refuses = non_finite == "refuse"
        self._options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)

    def encode(self, batch: pa.RecordBatch) -> list[bytes]:
        """Return a batch's rows.

        Raises:
            UnwritableValueError: JSON has no form for a value.
        """
        columns = [self._values(name, column) for name, column in zip(self._names, batch.columns, strict=True)]
        return [
            orjson.dumps(dict(zip(self._names, row, strict=True)), default=_plain, option=self._options)
            for row in zip(*columns, strict=True)
        ]

    def _values(self, name: str, column: pa.Array) -> list[Any]:
        if self._refuses and _has_non_finite(column):
            raise UnwritableValueError(
                f"column {name!r} has NaN or an infinity, which JSON has not", remedy="Pass non_finite='null'"
            )
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            return pc.replace_substring(pc.cast(column, pa.string()), " ", "T").to_pylist()
        values = python_values(column)
        for value in values:
            if type(value) is Unreadable:
                raise UnwritableValueError(f"column {name!r}: {value.why}", remedy="Write Parquet or Arrow instead")
        return values


def _has_non_finite(column: pa.Array) -> bool:
    kind = column.type
    if pa.types.is_floating(kind):
        wide = pc.cast(column, pa.float64()) if pa.types.is_float16(kind) else column
        return bool(pc.any(pc.invert(pc.is_finite(wide))).as_py())
    if pa.types.is_struct(kind):
        return any(_has_non_finite(each) for each in column.flatten())
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return any(
            _has_non_finite(each)
            for each in ([column.keys, column.items] if pa.types.is_map(kind) else [column.flatten()])
        )
    return False


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        del sign, digits
        return orjson.Fragment(str(value)) if exponent == 0 else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return to_jsonable_python(value)
    return str(value)
