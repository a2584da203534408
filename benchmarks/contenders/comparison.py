"""Is what a pipe wrote what a plain pydantic loop makes of the same file? Row by row, in the file's order."""

import json
from typing import Any

import pyarrow.parquet as pq

from contenders.schemas import SCHEMAS
from contenders.sources import judge_rows, parquet_rows
from measuring.stopwatch import Stopwatch

_KEPT_DIFFERENCES = 5


def compare(watch: Stopwatch, *, source: str, schema: str, ours: list[str], peers: list[str]) -> dict[str, Any]:
    """Walk the source once, and both outputs beside it.

    Args:
        watch: Not used; a comparison is not timed.
        source: The file that both read.
        schema: A name of `SCHEMAS`.
        ours: Accepted and rejected rows that skyhold wrote, as Parquet.
        peers: The same of a peer whose error output has the row's own columns.

    Returns: Under ``ours`` and ``peers`` the counts of rows that agree and that do not.
    """
    del watch
    ours_found, peers_found = Agreement(*ours), Agreement(*peers)
    names = tuple(SCHEMAS[schema].model_fields)
    for row in judge_rows(source, SCHEMAS[schema]):
        if row.accepted is None:
            ours_found.expect_reject({"row_number": row.number, "original": row.original})
            peers_found.expect_reject({name: row.cells.get(name) for name in names})
        else:
            ours_found.expect_accepted(row.accepted.model_dump())
            peers_found.expect_accepted(row.accepted.model_dump())
    return {"ours": ours_found.end(), "peers": peers_found.end()}


class Agreement:
    """Counts where two Parquet files agree with what is expected."""

    def __init__(self, accepted: str, rejected: str) -> None:
        self._accepted = parquet_rows(accepted)
        self._rejected = parquet_rows(rejected)
        self._counts = {"accepted": 0, "same_values": 0, "same_as_text": 0, "rejected": 0, "same_rejects": 0}
        self._differences: list[str] = []
        self._error_columns = pq.read_schema(rejected).names

    def expect_accepted(self, expected: dict[str, Any]) -> None:
        """Compare the next accepted row."""
        found = next(self._accepted, None)
        self._counts["accepted"] += found is not None
        self._counts["same_values"] += found == expected
        as_text = {name: str(value) for name, value in expected.items()}
        self._counts["same_as_text"] += found is not None and {k: str(v) for k, v in found.items()} == as_text
        self._note(expected, found)

    def expect_reject(self, expected: dict[str, Any]) -> None:
        """Compare the next rejected row, by those of its columns that are expected."""
        found = next(self._rejected, None)
        self._counts["rejected"] += found is not None
        if found is not None:
            found = {name: found.get(name) for name in expected}
            if isinstance(expected.get("original"), dict):
                found["original"] = json.loads(str(found["original"]))
        self._counts["same_rejects"] += found == expected
        self._note(expected, found)

    def end(self) -> dict[str, Any]:
        """Return the counts; rows that nobody expected count as accepted or rejected, and agree with nothing."""
        self._counts["accepted"] += sum(1 for _ in self._accepted)
        self._counts["rejected"] += sum(1 for _ in self._rejected)
        return {**self._counts, "differences": self._differences, "error_columns": self._error_columns}

    def _note(self, expected: object, found: object) -> None:
        if found != expected and len(self._differences) < _KEPT_DIFFERENCES:
            self._differences.append(f"expected {expected}, found {found}")
