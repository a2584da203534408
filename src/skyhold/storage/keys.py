"""Which keys can be held by every store exactly; the others are refused by name before anything is sent."""

import re
from collections.abc import Mapping

from skyhold.errors import InvalidKeyError

__all__ = ["MAX_KEY_BYTES", "check_key", "check_metadata_names", "check_prefix", "check_tags", "folder_prefix"]

MAX_KEY_BYTES = 1024
_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_METADATA_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_MAX_TAGS = 10
_TAG_NAME = re.compile(r"(?!aws:)[A-Za-z0-9 +\-./:=_]{1,128}", re.IGNORECASE)
_TAG_VALUE = re.compile(r"[A-Za-z0-9 +\-./:=_]{0,256}")


def check_key(key: str, *, operation: str, uri: str) -> None:
    """Refuse a key that some store would change, drop or not take.

    Raises:
        InvalidKeyError: With the reason, and the key as it was given.
    """
    if _is_plain(key):
        return
    reason = "the key is empty" if not key else _fault(key.split("/")) or _text_fault(key)
    if reason:
        raise InvalidKeyError(
            f"the key {key!r} cannot be stored exactly: {reason}",
            operation=operation,
            uri=uri,
            remedy="Choose another key; nothing was written",
        )


def check_prefix(prefix: str, *, operation: str, uri: str) -> None:
    """Refuse a list prefix under which no valid key can lie (a trailing ``/`` or an unfinished part is fine)."""
    *folders, _ = prefix.split("/")
    reason = _fault(folders) if folders else ""
    reason = reason or _text_fault(prefix)
    if reason:
        raise InvalidKeyError(
            f"no key can lie under the prefix {prefix!r}: {reason}",
            operation=operation,
            uri=uri,
            remedy="Correct the prefix",
        )


def folder_prefix(prefix: str) -> str:
    """Return what all keys in a folder begin with, so that nothing of a neighbour is meant whose name goes on.

    Example:
        >>> folder_prefix("robot"), folder_prefix("robot/"), folder_prefix("")
        ('robot/', 'robot/', '')
    """
    return f"{prefix}/" if prefix and not prefix.endswith("/") else prefix


def check_metadata_names(names: list[str], *, operation: str, uri: str) -> None:
    """Refuse metadata names that some store would change: they travel as HTTP headers."""
    for name in names:
        if not name or not _METADATA_NAME.issuperset(name) or name.startswith("skyhold"):
            raise InvalidKeyError(
                f"the metadata name {name!r} cannot be stored exactly",
                operation=operation,
                uri=uri,
                remedy="Use lower-case ASCII letters, digits, '_' and '-', not beginning with 'skyhold'",
            )


def check_tags(tags: Mapping[str, str], *, operation: str, uri: str) -> None:
    """Refuse tags that S3 or Azure would not take.

    Raises:
        InvalidKeyError: With the tag, or their number.
    """
    if len(tags) > _MAX_TAGS:
        reason = f"{len(tags)} tags are more than {_MAX_TAGS}"
    else:
        fitting = {name for name, value in tags.items() if _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)}
        reason = next((f"the tag {name}={tags[name]!r} cannot be stored" for name in tags if name not in fitting), "")
    if reason:
        raise InvalidKeyError(
            reason,
            operation=operation,
            uri=uri,
            remedy="Use at most 10 tags of ASCII letters, digits, spaces and '+-./:=_', names up to 128 characters and "
            "values up to 256, not beginning with 'aws:'; or use metadata",
        )


def _is_plain(key: str) -> bool:
    """Whether a glance is enough, as for most: every key is looked at several times on its way."""
    return (
        0 < len(key) <= MAX_KEY_BYTES
        and key.isascii()
        and key.isprintable()
        and key[0] not in "/."
        and key[-1] != "/"
        and "//" not in key
        and "/." not in key
    )


def _fault(parts: list[str]) -> str:
    if parts[0] == "" and len(parts) > 1:
        return "it begins with '/'"
    if parts[-1] == "" and len(parts) > 1:
        return "it ends with '/' or has '//' in it"
    if "" in parts:
        return "it has '//' in it"
    dots = next((part for part in parts if part in {".", ".."}), "")
    return f"the part {dots!r} means a folder" if dots else ""


def _text_fault(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes, more than {MAX_KEY_BYTES}"
    unwritable = _NOT_IN_XML.search(key)  # list answers are XML
    return f"it has the character {unwritable.group()!r}" if unwritable else ""
