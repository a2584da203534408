"""Versions and other numbers, as addresses and forms name them."""

__all__ = ["read_count", "read_version"]

_MOST_DIGITS = 9


def read_version(text: str) -> int | str:
    """Return which version a text means: a number or a tag; the newest where it is empty.

    Example:
        >>> read_version("3"), read_version("released"), read_version("")
        (3, 'released', 'latest')
    """
    number = read_count(text)
    return number if number is not None else text or "latest"


def read_count(text: str) -> int | None:
    """Return a number of some digits; None for anything else, and for more digits than any count has.

    Example:
        >>> read_count("12"), read_count("-1"), read_count("9" * 5000), read_count("")
        (12, None, None, None)
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
