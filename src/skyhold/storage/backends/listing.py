"""Any text as a prefix, over servers and a client that know whole folders and "greater than" only."""

__all__ = ["folder_and_offset", "matches", "past"]

_LAST = "\U0010ffff"


def folder_and_offset(prefix: str, start_after: str | None) -> tuple[str, str | None]:
    """Return the whole folder to list, and the key after which to begin.

    Example:
        >>> folder_and_offset("logs/2024-", None) == ("logs/", "logs/2024," + chr(0x10FFFF))
        True
        >>> folder_and_offset("logs/", "logs/b")
        ('logs/', 'logs/b')
    """
    folder = prefix[: prefix.rfind("/") + 1]
    if folder == prefix:
        return folder, start_after
    before = prefix[:-1] + _char_before(prefix[-1])
    offset = before.rstrip("/")
    return folder, max(offset, start_after) if start_after is not None else offset


def matches(key: str, prefix: str, start_after: str | None) -> bool:
    """Return whether a listed key was asked for."""
    return key.startswith(prefix) and (start_after is None or key > start_after)


def past(key: str, prefix: str) -> bool:
    """Return whether no later key can start with ``prefix``; listings come in key order."""
    return key[: len(prefix)] > prefix


def _char_before(char: str) -> str:
    code = ord(char) - 1
    if code <= 0x20:  # noqa: PLR2004 - what lies below cannot travel in a URL
        return ""
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - surrogates are not characters
        code = 0xD7FF
    return chr(code) + _LAST
