"""Results that this machine knows already, by the key of what they depend on."""

import os
import random
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from skyhold.config import cache_folder
from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.simulation.result_record import RECORD, ResultRecord, record_files

__all__ = ["ResultCache", "choose_cache"]

_MOST_BYTES = 10 * 1024**3
_BEING_WRITTEN = ".new-"
_BEING_DELETED = ".old-"
_STALE_S = 24 * 3600.0
_SAMPLE = 64
_NEARLY = 0.75
"""From this share of what is allowed on, a sample is not enough to go by."""
_HEXADECIMAL = frozenset("0123456789abcdef")


class ResultCache:
    """Keeps results in a folder of this machine; the least recently used go when there are too many bytes.

    An entry appears whole, and its files are checked by their SHA-256 when they are taken out; a damaged one counts as
    none. Any number of processes may share a folder, and it may be deleted at any time.

    Args:
        folder: Where; the user's own cache, if not given.
        max_bytes: How much is kept, to a sixteenth, for each process that writes.

    Example:
        >>> import tempfile
        >>> cache = ResultCache(tempfile.mkdtemp(), max_bytes=1_000_000)
        >>> cache.size_bytes
        0
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, max_bytes: int = _MOST_BYTES) -> None:
        if max_bytes < 0:
            raise BadOptionError(f"max_bytes={max_bytes} is negative")
        self.folder = Path(folder).expanduser() if folder is not None else cache_folder() / "results"
        self.max_bytes = max_bytes
        self._slack_bytes = max_bytes // 16
        self._estimate: int | None = None
        self._unseen = 0

    @property
    def size_bytes(self) -> int:
        """How much is kept now."""
        return sum(size for _, size, _ in self._entries())

    def get(self, key: str, target: Path, *, simulator: str) -> ResultRecord | None:
        """Copy the files of a result into an empty folder; return its record, None where it is not known.

        Args:
            key: Of its inputs.
            target: Where to. It is empty again when nothing is found.
            simulator: Whose result it has to be: two may call their builds alike.
        """
        entry = self._entry(key)
        try:
            record = ResultRecord.from_json((entry / RECORD).read_bytes())
            if record.simulator != simulator:
                return None
            names = [file.name for file in record.files]
            for name in [*names, RECORD]:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(entry / name, target / name)
            is_sound = record.key == key and record_files(target, names) == record.files
        except (OSError, MalformedInputError):
            is_sound, record = False, None
        if record is not None and is_sound:
            with suppress(OSError):
                os.utime(entry)
            return record
        _empty(target)
        if entry.is_dir():
            self._drop(entry)
        return None

    def put(self, source: Path, record: ResultRecord) -> None:
        """Keep a result whose files and record lie in a folder; one that is known already stays as it is."""
        entry = self._entry(record.key)
        size = sum(file.size_bytes for file in record.files)
        if size > self.max_bytes or entry.is_dir():
            return
        new = self.folder / f"{_BEING_WRITTEN}{uuid.uuid4().hex}"
        try:
            for name in [*(file.name for file in record.files), RECORD]:
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, new / name)
            new.rename(entry)
        except FileExistsError:
            pass  # another process was first, with the same result
        except OSError as error:
            if not entry.is_dir():
                raise BadOptionError(
                    f"the result cache {str(self.folder)!r} cannot be written: {error.strerror or error}",
                    remedy="Name another folder, or leave cache out",
                ) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)
        self._bound(size)

    def clear(self) -> None:
        """Forget everything."""
        for entry, _, _ in list(self._entries()):
            self._drop(entry)

    def _entry(self, key: str) -> Path:
        if not key or not _HEXADECIMAL.issuperset(key):
            raise BadOptionError(f"{key!r} is no key of a result")
        return self.folder / key

    def _entries(self) -> Iterator[tuple[Path, int, float]]:
        """Yield every entry, its size, and when it was last used."""
        yield from self._measured(self.folder.iterdir() if self.folder.is_dir() else ())

    def _measured(self, entries: Iterable[Path]) -> Iterator[tuple[Path, int, float]]:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.name.startswith((_BEING_WRITTEN, _BEING_DELETED)):
                    self._drop_stale(entry)
                    continue
                files = (path for path in entry.rglob("*") if path.is_file())
                yield entry, sum(path.stat().st_size for path in files), entry.stat().st_mtime

    def _bound(self, added: int) -> None:
        """Look whether there is too much, as seldom as will do: to look at every entry takes long.

        Other processes add entries too, so what is known of the size is measured again from time to time.
        """
        self._unseen += added
        if self._estimate is None or self._unseen > self._slack_bytes:
            self._estimate, self._unseen = self._sample(), 0
            if self._estimate > self.max_bytes * _NEARLY:
                self._estimate = self.size_bytes
        if self._estimate + self._unseen > self.max_bytes:
            self._estimate, self._unseen = self._shrink(), 0

    def _sample(self) -> int:
        """Return about how much is kept."""
        entries = list(self.folder.iterdir())
        chosen = entries if len(entries) <= _SAMPLE else random.sample(entries, _SAMPLE)
        return sum(size for _, size, _ in self._measured(chosen)) * len(entries) // max(len(chosen), 1)

    def _shrink(self) -> int:
        """Let the least recently used go, and some more so that the next is not due at once; return what is left."""
        entries = sorted(self._entries(), key=lambda found: found[2])
        size = sum(found[1] for found in entries)
        for entry, entry_bytes, _ in entries:
            if size <= self.max_bytes - self._slack_bytes:
                break
            self._drop(entry)
            size -= entry_bytes
        return size

    def _drop(self, entry: Path) -> None:
        """Take an entry away at once, and delete it then: nobody sees half of it."""
        old = self.folder / f"{_BEING_DELETED}{uuid.uuid4().hex}"
        with suppress(OSError):
            entry.rename(old)
        shutil.rmtree(old, ignore_errors=True)

    def _drop_stale(self, left: Path) -> None:
        """Delete what a process that was killed has left."""
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def choose_cache(cache: ResultCache | bool | None) -> ResultCache | None:
    """Return the cache that is meant: True is the user's own, False and None are none."""
    return ResultCache() if cache is True else cache or None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
