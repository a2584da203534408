"""The keys of a folder in their order, found as they are asked for: a listing that ends early looks at little."""

import os
from collections.abc import Callable, Iterator

__all__ = ["list_one_level", "walk_keys"]

IsHidden = Callable[[str], bool]


def walk_keys(root: str, prefix: str, after: str | None, is_hidden: IsHidden) -> Iterator[str]:
    """Yield the keys of the files below a folder, by code point; folders that can have none of them are not opened.

    Links to folders are not followed. A folder that goes away meanwhile is empty.

    Args:
        root: The folder; ends in ``/``.
        prefix: What the keys begin with.
        after: Only greater ones.
        is_hidden: Whether a key, or a folder without its ``/``, is to be left out.

    Raises:
        PermissionError: A folder cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "arm").mkdir()
        >>> for name in ("arm/left", "arm-rest", "arm.stl"):
        ...     (root / name).touch()
        >>> list(walk_keys(f"{root}/", "", None, lambda key: False))
        ['arm-rest', 'arm.stl', 'arm/left']
    """
    top = prefix[: prefix.rfind("/") + 1]
    after = after or ""
    opened = [(top, _names(root + top))]
    while opened:
        folder, names = opened[-1]
        name = next(names, None)
        if name is None:
            opened.pop()
            continue
        key = folder + name
        if not name.endswith("/"):
            if key.startswith(prefix) and key > after and not is_hidden(key):
                yield key
        elif _may_have(key, prefix, after) and not is_hidden(key[:-1]):
            opened.append((key, _names(root + key)))


def list_one_level(
    root: str, prefix: str, after: str | None, is_hidden: IsHidden
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys that begin with ``prefix`` and have no further ``/``, and the folders that have such keys.

    Args:
        root: The folder; ends in ``/``.
        prefix: What the keys begin with.
        after: Only greater ones.
        is_hidden: Whether a key, or a folder without its ``/``, is to be left out.

    Raises:
        PermissionError: A folder cannot be read.
    """
    top = prefix[: prefix.rfind("/") + 1]
    found = [top + name for name in _names(root + top) if (top + name).startswith(prefix)]
    keys = (key for key in found if not key.endswith("/") and key > (after or "") and not is_hidden(key))
    folders = (key for key in found if key.endswith("/") and not is_hidden(key[:-1]))
    return tuple(keys), tuple(key for key in folders if next(walk_keys(root, key, after, is_hidden), None) is not None)


def _names(folder: str) -> Iterator[str]:
    """Yield what lies in a folder, folders with a ``/``: so that it is the order of the keys."""
    try:
        with os.scandir(folder) as entries:
            names = [
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not (entry.is_symlink() and entry.is_dir())
            ]
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from sorted(names)


def _may_have(folder: str, prefix: str, after: str) -> bool:
    """Whether keys in a folder can begin with ``prefix`` and be greater than ``after``."""
    begins = folder.startswith(prefix) or prefix.startswith(folder)
    return begins and (folder > after or after.startswith(folder))
