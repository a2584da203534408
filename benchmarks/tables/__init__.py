"""One file for each kind of table of docs/benchmarks.md, in the order of the page."""

from measuring.report import TableMaker
from tables import (
    growth,
    history,
    plain,
    postgres,
    records,
    requests,
    scale_out,
    scaling,
    simulation,
    startup,
    syncing,
    transfer,
)

TABLES: dict[str, TableMaker] = {
    **records.makers(),
    "postgres": postgres.make_table,
    "no-schema": plain.make_table,
    "bad-rows": scaling.make_bad_rows_table,
    "memory": scaling.make_memory_table,
    "memory-long": scaling.make_long_memory_table,
    "scale-out": scale_out.make_table,
    "requests": requests.make_table,
    "transfer-small": transfer.make_small_table,
    "transfer-large": transfer.make_large_table,
    "transfer-latency": syncing.make_latency_table,
    "sync-unchanged": syncing.make_unchanged_table,
    "sync-safety": syncing.make_safety_table,
    "history": history.make_table,
    "simulation-study": simulation.make_study_table,
    "simulation-results": simulation.make_results_table,
    "growth-listing": growth.make_listing_table,
    "growth-campaign": growth.make_campaign_table,
    "start-up": startup.make_table,
}
"""Name on the command line and in the page -> the function that measures it."""

ONLY_BY_NAME = frozenset({"memory-long"})
"""What takes too long to be among all."""
