"""Do heads and versions fit together? Pure: over what was read of them."""

from collections.abc import Iterator

from skyhold.components.findings import Finding
from skyhold.components.inventory import Inventory, Unreadable
from skyhold.components.layout import head_key, version_key
from skyhold.components.manifest import Version

__all__ = ["check_records", "how_to_repair"]


def how_to_repair(uri: str) -> str:
    """Return the remedy for what a library can make of its other parts."""
    return f"Run: skyhold comp repair {uri}"


def check_records(inventory: Inventory, uri: str) -> Iterator[Finding]:
    """Yield what does not fit together in the records of a library.

    Args:
        inventory: What was read.
        uri: The library's, for remedies.
    """
    unreadable = {each.key for each in inventory.unreadable}
    for each in inventory.unreadable:
        yield _of_unreadable(each, uri)
    for component in inventory.components:
        yield from _of_head(component, inventory, unreadable, uri)
        yield from _of_numbers(component, inventory)
        for _, version in sorted(inventory.versions.get(component, {}).items()):
            yield from _of_dependencies(version, inventory, unreadable)


def _of_unreadable(each: Unreadable, uri: str) -> Finding:
    if not each.is_damaged:
        return Finding(each.component, "unread", "unread", each.key, str(each.error), remedy="Verify again")
    if each.key == head_key(each.component):
        return Finding(each.component, "head damaged", "damaged", each.key, str(each.error), remedy=how_to_repair(uri))
    remedy = "Restore that object from a copy of the library; the other versions are not touched"
    return Finding(each.component, "version damaged", "damaged", each.key, str(each.error), remedy=remedy)


def _of_head(component: str, inventory: Inventory, unreadable: set[str], uri: str) -> Iterator[Finding]:
    here = head_key(component)
    numbers = inventory.versions.get(component, {})
    found = inventory.heads.get(component)
    if found is None:
        if numbers and here not in unreadable:
            detail = f"there are {len(numbers)} versions, and nothing says which counts"
            yield Finding(
                component, "head missing", "damaged", here, detail, tuple(sorted(numbers)), how_to_repair(uri)
            )
        return
    newest = max(numbers, default=0)
    if found.head.version < newest:
        detail = f"it names version {found.head.version}, and there is version {newest}"
        remedy = "Nothing if it is being published just now; otherwise the next publication or sync brings it up"
        yield Finding(component, "head behind", "warning", here, detail, (newest,), remedy)
    for tag, number in sorted(found.head.tags.items()):
        key = version_key(component, number)
        if number not in numbers and key not in unreadable:
            detail = f"{tag!r} names version {number}, which is not there"
            remedy = "Restore that version from a copy of the library, or give the name to another"
            yield Finding(component, "tag without version", "warning", here, detail, (number,), remedy)


def _of_numbers(component: str, inventory: Inventory) -> Iterator[Finding]:
    for number in inventory.gaps(component):
        key = version_key(component, number)
        detail = "nothing says what this version was"
        remedy = f"Restore {key!r} from a copy of the library; the other versions are not touched"
        yield Finding(component, "version missing", "damaged", key, detail, (number,), remedy)


def _of_dependencies(version: Version, inventory: Inventory, unreadable: set[str]) -> Iterator[Finding]:
    here = version_key(version.component, version.number)
    for each in version.dependencies:
        numbers = inventory.versions.get(each.component, {})
        if each.version is None:
            is_there, shown = bool(numbers) or each.component in inventory.components, repr(each.component)
        else:
            is_there = each.version in numbers or version_key(each.component, each.version) in unreadable
            shown = f"version {each.version} of {each.component!r}"
        if not is_there:
            detail = f"it needs {shown}, which is not there"
            remedy = "Publish that, or a version that does not need it"
            yield Finding(version.component, "dependency missing", "warning", here, detail, (version.number,), remedy)
