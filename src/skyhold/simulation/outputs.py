"""Keep what was asked for of a run: time series and tables as Parquet, the engine's own files as they are."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import json
import shutil
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyhold.errors import ResultError
from skyhold.simulation.kept import INDEX_KEY, TABLES_NAME, format_index, series_name
from skyhold.simulation.naming import nearest
from skyhold.simulation.selection import OutputSelection, is_pattern, matches, matches_variable, request_outputs
from skyhold.simulation.series import AXIS, Variable
from skyhold.simulation.simulator import Kept
from skyhold.simulation.sql import SqlResults
from skyhold.simulation.tabular import TABLE_COLUMNS
from skyhold.simulation.values import read_values

__all__ = ["OutputSelection", "keep_outputs", "request_outputs"]

_LEVEL = 9
"""Of zstd: the last that costs little. A warehouse year: 0.542 MB, after 0.555 at 3 and 0.528 at 19, in 20 ms."""

_REPEATS = 4
"""A column whose values come so often on average is written by a dictionary."""


def keep_outputs(folder: Path, target: Path, selection: OutputSelection | Mapping[str, Any]) -> Kept:
    """Take from a run's folder what the selection asks for.

    Leaves in ``target``: ``timeseries-hourly.parquet`` (and so on, one for each frequency that something was reported
    at; a column for each variable, named ``"key:variable [unit]"``, with its unit in the field's metadata),
    ``tables.parquet`` (the cells of the tables, and the list of all that was kept), and the engine's own files.
    The same database gives the same bytes. `skyhold.simulation.kept.KeptResults` reads them.

    Args:
        folder: Where the engine ran.
        target: An empty folder.
        selection: What to keep, also as plain JSON values.

    Returns:
        The files, and the values that `skyhold.simulation.values.read_values` describes.

    Raises:
        ResultError: The folder has not what was asked for.
        BadOptionError: The selection asks for what there is not.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     folder, target = Path(name, "run"), Path(name, "kept")
        ...     folder.mkdir()
        ...     _ = folder.joinpath("eplusout.err").write_text("all is well")
        ...     asked = OutputSelection(variables=[], meters=[], tables=[], raw=["*.err"])
        ...     keep_outputs(folder, target, asked).files
        ('eplusout.err',)
    """
    chosen = selection if isinstance(selection, OutputSelection) else OutputSelection.from_json(selection)
    target.mkdir(parents=True, exist_ok=True)
    files = _copy_raw(folder, target, chosen)
    database = folder / "eplusout.sql"
    if not database.exists() and not chosen.needs_series and chosen.tables == () and not chosen.values:
        return Kept(tuple(sorted(files)), {})
    with SqlResults(database) as results:
        variables = _choose_variables(results, chosen)
        wide = results.read_wide(variables)
        for frequency, table in wide.items():
            if len(table):
                _write_series(target / series_name(frequency), table, chosen.dtype)
                files.append(series_name(frequency))
        kept = [each for each in variables if len(wide[each.frequency])]
        tables = _choose_tables(results, chosen)
        _write_tables(target / TABLES_NAME, tables, format_index(kept, results.list_environments(), tables is not None))
        return Kept(tuple(sorted([*files, TABLES_NAME])), read_values(results, chosen.values, wide))


def _choose_variables(results: SqlResults, chosen: OutputSelection) -> list[Variable]:
    known = results.list_variables()
    for kind, names in (("variable", chosen.variables), ("meter", chosen.meters)):
        sort = [each for each in known if each.is_meter == (kind == "meter")]
        for name in names or ():
            if not is_pattern(name) and not any(matches_variable(name, each) for each in sort):
                offers = nearest(name, dict.fromkeys(each.name for each in sort))
                raise ResultError(
                    f"the {kind} {name!r} was not reported{offers}",
                    remedy="Correct the name, or ask for it before the run: request_outputs(model, selection)",
                )
    return [each for each in known if chosen.takes(each)]


def _choose_tables(results: SqlResults, chosen: OutputSelection) -> pa.Table | None:
    """Return the cells to keep; None where there are none."""
    if chosen.tables == ():
        return None
    if chosen.tables is None and not results.has_tables:
        return None
    cells, known = results.get_tabular_data().to_arrow(), results.list_reports()
    if chosen.tables is None:
        return cells
    for name in chosen.tables:
        if not is_pattern(name) and not any(matches(name, report) for report in known):
            raise ResultError(f"the report {name!r} was not written{nearest(name, known)}")
    taken = [report for report in known if any(matches(name, report) for name in chosen.tables)]
    return cells.filter(pc.is_in(cells["report"].cast(pa.string()), pa.array(taken, pa.string())))


def _write_series(path: Path, table: pa.Table, dtype: str) -> None:
    floats = [name for name in table.column_names if name not in AXIS]
    if dtype == "float32":
        schema = pa.schema([each.with_type(pa.float32()) if each.name in floats else each for each in table.schema])
        table = table.cast(schema, safe=False)
    repeating = [name for name in floats if pc.count_distinct(table[name]).as_py() * _REPEATS < len(table)]
    how: dict[str, Any] = {
        "use_dictionary": ["environment", "day_type", "is_dst", "interval_min", *repeating],
        "use_byte_stream_split": [name for name in floats if name not in repeating],
        "column_encoding": {"timestamp": "DELTA_BINARY_PACKED"},
        "write_statistics": ["timestamp"],
    }
    pq.write_table(table, path, compression="zstd", compression_level=_LEVEL, **how)


def _write_tables(path: Path, table: pa.Table | None, index: Mapping[str, Any]) -> None:
    empty = pa.table({name: pa.array([], pa.string()).dictionary_encode() for name in TABLE_COLUMNS})
    told = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    written = (empty if table is None else table).replace_schema_metadata({INDEX_KEY: told})
    pq.write_table(written, path, compression="zstd", compression_level=_LEVEL, write_statistics=False)


def _copy_raw(folder: Path, target: Path, chosen: OutputSelection) -> list[str]:
    if not chosen.raw and not chosen.everything:
        return []
    names = sorted(_files_of(folder, target))
    for pattern in chosen.raw:
        if not is_pattern(pattern) and pattern not in names:
            raise ResultError(f"the run left no {pattern!r}{nearest(pattern, names)}")
    patterns = ("*",) if chosen.everything else chosen.raw
    taken = [name for name in names if any(name == each or fnmatchcase(name, each) for each in patterns)]
    for name in taken:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)
    return taken


def _files_of(folder: Path, target: Path) -> Iterable[str]:
    own = target.resolve()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and own not in path.resolve().parents:
            yield path.relative_to(folder).as_posix()
