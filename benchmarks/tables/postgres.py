"""A table of a real PostgreSQL to Parquet, beside its driver alone."""

import tempfile
from importlib.metadata import version
from pathlib import Path

from measuring.race import Contender, race
from measuring.report import Table, count_runs
from skyhold.testing.servers import start_postgres

_HEADER = ("", "rows/s", "share of ADBC's rows/s", "seconds", "CPU s", "peak MB")
_TABLE = "users"
_FILL = f"""
CREATE TABLE "{_TABLE}" AS
SELECT 'u' || n AS user_id, 'user ' || n AS username, 'user' || n || '@example.com' AS email, n % 100 AS age,
       'Berlin' AS city, (n % 10007) / 10007.0::double precision AS score,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + n * INTERVAL '1 second' AS seen_at
FROM generate_series(0, {{last}}) AS n
"""


def make_table(quick: bool) -> Table:
    """Without a model, and with one."""
    rows, repeats = (20_000, 1) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as name, start_postgres() as server:
        _fill(server.endpoint, rows)
        standings = race(_contenders(server.endpoint, Path(name)), repeats)
    for standing in standings:
        if standing.told["rows"] != rows:
            raise SystemExit(f"{standing.name} read {standing.told['rows']:,} of {rows:,} rows")
    alone = standings[-1].seconds
    cells = [
        [
            each.name,
            f"{rows / each.seconds:,.0f}",
            f"{alone / each.seconds:.0%}",
            f"{each.seconds:.2f}",
            f"{each.cpu_seconds:.2f}",
            f"{each.peak_mb:.0f}",
        ]
        for each in standings
    ]
    caption = (
        f"The aim is 80 % of the rows a second of ADBC alone. {rows:,} rows of 7 columns (text, integer, float, time) "
        f"from a server on the same machine to a local file, one connection; {count_runs(repeats)}. ADBC alone is its "
        "batches written by pyarrow's `ParquetWriter`, zstd. skyhold also fixes the moment that all rows are of, "
        "checks each value's type and hashes what it writes."
    )
    return Table("PostgreSQL to Parquet", caption, _HEADER, cells)


def _fill(uri: str, rows: int) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(_FILL.format(last=rows - 1))
        cursor.execute(f'VACUUM ANALYZE "{_TABLE}"')


def _contenders(uri: str, folder: Path) -> list[Contender]:
    def arguments(name: str) -> dict[str, str]:
        return {"uri": uri, "table": _TABLE, "target": str(folder / f"{name}-{{run}}.parquet")}

    with_skyhold = "contenders.postgres:read_with_skyhold"
    driver = f"ADBC {version('adbc-driver-postgresql')} alone"
    return [
        Contender("skyhold, no schema", with_skyhold, {**arguments("plain"), "schema": None}),
        Contender("skyhold, with a model", with_skyhold, {**arguments("model"), "schema": "str"}),
        Contender(driver, "contenders.postgres:read_with_adbc", arguments("adbc")),
    ]
