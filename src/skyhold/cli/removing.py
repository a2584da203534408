"""``rm``: with a guard."""

import sys
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common, Place, locate
from skyhold.cli.output import Printer
from skyhold.errors import BadUriError, DeleteGuardError, KeyNotFoundError
from skyhold.runs.wording import human_size
from skyhold.storage.location import parse_location
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_object

__all__ = ["rm"]

_DEFAULT = Common()


def rm(
    *uris: str,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative="")] = False,
    common: Common = _DEFAULT,
) -> int:
    """Delete objects, or with --recursive everything below a prefix. A whole bucket is never deleted.

    Args:
        uris: What to delete.
        recursive: Everything below each; asks first, unless --yes.
        common: Options of every command.
    """
    if not uris:
        raise BadUriError("rm needs something to delete", remedy="Write: skyhold rm URI…")
    printer = Printer(as_json=common.json)
    removed = 0
    for uri in uris:
        place = _inside_its_parent(locate(uri, common), uri)
        found = _found(place, uri, recursive=recursive)
        if recursive and not common.dry_run:
            _ask(found, uri, common)
        verb = "would delete" if common.dry_run else "deleted"
        if not common.dry_run:
            _delete(place, found, recursive=recursive)
        for info in found:
            target = place.store.uri_of(info.key)
            printer.item(f"{verb} {target}", action=verb, uri=target)
        removed += len(found)
    printer.summary(f"{removed:,} objects", objects=removed, dry_run=common.dry_run)
    return 0


def _delete(place: Place, found: list[ObjectInfo], *, recursive: bool) -> None:
    if recursive:
        place.store.delete_listed(place.under(), found)
    else:
        place.store.delete([info.key for info in found])


def _inside_its_parent(place: Place, uri: str) -> Place:
    """A folder on disk that is named may go; a bucket may not."""
    if place.prefix or parse_location(uri).scheme not in {"file", "mock"}:
        return place
    store, name = open_object(uri.rstrip("/"))
    return Place(store, name, is_folder=True)


def _found(place: Place, uri: str, *, recursive: bool) -> list[ObjectInfo]:
    if recursive:
        if not place.under():
            raise DeleteGuardError(
                "this would delete everything in the store",
                operation="delete",
                uri=uri,
                remedy="Name a prefix inside it",
            )
        found = list(place.store.list(place.under()))
        if not found:
            raise KeyNotFoundError("nothing is there", operation="delete", uri=uri, remedy="Check the spelling")
        return found
    if place.is_folder:
        raise BadUriError(f"{uri!r} is a folder", remedy="Add --recursive to delete what lies in it")
    return [place.store.info(place.prefix)]


def _ask(found: list[ObjectInfo], uri: str, common: Common) -> None:
    if common.yes:
        return
    size = human_size(sum(info.size_bytes for info in found))
    question = f"Delete {len(found):,} objects ({size}) below {uri}? [y/N] "
    if not sys.stdin.isatty() or input(question).strip().lower() not in {"y", "yes"}:
        raise DeleteGuardError(
            f"{len(found):,} objects would be deleted, and nobody said yes",
            operation="delete",
            uri=uri,
            remedy="Add --yes to delete without asking, or --dry-run to see what would go",
        )
