"""One file for each table of docs/benchmarks.md, in the order of the page."""

from measuring.report import TableMaker
from tables import records, transfer

TABLES: dict[str, TableMaker] = {
    "records-email": records.make_email_table,
    "records-text": records.make_text_table,
    "transfer-small": transfer.make_small_table,
    "transfer-large": transfer.make_large_table,
}
"""Name on the command line and in the page -> the function that measures it."""
