"""What EnergyPlus leaves in ``eplusout.sql``."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import sqlite3
import threading
import weakref
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import ResultError
from skyhold.simulation.naming import distinct, parse_frequency
from skyhold.simulation.reading import Outputs
from skyhold.simulation.series import AXIS, Environment, Frequency, Variable, field_of, frequencies_of
from skyhold.simulation.tabular import TABLE_COLUMNS, TabularRow
from skyhold.simulation.time_axis import TIMES, build_axis, split_integers

__all__ = ["SqlResults"]

_RUN_PERIOD = 3
"""The environment type of a run period of the weather file; all others size something."""

_ROWS_AT_ONCE = 4_000_000
"""How many rows one text stands for at most: some 60 MB."""

_ASK_FOR_SQL = "Ask for Output:SQLite before the run: request_outputs(model, selection) does it"

_VARIABLES = """
    SELECT ReportDataDictionaryIndex, Name, KeyValue, Units, ReportingFrequency, IsMeter, ScheduleName
    FROM ReportDataDictionary ORDER BY ReportDataDictionaryIndex"""

_STRINGS = "SELECT StringIndex, TRIM(Value) FROM Strings"

_CELLS = """
    SELECT ReportNameIndex, ReportForStringIndex, TableNameIndex, RowNameIndex, ColumnNameIndex, UnitsIndex, TRIM(Value)
    FROM TabularData ORDER BY TabularDataIndex"""

_SOME_CELLS = """
    SELECT TRIM(a.Value), TRIM(b.Value), TRIM(c.Value), TRIM(d.Value), TRIM(e.Value), TRIM(f.Value), TRIM(cell.Value)
    FROM TabularData AS cell CROSS JOIN Strings AS a ON a.StringIndex = ReportNameIndex
        CROSS JOIN Strings AS b ON b.StringIndex = ReportForStringIndex
        CROSS JOIN Strings AS c ON c.StringIndex = TableNameIndex
        CROSS JOIN Strings AS d ON d.StringIndex = RowNameIndex
        CROSS JOIN Strings AS e ON e.StringIndex = ColumnNameIndex
        CROSS JOIN Strings AS f ON f.StringIndex = UnitsIndex
    WHERE ReportNameIndex IN (SELECT StringIndex FROM Strings WHERE TRIM(Value) COLLATE NOCASE IN ({}))
        AND TableNameIndex IN (SELECT StringIndex FROM Strings WHERE TRIM(Value) COLLATE NOCASE IN ({}))
        AND TRIM(b.Value) = ? COLLATE NOCASE
    ORDER BY TabularDataIndex"""


class SqlResults(Outputs):
    """Read the database that EnergyPlus leaves; see `skyhold.simulation.reading.Outputs` for what can be asked.

    It is opened for reading only, and nothing is written beside it. May be used by several threads, and as a context
    manager.

    Args:
        path: The file ``eplusout.sql``, or the folder that it is in.

    Raises:
        ResultError: It is not there, is not EnergyPlus's, or was not written to its end.
    """

    def __init__(self, path: str | Path) -> None:
        given = Path(path)
        self.path = given / "eplusout.sql" if given.is_dir() else given
        if not self.path.is_file():
            raise ResultError(f"there is no {str(self.path)!r}", remedy=_ASK_FOR_SQL)
        self._lock = threading.RLock()
        where = f"file:{quote(str(self.path.absolute()))}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(where, uri=True, check_same_thread=False)
        self._closing = weakref.finalize(self, self._connection.close)
        try:
            self._rows = dict(self._read_variables())
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<SqlResults {str(self.path)!r}>"

    def close(self) -> None:
        """Close the file; so does forgetting the object."""
        self._closing()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _ask(self, query: str, *values: str) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "decode" not in str(error) or self._connection.text_factory is _decode:
                    raise self._broken(error) from error
                self._connection.text_factory = _decode  # only where it must: it is slow
                return self._ask(query, *values)
            except sqlite3.Error as error:
                raise self._broken(error) from error

    def _broken(self, error: sqlite3.Error) -> ResultError:
        return ResultError(
            f"{str(self.path)!r} cannot be read as EnergyPlus's results: {error}",
            remedy="Run the case again: a run that was killed leaves a broken file",
        )

    def _read_variables(self) -> list[tuple[int, Variable]]:
        rows = self._ask(_VARIABLES)
        seen: Counter[tuple[str, str]] = Counter()
        result: list[tuple[int, Variable]] = []
        for id_, name, key, units, frequency, meter, schedule in rows:
            label = f"{f'{key}:' if key else ''}{name}{f' by {schedule}' if schedule else ''} [{units or ''}]"
            seen[label, frequency] += 1
            if seen[label, frequency] > 1:
                label += f" ({seen[label, frequency]})"
            result.append((id_, Variable(name, key or "", units or "", parse_frequency(frequency), bool(meter), label)))
        return result

    def _load_variables(self) -> Sequence[Variable]:
        return list(self._rows.values())

    @cached_property
    def _periods(self) -> dict[int, Environment]:
        rows = self._ask("SELECT EnvironmentPeriodIndex, EnvironmentName, EnvironmentType FROM EnvironmentPeriods")
        names = distinct(str(name) for _, name, _ in rows)
        return {id_: Environment(name, kind == _RUN_PERIOD) for (id_, _, kind), name in zip(rows, names, strict=True)}

    def _load_environments(self) -> Sequence[Environment]:
        return list(self._periods.values())

    @cached_property
    def has_tables(self) -> bool:
        """Whether the tables are there: not where the model asks for ``Simple``."""
        return bool(self._ask("SELECT 1 FROM sqlite_master WHERE name = 'TabularDataWithStrings'"))

    def _load_tables(self) -> pa.Table:
        if not self.has_tables:
            raise ResultError(
                f"{str(self.path)!r} has no tables: the model asks for Output:SQLite 'Simple'",
                remedy="Ask for 'SimpleAndTabular' before the run: request_outputs(model, selection) does it",
            )
        words = {number: text or "" for number, text in self._ask(_STRINGS)}
        numbers, texts = pa.array(list(words), pa.int64()), pa.array(words.values(), pa.string())
        cells = list(zip(*self._ask(_CELLS), strict=True)) or [()] * len(TABLE_COLUMNS)
        columns = [texts.take(pc.index_in(pa.array(each, pa.int64()), numbers)) for each in cells[:-1]]
        columns.append(pa.array([text or "" for text in cells[-1]], pa.string()))
        table = pa.table(dict(zip(TABLE_COLUMNS, (each.dictionary_encode() for each in columns), strict=True)))
        return table.drop_null() if any(each.null_count for each in columns) else table

    def list_cells(self, tables: Iterable[tuple[str, str]], for_: str) -> list[TabularRow]:
        """Read these tables alone: most are never asked for."""
        asked = {(report.casefold(), table.casefold()) for report, table in tables}
        if not self.has_tables:
            return []
        names = [sorted(each) for each in zip(*asked, strict=True)] or [[], []]
        rows = self._ask(_SOME_CELLS.format(*(",".join("?" * len(each)) for each in names)), *names[0], *names[1], for_)
        cells = (TabularRow(*(text or "" for text in row)) for row in rows)
        return [each for each in cells if (each.report.casefold(), each.table.casefold()) in asked]

    @cached_property
    def _axis(self) -> pa.Table:
        """The rows of time outside the warm-up, with their number in the database."""
        return build_axis(self._ask(TIMES)[0], self._periods)

    def read_wide(self, variables: Iterable[Variable]) -> dict[Frequency, pa.Table]:
        wanted = set(variables)
        chosen = {id_: each for id_, each in self._rows.items() if each in wanted}
        times, values, places = self._read_values(list(chosen))
        result: dict[Frequency, pa.Table] = {}
        for frequency in frequencies_of(chosen.values()):
            parts = {
                each: (times.slice(*places.get(id_, (0, 0))), values.slice(*places.get(id_, (0, 0))))
                for id_, each in chosen.items()
                if each.frequency == frequency
            }
            result[frequency] = self._widen(parts)
        return result

    def _read_values(self, ids: list[int]) -> tuple[pa.Array, pa.Array, dict[int, tuple[int, int]]]:
        """Return rows of `_axis` and values, ordered by variable, then time; and where each variable's are."""
        times, series, values = self._read_rows(ids)
        positions = pc.index_in(times, self._axis["id"].combine_chunks())  # null in the warm-up
        table = pa.table({"series": series, "position": positions, "value": values})
        table = table.filter(pc.is_valid(table["position"])).sort_by(
            [("series", "ascending"), ("position", "ascending")]
        )
        table = table.combine_chunks()
        runs = pc.run_end_encode(table["series"].combine_chunks(), run_end_type=pa.int64()) if len(table) else None
        places: dict[int, tuple[int, int]] = {}
        start = 0
        for id_, end in [] if runs is None else zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            places[id_] = (start, end - start)
            start = end
        return table["position"].combine_chunks(), table["value"].combine_chunks(), places

    def _read_rows(self, ids: list[int]) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Return the number of the time, that of the variable, and the value of each row.

        The two numbers come as one text for many rows, made by SQLite, and the values one by one, since no text that
        SQLite makes of them is sure to be exact: half the time of rows of three.
        """
        everything = len(ids) == len(self._rows)
        only = "" if everything else f" AND ReportDataDictionaryIndex IN ({','.join(map(str, ids))})"
        pack = max(self._rows, default=0) + 1
        first, last = self._ask("SELECT MIN(ReportDataIndex), MAX(ReportDataIndex) FROM ReportData")[0]
        pairs: list[pa.Array] = [pa.array([], pa.int64())]
        values = array("d")
        for start in [] if first is None else range(first, last + 1, _ROWS_AT_ONCE):
            # NOT INDEXED: both questions are answered in the order of the rows.
            end = start + _ROWS_AT_ONCE - 1
            scope = f"FROM ReportData NOT INDEXED WHERE ReportDataIndex BETWEEN {start} AND {end}{only}"
            text = self._ask(f"SELECT GROUP_CONCAT(TimeIndex * {pack} + ReportDataDictionaryIndex) {scope}")[0][0]
            pairs.append(split_integers(text))
            self._fill(values, f"SELECT IFNULL(Value, 9e999) {scope}")
        packed = pa.concat_arrays(pairs)
        times = pc.divide(packed, pack)
        series = pc.subtract(packed, pc.multiply(times, pack))
        numbers = pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])
        return times, series, self._mark_missing(numbers, packed, pack)

    def _fill(self, values: "array[float]", query: str) -> None:
        with self._lock:
            try:
                values.extend(chain.from_iterable(self._connection.execute(query)))
            except sqlite3.Error as error:
                raise self._broken(error) from error

    def _mark_missing(self, values: pa.Array, packed: pa.Array, pack: int) -> pa.Array:
        """Put NaN for what SQLite holds as NULL, which came as infinity."""
        if not pc.any(pc.is_inf(values)).as_py():
            return values
        query = f"SELECT TimeIndex * {pack} + ReportDataDictionaryIndex FROM ReportData WHERE Value IS NULL"  # noqa: S608
        missing = pa.array([row[0] for row in self._ask(query)], pa.int64())
        return pc.if_else(pc.is_in(packed, missing), float("nan"), values)

    def _widen(self, parts: dict[Variable, tuple[pa.Array, pa.Array]]) -> pa.Table:
        positions = [times for times, _ in parts.values()]
        shared = positions[0]
        if not all(each.equals(shared) for each in positions):
            united = pc.unique(pa.concat_arrays(positions))
            shared = united.take(pc.sort_indices(united))
        axis = self._axis.drop_columns("id").take(shared)
        fields = [axis.schema.field(name) for name in AXIS]
        columns = [axis[name] for name in AXIS]
        for variable, (times, values) in parts.items():
            fields.append(field_of(variable, pa.float64()))
            columns.append(values if times.equals(shared) else values.take(pc.index_in(shared, times)))
        return pa.table(columns, schema=pa.schema(fields))


def _decode(raw: bytes) -> str:
    """Read text as Latin-1 where a name in the model was not of UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
