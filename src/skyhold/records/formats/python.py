"""Python objects in this process: any iterable of rows is read, and a small result is kept as a list of dicts."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from skyhold.errors import BadOptionError, PipeStateError, UnwritableValueError
from skyhold.records.formats.adapter import (
    Batch,
    InputAdapter,
    InputStream,
    MalformedRow,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Source,
    Written,
)
from skyhold.records.formats.python_types import PythonColumn, as_mapping, infer_type
from skyhold.records.validation.python_values import Unreadable, python_values

__all__ = ["PythonInputAdapter", "PythonOutputAdapter"]

_BATCH_ROWS = 16 * 1024


class PythonInputAdapter(InputAdapter):
    """Read rows that are Python objects: mappings, pydantic models, dataclasses or named tuples.

    Rows are taken from the iterable as they are needed, a batch at a time. Columns and their types are those of the
    first batch (`skyhold.records.formats.python_types.infer_type`), or of ``schema``. A later row with another key, or
    with a value that its column cannot hold exactly, is rejected; nothing is cast and nothing becomes null. A key that
    a row has not is None. Enum members go by their values; UUIDs, paths, URLs and IP addresses by their text; sets
    become sorted lists.

    An exception of the iterable fails the pipe as it is. A generator can be read once:
    `skyhold.records.pipe.Pipe.explain` does not use it up, a run does.

    Args:
        rows: The rows.
        name: What the report, the receipt and rejected rows call it.
        batch_size: How many rows are taken at a time.
        schema: The columns, where the first rows do not show them.

    Raises:
        BadOptionError: ``rows`` is no iterable, or ``batch_size`` is less than 1.

    Example:
        >>> adapter = PythonInputAdapter({"n": number, "even": number % 2 == 0} for number in range(3))
        >>> adapter.to_reader().read_all().to_pydict()
        {'n': [0, 1, 2], 'even': [True, False, True]}
    """

    def __init__(
        self,
        rows: Iterable[Any],
        *,
        name: str = "python",
        batch_size: int = _BATCH_ROWS,
        schema: pa.Schema | None = None,
    ) -> None:
        if isinstance(rows, str | bytes | Mapping) or not hasattr(rows, "__iter__"):
            raise BadOptionError(
                f"a {type(rows).__name__} is no iterable of rows", remedy="Give a list, a generator or another iterable"
            )
        if batch_size < 1:
            raise BadOptionError(f"batch_size={batch_size!r} is less than 1")
        self._rows = rows
        self._name = name
        self._batch_size = batch_size
        self._schema = schema
        self._unread: _Begun | None = None
        self._is_used_up = False

    @property
    def uri(self) -> str:
        return self._name

    def open(self, wrap: OpenStore) -> InputStream:
        del wrap
        if self._unread is None:
            self._unread = self._look()
        return _PythonStream(self._unread, self._name, self._batch_size, self._begin)

    def _look(self) -> "_Begun":
        """Take the first batch and find the columns."""
        if self._is_used_up:
            raise PipeStateError(
                f"{self._name!r} has been read: a {type(self._rows).__name__} gives its rows once",
                remedy="Give a list, or make the generator again for a new run",
            )
        rest = iter(self._rows)
        self._is_used_up = rest is self._rows
        first = list(islice(rest, self._batch_size))
        schema = _infer_schema(first) if self._schema is None else self._schema
        return _Begun(first, rest, schema)

    def _begin(self) -> None:
        self._unread = None


@dataclass(frozen=True, slots=True)
class _Begun:
    first: list[Any]
    rest: Iterator[Any]
    schema: pa.Schema


def _infer_schema(rows: list[Any]) -> pa.Schema:
    values: dict[str, list[object]] = {}
    for row in rows:
        for name, value in (as_mapping(row) or {}).items():
            if isinstance(name, str):
                values.setdefault(name, []).append(value)
    return pa.schema([(name, infer_type(found, name)) for name, found in values.items()])


class _PythonStream(InputStream):
    def __init__(self, begun: _Begun, name: str, batch_size: int, begin: Callable[[], None]) -> None:
        self.kind = "typed"
        self.schema = begun.schema
        self.sources = [Source(name)]
        self._begun = begun
        self._name = name
        self._batch_size = batch_size
        self._begin = begin
        self._fields = [PythonColumn(field) for field in begun.schema]
        self._known = frozenset(begun.schema.names)

    def batches(self) -> Iterator[Batch]:
        self._begin()
        rows, first_row = self._begun.first, 1
        while rows:
            yield self._batch(rows, first_row)
            first_row += len(rows)
            rows = list(islice(self._begun.rest, self._batch_size))

    def _batch(self, rows: list[Any], first_row: int) -> Batch:
        faults: dict[int, tuple[str, str]] = {}
        found = [self._members(row, place, faults) for place, row in enumerate(rows)]
        columns: list[pa.Array] = []
        for column in self._fields:
            array, unfit = column.fit([members.get(column.name) for members in found])
            columns.append(array)
            for place, why in unfit.items():
                faults.setdefault(place, ("unfit_value", f"column {column.name!r}: {why}"))
        good = [place for place in range(len(rows)) if place not in faults]
        data = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if faults:
            data = data.take(pa.array(good, pa.int64()))
        malformed = tuple(
            MalformedRow(first_row + place, *faults[place], original=_show(rows[place])) for place in sorted(faults)
        )
        return Batch(data, self._name, first_row, tuple(row.row for row in malformed), malformed)

    def _members(self, row: object, place: int, faults: dict[int, tuple[str, str]]) -> Mapping[str, object]:
        members = as_mapping(row)
        if members is None:
            what = "expected a mapping, a model, a dataclass or a named tuple"
            faults[place] = ("not_a_row", f"{what}, found {type(row).__name__}")
            return {}
        if not self._known:
            faults[place] = ("not_a_row", "none of the first rows has a key, so that there are no columns")
        unknown = next((name for name in members if name not in self._known), None)
        if unknown is not None:
            faults[place] = ("unexpected_key", f"the key {unknown!r} has no column: none of the first rows had it")
        return members


def _show(row: object) -> str:
    """Return a row as JSON, or as Python shows it where JSON has no such values."""
    try:
        return orjson.dumps(as_mapping(row) or row, default=str).decode()
    except (TypeError, ValueError):
        return repr(row).encode("utf-8", "backslashreplace").decode()


class PythonOutputAdapter(OutputAdapter):
    """Keep the rows in memory, as a list of dicts. For large results take an Arrow table, which is far smaller.

    The rows appear when the pipe is complete; a pipe that fails leaves those that were there before.

    Args:
        name: What the report and the receipt call it.

    Example:
        >>> from skyhold.records.pipe import Pipe
        >>> output = PythonOutputAdapter()
        >>> _ = Pipe(input_adapter=PythonInputAdapter([{"a": 1}]), output_adapter=output).run()
        >>> output.rows
        [{'a': 1}]
    """

    def __init__(self, *, name: str = "python") -> None:
        self._name = name
        self._rows: list[dict[str, Any]] | None = None

    @property
    def uri(self) -> str:
        return self._name

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows.

        Raises:
            PipeStateError: No pipe that writes here is complete.
        """
        if self._rows is None:
            raise PipeStateError(f"{self._name!r} holds no rows yet", remedy="Run the pipe that writes them first")
        return self._rows

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        del wrap
        return _ListSink(self._name, schema, self._keep)

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows


class _ListSink(OutputStream):
    def __init__(self, name: str, schema: pa.Schema, keep: Callable[[list[dict[str, Any]]], None]) -> None:
        self._name = name
        self._names: list[str] = schema.names
        self._keep = keep
        self._rows: list[dict[str, Any]] = []

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [self._values(name, column) for name, column in zip(self._names, batch.columns, strict=True)]
        self._rows += [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _values(self, name: str, column: pa.Array) -> list[Any]:
        values = python_values(column)
        unreadable = next((value for value in values if isinstance(value, Unreadable)), None)
        if unreadable is not None:
            raise UnwritableValueError(
                f"a value of column {name!r} {unreadable.why}", remedy="Write to an ArrowTableOutputAdapter, which can"
            )
        return values

    def close(self) -> list[Written]:
        self._keep(self._rows)
        return [Written(self._name, len(self._rows))]

    def abort(self) -> None:
        self._rows = []
