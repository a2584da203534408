"""One field at a time: kernels, pydantic-core over a whole column, and defaults of absent columns."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from skyhold.records.stopping import check_stop
from skyhold.records.validation.arrow import Array, DataType, pa, pc
from skyhold.records.validation.kernels import Kernel
from skyhold.records.validation.output import OutputType, by_dictionary
from skyhold.records.validation.python_values import Unreadable
from skyhold.records.validation.shape import FieldShape, ModelShape

__all__ = ["ColumnJudge", "DefaultJudge", "FieldJudge", "KernelJudge", "absent_judge"]


_PIECE_ROWS = 512


class _Failed:
    """What stands in a list for a value that pydantic or the output type refused."""


_FAILED = _Failed()


class FieldJudge(Protocol):
    """Judges one field of many rows at once; never accepts what pydantic would refuse."""

    def judge(self, cells: Array, rows: int) -> tuple[Array, Array]:
        """Judge one column.

        Args:
            cells: The column that feeds the field; None if there is none.
            rows: How many rows there are.

        Returns: Which rows are accepted, and the typed values (anything where not accepted).
        """
        ...


class KernelJudge:
    """A kernel, beside a test for what is no value at all.

    Args:
        kernel: Judges the values.
        is_none: Finds the cells that are None; without it there are none.
        takes_none: Whether those are accepted.
        target: The output column's type, where the kernel's values must become others.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        is_none: Callable[[Array], Array] | None = None,
        takes_none: bool = True,
        target: DataType | None = None,
    ) -> None:
        self._kernel = kernel
        self._is_none = is_none
        self._takes_none = takes_none
        self._target = target

    def judge(self, cells: Array, rows: int) -> tuple[Array, Array]:
        del rows
        accepted, typed = self._kernel.accept(cells)
        if self._target is not None and typed.type != self._target:
            accepted, typed = _fit(accepted, typed, self._target)
        none = None if self._is_none is None else self._is_none(cells)
        if none is None or not none.true_count:
            return accepted, typed
        if self._takes_none:
            return pc.or_(accepted, none), _without(none, typed)
        return pc.and_not(accepted, none), typed


def _without(none: Array, typed: Array) -> Array:
    if not pa.types.is_dictionary(typed.type):
        return pc.if_else(none, None, typed)
    # Arrow would make a dictionary of what is left, another one for every batch.
    return by_dictionary(pc.if_else(none, None, typed.indices), typed.dictionary)


def _fit(accepted: Array, typed: Array, target: DataType) -> tuple[Array, Array]:
    """Turn accepted values into another type; those that it does not hold exactly are no longer accepted."""
    kept = _without(pc.invert(accepted), typed)
    try:
        found = pc.cast(kept, target, safe=False)
        same = pc.equal(pc.cast(found, typed.type, safe=False), kept)
        if pa.types.is_unsigned_integer(target):
            same = pc.and_(same, pc.greater_equal(kept, 0))  # -1 becomes 2**64 - 1, and that -1 again
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Some value is out of range, or Arrow knows no way: pydantic and Python look at each.
        return pa.repeat(False, len(typed)), pa.nulls(len(typed), target)
    return pc.and_(accepted, pc.fill_null(same, fill_value=False)), found


class ColumnJudge:
    """Pydantic-core on all values of one field in one call.

    A default of ``_FAILED`` on error marks refused values, so that one pass is enough: the rows they
    are in go to pydantic whole, which words the errors.
    """

    def __init__(
        self, field: FieldShape, shape: ModelShape, output: OutputType, values: Callable[[Array], list[Any]]
    ) -> None:
        marked = core_schema.with_default_schema(cast("CoreSchema", field.schema), default=_FAILED, on_error="default")
        listed: CoreSchema = core_schema.list_schema(marked)
        if shape.definitions:
            listed = core_schema.definitions_schema(listed, cast("list[CoreSchema]", list(shape.definitions.values())))
        self._validator = SchemaValidator(listed, cast("CoreConfig", shape.config))
        self._output = output
        self._values = values

    def judge(self, cells: Array, rows: int) -> tuple[Array, Array]:
        values = self._values(cells)
        step = self._output.piece_rows or _PIECE_ROWS
        pieces = [self._judge_piece(values[at : at + step]) for at in range(0, max(rows, 1), step)]
        return pa.concat_arrays([accepted for accepted, _ in pieces]), pa.concat_arrays([typed for _, typed in pieces])

    def _judge_piece(self, values: list[Any]) -> tuple[Array, Array]:
        check_stop()
        try:
            found: list[Any] = self._validator.validate_python(values)
        except Exception:  # noqa: BLE001 - validators may raise anything
            found = []
        if len(found) != len(values) or any(type(value) is Unreadable for value in values):
            # A validator raised something of its own, or left a value out: ask for each value by itself.
            found = [self._judge_one(value) for value in values]
        return _build(found, self._output)

    def _judge_one(self, cell: object) -> object:
        if type(cell) is Unreadable:
            return _FAILED
        try:
            found: list[Any] = self._validator.validate_python([cell])
        except Exception:  # noqa: BLE001 - validators may raise anything
            return _FAILED
        return found[0] if found else _FAILED


class DefaultJudge:
    """The default of a field that no column feeds: the same for all rows, or made anew for each."""

    def __init__(self, make: Callable[[], object], output: OutputType, *, once: bool) -> None:
        self._make = make
        self._output = output
        self._once = once

    def judge(self, cells: Array, rows: int) -> tuple[Array, Array]:
        del cells
        if not self._once:
            return _build([self._make_one() for _ in range(rows)], self._output)
        accepted, typed = _build([self._make_one()], self._output)
        places = pa.repeat(0, rows)
        return accepted.take(places), typed.take(places)

    def _make_one(self) -> object:
        try:
            return self._make()
        except Exception:  # noqa: BLE001 - default factories may raise anything
            return _FAILED


def absent_judge(field: FieldShape, shape: ModelShape, output: OutputType) -> tuple[DefaultJudge, str]:
    """Return the judge of a field that no column feeds and that is not required, and what it does."""
    if field.schema["type"] != "default":
        return DefaultJudge(lambda: None, output, once=True), "no column feeds it: left empty"
    wrapped = cast("CoreSchema", field.schema)
    if shape.definitions:
        wrapped = core_schema.definitions_schema(wrapped, cast("list[CoreSchema]", list(shape.definitions.values())))
    validator = SchemaValidator(wrapped, cast("CoreConfig", shape.config))

    def make() -> object:
        found = validator.get_default_value()
        return _FAILED if found is None else found.value

    checked = bool(field.schema.get("validate_default", shape.config.get("validate_default", False)))
    if "default" in field.schema and not checked:
        default: Any = field.schema["default"]
        return DefaultJudge(lambda: default, output, once=True), "no column feeds it: its default"
    return DefaultJudge(make, output, once=False), "no column feeds it: its default, made for each row"


def _build(found: Sequence[object], output: OutputType) -> tuple[Array, Array]:
    is_good = [each is not _FAILED for each in found]
    typed, failed = output.build([each for each in found if each is not _FAILED])
    accepted = pa.array(is_good, pa.bool_())
    if not failed and len(typed) == len(found):
        return accepted, typed
    fits: Array = pa.array([place not in failed for place in range(len(typed))], pa.bool_())
    places = pc.if_else(accepted, pc.subtract(pc.cumulative_sum(pc.cast(accepted, pa.int64())), 1), None)
    return pc.replace_with_mask(accepted, accepted, fits), typed.take(places)
