"""The times of a database, against SQLite's own calendar."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.simulation.series import Environment
from skyhold.simulation.time_axis import TIMES, build_axis

_COLUMNS = (
    "TimeIndex INTEGER PRIMARY KEY, Year INTEGER, Month INTEGER, Day INTEGER, Hour INTEGER, Minute INTEGER, "
    "Dst INTEGER, Interval INTEGER, IntervalType INTEGER, DayType TEXT, EnvironmentPeriodIndex INTEGER, "
    "WarmupFlag INTEGER"
)
_PERIODS = {1: Environment("WINTER", False), 2: Environment("YEAR", True)}


def _read(rows: Sequence[Sequence[Any]]) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the axis, and the seconds since 1970 that SQLite finds for each row."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE Time ({_COLUMNS})")
        connection.executemany(f"INSERT INTO Time VALUES ({','.join('?' * 12)})", rows)
        expected = connection.execute(
            "SELECT strftime('%s', printf('%04d-%02d-%02d', CASE WHEN Year > 0 THEN Year ELSE 2000 END, Month, Day)) "
            "+ Hour * 3600 + Minute * 60 FROM Time WHERE COALESCE(WarmupFlag, 0) = 0 ORDER BY TimeIndex"
        ).fetchall()
        table = build_axis(connection.execute(TIMES).fetchone(), _PERIODS)
    connection.close()
    seconds = pa.compute.divide(table["timestamp"].cast(pa.int64()), 1000).to_pylist()
    return [{**row, "seconds": each} for row, each in zip(table.to_pylist(), seconds, strict=True)], [
        each for (each,) in expected
    ]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 9999)),
            st.integers(1, 12),
            st.integers(1, 31),
            st.integers(0, 24),
            st.integers(0, 60),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_date_is_that_of_the_calendar_also_29_february_of_a_common_year(dates: list[tuple[int | None, ...]]):
    rows = [(number, *date, 0, 60, 1, "Monday", 2, None) for number, date in enumerate(dates, 1)]
    found, expected = _read(rows)
    assert [row["seconds"] for row in found] == expected


def test_rows_without_a_date_stand_where_their_environment_ends():
    rows = [
        (1, 2017, 1, 1, 1, 0, 0, 60, 1, "Sunday", 1, None),
        (2, 2017, 1, 1, 2, 0, 0, 60, 1, "Sunday", 1, 0),
        (3, None, None, None, None, None, None, 2880, 4, None, 1, None),
        (4, 2017, 3, 31, 24, 0, None, 44640, 3, None, 2, None),
        (5, None, None, None, None, None, None, 525600, 4, None, 2, None),
    ]
    found, expected = _read(rows)
    assert expected[2] is expected[4] is None
    assert [row["seconds"] for row in found] == [expected[0], expected[1], expected[1], expected[3], expected[3]]
    assert [row["environment"] for row in found] == ["WINTER"] * 3 + ["YEAR"] * 2
    assert [row["interval_min"] for row in found] == [60, 60, 2880, 44640, 525600]
    assert [row["is_dst"] for row in found] == [False, False, None, None, None]
    assert [row["day_type"] for row in found] == ["Sunday", "Sunday", None, None, None]
    assert [row["id"] for row in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("rows", [[], [(1, 2017, 1, 1, 1, 0, 0, 60, 1, "Sunday", 1, 1)]])
def test_where_nothing_but_warm_up_was_simulated_there_are_no_rows(rows: list[tuple[Any, ...]]):
    assert _read(rows) == ([], [])
