"""Time series of many cases, of which only the columns that are asked for are fetched."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from skyhold.simulation.kept import KeptResults
from skyhold.storage.contract import Store

__all__ = ["read_series"]

_READS = 16


def read_series(
    folders: Mapping[str, Store], variables: Sequence[str] | None, *, frequency: str | None, environment: str | None
) -> Any:
    """Return time series of some cases as one table, whose first column is ``label``.

    Args:
        folders: What was kept of each case, by label.
        variables: Names of variables and meters; everything if not given.
        frequency: As in `skyhold.simulation.reading.Outputs.to_arrow`.
        environment: As there.

    Raises:
        ResultError: A case has none of this name, or kept none.
    """

    def read(label: str) -> Any:
        found = KeptResults(folders[label]).to_arrow(variables, frequency=frequency, environment=environment)
        labels = pa.DictionaryArray.from_arrays(pa.nulls(len(found), pa.int32()).fill_null(0), pa.array([label]))
        return found.add_column(0, "label", labels)

    with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-series") as pool:
        tables = list(pool.map(read, folders))
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()
