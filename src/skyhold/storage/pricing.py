"""Requests and bytes into money, from a price table that the user may replace."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skyhold.storage.objects import RequestClass
from skyhold.storage.wrappers.metered import Usage

__all__ = ["AWS_2024", "AZURE_2024", "FREE_SCHEMES", "GOOGLE_2024", "Cost", "PriceTable", "estimate_cost", "prices_of"]

_GB = 1e9

FREE_SCHEMES = frozenset({"file", "memory"})
"""Of stores that charge nothing."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of one place at one time.

    Attributes:
        name: Where and when, so that a figure can be checked.
        currency: ISO 4217.
        per_1000_requests: By class.
        per_gb_out: For bytes that leave the store towards the internet; a gigabyte is 10⁹ bytes.
        per_gb_month: For keeping a gigabyte for a month.
    """

    name: str
    currency: str
    per_1000_requests: Mapping[RequestClass, float]
    per_gb_out: float
    per_gb_month: float

    def price(self, requests: Mapping[RequestClass, float]) -> float:
        """Return what requests cost."""
        return sum(self.per_1000_requests[kind] * count / 1000 for kind, count in requests.items())


AWS_2024 = PriceTable(
    name="AWS S3 Standard, us-east-1, 2024",
    currency="USD",
    per_1000_requests={"read": 0.0004, "write": 0.005, "list": 0.005, "delete": 0.0},
    per_gb_out=0.09,
    per_gb_month=0.023,
)
"""Source: Amazon's public price list for S3 Standard in us-east-1, 2024: storage 0.023 USD/GB-month, PUT and LIST
0.005, GET 0.0004 per 1,000, transfer out 0.09 USD/GB for the first 10 TB."""

AZURE_2024 = PriceTable(
    name="Azure Blob Storage, hot, LRS, East US 2, 2024",
    currency="USD",
    per_1000_requests={"read": 0.0004, "write": 0.005, "list": 0.005, "delete": 0.0},
    per_gb_out=0.087,
    per_gb_month=0.0184,
)
"""Source: Microsoft's public price list for block blobs, hot tier, LRS, in East US 2, 2024: storage 0.0184 USD/GB-month
for the first 50 TB, writes and lists 0.05, reads 0.004 per 10,000; internet egress 0.087 USD/GB for the first 10 TB."""

GOOGLE_2024 = PriceTable(
    name="Google Cloud Storage Standard, us-central1, 2024",
    currency="USD",
    per_1000_requests={"read": 0.0004, "write": 0.005, "list": 0.005, "delete": 0.0},
    per_gb_out=0.12,
    per_gb_month=0.02,
)
"""Source: Google's public price list and pricing examples for Standard storage in us-central1, 2024: storage 0.020
USD/GB-month, class A operations 0.005, class B 0.0004 per 1,000, transfer out 0.12 USD/GB for the first TB."""

_TABLES = {"az": AZURE_2024, "gs": GOOGLE_2024}


def prices_of(schemes: Iterable[str]) -> PriceTable:
    """Return the prices of the service that stores are of; Amazon's where that is none that is known, or several.

    Args:
        schemes: Of the stores' URIs. Those of this machine charge nothing, and do not count.

    Example:
        >>> prices_of({"gs", "file"}).name
        'Google Cloud Storage Standard, us-central1, 2024'
    """
    charging = set(schemes) - FREE_SCHEMES
    return _TABLES.get(charging.pop(), AWS_2024) if len(charging) == 1 else AWS_2024


@dataclass(frozen=True, slots=True)
class Cost:
    """What usage costs.

    Attributes:
        requests: For requests.
        transfer_out: For bytes read, if they leave the provider's region towards the internet; within it they are free.
        currency: ISO 4217.
        price_table: Which prices.
    """

    requests: float
    transfer_out: float
    currency: str
    price_table: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "requests": round(self.requests, 6),
            "transfer_out_if_to_internet": round(self.transfer_out, 6),
            "currency": self.currency,
            "price_table": self.price_table,
        }


def estimate_cost(usage: Usage, prices: PriceTable | None = None) -> Cost:
    """Return what some usage costs, by the prices of the service that was asked if no others are given.

    Example:
        >>> cost = estimate_cost(Usage({"read": 2000, "write": 1000}, bytes_in=10**9))
        >>> round(cost.requests, 4), cost.transfer_out
        (0.0058, 0.09)
    """
    prices = prices or prices_of(usage.schemes)
    return Cost(prices.price(usage.requests), usage.bytes_in / _GB * prices.per_gb_out, prices.currency, prices.name)
