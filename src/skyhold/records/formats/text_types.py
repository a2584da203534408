"""Text without a model, typed on request: types from a sample; a later value that does not fit rejects its row."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import BadOptionError
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, Passed
from skyhold.records.formats.window import without_rows
from skyhold.records.validation.reading import AWARE_PATTERN, DATE_PATTERN, NAIVE_PATTERN, read_moments

__all__ = ["TypedStream", "check_sample_rows"]

_Read = Callable[[pa.Array], tuple[pa.Array, pa.Array]]

_INT = r"\A(?:0|-?[1-9][0-9]{0,18})\z"
_FLOAT = r"\A-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?\z"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_DAY_BYTES = 10
_INT_BYTES = 18


def check_sample_rows(rows: int) -> int:
    """Return the size of a sample.

    Raises:
        BadOptionError: It is below 1.
    """
    if rows < 1:
        raise BadOptionError(f"sample_rows={rows!r} is below 1", remedy="Give 1 or more")
    return rows


def _cast_where(read: pa.Array, texts: pa.Array, target: pa.DataType) -> tuple[pa.Array, pa.Array]:
    return read, pc.cast(pc.if_else(read, texts, None), target)


def _read_ints(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Read what is written as an int is; of texts of one length, their order is that of the numbers."""
    sizes, is_negative = pc.binary_length(texts), pc.starts_with(texts, "-")
    digits = pc.subtract(sizes, pc.cast(is_negative, pa.int32()))
    limit = pc.if_else(is_negative, f"{-(2**63)}", f"{2**63 - 1}")
    fits = pc.or_(pc.less_equal(digits, _INT_BYTES), pc.less_equal(texts, limit))
    return _cast_where(pc.and_(pc.match_substring_regex(texts, _INT), fits), texts, pa.int64())


def _read_floats(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    return _cast_where(pc.match_substring_regex(texts, _FLOAT), texts, pa.float64())


def _read_booleans(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    is_true = pc.is_in(texts, value_set=pa.array(_TRUE))
    return pc.or_(is_true, pc.is_in(texts, value_set=pa.array(_FALSE))), is_true


def _read_dates(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    return read_moments(texts, DATE_PATTERN, pa.date32())


def _read_naive(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    read, values = read_moments(texts, NAIVE_PATTERN, pa.timestamp("us"))
    return pc.and_(read, pc.greater(pc.binary_length(texts), _DAY_BYTES)), values


def _read_aware(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    return read_moments(texts, AWARE_PATTERN, pa.timestamp("us", "UTC"))


_CANDIDATES: tuple[tuple[pa.DataType, _Read], ...] = (
    (pa.int64(), _read_ints),
    (pa.float64(), _read_floats),
    (pa.bool_(), _read_booleans),
    (pa.date32(), _read_dates),
    (pa.timestamp("us"), _read_naive),
    (pa.timestamp("us", "UTC"), _read_aware),
)


@dataclass(frozen=True, slots=True)
class _Column:
    type: pa.DataType
    read: _Read | None

    def convert(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return which cells do not fit, and the values; an empty cell of a type other than text is null."""
        if self.read is None:
            return pa.repeat(False, len(texts)), texts
        texts = pc.fill_null(texts, "")
        empty = pc.equal(pc.binary_length(texts), 0)
        read, values = self.read(texts)
        return pc.invert(pc.or_(read, empty)), pc.if_else(read, values, None)


class TypedStream(InputStream):
    """A stream of text whose columns have the types that their first cells show.

    A column becomes the first of int64, float64, bool, date32, timestamp[us] and timestamp[us, UTC] that all cells of
    the sample fit which are not empty, and text if none does. A later cell that does not fit rejects its row.

    Args:
        inner: The text.
        sample_rows: How many rows are looked at; they are held in memory meanwhile.
        schema: The types, where they are known before; then no row is looked at.
    """

    def __init__(self, inner: InputStream, sample_rows: int, schema: pa.Schema | None = None) -> None:
        self.kind = "typed"
        self.sources = inner.sources
        self._inner = inner
        self._rest = inner.batches()
        self._held: list[Batch] = []
        self._columns = self._look(sample_rows) if schema is None else [_column_of(kind) for kind in schema.types]
        self.schema = pa.schema(
            [(name, column.type) for name, column in zip(inner.columns, self._columns, strict=True)]
        )

    def _look(self, rows: int) -> list[_Column]:
        found = 0
        while found < rows and (batch := next(self._rest, None)) is not None:
            self._held.append(batch)
            found += batch.data.num_rows
        sample = pa.Table.from_batches([batch.data for batch in self._held], self._inner.schema).slice(0, rows)
        return [_choose(column.combine_chunks()) for column in sample.columns]

    def batches(self) -> Iterator[Batch]:
        while self._held:
            yield self._typed(self._held.pop(0))
        for batch in self._rest:
            yield self._typed(batch)

    def _typed(self, batch: Batch) -> Batch:
        converted = [column.convert(texts) for column, texts in zip(self._columns, batch.data.columns, strict=True)]
        misfits = [misfit for misfit, _ in converted]

        def describe(number: int, cells: dict[str, object]) -> MalformedRow:
            name, column = next(
                (name, column)
                for (name, text), column in zip(cells.items(), self._columns, strict=True)
                if column.convert(pa.array([text], pa.string()))[0][0].as_py()
            )
            message = f"the column {name!r} is {column.type} by its first rows, and {cells[name]!r} is not"
            return MalformedRow(number, "type_mismatch", message, orjson.dumps(cells).decode())

        texts = without_rows(batch, misfits, describe)
        data = pa.RecordBatch.from_arrays([values for _, values in converted], schema=self.schema)
        if texts is not batch:
            bad = misfits[0]
            for misfit in misfits[1:]:
                bad = pc.or_(bad, misfit)
            data = data.filter(pc.invert(bad))
        return Batch(data, batch.source, batch.first_row, texts.skipped, texts.malformed)

    def passed(self) -> Passed:
        return self._inner.passed()

    def close(self) -> None:
        self._held.clear()
        self._inner.close()


def _choose(texts: pa.Array) -> _Column:
    texts = texts.filter(pc.fill_null(pc.greater(pc.binary_length(texts), 0), fill_value=False))
    if len(texts):
        for kind, read in _CANDIDATES:
            if pc.all(read(texts)[0]).as_py():
                return _Column(kind, read)
    return _Column(pa.string(), None)


def _column_of(kind: pa.DataType) -> _Column:
    return _Column(kind, next((read for known, read in _CANDIDATES if known == kind), None))
