"""How the cells of a batch are read for validation: texts, or typed values; lines of JSON are in `json_cells`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import Array, RecordBatch, Schema, pa, pc
from skyhold.records.validation.columns import ColumnJudge, FieldJudge, KernelJudge
from skyhold.records.validation.kernel_choice import choose_kernel
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.python_values import as_dicts, python_rows, python_values
from skyhold.records.validation.rows import UnreadableRow
from skyhold.records.validation.shape import FieldShape, ModelShape, accepts_none
from skyhold.records.validation.typed_kernels import choose_typed_kernel

__all__ = ["Cells", "Read", "TextCells", "TypedCells"]


@dataclass(frozen=True, slots=True)
class Read:
    """A batch, read.

    Attributes:
        columns: What kernels and column judges work on, by column name.
        readable: Which rows could be read so; None for all. The others go to pydantic whole.
        rows: Gives rows as pydantic wants them: those of these indices, or all.
    """

    columns: dict[str, Array]
    readable: Array | None
    rows: Callable[[Array | None], Sequence[Any]]


class Cells(Protocol):
    """Reads batches of one layout, and knows which judge a field of it gets.

    Attributes:
        row_reason: Why rows must go to pydantic whole; empty if they need not.
    """

    row_reason: str

    def judge(self, field: FieldShape, shape: ModelShape, output: OutputType) -> tuple[FieldJudge, str]:
        """Return the judge of a field that a column feeds, and why it is this one."""
        ...

    def as_extra(self, cells: Array) -> Array:
        """Return what an extra column holds, in the type that the plan has for it."""
        ...

    def from_dicts(self, rows: Sequence[dict[str, Any]]) -> Sequence[Any]:
        """Return rows, given as dicts, as pydantic wants them."""
        ...

    def read(self, batch: RecordBatch) -> Read:
        """Read a batch.

        Raises:
            SchemaError: It has another layout.
        """
        ...


class TextCells:
    """Texts, where an empty one is None if all fields that its column feeds take None."""

    row_reason = ""

    def __init__(self, columns: Sequence[str], shape: ModelShape) -> None:
        self._columns = tuple(columns)
        self._none_columns = _none_columns(shape)

    def judge(self, field: FieldShape, shape: ModelShape, output: OutputType) -> tuple[FieldJudge, str]:
        empty_is_none = field.column in self._none_columns
        kernel = choose_kernel(field.schema, shape.config)
        if not isinstance(kernel, str):
            return KernelJudge(
                kernel, is_none=_is_empty if empty_is_none else None, target=output.target
            ), kernel_words(kernel)
        values = self._texts_or_none if empty_is_none else _texts
        return ColumnJudge(field, shape, output, values), kernel

    def as_extra(self, cells: Array) -> Array:
        return pc.if_else(_is_empty(cells), None, cells)

    def from_dicts(self, rows: Sequence[dict[str, Any]]) -> Sequence[Any]:
        none = self._none_columns
        return [{name: None if cell == "" and name in none else cell for name, cell in row.items()} for row in rows]

    def read(self, batch: RecordBatch) -> Read:
        cells = {name: _read_text(name, column) for name, column in _by_name(batch, self._columns).items()}

        def rows(places: Array | None) -> list[dict[str, Any]]:
            lists = {
                name: (self._texts_or_none if name in self._none_columns else _texts)(column)
                for name, column in _picked(cells, places).items()
            }
            return as_dicts(lists, batch.num_rows if places is None else len(places))

        return Read(cells, None, rows)

    @staticmethod
    def _texts_or_none(column: Array) -> list[Any]:
        return [each or None for each in column.to_pylist()]


class TypedCells:
    """Values of their columns' types."""

    row_reason = ""

    def __init__(self, schema: Schema) -> None:
        self._columns = tuple(schema.names)
        self._types = {field.name: field.type for field in schema}

    def judge(self, field: FieldShape, shape: ModelShape, output: OutputType) -> tuple[FieldJudge, str]:
        assert field.column is not None
        kernel = choose_typed_kernel(field.schema, shape.config, self._types[field.column], output.kernel_type)
        if not isinstance(kernel, str):
            takes_none = accepts_none(field.schema, shape.definitions)
            return KernelJudge(kernel, is_none=pc.is_null, takes_none=takes_none, target=output.target), kernel_words(
                kernel
            )
        return ColumnJudge(field, shape, output, python_values), kernel

    def as_extra(self, cells: Array) -> Array:
        return cells

    def from_dicts(self, rows: Sequence[dict[str, Any]]) -> Sequence[Any]:
        return rows

    def read(self, batch: RecordBatch) -> Read:
        cells = _by_name(batch, self._columns)
        for name, column in cells.items():
            if column.type != self._types[name]:
                raise SchemaError(f"column {name!r} is {column.type} in this batch, and {self._types[name]} in others")

        def rows(places: Array | None) -> list[Any]:
            found, bad = python_rows(_picked(cells, places), batch.num_rows if places is None else len(places))
            return [UnreadableRow(bad[place]) if place in bad else row for place, row in enumerate(found)]

        return Read(cells, None, rows)


def kernel_words(kernel: object) -> str:
    """Return what a kernel does, for `explain`."""
    inner = getattr(kernel, "kernel", kernel)
    return f"{type(inner).__name__.removesuffix('Kernel').lower()} check and cast"


def _is_empty(texts: Array) -> Array:
    return pc.equal(pc.binary_length(texts), 0)


def _texts(column: Array) -> list[Any]:
    return column.to_pylist()


def _none_columns(shape: ModelShape) -> frozenset[str]:
    """Return the columns whose empty cells are None: all that they feed accepts None."""
    takes: dict[str, bool] = dict.fromkeys(shape.unknown, shape.extra_takes_none)
    for field in shape.fields:
        if field.column is not None:
            takes[field.column] = takes.get(field.column, True) and accepts_none(field.schema, shape.definitions)
    return frozenset(name for name, none in takes.items() if none)


def _by_name(batch: RecordBatch, columns: tuple[str, ...]) -> dict[str, Array]:
    if tuple(batch.schema.names) != columns:
        raise SchemaError(
            f"the plan is for columns {list(columns)!r}, and the batch has {batch.schema.names!r}",
            remedy="Build a plan for the columns of this input.",
        )
    return dict(zip(columns, batch.columns, strict=True))


def _read_text(name: str, column: Array) -> Array:
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise SchemaError(f"column {name!r} is {kind}, not text", remedy="Build the plan with kind='typed'.")
    texts = column if pa.types.is_string(kind) else pc.cast(column, pa.string())
    return pc.fill_null(texts, "") if texts.null_count else texts


def _picked(cells: Mapping[str, Array], places: Array | None) -> dict[str, Array]:
    return dict(cells) if places is None else {name: column.take(places) for name, column in cells.items()}
