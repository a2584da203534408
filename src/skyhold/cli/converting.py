"""``convert``: rows from anything to anything, through a model."""

import sys
from dataclasses import asdict
from typing import Any

from skyhold.cli.adapters import Reading, Writing, open_inputs, open_target
from skyhold.cli.executors import Working, open_executor, parse_shards
from skyhold.cli.models import load_model
from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.errors import BadOptionError, BadUriError
from skyhold.records.formats.adapter import InputAdapter, OutputAdapter
from skyhold.records.pipe import Pipe
from skyhold.records.report import Report
from skyhold.runs.bar import ProgressBar
from skyhold.runs.wording import human_size, visible
from skyhold.storage.location import redact_uri

__all__ = ["convert", "parse_limit"]

_DEFAULT = Common()
_READING = Reading()
_WRITING = Writing()
_WORKING = Working()
_REASONS = 5
_LONGEST = 100


def convert(
    *uris: str,
    schema: str = "",
    errors: str = "",
    max_errors: str = "",
    working: Working = _WORKING,
    reading: Reading = _READING,
    writing: Writing = _WRITING,
    common: Common = _DEFAULT,
) -> int:
    """Convert rows between files, folders, patterns and databases: SOURCE… TARGET.

    A target that ends in '/' becomes a folder of many files. The output appears whole or not at all, and its receipt
    beside it. Rejected rows go to --errors with their reasons.

    Args:
        uris: One source or more, each a file, a pattern, a folder or a database; and the target.
        schema: Model that every row must satisfy, as module:Model or file.py:Model. Without it types are kept.
        errors: Where rejected rows go, a file of any format.
        max_errors: Publish nothing when more rows are rejected than this: a count such as 100, or a share such as 1%.
        working: Who does the work.
        reading: How to read.
        writing: How to write.
        common: Options of every command.
    """
    if len(uris) < 2:  # noqa: PLR2004 - a source and a target
        raise BadUriError("convert needs a source and a target", remedy="Write: skyhold convert SOURCE… TARGET")
    if reading.limit is not None and writing.resume:
        raise BadOptionError("--limit and --resume contradict each other: a run that goes on reads all the rest")
    *sources, target = uris
    printer = Printer(as_json=common.json)
    input_adapter = open_inputs(sources, reading, common)
    output_adapter = open_target(target, writing, common)
    error_adapter = open_target(errors, Writing(), common) if errors else None
    limit, parts = parse_limit(max_errors), parse_shards(working.shards)
    model = load_model(schema) if schema else None
    if common.dry_run:
        return _tell_plan(printer, input_adapter, output_adapter, schema)
    with open_executor(working) as chosen:
        pipe = Pipe(
            input_adapter=input_adapter,
            output_adapter=output_adapter,
            error_output_adapter=error_adapter,
            schema_model=model,
            executor=chosen,
            max_errors=limit,
            shards=parts,
            on_progress=(ProgressBar(),) if common.progress and not common.json else (),
        )
        try:
            pipe.run()
        except Exception:
            _summarize(printer, pipe.report, receipt="", errors="")
            raise
    _summarize(printer, pipe.report, receipt=_receipt_uri(output_adapter), errors=errors)
    return 0


def parse_limit(text: str) -> float | None:
    """Return what ``--max-errors`` means: an int is a count, a float a share.

    Raises:
        BadOptionError: It is neither.

    Example:
        >>> parse_limit("1%"), parse_limit("100"), parse_limit("0.5%"), parse_limit("")
        (0.01, 100, 0.005, None)
    """
    if not text:
        return None
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if 0 <= share <= 1:
                return share
        elif text.isdecimal():
            return int(text)
        elif 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise BadOptionError(
        f"--max-errors {text!r} is neither a count nor a share",
        remedy="Write --max-errors 100 for a hundred rows, --max-errors 1% for one in a hundred",
    )


def _tell_plan(printer: Printer, source: InputAdapter, target: OutputAdapter, schema: str) -> int:
    through = f" through {schema}" if schema else ""
    words = f"would convert {source!r}{through} to {target!r}"
    printer.item(words, action="would convert", source=source.uri, target=target.uri, schema=schema)
    printer.summary("nothing was done", dry_run=True)
    return 0


def _receipt_uri(output: OutputAdapter) -> str:
    place = output.receipt_place(lambda store: store)
    return place[0].uri_of(place[1]) if place else ""


def _summarize(printer: Printer, report: Report, *, receipt: str, errors: str) -> None:
    """Print what came of it; of a run that failed too, since its reasons tell why."""
    usage, cost = report.usage, report.cost
    fields: dict[str, Any] = {
        "state": report.status,
        "rows_read": report.total_processed,
        "rows_written": report.success_count,
        "rows_rejected": report.error_count,
        "rejects": [asdict(group) for group in report.rejects],
        "requests": dict(usage.requests),
        "bytes_in": usage.bytes_in,
        "bytes_out": usage.bytes_out,
        "cost": cost.as_dict() if cost else None,
        "seconds": round(report.duration, 3),
        "run_id": report.receipt.run_id if report.receipt else "",
        "receipt": receipt,
    }
    printer.summary("\n".join(_lines(report, receipt, redact_uri(errors))), **fields)
    if report.error_count and not errors and report.status == "completed":
        print("rejected rows were kept nowhere; add --errors URI to keep them", file=sys.stderr)


def _lines(report: Report, receipt: str, errors: str) -> list[str]:
    """Return the summary for people."""
    usage, cost = report.usage, report.cost
    where = f"  in {errors}" if errors and report.error_count else ""
    written = "rows written" if report.status == "completed" else "rows accepted"
    lines = [
        f"{'rows read':<14}{report.total_processed:>14,}",
        f"{written:<14}{report.success_count:>14,}",
        f"{'rows rejected':<14}{report.error_count:>14,}{where}",
    ]
    for group in report.rejects[:_REASONS]:
        rows = ", ".join(f"{row:,}" for row in group.sample_rows[:3])
        more = ", …" if group.count > 3 else ""  # noqa: PLR2004 - the rows shown
        message = visible(f"{group.field}  {group.message}", _LONGEST)
        lines.append(f"{group.count:>28,}  {message} (row {rows}{more})")
    if len(report.rejects) > _REASONS:
        lines.append(f"{'':>28}  and {len(report.rejects) - _REASONS} more reasons")
    if any(usage.requests.values()):
        asked = ", ".join(f"{count:,} {kind}" for kind, count in usage.requests.items() if count)
        lines.append(f"{'requests':<14}{sum(usage.requests.values()):>14,}  {asked}")
    moved = f"{human_size(usage.bytes_in)} in, {human_size(usage.bytes_out)} out"
    lines.append(f"{'bytes':<14}{usage.bytes_in + usage.bytes_out:>14,}  {moved}")
    if cost:
        lines.append(f"{'cost':<14}{cost.requests:>14.6f}  {cost.currency} for requests ({cost.price_table})")
    speed = f"  {report.items_per_second:,.0f} rows/s" if report.duration else ""
    lines.append(f"{'seconds':<14}{report.duration:>14.1f}{speed}")
    if receipt:
        lines.append(f"{'receipt':<14}{receipt}")
    return lines
