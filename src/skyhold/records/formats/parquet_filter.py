"""Filters on Parquet: which columns they look at, which row groups they rule out, which rows they keep."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.acero as ac
import pyarrow.compute as pc
import pyarrow.dataset as ds

from skyhold.errors import SchemaError
from skyhold.records.formats.adapter import Batch

__all__ = ["RowFilter"]


class RowFilter:
    """An expression over the columns of one file.

    Args:
        expression: What is true of the rows that are kept; a row for which it is null is not kept.
        schema: The file's columns.
        uri: The file, for errors.

    Raises:
        SchemaError: It names other columns, or compares what cannot be compared, or is no yes-or-no question.
    """

    def __init__(self, expression: Any, schema: pa.Schema, uri: str) -> None:
        self._expression = expression
        try:
            answer = self._ask(pa.RecordBatch.from_pylist([], schema))
        except (pa.ArrowException, TypeError) as error:
            raise SchemaError(
                f"the filter {expression!s} cannot be asked of {uri!r}: {error}",
                remedy=f"It has {', '.join(f'{field.name} ({field.type})' for field in schema)}",
            ) from error
        if not pa.types.is_boolean(answer.type):
            raise SchemaError(f"the filter {expression!s} is {answer.type}, not true or false", remedy="Compare it")
        self.columns = [name for name in schema.names if not self._can_do_without(name, schema)]
        """The columns that the expression looks at."""

    def _can_do_without(self, name: str, schema: pa.Schema) -> bool:
        """Find out by asking: an expression does not tell what it refers to."""
        others = pa.schema([field for field in schema if field.name != name])
        try:
            self._ask(pa.RecordBatch.from_pylist([], others))
        except pa.ArrowInvalid:
            return False
        return True

    def prune(self, metadata: Any, groups: Sequence[int]) -> list[int]:
        """Return the row groups that may hold rows to keep, by their statistics."""
        footer = io.BytesIO()
        metadata.write_metadata_file(footer)
        fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(footer.getvalue()))
        possible = {group.id for group in fragment.subset(filter=self._expression).row_groups}
        return [group for group in groups if group in possible]

    def keep(self, batch: Batch) -> Batch:
        """Return the rows that the filter is true of, with their numbers in the file."""
        mask = pc.fill_null(self._ask(batch.data), fill_value=False)
        dropped = [batch.row_number(index) for index in pc.indices_nonzero(pc.invert(mask)).to_pylist()]
        if not dropped:
            return batch
        skipped = tuple(sorted([*batch.skipped, *dropped]))
        return Batch(batch.data.filter(mask), batch.source, batch.first_row, skipped, batch.malformed)

    def _ask(self, data: pa.RecordBatch) -> pa.Array:
        plan = [
            ac.Declaration("table_source", ac.TableSourceNodeOptions(pa.Table.from_batches([data]))),
            ac.Declaration("project", ac.ProjectNodeOptions([self._expression], ["kept"])),
        ]
        answer = ac.Declaration.from_sequence(plan).to_table(use_threads=False)
        return answer.column(0).combine_chunks()
