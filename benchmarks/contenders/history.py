"""A second version of a file: what is stored for it, and how long that and getting it back take."""

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

from measuring.stopwatch import Stopwatch

_ZSTD_LEVEL = 3
_Told = dict[str, Any]


def keep_with_skyhold(watch: Stopwatch, *, folder: str, first: str, second: str) -> _Told:
    from skyhold.components import Library

    place = Path(folder) / "library"
    library = Library(str(place))
    library.publish("part.stl", Path(first))
    before = _size_of(place / ".skyhold")
    with watch:
        version = library.publish("part.stl", Path(second))
    added = _size_of(place / ".skyhold") - before
    begun = time.perf_counter()
    library.history.fetch(version.files[0].sha256, Path(folder) / "back.stl", size_bytes=version.size_bytes)
    return {"added_bytes": added, "back_s": time.perf_counter() - begun, **_checked(Path(folder) / "back.stl", second)}


def keep_with_git(watch: Stopwatch, *, folder: str, first: str, second: str) -> _Told:
    place = Path(folder) / "repository"
    file = place / "part.stl"
    place.mkdir(parents=True)
    _git(place, "init", "--quiet")
    _commit(place, file, first)
    before = _size_of(place / ".git")
    with watch:
        _commit(place, file, second)
    added = _size_of(place / ".git") - before
    file.unlink()
    begun = time.perf_counter()
    _git(place, "checkout", "--quiet", "--", file.name)
    return {"added_bytes": added, "back_s": time.perf_counter() - begun, **_checked(file, second)}


def keep_with_zstd(watch: Stopwatch, *, folder: str, first: str, second: str) -> _Told:
    from backports import zstd

    del first
    packed, back = Path(folder) / "packed.zst", Path(folder) / "back.stl"
    packed.parent.mkdir(parents=True)
    with watch:
        packed.write_bytes(zstd.compress(Path(second).read_bytes(), _ZSTD_LEVEL))
    begun = time.perf_counter()
    back.write_bytes(zstd.decompress(packed.read_bytes()))
    back_s = time.perf_counter() - begun
    return {"added_bytes": packed.stat().st_size, "back_s": back_s, **_checked(back, second)}


def _commit(place: Path, file: Path, content: str) -> None:
    """Commit a file and pack: git makes deltas only then."""
    file.write_bytes(Path(content).read_bytes())
    _git(place, "add", file.name)
    _git(place, "-c", "user.name=one", "-c", "user.email=one@example.org", "commit", "--quiet", "--message", "part")
    _git(place, "gc", "--quiet")


def _git(place: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(place), *words], check=True)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _checked(back: Path, second: str) -> _Told:
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (back, Path(second))}
    return {"is_same": len(hashes) == 1}
