"""What the store was asked for since one last looked, so that each chunk bears its share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skyhold.storage.objects import RequestClass
from skyhold.storage.pricing import AWS_2024, PriceTable
from skyhold.storage.wrappers.metered import Meter, Usage

__all__ = ["Spending", "price_of", "requests_in"]

_CLASSES: tuple[RequestClass, ...] = ("read", "write", "list", "delete")


@dataclass(slots=True)
class Spending:
    """Divides what a worker uses among its chunks, in the order in which it ends them. One thread at a time.

    What lies between two chunks, such as looks at the state, is the later one's; what the next chunk asks before the
    one before has ended, mostly its claim, is the earlier one's.

    Args:
        meter: Counts what the worker asks of the store.

    Example:
        >>> from skyhold.storage.objects import Operation
        >>> meter = Meter()
        >>> spending = Spending(meter)
        >>> for key in "ab":
        ...     meter.record(Operation("write", key, "write", bytes_out=10))
        >>> spending.take(cases=4), spending.take(cases=4)
        ({'write': 0.5, 'bytes_out': 5.0}, {})
    """

    meter: Meter
    _told: Usage = field(default_factory=Usage)

    def take(self, cases: int) -> dict[str, float]:
        """Return the share that each of some cases has in what was used since the last time; what is 0 is left out."""
        before, now = self._told, self.meter.usage
        self._told = now
        used = {
            **{name: now.requests.get(name, 0) - before.requests.get(name, 0) for name in _CLASSES},
            "bytes_in": now.bytes_in - before.bytes_in,
            "bytes_out": now.bytes_out - before.bytes_out,
        }
        return {name: count / cases for name, count in used.items() if count}


def requests_in(share: Mapping[str, float]) -> float:
    """Return how many requests a share has, of any class.

    Example:
        >>> requests_in({"read": 1.5, "write": 2.0, "bytes_in": 300.0})
        3.5
    """
    return sum(share.get(name, 0.0) for name in _CLASSES)


def price_of(share: Mapping[str, float], prices: PriceTable = AWS_2024) -> float | None:
    """Return what the requests of a share cost; None where nothing is charged.

    Example:
        >>> price_of({"write": 2.0, "bytes_out": 300.0}), price_of({"bytes_out": 300.0})
        (1e-05, None)
    """
    if not requests_in(share):
        return None
    return prices.price({name: share.get(name, 0.0) for name in _CLASSES})
