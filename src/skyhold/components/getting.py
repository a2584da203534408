"""Versions brought to disk: verified, whole or not at all, and never outside the folder that was named."""

import shutil
from collections.abc import Callable
from pathlib import Path, PurePath, PureWindowsPath

from skyhold.components.hashing import hash_file
from skyhold.components.history import History
from skyhold.components.in_parallel import do_all
from skyhold.components.manifest import FileEntry, Version
from skyhold.errors import AlreadyExistsError, InvalidKeyError

__all__ = ["bring"]

Moved = Callable[[int], None]


def bring(history: History, version: Version, target: Path, *, on_moved: Moved | None = None) -> Path:
    """Write the files of a version; return where the component lies.

    A component that is one file becomes ``target``, or a file in it where that is a folder. One that has several
    becomes the folder ``target``: all are gathered and verified beside it first. Where the folder exists, they are
    gathered in it, then take their places one after the other, and other files there stay. An interrupted call leaves
    what it gathered, and the next one goes on with it.

    Args:
        history: Where the contents are.
        version: Which version.
        target: A file or a folder.
        on_moved: Told of bytes as they come.

    Raises:
        AlreadyExistsError: There is a file where a folder is to be.
        InvalidKeyError: A file's name leads out of the target.
        IntegrityError: The content is damaged or missing.
    """
    if [entry.name for entry in version.files] == [""]:
        entry = version.files[0]
        path = inside(target, version.component.rpartition("/")[2]) if target.is_dir() else target
        history.fetch(entry.sha256, path, size_bytes=entry.size_bytes, progress=on_moved)
        return path
    for entry in version.files:
        inside(target, entry.name)
    if target.exists() and not target.is_dir():
        raise AlreadyExistsError(
            f"{version.component!r} has {len(version.files)} files and becomes a folder, and this is a file",
            operation="download",
            uri=str(target),
            remedy="Name a folder, or a name that is free; nothing was written",
        )
    name = f".{target.name}.skyhold-part"  # on the same disk as the target, and not beside it unless it comes to be
    gathered = target / name if target.is_dir() else target.with_name(name)

    def fetch(entry: FileEntry) -> None:
        path = inside(gathered, entry.name)
        if path.is_file() and hash_file(path) == entry.sha256:
            return
        history.fetch(entry.sha256, path, size_bytes=entry.size_bytes, progress=on_moved)

    do_all(fetch, version.files, size_bytes=lambda entry: entry.size_bytes)
    if target.exists():
        for entry in version.files:
            path = inside(target, entry.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            inside(gathered, entry.name).replace(path)
        shutil.rmtree(gathered)
    else:
        _drop_others(gathered, version)
        gathered.rename(target)
    return target


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder.

    Raises:
        InvalidKeyError: It would lie outside, by its name or by a symbolic link on the way.

    Example:
        >>> inside(Path("arm"), "parts/left.stl").as_posix()
        'arm/parts/left.stl'
    """
    parts = name.split("/")
    path = folder.joinpath(*parts)
    fits = all(part not in {"", ".", ".."} and PurePath(part).name == part for part in parts)
    fits = fits and "\0" not in name and not any(PureWindowsPath(part).drive for part in parts)
    if not fits or not path.parent.resolve().is_relative_to(folder.resolve()):
        raise InvalidKeyError(
            f"the name {name!r} leads out of the folder",
            operation="download",
            uri=str(folder),
            remedy="Look at who published it; nothing was written",
        )
    return path


def _drop_others(gathered: Path, version: Version) -> None:
    """Drop what an interrupted download of another version left."""
    names = {entry.name for entry in version.files}
    for path in list(gathered.rglob("*")):
        if path.is_file() and path.relative_to(gathered).as_posix() not in names:
            path.unlink()
