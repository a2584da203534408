"""Decimals from their text, exactly or not at all."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from contextlib import suppress
from decimal import Decimal, InvalidOperation, localcontext

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PLAIN_NUMERIC", "decimal_type", "to_decimals"]

PLAIN_NUMERIC = pa.decimal256(76, 38)
"""``numeric`` without precision, whose digits are anybody's guess."""

_MOST_DIGITS_128, _MOST_DIGITS_256 = 38, 76


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """Return Arrow's narrowest type for ``numeric(precision, scale)``."""
    if precision > _MOST_DIGITS_256:
        return PLAIN_NUMERIC
    return pa.decimal128(precision, scale) if precision <= _MOST_DIGITS_128 else pa.decimal256(precision, scale)


def to_decimals(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, dict[int, str]]:
    """Return numbers, null where a text is none that ``kind`` holds exactly, and those texts by their place.

    Example:
        >>> values, wrong = to_decimals(pa.array(["1.50", "NaN", "0.125", "2e-216"]), pa.decimal128(5, 2))
        >>> values.to_pylist(), wrong
        ([Decimal('1.50'), None, None, None], {1: 'NaN', 2: '0.125', 3: '2e-216'})
    """
    # Arrow takes 2e-216 for nothing where a decimal has fewer places.
    if not pc.any(pc.match_substring_regex(texts, "[eE]")).as_py():
        with suppress(pa.ArrowInvalid):
            return texts.cast(kind), {}
    values: list[Decimal | None] = []
    wrong: dict[int, str] = {}
    for place, text in enumerate(texts.to_pylist()):
        value = None if text is None else _exact(text, kind)
        values.append(value)
        if value is None and text is not None:
            wrong[place] = text
    return pa.array(values, kind), wrong


def _exact(text: str, kind: pa.DataType) -> Decimal | None:
    with localcontext(prec=kind.precision):
        try:
            value = Decimal(text)
            scaled = value.quantize(Decimal(1).scaleb(-kind.scale))
        except InvalidOperation:
            return None
    return scaled if scaled == value else None
