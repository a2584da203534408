"""For tests of stores: the contract every store keeps, as a class to subclass, and real servers on loopback."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skyhold.testing.contract import StoreContract

__all__ = ["StoreContract"]


def __getattr__(name: str) -> Any:
    """Load the contract when it is asked for: it needs pytest, and the servers do not."""
    if name != "StoreContract":
        raise AttributeError(f"module 'skyhold.testing' has no attribute {name!r}")
    from skyhold.testing.contract import StoreContract  # noqa: PLC0415

    return StoreContract
