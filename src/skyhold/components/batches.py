"""Which components a batch is about, and what it does with each."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from skyhold.components.batch_run import Batch, BatchItem, BatchResult, Work
from skyhold.components.dependencies import list_needed as names_needed
from skyhold.components.dependencies import resolve_dependencies
from skyhold.components.folder_scan import compile_patterns, scan_folder
from skyhold.components.getting import inside
from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.seen_names import SeenNames
from skyhold.errors import ComponentNotFoundError, ConflictError, DependencyError, NotFoundError
from skyhold.storage.keys import folder_prefix

__all__ = [
    "delete_all",
    "download_all",
    "existing_path",
    "largest_of",
    "list_matching",
    "list_needed",
    "list_uploads",
    "prepared_path",
    "upload_all",
]

_WILDCARDS = frozenset("*?[")


def existing_path(path: str | os.PathLike[str], component_id: str) -> Path:
    """Return a path where a file or folder lies.

    Raises:
        NotFoundError: There is none.
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise NotFoundError(
            f"there is no file {str(found)!r} in {str(Path.cwd())!r}",
            operation="upload",
            uri=component_id,
            remedy="Check the spelling and the working folder; nothing was written",
        )
    return found


def prepared_path(path: str | os.PathLike[str]) -> Path:
    """Return a path whose folders are there; it is a folder itself where its name ends in ``/``."""
    text = os.fspath(path)
    found = Path(text).expanduser()
    (found if text.endswith("/") else found.parent).mkdir(parents=True, exist_ok=True)
    return found


def list_uploads(
    source: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]], patterns: Sequence[str], prefix: str
) -> list[BatchItem]:
    """Return what a batch uploads: files of a folder that match, or files by their ids.

    Files that cannot be uploaded (links, names that no store holds) are there with the reason.

    Raises:
        KeyNotFoundError: There is no such folder.
        NotFoundError: No file of it matches.
    """
    prefix = folder_prefix(prefix)
    if isinstance(source, Mapping):
        return [BatchItem(prefix + component_id, Path(path)) for component_id, path in source.items()]
    folder = Path(source).expanduser()
    matches = compile_patterns(patterns)
    found = scan_folder(folder, matches)
    items = [BatchItem(prefix + path, folder / found.name_of(path)) for path in found.files]
    for path, problem in found.problems.items():
        error = ConflictError(problem, operation="upload", uri=str(folder / path))
        items.append(BatchItem(prefix + path, folder / path, error=error))
    if not items:
        raise NotFoundError(
            f"no file matches {', '.join(map(repr, patterns))}",
            operation="upload",
            uri=str(folder),
            remedy="Look at the patterns: they are compared with names and with paths below the folder",
        )
    return sorted(items, key=lambda item: item.component)


def largest_of(uploads: Iterable[BatchItem]) -> int:
    """Return the size of the largest file to upload; folders count as large."""
    sizes = [0]
    for item in uploads:
        if item.path is not None and item.path.is_dir():
            return sys.maxsize
        if item.path is not None and item.path.is_file():
            sizes.append(item.path.stat().st_size)
    return max(sizes)


def list_matching(library: Library, components: str | Iterable[str], *, operation: str) -> list[str]:
    """Return ids: those that were named, and for patterns those that match; each once.

    Raises:
        ComponentNotFoundError: Nothing matches a pattern.

    Example:
        >>> library = Library("memory://batches-example")
        >>> for name in ("robots/arm.stl", "robots/hand.stl", "notes.txt"):
        ...     _ = library.publish(name, b"content")
        >>> list_matching(library, ["notes.txt", "robots/*"], operation="download")
        ['notes.txt', 'robots/arm.stl', 'robots/hand.stl']
    """
    wanted = [components] if isinstance(components, str) else list(components)
    known = [each.component for each in library.list()] if any(map(_is_pattern, wanted)) else []
    found: dict[str, None] = {}
    for each in wanted:
        matching = (
            [each] if not _is_pattern(each) or each in known else [id_ for id_ in known if fnmatchcase(id_, each)]
        )
        if not matching:
            raise ComponentNotFoundError(
                f"no component matches {each!r}",
                operation=operation,
                uri=library.uri,
                remedy="See what there is with list_components()",
            )
        found |= dict.fromkeys(matching)
    return list(found)


def list_needed(library: Library, ids: Iterable[str]) -> dict[str, int | str]:
    """Return components and all that they need, each with its version.

    Raises:
        DependencyError: Something is missing, or needed at two versions.
    """
    found: dict[str, int | str] = {}
    for component_id in ids:
        for version in resolve_dependencies(library.store, component_id):
            if found.setdefault(version.component, version.number) != version.number:
                raise DependencyError(
                    f"{version.component!r} is needed at version {found[version.component]}, "
                    f"and by {component_id!r} at {version.number}",
                    operation="download",
                    uri=library.store.uri_of(version.component),
                    remedy="Download those that need it one after the other, into folders of their own",
                )
    return found


def upload_all(
    batch: Batch, uploads: Sequence[BatchItem], *, message: str = "", metadata: Mapping[str, str] | None = None
) -> BatchResult:
    """Publish each file as a version of its component."""

    def work(component_id: str, path: Path) -> Work:
        return lambda run: batch.library.publish(
            component_id, existing_path(path, component_id), message=message, metadata=metadata, run=run
        )

    tasks = [(each, work(each.component, each.path) if each.succeeded and each.path else None) for each in uploads]
    return batch.run(tasks, message=message)


def download_all(batch: Batch, wanted: Mapping[str, int | str], folder: Path) -> BatchResult:
    """Bring each component into a folder, under its id and never outside."""
    folder.mkdir(parents=True, exist_ok=True)

    def work(component_id: str, version: int | str) -> Work:
        return lambda run: batch.library.get(
            component_id, prepared_path(inside(folder, component_id)), version=version, run=run
        )

    tasks = [(BatchItem(each, folder / each), work(each, version)) for each, version in wanted.items()]
    return batch.run(tasks, folder=str(folder))


def delete_all(batch: Batch, ids: Sequence[str], *, message: str = "") -> BatchResult:
    """Delete each component; which of them others need is listed for all together."""
    shared = os.path.commonprefix(ids)  # noqa: RUF071 - keys begin with letters, not with folders
    needed = SeenNames(lambda: names_needed(batch.counted.store, shared))

    def delete(component_id: str) -> Version:
        even_if_needed = component_id not in needed.names()
        return batch.counted.delete(component_id, message=message, even_if_needed=even_if_needed)

    def work(component_id: str) -> Work:
        return lambda _: delete(component_id)

    return batch.run([(BatchItem(each), work(each)) for each in ids], message=message)


def _is_pattern(text: str) -> bool:
    return not _WILDCARDS.isdisjoint(text)
