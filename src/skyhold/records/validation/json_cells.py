"""Lines of JSON for validation: typed columns for the kernels, the line itself for pydantic."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import Array, DataType, RecordBatch, pa, pc
from skyhold.records.validation.cells import Read, kernel_words
from skyhold.records.validation.columns import FieldJudge, KernelJudge
from skyhold.records.validation.json_lines import LineParser
from skyhold.records.validation.kernel_choice import choose_kernel
from skyhold.records.validation.kernels import BoolKernel, Kernel, NumberKernel
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.shape import FieldShape, ModelShape, accepts_none
from skyhold.records.validation.typed_kernels import choose_typed_kernel

__all__ = ["JsonCells", "lines_of"]


class JsonCells:
    """Lines, a JSON object each.

    A model whose fields all have kernels is judged by columns; any other has pydantic read every line.
    """

    def __init__(self, shape: ModelShape) -> None:
        types = shape.row_reason or _key_types(shape)
        self._types = {} if isinstance(types, str) else types
        self.row_reason = types if isinstance(types, str) else ""
        keys = pa.schema(list(self._types.items()))
        self._parser = None if self.row_reason else LineParser(keys, forbid=shape.extra == "forbid")

    def judge(self, field: FieldShape, shape: ModelShape, output: OutputType) -> tuple[FieldJudge, str]:
        assert field.column is not None
        kernel = choose_typed_kernel(field.schema, shape.config, self._types[field.column], output.kernel_type)
        assert not isinstance(kernel, str)
        # A key that is absent reads as null: they are alike only where the default is None.
        optional = field.schema["type"] == "default" and field.schema.get("default", ...) is None
        takes_none = optional and accepts_none(field.schema, shape.definitions)
        return KernelJudge(kernel, is_none=pc.is_null, takes_none=takes_none, target=output.target), kernel_words(
            kernel
        )

    def as_extra(self, cells: Array) -> Array:
        return cells

    def from_dicts(self, rows: Sequence[dict[str, Any]]) -> Sequence[Any]:
        return [to_json(row) for row in rows]

    def read(self, batch: RecordBatch) -> Read:
        lines = lines_of(batch)

        def rows(places: Array | None) -> Sequence[Any]:
            return (lines if places is None else lines.take(places)).to_pylist()

        if self._parser is None:
            return Read({}, None, rows)
        columns, readable = self._parser.parse(lines)
        return Read(columns, readable, rows)


def lines_of(batch: RecordBatch) -> Array:
    """Return the lines of a batch.

    Raises:
        SchemaError: It is no column of bytes alone.
    """
    if batch.num_columns != 1 or not pa.types.is_binary(batch.schema.types[0]):
        raise SchemaError(f"lines of JSON are one column of bytes, and the batch has {batch.schema.names!r}")
    return batch.column(0)


def _key_types(shape: ModelShape) -> dict[str, DataType] | str:
    """Return the type to parse each key as, or why whole lines must go to pydantic."""
    if shape.extra == "allow":
        return "extra='allow' keeps what a line holds beside the fields"
    types: dict[str, DataType] = {}
    for field in shape.fields:
        if field.column is None:
            return f"no single key feeds {field.name!r}"
        kernel = choose_kernel(field.schema, shape.config)
        if isinstance(kernel, str):
            return f"{field.name!r}: {kernel}"
        kind = _type_for(kernel)
        if types.setdefault(field.column, kind) != kind:
            return f"two fields read key {field.column!r} differently"
    return types


def _type_for(kernel: Kernel) -> DataType:
    if isinstance(kernel, NumberKernel):
        return kernel.arrow_type
    return pa.bool_() if isinstance(kernel, BoolKernel) else pa.string()
