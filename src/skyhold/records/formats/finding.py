"""From a pattern to the objects that it means."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from skyhold.errors import BadUriError, KeyNotFoundError
from skyhold.records.formats.adapter import OpenStore
from skyhold.runs.receipt import RECEIPT_SUFFIX
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_object, open_pattern

__all__ = ["FoundObject", "compile_pattern", "find_listed", "find_objects", "infos_of"]

_TOKEN = re.compile(r"\*+|\?|\[(!?+)(\][^/\]]*|[^/\]]+)\]|.", re.DOTALL)
_ASKED_AT_ONCE = 16
_NOT_HIDDEN = "(?![._])"
_ANY_PART = f"{_NOT_HIDDEN}[^/]+"
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def find_listed(store: Store, pattern: str, *, shown: str) -> list[ObjectInfo]:
    """Return the objects whose keys match, in key order. Only what the pattern's literal beginning allows is listed.

    Args:
        store: Where to look.
        pattern: As for `compile_pattern`, relative to the store.
        shown: The pattern as the user gave it, for errors.

    Raises:
        KeyNotFoundError: Nothing matches.
    """
    matches = compile_pattern(pattern).fullmatch
    wants_receipts = pattern.endswith(RECEIPT_SUFFIX)
    listed = 0
    found: list[ObjectInfo] = []
    for info in store.list(_literal_beginning(pattern)):
        listed += 1
        if matches(info.key) and (wants_receipts or not info.key.endswith(RECEIPT_SUFFIX)):
            found.append(info)
    if not found:
        raise KeyNotFoundError(
            f"no object matches; looked at {listed:,}",
            operation="list",
            uri=shown,
            remedy="Check the spelling; names that begin with '.' or '_' are matched only where the pattern has that "
            "character; give glob=False for a key that really holds '*', '?' or '['",
        )
    return found


class FoundObject(NamedTuple):
    """An object that one of several URIs means.

    Attributes:
        store: Where it is.
        key: Its name there.
        uri_number: Which URI, from 0.
        info: What a listing told of it; None where nothing was listed.
    """

    store: Store
    key: str
    uri_number: int
    info: ObjectInfo | None


def find_objects(
    uris: Sequence[str], *, glob: bool, wrap: OpenStore, **storage_options: Any
) -> tuple[list[FoundObject], bool]:
    """Return the objects that URIs mean, at least one, and whether they might have been more than one.

    Raises:
        KeyNotFoundError: A pattern or a folder matches nothing.
        BadUriError: An object is meant twice.
    """
    found: dict[str, FoundObject] = {}
    are_many = len(uris) > 1
    for number, uri in enumerate(uris):
        folder = open_pattern(uri, **storage_options) if glob else None
        if folder is None:
            store, key = open_object(uri, **storage_options)
            here = [FoundObject(wrap(store), key, number, None)]
        else:
            are_many = True
            store, pattern = wrap(folder[0]), folder[1]
            listed = find_listed(store, pattern, shown=redact_uri(uri))
            here = [FoundObject(store, info.key, number, info) for info in listed]
        for each in here:
            place = each.store.uri_of(each.key)
            if place in found:
                raise BadUriError(f"{place!r} is among the inputs twice", remedy="Name each object once")
            found[place] = each
    return list(found.values()), are_many


def infos_of(found: Sequence[FoundObject]) -> list[ObjectInfo]:
    """Return what is known of each object; of those that no listing has told, by asking."""

    def ask(each: FoundObject) -> ObjectInfo:
        return each.info or each.store.info(each.key)

    with ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="skyhold-infos") as pool:
        return list(pool.map(ask, found))


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern of keys as a regular expression.

    ``*`` is any text within a part of the key, ``?`` one character, ``[a-f]`` and ``[!a-f]`` one character of a set;
    a part ``**`` is any number of parts, and none as well, except at the end, where it is at least one. A part that
    begins with a wildcard does not match names that begin with ``.`` or ``_``: those are for programs' own notes.

    Raises:
        BadUriError: A set is turned round, such as ``[z-a]``.

    Example:
        >>> matches = compile_pattern("2024-*/**/*.csv").fullmatch
        >>> [key for key in ("2024-1/a.csv", "2024-1/b/c/a.csv", "2024-1/_old/a.csv", "2023/a.csv") if matches(key)]
        ['2024-1/a.csv', '2024-1/b/c/a.csv']
    """
    *folders, last = pattern.split("/")
    expression = "".join(f"(?:{_ANY_PART}/)*" if part == "**" else f"{_part(part)}/" for part in folders)
    expression += f"(?:{_ANY_PART}/)*{_ANY_PART}" if last == "**" else _part(last)
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise BadUriError(f"the pattern {pattern!r} cannot be read: {error}") from error


def _part(part: str) -> str:
    expression = "".join(_translate(token) for token in _TOKEN.finditer(part))
    return _NOT_HIDDEN + expression if part.startswith(("*", "?", "[!")) else expression


def _translate(token: re.Match[str]) -> str:
    text = token.group()
    if text.startswith("*"):
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if len(text) > 1:
        negated, members = token.groups()
        escaped = "".join(map(_member, _MEMBER.finditer(members)))
        return f"[^/{escaped}]" if negated else f"[{escaped}]"
    return re.escape(text)


def _member(member: re.Match[str]) -> str:
    first, last, single = member.groups()
    return re.escape(single) if single else f"{re.escape(first)}-{re.escape(last)}"


def _literal_beginning(pattern: str) -> str:
    tokens = _TOKEN.finditer(pattern)
    end = next((token.start() for token in tokens if token.group()[0] in "*?" or len(token.group()) > 1), len(pattern))
    return pattern[:end]
