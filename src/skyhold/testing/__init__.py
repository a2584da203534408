"""For tests of stores: the contract every store keeps, as a class to subclass."""

from skyhold.testing.contract import StoreContract

__all__ = ["StoreContract"]
