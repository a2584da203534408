"""What a study will take, as far as a few of its cases tell."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skyhold.simulation.probe import Probe
from skyhold.storage.objects import RequestClass
from skyhold.storage.pricing import PriceTable

__all__ = ["Forecast", "Spread"]

_STEP = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """A number that is known from a few probes: between the least and the most that they let expect."""

    low: float
    expected: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return it for JSON."""
        return {"low": self.low, "expected": self.expected, "high": self.high}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a study will take.

    Where no probe gave a result, only the counts are known, and the rest is None.

    Attributes:
        name: Of the study.
        labels: How many cases it has.
        runs: How many are run: cases that ask for the same run once.
        chunks: In how many chunks workers take them.
        workers: For how many the time is.
        probes: What was run to know it.
        engine_s: Seconds of the engine, of all runs together.
        wall_s: Seconds from start to end with so many workers, if the machine has a core for each.
        kept_bytes: Of the files that are kept.
        stored_bytes: Of all that will lie in the store but the table: also models, weather, and how each case ended.
        requests: By class, for creating, running and collecting; empty where no service counts them.
        requests_cost: For the requests; None where nothing is charged.
        month_cost: For keeping what is stored for a month; None where nothing is charged.
        prices: Which prices; None where nothing is charged.
    """

    name: str
    labels: int
    runs: int
    chunks: int
    workers: int
    probes: tuple[Probe, ...]
    engine_s: Spread | None = None
    wall_s: Spread | None = None
    kept_bytes: Spread | None = None
    stored_bytes: Spread | None = None
    requests: Mapping[RequestClass, Spread] | None = None
    requests_cost: Spread | None = None
    month_cost: Spread | None = None
    prices: PriceTable | None = None

    @property
    def failed(self) -> tuple[Probe, ...]:
        """The probes that gave no result."""
        return tuple(probe for probe in self.probes if probe.failure is not None)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        spreads = ("engine_s", "wall_s", "kept_bytes", "stored_bytes", "requests_cost", "month_cost")
        return {
            "name": self.name,
            "labels": self.labels,
            "runs": self.runs,
            "chunks": self.chunks,
            "workers": self.workers,
            "probes": [probe.as_dict() for probe in self.probes],
            **{name: _plain(getattr(self, name)) for name in spreads},
            "requests": None
            if self.requests is None
            else {kind: spread.as_dict() for kind, spread in self.requests.items()},
            "currency": self.prices.currency if self.prices else None,
            "price_table": self.prices.name if self.prices else None,
        }

    def __str__(self) -> str:
        """Return it as a table for people."""
        counted = {"case": self.labels, "run": self.runs, "chunk": self.chunks, "worker": self.workers}
        counts = f"{self.name}: {', '.join(f'{count} {what}' + 's' * (count != 1) for what, count in counted.items())}"
        lines = [counts, *map(_describe, self.probes)]
        rows = list(self._rows())
        if not rows:
            return "\n".join([*lines, "no probe gave a result, so nothing can be said of the rest"])
        cells = [("", "least", "expected", "most"), *rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
        return "\n".join([*lines, f"prices: {self.prices.name}"] if self.prices else lines)

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        def row(name: str, spread: Spread | None, spell: Callable[[float], str]) -> Iterator[tuple[str, str, str, str]]:
            if spread is not None:
                yield name, spell(spread.low), spell(spread.expected), spell(spread.high)

        yield from row("engine time", self.engine_s, _seconds)
        yield from row("time from start to end", self.wall_s, _seconds)
        yield from row("kept", self.kept_bytes, _size)
        yield from row("stored with all records", self.stored_bytes, _size)
        for kind, spread in (self.requests or {}).items():
            yield from row(f"requests: {kind}", spread, "{:.0f}".format)
        currency = self.prices.currency if self.prices else ""
        yield from row(f"cost of requests [{currency}]", self.requests_cost, "{:.6f}".format)
        yield from row(f"cost of storing for a month [{currency}]", self.month_cost, "{:.6f}".format)


def _describe(probe: Probe) -> str:
    if probe.failure is None:
        known = ", which this machine knew" if probe.is_reused else ""
        return f"probe {probe.label!r}: {_seconds(probe.engine_s)} of the engine, {_size(probe.kept_bytes)} kept{known}"
    said = "".join(f"\n    {text}" for text in probe.texts)
    return f"probe {probe.label!r} failed ({probe.failure}): {probe.detail}{said}"


def _seconds(seconds: float) -> str:
    """Return a time for people.

    Example:
        >>> _seconds(0.5), _seconds(75), _seconds(7322)
        ('0.50 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def _size(size_bytes: float) -> str:
    """Return a size for people, in steps of a thousand.

    Example:
        >>> _size(999), _size(1500), _size(2.5e9)
        ('999 B', '1.5 kB', '2.5 GB')
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < _STEP:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TB"


def _plain(spread: Spread | None) -> dict[str, float] | None:
    return spread.as_dict() if spread is not None else None
