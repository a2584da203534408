"""Kernels for columns that have a type already: the same checks, without reading text."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from skyhold.records.validation.arrow import Array, DataType, pa, pc
from skyhold.records.validation.kernel_choice import choose_kernel
from skyhold.records.validation.kernels import (
    BoolKernel,
    DecimalKernel,
    EmailKernel,
    Kernel,
    MemberKernel,
    NumberKernel,
    TextKernel,
    TimeKernel,
)
from skyhold.records.validation.shape import CoreDict

__all__ = ["choose_typed_kernel", "is_text"]

_EXACT = 1 << 53
_LARGEST = (1 << 63) - 1
# A time zone may move instants of the first or last day out of Python's range: pydantic judges those.
_FIRST, _LAST = datetime(1, 1, 2), datetime(9999, 12, 31)  # noqa: DTZ001 - compared as naive, and as UTC


def is_text(arrow_type: DataType) -> bool:
    """Tell whether values of a type are texts, plain or by dictionary."""
    if pa.types.is_dictionary(arrow_type):
        return is_text(arrow_type.value_type)
    types = pa.types
    return types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type)


def choose_typed_kernel(schema: CoreDict, config: CoreDict, cells: DataType, output: DataType) -> Kernel | str:
    """Return the kernel of a field that a column of some type feeds, or why it has none.

    Its nulls are neither accepted nor refused: they are the caller's affair.

    Args:
        schema: The field's core schema.
        config: The model's.
        cells: The column's type.
        output: The field's output type.
    """
    kernel = choose_kernel(schema, config)
    if isinstance(kernel, str):
        return kernel
    if isinstance(kernel, TimeKernel) and pa.types.is_timestamp(cells) and kernel.arrow_type != output:
        if kernel.bounds:
            return "bounds without a time zone"
        kernel = replace(kernel, arrow_type=output)
    if is_text(cells):
        return _OfText(kernel)
    read = _reader(kernel, cells)
    if read is None:
        return f"no columnar equivalent of {cells} to {output}"
    return _OfValues(read, kernel)


def _reader(kernel: Kernel, cells: DataType) -> "Callable[[Array], tuple[Array, Array]] | None":  # noqa: PLR0911 - one return a pair
    match kernel:
        case TextKernel() | EmailKernel() | MemberKernel():
            return None
        case BoolKernel():
            return _plain if pa.types.is_boolean(cells) else None
        case DecimalKernel() if pa.types.is_decimal(cells):
            return partial(_decimals, kernel.arrow_type)
        case NumberKernel() if pa.types.is_integer(cells):
            return _integers_as_integers if pa.types.is_integer(kernel.arrow_type) else _integers_as_floats
        case NumberKernel() if pa.types.is_floating(cells):
            return _floats_as_integers if pa.types.is_integer(kernel.arrow_type) else _floats_as_floats
        case TimeKernel() if pa.types.is_date32(kernel.arrow_type):
            return _dates if pa.types.is_date32(cells) else None
        case TimeKernel() if pa.types.is_timestamp(cells):
            same_kind = (cells.tz is None) == (kernel.arrow_type.tz is None)
            return _nanoseconds if same_kind and cells.unit == "ns" else _moments if same_kind else None
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _OfText:
    kernel: Kernel

    def accept(self, texts: Array) -> tuple[Array, Array]:
        plain = texts if pa.types.is_string(texts.type) else pc.cast(texts, pa.string())
        return self.kernel.accept(pc.fill_null(plain, "") if plain.null_count else plain)


@dataclass(frozen=True, slots=True)
class _OfValues:
    read: Callable[[Array], tuple[Array, Array]]
    kernel: Kernel

    def accept(self, texts: Array) -> tuple[Array, Array]:
        accepted, values = self.read(texts)
        if isinstance(self.kernel, TimeKernel) and pa.types.is_timestamp(values.type):
            values = pc.cast(values, self.kernel.arrow_type)
        check: Any = getattr(self.kernel, "check", None)
        return (accepted, values) if check is None else check(accepted, values)


def _plain(values: Array) -> tuple[Array, Array]:
    return pc.is_valid(values), values


def _only(readable: Array, values: Array, target: DataType) -> tuple[Array, Array]:
    """Return which values are readable, and those as ``target``."""
    readable = pc.fill_null(readable, fill_value=False)
    kept = values if readable.true_count == len(readable) else pc.if_else(readable, values, None)
    return readable, kept if kept.type == target else pc.cast(kept, target)


def _integers_as_integers(values: Array) -> tuple[Array, Array]:
    fits = (
        pc.less_equal(values, pa.scalar(_LARGEST, pa.uint64()))
        if pa.types.is_uint64(values.type)
        else pc.is_valid(values)
    )
    return _only(fits, values, pa.int64())


def _integers_as_floats(values: Array) -> tuple[Array, Array]:
    accepted, wide = _integers_as_integers(values)
    return _only(pc.and_(accepted, _is_exact(wide)), wide, pa.float64())


def _floats_as_floats(values: Array) -> tuple[Array, Array]:
    wide = pc.cast(values, pa.float64())
    return _only(pc.is_finite(wide), wide, pa.float64())


def _floats_as_integers(values: Array) -> tuple[Array, Array]:
    wide = pc.cast(values, pa.float64())
    return _only(pc.and_(pc.equal(pc.floor(wide), wide), _is_exact(wide)), wide, pa.int64())


def _decimals(target: DataType, values: Array) -> tuple[Array, Array]:
    try:
        return pc.is_valid(values), pc.cast(values, target)
    except pa.ArrowInvalid:  # some value would be rounded, or is too large: pydantic looks at each
        return pa.repeat(False, len(values)), pa.nulls(len(values), target)


def _is_exact(values: Array) -> Array:
    return pc.and_(pc.less_equal(values, _EXACT), pc.greater_equal(values, -_EXACT))


def _dates(values: Array) -> tuple[Array, Array]:
    first, last = pa.scalar(date.min, pa.date32()), pa.scalar(date.max, pa.date32())
    return _only(pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last)), values, pa.date32())


def _moments(values: Array) -> tuple[Array, Array]:
    first, last = (pa.scalar(each, pa.timestamp(values.type.unit)).cast(values.type) for each in (_FIRST, _LAST))
    inside = pc.and_(pc.greater_equal(values, first), pc.less(values, last))
    return _only(inside, values, pa.timestamp("us", tz=values.type.tz))


def _nanoseconds(values: Array) -> tuple[Array, Array]:
    counts = pc.cast(values, pa.int64())
    thousands = pc.divide(counts, 1000)
    return _only(pc.equal(pc.multiply(thousands, 1000), counts), thousands, pa.timestamp("us", tz=values.type.tz))
