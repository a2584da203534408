"""What other programs wrote under the plain keys of a library becomes versions, all of it at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import list_plain
from skyhold.components.library import Library
from skyhold.components.sync_view import ask_for, token_of
from skyhold.errors import ConflictError, IntegrityError, InvalidKeyError, MalformedInputError
from skyhold.runs.event import Listener
from skyhold.runs.recording import record_run
from skyhold.storage.sync_sides import RemoteFile

__all__ = ["Adoption", "adopt_objects"]

_LOOKING = 64
_ADOPTING = 8


@dataclass(slots=True)
class Adoption:
    """What became of objects that were no versions.

    Attributes:
        adopted: The newest version of each now, by key; 0 in a dry run.
        failed: Why others could not become versions, by key.
        known: How many objects were versions already.
        dry_run: Whether nothing was changed.
    """

    adopted: dict[str, int] = field(default_factory=dict[str, int])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    known: int = 0
    dry_run: bool = False


def adopt_objects(
    library: Library, prefix: str = "", *, dry_run: bool = False, listeners: Sequence[Listener] = ()
) -> Adoption:
    """Make versions of the objects that other programs wrote into a library, or that lay there before it was one.

    Nothing is deleted, and no object is changed. It takes one request for each object, beside those that write.

    Args:
        library: Which.
        prefix: Only objects whose key starts with this text.
        dry_run: Change nothing.
        listeners: Told of progress.

    Example:
        >>> library = Library("memory://adopt-example")
        >>> library.store.write("arm.stl", b"solid arm, by a script").key
        'arm.stl'
        >>> adopt_objects(library).adopted
        {'arm.stl': 1}
        >>> library.read("arm.stl")
        b'solid arm, by a script'
    """
    asked = {"library": library.uri, "prefix": prefix, "dry_run": dry_run}
    with record_run("adopt", f"adopt {library.uri}", asked=asked, unit="objects", listeners=listeners) as run:
        counted = library.over(run.metered(library.store))
        counted.format.check(create=not dry_run)
        listed = {
            info.key: RemoteFile(info.size_bytes, token_of(info), modified=info.modified)
            for info in list_plain(counted.store, prefix)
        }
        run.progress.advance(0, total=len(listed))
        done = Adoption(dry_run=dry_run)
        strange = _strangers(counted, listed, done)
        run.progress.advance(done.known + len(done.failed))
        if dry_run:
            done.adopted = dict.fromkeys(strange, 0)
            return done
        for key, found in in_parallel(
            lambda key: _ask(counted, key, listed[key], read_only=False), strange, jobs=_ADOPTING
        ):
            run.progress.advance(1)
            if isinstance(found, RemoteFile) and found.version is not None:
                done.adopted[key] = found.version
            else:
                done.failed[key] = "it was replaced meanwhile" if isinstance(found, RemoteFile) else found
        done.adopted = dict(sorted(done.adopted.items()))
    return done


def _strangers(library: Library, listed: Mapping[str, RemoteFile], done: Adoption) -> list[str]:
    """Return the keys of objects that no version knows."""
    strange: list[str] = []
    for key, found in in_parallel(lambda key: _ask(library, key, listed[key], read_only=True), listed, jobs=_LOOKING):
        if isinstance(found, str):
            done.failed[key] = found
        elif found.sha256 is None:
            strange.append(key)
        else:
            done.known += 1
    return sorted(strange)


def _ask(library: Library, key: str, seen: RemoteFile, *, read_only: bool) -> RemoteFile | str:
    """Return what an object is, or why it cannot be told."""
    try:
        return ask_for(library, key, seen, read_only=read_only)
    except (ConflictError, IntegrityError, InvalidKeyError, MalformedInputError) as error:
        return str(error)
