"""Names of versions: numbers, tags, and ``latest``."""

from contextlib import suppress

from skyhold.components.ledger import Ledger
from skyhold.components.manifest import Head
from skyhold.errors import BadOptionError, ComponentNotFoundError, ConflictError

__all__ = ["LATEST", "change_tags", "check_tag", "number_of"]

LATEST = "latest"
_TRIES = 100
_MOST_DIGITS = 18


def check_tag(name: str) -> None:
    """Refuse a name that no tag can have.

    Raises:
        BadOptionError: With the reason.
    """
    reason = ""
    if not name or name != name.strip() or not name.isprintable():
        reason = "it must be printable text that begins and ends with no space"
    elif name == LATEST:
        reason = "it always means the newest version"
    elif name.isdecimal():
        reason = "it would be read as a version's number"
    if reason:
        raise BadOptionError(f"a tag cannot be called {name!r}: {reason}", remedy="Choose another name")


def number_of(head: Head, version: int | str, *, uri: str) -> int:
    """Return which version is meant by a number, a tag or ``"latest"``.

    Raises:
        ComponentNotFoundError: There is no such tag.

    Example:
        >>> number_of(Head("arm.stl", 3, tags={"approved": 2}), "approved", uri="")
        2
    """
    if isinstance(version, int):
        return version
    if version == LATEST:
        return head.version
    if version in head.tags:
        return head.tags[version]
    if version.isdecimal() and len(version) <= _MOST_DIGITS:
        return int(version)
    tags = ", ".join(head.tags) or "none"
    raise ComponentNotFoundError(
        f"no version of {head.component!r} is tagged {version!r}; the tags are: {tags}",
        operation="read",
        uri=uri,
        remedy=f"Run: skyhold comp log {uri} {head.component}",
    )


def change_tags(ledger: Ledger, component_id: str, name: str, version: int | None) -> None:
    """Give a name to a version, or take it away from whichever has it.

    Raises:
        ComponentNotFoundError: There is no such component.
        ConflictError: Others keep changing the component.
    """
    for _ in range(_TRIES):
        found = ledger.head(component_id)
        changed = found[0].tagged(name, version)
        if changed == found[0]:
            return
        with suppress(ConflictError):
            ledger.replace_head(changed, found)
            return
    raise ConflictError(
        f"others changed the component {_TRIES} times meanwhile",
        operation="tag",
        uri=ledger.store.uri_of(component_id),
        remedy="Try it again",
    )
