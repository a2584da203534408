"""Versions as addresses and forms name them."""

__all__ = ["read_version"]

_MOST_DIGITS = 9


def read_version(text: str) -> int | str:
    """Return which version a text means: a number or a tag; the newest where it is empty.

    Example:
        >>> read_version("3"), read_version("released"), read_version("")
        (3, 'released', 'latest')
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else text or "latest"
