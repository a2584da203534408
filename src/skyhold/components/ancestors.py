"""Where a component may be: not within another, and not around others. Not every store holds "a" beside "a/b"."""

from skyhold.components.ledger import Ledger
from skyhold.errors import InvalidKeyError

__all__ = ["check_place"]


def check_place(ledger: Ledger, component_id: str) -> None:
    """Refuse to make a component whose plain key is a folder of others, or lies within another component.

    Looked at when a component begins to be (or is undeleted). Two who make "a" and "a/b" at the same moment are not
    kept from it.

    Raises:
        InvalidKeyError: With the other.
    """
    parts = component_id.split("/")
    reason = ""
    for length in range(1, len(parts)):
        ancestor = "/".join(parts[:length])
        found = ledger.find_head(ancestor)
        if found is not None and found[0].plain:
            reason = f"{ancestor!r} is a component itself"
            break
    else:
        page = next(ledger.store.list_pages(f"{component_id}/"), None)
        if page is not None and page.objects:
            reason = f"there is {page.objects[0].key!r}, so {component_id!r} is a folder"
    if reason:
        raise InvalidKeyError(
            f"no component can be made here: {reason}",
            operation="publish",
            uri=ledger.store.uri_of(component_id),
            remedy="Choose another name; nothing was written",
        )
