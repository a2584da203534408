"""What a pipe said of itself at one moment, for pickles, JSON, terminals and notebooks."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from skyhold.runs.receipt import Failure, RejectGroup
from skyhold.runs.wording import human_size, human_time
from skyhold.storage.objects import RequestClass
from skyhold.storage.pricing import Cost, estimate_cost
from skyhold.storage.wrappers.metered import Usage

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ReportSnapshot", "Status"]

Status = Literal["pending", "running", "completed", "failed", "stopped"]

_SHOWN_REASONS = 10
_COLOURS: dict[Status, str] = {"completed": "green", "failed": "red", "stopped": "yellow"}


@dataclass(frozen=True, slots=True)
class ReportSnapshot:
    """Where a pipe stands, or how it ended. Pickling a `skyhold.records.report.Report` gives this.

    Attributes:
        run_id: Which run; its receipt and the journal have the same.
        name: What it reads and writes, without secrets.
        status: Whether it runs, and how it ended.
        is_finished: Whether it has ended. Unlike the live report's, it raises nothing.
        total_processed: Rows read.
        total_written: Rows in the output.
        error_count: Rows rejected.
        elapsed: Seconds since the start, until the end.
        eta: Seconds still to go; None where it cannot be told.
        usage: Requests and bytes.
        rejects: Why rows were rejected, the most frequent reason first.
        failure: Why it failed or was stopped.

    Example:
        >>> snapshot = ReportSnapshot("1", "a.csv → b.csv", "running", total_processed=3, error_count=1, elapsed=2.0)
        >>> snapshot.success_count, snapshot.items_per_second, snapshot.to_dict()["success_count"]
        (2, 1.5, 2)
    """

    run_id: str
    name: str
    status: Status
    is_finished: bool = False
    total_processed: int = 0
    total_written: int = 0
    error_count: int = 0
    elapsed: float = 0.0
    eta: float | None = None
    usage: Usage = field(default_factory=Usage)
    rejects: tuple[RejectGroup, ...] = ()
    failure: Failure | None = None

    @property
    def success_count(self) -> int:
        """Rows accepted."""
        return self.total_processed - self.error_count

    @property
    def total_errors(self) -> int:
        """Rows rejected."""
        return self.error_count

    @property
    def items_per_second(self) -> float:
        """Rows a second since the start."""
        return self.total_processed / self.elapsed if self.elapsed else 0.0

    @property
    def duration(self) -> float:
        """Seconds since the start, until the end."""
        return self.elapsed

    @property
    def bytes_read(self) -> int:
        """Content received from stores, as it is stored there."""
        return self.usage.bytes_in

    @property
    def bytes_written(self) -> int:
        """Content sent to stores."""
        return self.usage.bytes_out

    @property
    def requests(self) -> Mapping[RequestClass, int]:
        """Requests sent to services, by class."""
        return self.usage.requests

    @property
    def cost(self) -> Cost | None:
        """What they cost, by the default price table; None when no service was asked."""
        return estimate_cost(self.usage) if any(self.usage.requests.values()) else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types; each name is one of the report's own."""
        cost = self.cost
        return {
            "run_id": self.run_id,
            "name": self.name,
            "status": self.status,
            "is_finished": self.is_finished,
            "total_processed": self.total_processed,
            "total_written": self.total_written,
            "total_errors": self.total_errors,
            "success_count": self.success_count,
            "error_count": self.error_count,
            "items_per_second": round(self.items_per_second, 3),
            "elapsed": round(self.elapsed, 3),
            "eta": None if self.eta is None else round(self.eta, 1),
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "requests": dict(self.requests),
            "cost": None if cost is None else cost.as_dict(),
            "rejects": [asdict(group) | {"sample_rows": list(group.sample_rows)} for group in self.rejects],
            "failure": None if self.failure is None else asdict(self.failure),
        }

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __repr__(self) -> str:
        """Show the counts in one line."""
        return (
            f"<Report {self.status}: {self.total_processed:,} rows, {self.total_written:,} written, "
            f"{self.error_count:,} rejected, {human_time(self.elapsed)}>"
        )

    def __rich__(self) -> "Table":
        """Show it on a terminal; ``rich.print(report)`` calls this."""
        from rich.table import Table  # noqa: PLC0415 - heavy, and mostly nobody looks
        from rich.text import Text  # noqa: PLC0415

        table = Table(show_header=False, box=None, title=Text(self.name), title_justify="left", title_style="bold")
        for label, words in self._lines():
            style = _COLOURS.get(self.status, "") if label == "status" else ""
            table.add_row(Text(label, style="dim"), Text(words, style=style))
        return table

    def to_html(self) -> str:
        """Return it as a table, as notebooks show it."""
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top;font-weight:normal;opacity:.65">{escape(label)}</th>'
            f'<td style="text-align:left;white-space:pre-wrap">{escape(words)}</td></tr>'
            for label, words in self._lines()
        )
        caption = f'<caption style="text-align:left;font-weight:bold">{escape(self.name)}</caption>'
        return f"<table>{caption}<tbody>{rows}</tbody></table>"

    def _repr_html_(self) -> str:
        return self.to_html()

    def _lines(self) -> list[tuple[str, str]]:
        """Return labels and words; a label that would be repeated is empty."""
        lines = [
            ("status", self.status),
            ("rows", self._rows_in_words()),
            ("time", self._time_in_words()),
            ("bytes", f"{human_size(self.bytes_read)} read, {human_size(self.bytes_written)} written"),
        ]
        if self.cost is not None:
            requests = ", ".join(f"{count:,} {kind}" for kind, count in self.requests.items() if count)
            lines += [("requests", requests), ("cost", _cost_in_words(self.cost))]
        shown = self.rejects[:_SHOWN_REASONS]
        lines += [("" if place else "rejected", _reason_in_words(group)) for place, group in enumerate(shown)]
        if len(self.rejects) > len(shown):
            lines.append(("", f"and {len(self.rejects) - len(shown):,} more reasons"))
        if self.failure is not None:
            lines.append(("error", f"{self.failure.code}: {self.failure.message}"))
            lines += [("remedy", self.failure.remedy)] if self.failure.remedy else []
        return lines

    def _rows_in_words(self) -> str:
        return f"{self.total_processed:,} read = {self.success_count:,} accepted + {self.error_count:,} rejected" + (
            "" if self.total_written == self.success_count else f"; {self.total_written:,} written"
        )

    def _time_in_words(self) -> str:
        left = "" if self.eta is None else f", about {human_time(self.eta)} left"
        return f"{human_time(self.elapsed)}, {self.items_per_second:,.0f} rows/s{left}"


def _cost_in_words(cost: Cost) -> str:
    shown = f"{cost.requests:.6f} {cost.currency} for requests"
    leaving = f", {cost.transfer_out:.6f} {cost.currency} if what was read left the cloud"
    return f"{shown}{leaving if cost.transfer_out else ''} ({cost.price_table})"


def _reason_in_words(group: RejectGroup) -> str:
    rows = ", ".join(f"{row:,}" for row in group.sample_rows)
    more = ", …" if group.count > len(group.sample_rows) else ""
    return f"{group.count:,} x {group.field}: {group.message} (row {rows}{more})"
