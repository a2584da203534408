"""What was kept of a run as Parquet, read in place: the same questions, and the same answers as of the database."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import json
import threading
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, BinaryIO, Protocol, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyhold.errors import KeyNotFoundError, ResultError
from skyhold.simulation.reading import Outputs
from skyhold.simulation.series import AXIS, Environment, Frequency, Variable, frequencies_of
from skyhold.storage.opening import open_store
from skyhold.storage.reader import ObjectReader

__all__ = ["INDEX_KEY", "TABLES_NAME", "Files", "KeptResults", "format_index", "series_name"]

TABLES_NAME = "tables.parquet"
"""Holds the cells of the tables, and in its metadata the list of all that was kept."""

INDEX_KEY = b"skyhold.outputs"
"""The metadata that hold the list, as JSON."""

_VERSION = 1

_BLOCK_BYTES = 128 * 1024
"""How much the first request for a file brings: all of the tables, and the short series."""


class Files(Protocol):
    """Named files that can be read in part; every `skyhold.storage.contract.Store` is one."""

    def open_reader(self, key: str, *, block_bytes: int, read_ahead: int) -> ObjectReader | BinaryIO:
        """Return a seekable file of bytes, which asks for ``block_bytes`` at first.

        Raises:
            KeyNotFoundError: There is no such file.
        """
        ...


def series_name(frequency: Frequency) -> str:
    """Return the name of the file that holds the time series of a frequency."""
    return f"timeseries-{frequency}.parquet"


def format_index(
    variables: Iterable[Variable], environments: Iterable[Environment], has_tables: bool
) -> dict[str, Any]:
    """Return the list of what was kept, as plain JSON values."""
    return {
        "version": _VERSION,
        "has_tables": has_tables,
        "environments": [[each.name, each.is_run_period] for each in environments],
        "variables": [
            [each.name, each.key, each.units, each.frequency, each.is_meter, each.label] for each in variables
        ],
    }


class KeptResults(Outputs):
    """Read what `skyhold.simulation.outputs.keep_outputs` left; see `skyhold.simulation.reading.Outputs`.

    Only the columns that are asked for are fetched, and each of them once. Every value is, bit for bit, the one that
    the engine's database held, unless it was kept as ``float32``. May be used by several threads.

    Args:
        files: Where the files are, such as a store.
        prefix: What stands before their names, such as ``"out/7/"``.

    Raises:
        ResultError: Nothing was kept there.
    """

    def __init__(self, files: Files, prefix: str = "") -> None:
        self._files = files
        self._prefix = prefix
        self._lock = threading.RLock()
        self._opened: dict[str, pq.ParquetFile] = {}
        self._columns: dict[tuple[Frequency, str], Any] = {}
        told = (self._open(TABLES_NAME).schema_arrow.metadata or {}).get(INDEX_KEY)
        self._index: dict[str, Any] = json.loads(told) if told else {}
        if self._index.get("version") != _VERSION:
            raise ResultError(
                f"{self._where(TABLES_NAME)!r} is not what a run of this version keeps",
                remedy="Read it with the version of skyhold that wrote it",
            )

    @classmethod
    def open(cls, uri: str, **options: Any) -> Self:
        """Read what was kept below a URI or in a folder; the options are those of the store."""
        return cls(open_store(uri, **options))

    def __repr__(self) -> str:
        return f"<KeptResults {self._where('')!r}>"

    def _where(self, name: str) -> str:
        uri = getattr(self._files, "uri", "")
        return f"{uri.rstrip('/')}/{self._prefix}{name}" if uri else f"{self._prefix}{name}"

    def _open(self, name: str) -> pq.ParquetFile:
        if name not in self._opened:
            try:
                file = self._files.open_reader(self._prefix + name, block_bytes=_BLOCK_BYTES, read_ahead=0)
                self._opened[name] = pq.ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=False)
            except KeyNotFoundError as error:
                raise ResultError(
                    f"no outputs were kept at {self._where(name)!r}", remedy="Look whether the run has ended well"
                ) from error
            except pa.ArrowInvalid as error:
                raise ResultError(f"{self._where(name)!r} is not what a run keeps: {error}") from error
        return self._opened[name]

    def _load_variables(self) -> Sequence[Variable]:
        return [Variable(*each) for each in self._index["variables"]]

    def _load_environments(self) -> Sequence[Environment]:
        return [Environment(*each) for each in self._index["environments"]]

    def _load_tables(self) -> pa.Table:
        if not self._index["has_tables"]:
            raise ResultError(
                f"no tables were kept at {self._where(TABLES_NAME)!r}",
                remedy="Keep them: OutputSelection(tables=None), and request_outputs(model, selection) before the run",
            )
        with self._lock:
            return self._open(TABLES_NAME).read(use_threads=False).replace_schema_metadata(None)

    def read_wide(self, variables: Iterable[Variable]) -> dict[Frequency, pa.Table]:
        wanted = set(variables)
        result: dict[Frequency, pa.Table] = {}
        for frequency in frequencies_of(wanted):
            labels = [each.label for each in self._variables if each in wanted and each.frequency == frequency]
            table = self._fetch(frequency, labels)
            if len(labels) < sum(each.frequency == frequency for each in self._variables):
                filled = [pc.is_valid(table[label]) for label in labels]
                table = table.filter(reduce(pc.or_, filled))
            result[frequency] = table
        return result

    def _fetch(self, frequency: Frequency, labels: list[str]) -> pa.Table:
        """Return the axis and these columns, fetching those that were not asked for before."""
        with self._lock:
            file = self._open(series_name(frequency))
            names = [*AXIS, *labels]
            missing = [name for name in names if (frequency, name) not in self._columns]
            if missing:
                table = file.read(columns=missing, use_threads=False)
                self._columns |= {(frequency, name): table[name] for name in missing}
            schema = pa.schema([file.schema_arrow.field(name) for name in names])
            return pa.table([self._columns[frequency, name] for name in names], schema=schema)
