"""One field at a time: kernels, pydantic-core over a whole column, and defaults of absent columns."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from skyhold.records.validation.arrow import Array, pa, pc
from skyhold.records.validation.arrow_types import OutputType
from skyhold.records.validation.kernels import Kernel
from skyhold.records.validation.shape import FieldShape, ModelShape
from skyhold.records.validation.values import OverflowedError

__all__ = ["ColumnJudge", "DefaultJudge", "FieldJudge", "KernelJudge", "absent_judge"]


class _Failed:
    """What stands in a list for a value that pydantic or the output type refused."""


_FAILED = _Failed()


class FieldJudge(Protocol):
    """Judges one field of many rows at once; never accepts what pydantic would refuse."""

    def judge(self, texts: Array, rows: int) -> tuple[Array, Array]:
        """Judge one column.

        Args:
            texts: The column that feeds the field, without nulls; None if there is none.
            rows: How many rows there are.

        Returns: Which rows are accepted, and the typed values (anything where not accepted).
        """
        ...


class KernelJudge:
    """A kernel, with empty cells as None where the field takes None."""

    def __init__(self, kernel: Kernel, *, empty_is_none: bool) -> None:
        self._kernel = kernel
        self._empty_is_none = empty_is_none

    def judge(self, texts: Array, rows: int) -> tuple[Array, Array]:
        del rows
        accepted, typed = self._kernel.accept(texts)
        if self._empty_is_none:
            empty = pc.equal(pc.binary_length(texts), 0)
            if empty.true_count:
                return pc.or_(accepted, empty), pc.if_else(empty, None, typed)
        return accepted, typed


class ColumnJudge:
    """Pydantic-core on all values of one field in one call.

    A default of ``_FAILED`` on error marks refused values, so that one pass is enough: the rows they
    are in go to pydantic whole, which words the errors.
    """

    def __init__(self, field: FieldShape, shape: ModelShape, output: OutputType, *, empty_is_none: bool) -> None:
        marked = core_schema.with_default_schema(cast("CoreSchema", field.schema), default=_FAILED, on_error="default")
        listed: CoreSchema = core_schema.list_schema(marked)
        if shape.definitions:
            listed = core_schema.definitions_schema(listed, cast("list[CoreSchema]", list(shape.definitions.values())))
        self._validator = SchemaValidator(listed, cast("CoreConfig", shape.config))
        self._output = output
        self._empty_is_none = empty_is_none

    def judge(self, texts: Array, rows: int) -> tuple[Array, Array]:
        cells: list[str | None] = texts.to_pylist()
        if self._empty_is_none:
            cells = [cell or None for cell in cells]
        try:
            found: list[Any] = self._validator.validate_python(cells)
        except Exception:  # noqa: BLE001 - validators may raise anything
            found = []
        if len(found) != rows:
            # A validator raised something of its own, or left a value out: ask for each value by itself.
            found = [self._judge_one(cell) for cell in cells]
        return _build(found, self._output)

    def _judge_one(self, cell: str | None) -> object:
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

    def judge(self, texts: Array, rows: int) -> tuple[Array, Array]:
        del texts
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
    converted: list[object] = []
    accepted: list[bool] = []
    for each in found:
        good, value = False, None
        if each is not _FAILED:
            try:
                value = output.convert_one(each)
                good = True
            except OverflowedError:
                pass
        accepted.append(good)
        converted.append(value)
    return pa.array(accepted, pa.bool_()), output.build(converted)
