"""Names of tests' parameters, the same in every process: tests that run side by side are told apart by them."""

import re

__all__ = ["stable_id"]


def stable_id(value: object) -> str:
    """Return a value as text, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
