"""Parquet, typed and compressed."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.errors import BadOptionError, MalformedInputError, SchemaError
from skyhold.records.formats.adapter import (
    Batch,
    InputStream,
    OutputStream,
    Passed,
    PieceForm,
    Source,
)
from skyhold.records.formats.object_shards import Division, Likeness, ObjectPart
from skyhold.records.formats.objects import (
    ObjectInputAdapter,
    ObjectOutputAdapter,
    ObjectPlace,
    ObjectUris,
)
from skyhold.records.formats.parquet_plan import AHEAD_BYTES, MOST_ROWS, fitting_rows, plan_reads
from skyhold.records.formats.parquet_shards import ParquetCut, cut_row_groups, read_layouts, read_tail
from skyhold.records.formats.parquet_sink import open_sink
from skyhold.records.formats.parquet_types import (
    exact_schema,
    restore_types,
    unite_leaves,
)
from skyhold.records.formats.planned import PlannedReader, told_of
from skyhold.records.formats.selection import Window, check_names, check_numbers, pick_columns
from skyhold.records.formats.soundness import check_batch

if TYPE_CHECKING:
    from skyhold.records.formats.parquet_filter import RowFilter

__all__ = ["ParquetInputAdapter", "ParquetOutputAdapter"]

Compression = Literal["zstd", "snappy", "gzip", "lz4", "none"]

_STREAM_BUFFER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Selection:
    columns: tuple[str, ...] | None
    row_groups: tuple[int, ...] | None
    filter: Any
    batch_size: int | None
    limit: int | None
    offset: int


class ParquetInputAdapter(ObjectInputAdapter):
    """Read one Parquet object: the bytes of the columns and row groups that are wanted, in few requests.

    Columns have the types that they were written with; row numbers are those in the file, whatever is selected.

    Args:
        uri: Where it is; many objects are read as one, as `skyhold.records.formats.objects.ObjectInputAdapter` says.
        columns: Names of top-level columns, in the order wanted; all without it.
        row_groups: Numbers of row groups, from 0, in the order wanted; all without it.
        filter: A `pyarrow.compute.Expression`: rows for which it is true are read. Row groups whose statistics rule
            every row out are not fetched.
        batch_size: Rows in a batch at most; without it, some megabytes.
        limit: Rows to read at most, counted after ``filter`` and ``offset``.
        offset: Rows of one object to pass over first, counted after ``filter``.
        int96_unit: What old time stamps (INT96) become: ``"us"`` holds every one of them that Spark writes; ``"ns"``
            loses no digits, and holds the years 1678 to 2262 only.
        **options: As for `skyhold.records.formats.objects.ObjectInputAdapter`.

    Example:
        >>> import io, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
        >>> from skyhold.storage.opening import open_store
        >>> file = io.BytesIO()
        >>> pq.write_table(pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]}), file)
        >>> _ = open_store("memory://parquet-example").write("in.parquet", file.getvalue())
        >>> adapter = ParquetInputAdapter(
        ...     "memory://parquet-example/in.parquet", columns=["b"], filter=pc.field("a") > 1
        ... )
        >>> with adapter.open(lambda store: store) as stream:
        ...     [batch.data.to_pylist() for batch in stream.batches()]
        [[{'b': 'y'}, {'b': 'z'}]]
    """

    def __init__(
        self,
        uri: ObjectUris,
        *,
        columns: Sequence[str] | None = None,
        row_groups: Sequence[int] | None = None,
        filter: Any = None,  # noqa: A002 - what everybody calls it
        batch_size: int | None = None,
        limit: int | None = None,
        offset: int = 0,
        int96_unit: Literal["us", "ns"] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        check_numbers(batch_size, limit, offset)
        self._limit, self._offset = limit, offset
        self._selection = _Selection(
            None if columns is None else tuple(columns),
            None if row_groups is None else tuple(row_groups),
            filter,
            batch_size,
            limit,
            offset,
        )
        self._int96_unit = int96_unit

    def _open_one(self, place: ObjectPlace) -> InputStream:
        reader = PlannedReader(place)
        try:
            return _ParquetStream(reader, place.uri, self._selection, self._int96_unit)
        except BaseException:
            reader.close()
            raise

    def _divide(
        self, stream: InputStream, place: ObjectPlace, part: ObjectPart, division: Division
    ) -> Sequence[ParquetCut]:
        del place, part
        return stream.divide(division) if isinstance(stream, _ParquetStream) else ()

    def _open_cut(self, place: ObjectPlace, part: ObjectPart, like: Likeness) -> InputStream:
        del like
        cut: ParquetCut = part.cut
        reader = PlannedReader(place, known=(part.info, cut.tail))
        selection = replace(self._selection, row_groups=cut.row_groups)
        try:
            return _ParquetStream(reader, place.uri, selection, self._int96_unit, cut)
        except BaseException:
            reader.close()
            raise


class _ParquetStream(InputStream):
    def __init__(
        self,
        reader: PlannedReader,
        uri: str,
        selection: _Selection,
        int96_unit: str | None,
        cut: ParquetCut | None = None,
    ) -> None:
        self.kind = "typed"
        self._cut = cut
        self.sources = [Source(uri, reader.info)]
        self._reader = reader
        self._uri = uri
        self._asked = selection
        with told_of(reader, uri, "Parquet"):
            self._file = pq.ParquetFile(
                pa.PythonFile(reader, mode="r"),
                metadata=pq.read_metadata(pa.BufferReader(cut.tail)) if cut else None,
                buffer_size=_STREAM_BUFFER_BYTES,
                pre_buffer=False,  # the reader does it, for any size
                page_checksum_verification=True,
                coerce_int96_timestamp_unit=int96_unit,
            )
            whole = exact_schema(self._file)
            self._layouts = read_layouts(reader)
        check_names(whole, uri)
        if int96_unit is None:
            _refuse_int96(self._file.metadata.schema, uri)
        self._filter = self._open_filter(whole)
        self.schema = pick_columns(whole, selection.columns, uri)
        needed = {*self.schema.names, *(self._filter.columns if self._filter else ())}
        self._read_schema = pa.schema([field for field in whole if field.name in needed], whole.metadata)
        leaves = dict(zip(whole.names, unite_leaves(whole), strict=True))
        self._leaves = [leaf for name in self._read_schema.names for leaf in leaves[name]]
        self._groups, self._window = self._choose_groups()

    def _open_filter(self, whole: pa.Schema) -> "RowFilter | None":
        if self._asked.filter is None:
            return None
        from skyhold.records.formats.parquet_filter import RowFilter  # noqa: PLC0415 - 60 ms

        return RowFilter(self._asked.filter, whole, self._uri)

    def _choose_groups(self) -> tuple[list[int], Window]:
        """Leave out what no row is wanted of; return the rest and what to cut from its rows."""
        asked, count = self._asked, len(self._layouts)
        groups = list(range(count)) if asked.row_groups is None else list(asked.row_groups)
        for group in groups:
            if not 0 <= group < count or groups.count(group) > 1:
                raise BadOptionError(f"row_groups={groups!r}: {self._uri!r} has {count}, each can be named once")
        if self._filter is not None:
            return self._filter.prune(self._file.metadata, groups), Window(asked.offset, asked.limit)
        offset = asked.offset
        while groups and offset >= self._layouts[groups[0]].rows:
            offset -= self._layouts[groups.pop(0)].rows
        return groups, Window(offset, asked.limit)

    def batches(self) -> Iterator[Batch]:
        if self._window.is_full:
            return
        rows = None if self._filter is not None else self._window.reach
        layouts = [self._layouts[group] for group in self._groups]
        plan = plan_reads(layouts, self._leaves, rows)
        self._reader.plan(plan.spans, ahead_bytes=AHEAD_BYTES, perhaps=plan.perhaps)
        batch_rows = self._asked.batch_size or min(fitting_rows(layouts, self._leaves), rows or MOST_ROWS)
        with told_of(self._reader, self._uri, "Parquet"):
            for first_row, data in self._decode(batch_rows):
                batch = self._select(first_row, data)
                if batch.data.num_rows or batch.malformed:
                    yield batch
                if self._window.is_full:
                    return

    def _decode(self, batch_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield rows with the number of the first, a run of neighbouring row groups at a time."""
        counts = [layout.rows for layout in self._layouts]
        for _, numbered in groupby(enumerate(self._groups), key=lambda pair: pair[1] - pair[0]):
            run = [group for _, group in numbered]
            start = row = sum(counts[: run[0]]) + 1 - (self._cut.rows_before if self._cut else 0)
            for data in self._file.reader.iter_batches(
                batch_rows, row_groups=run, column_indices=self._leaves, use_threads=True
            ):
                yield row, data
                row += data.num_rows
            if row - start != sum(counts[group] for group in run):
                raise MalformedInputError(f"{self._uri!r} has fewer rows than its footer says")

    def _select(self, first_row: int, data: pa.RecordBatch) -> Batch:
        if self._filter is None:
            start, count = self._window.take(data.num_rows)
            data, first_row = data.slice(start, count), first_row + start
        batch = check_batch(restore_types(data, self._read_schema), self._uri, first_row)
        if self._filter is not None:
            batch = self._window.cut(self._filter.keep(batch))
        return replace(batch, data=batch.data.select(self.schema.names)) if self._asked.columns is not None else batch

    def divide(self, division: Division) -> list[ParquetCut]:
        """Return cuts of whole row groups; none where they are not read in the file's order."""
        numbers = self._asked.row_groups or tuple(range(len(self._layouts)))
        return cut_row_groups(self._layouts, self._leaves, numbers, read_tail(self._reader), division)

    def passed(self) -> Passed:
        return Passed(rows=self._cut.rows) if self._cut else Passed()

    def close(self) -> None:
        self._reader.close()


def _refuse_int96(schema: Any, uri: str) -> None:
    for number in range(len(schema)):
        if schema.column(number).physical_type == "INT96":
            raise SchemaError(
                f"column {schema.column(number).path!r} of {uri!r} is INT96: nanoseconds that may not fit a time stamp",
                remedy="Give int96_unit='us' (exact for files of Spark) or int96_unit='ns' (years 1678 to 2262 only)",
            )


class ParquetOutputAdapter(ObjectOutputAdapter):
    """Write one Parquet object: every page with a checksum, every column of a type that comes back as it was.

    Args:
        uri: Where to.
        compression: Codec of the pages.
        compression_level: How hard it tries; the codec's own choice without it.
        row_group_rows: Rows of a row group; readers fetch whole groups. A group also ends at 16 MiB of rows.
        statistics: Whether, or for which columns, the least and greatest values are kept for readers to skip by.
        dictionary: Whether, or for which columns, repeated values are stored once; without it, for those columns whose
            first rows repeat each value, on average, at least once.
        data_page_version: ``"2.0"`` leaves pages uncompressed that do not shrink; some readers know only ``"1.0"``.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        compression: Compression = "zstd",
        compression_level: int | None = None,
        row_group_rows: int = 128 * 1024,
        statistics: bool | Sequence[str] = True,
        dictionary: bool | Sequence[str] | None = None,
        data_page_version: Literal["1.0", "2.0"] = "1.0",
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        if row_group_rows < 1:
            raise BadOptionError(f"row_group_rows={row_group_rows!r} is less than 1")
        self._row_group_rows = row_group_rows
        self._options: dict[str, Any] = {
            "compression": compression,
            "compression_level": compression_level,
            "write_statistics": statistics if isinstance(statistics, bool) else list(statistics),
            "use_dictionary": dictionary if dictionary is None or isinstance(dictionary, bool) else list(dictionary),
            "data_page_version": data_page_version,
            "write_page_checksum": True,
        }

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        return open_sink(self._options, self._row_group_rows, place.store, place.key, schema)

    def piece_form(self, *, beside: bool) -> PieceForm:  # noqa: ARG002 - it is copied wherever it lies
        return functools.partial(open_sink, self._options, self._row_group_rows)
