"""Real flight records from a bucket, validated, to typed Parquet: step by step."""

from pathlib import Path
from typing import Any

from skyhold.demo.flight import Flight, damaged_flights
from skyhold.demo.flights_chart import draw_chart
from skyhold.demo.place import Say, open_place
from skyhold.execution.threads import MultiThreadExecutor
from skyhold.records.formats.csv import CSVInputAdapter
from skyhold.records.formats.parquet import ParquetOutputAdapter
from skyhold.records.pipe import Pipe
from skyhold.records.report import Report
from skyhold.runs.bar import ProgressBar
from skyhold.runs.verification import verify_receipt
from skyhold.storage.opening import open_object, open_store
from skyhold.storage.transfer import Transfer, transfer_all

__all__ = ["move_flights"]


def move_flights(folder: Path, say: Say, *, s3: bool, progress: bool) -> Report:
    """Run the demo; leave its results in ``folder``.

    Args:
        folder: Where results go.
        say: Told what happens.
        s3: On a bucket of a real S3 server, which ends with the demo, instead of plain folders.
        progress: Draw a progress bar on a terminal.

    Returns: The pipe's report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_place(folder, "flights", say, s3=s3) as place:
        base, options = place.base, place.options
        _upload(base, options, say)
        pipe = Pipe(
            input_adapter=CSVInputAdapter(f"{base}/raw/flights.csv", **options),
            output_adapter=ParquetOutputAdapter(f"{base}/clean/flights.parquet", **options),
            error_output_adapter=ParquetOutputAdapter(f"{base}/clean/errors.parquet", **options),
            schema_model=Flight,
            executor=MultiThreadExecutor(),
            on_progress=ProgressBar() if progress else (),
        )
        report = pipe.run()
        _tell(report, say)
        _verify(report, options, say)
        _fetch(base, options, folder, say)
    draw_chart(folder / "flights.parquet", folder / "flights.png", rejected=report.error_count)
    say(f"A chart of it: {folder / 'flights.png'}")
    return report


def _upload(base: str, options: dict[str, Any], say: Say) -> None:
    content = damaged_flights()
    store, key = open_object(f"{base}/raw/flights.csv", **options)
    with store.open_writer(key) as writer:
        writer.write(content)
    say(f"Raw input: {store.uri_of(key)}, {len(content) / 1e6:.1f} MB, some rows damaged on purpose.")


def _tell(report: Report, say: Say) -> None:
    say(
        f"{report.total_processed:,} rows read = {report.success_count:,} written + {report.error_count:,} rejected, "
        f"in {report.duration:.1f} s ({report.items_per_second:,.0f} rows/s)."
    )
    for group in report.rejects:
        rows = ", ".join(str(row) for row in group.sample_rows[:3])
        say(f"  {group.count:>4} x {group.field}: {group.message} (rows {rows}, …)")
    usage, cost = report.usage, report.cost
    requests = ", ".join(f"{count} {kind}" for kind, count in usage.requests.items() if count)
    say(f"Requests: {requests or 'none'}; {usage.bytes_in / 1e6:.1f} MB in, {usage.bytes_out / 1e6:.1f} MB out.")
    if cost is not None:
        say(f"On AWS that is {cost.requests:.6f} {cost.currency} for requests ({cost.price_table}).")


def _verify(report: Report, options: dict[str, Any], say: Say) -> None:
    assert report.receipt is not None
    verification = verify_receipt(report.receipt, lambda uri: open_object(uri, **options))
    words = "holds: outputs were read again and hashed" if verification.ok else f"does not hold: {verification.lines}"
    say(f"The receipt {words}.")


def _fetch(base: str, options: dict[str, Any], folder: Path, say: Say) -> None:
    source, target = open_store(f"{base}/clean", **options), open_store(folder)
    moved = transfer_all([Transfer(source, info.key, target, info.key, info) for info in source.list()])
    say(f"Results, also in {folder}: {', '.join(each.info.key for each in moved)}")
