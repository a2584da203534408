"""Weather files kept on this machine, by content; fetched once, however many processes ask.

::

    objects/<SHA-256 of what was fetched>/<file>    the files in it
    places/<SHA-256 of the URI>.json                which object a URI was last seen to hold, with its e-tag
    locks/<SHA-256 of the URI>                      held while it is fetched
"""

import fcntl
import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from skyhold.errors import WeatherError
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_store
from skyhold.storage.trimming import MOST_KEPT_BYTES, note_use, trim_folder
from skyhold.weather.unpacking import file_name, unpack

__all__ = ["Kept", "WeatherCache"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one object.

    Attributes:
        uri: Where it is from, without secrets.
        sha256: Of the object.
        e_tag: By which the store will tell whether it is still the same.
        files: Path and SHA-256 of each file, by suffix (``".epw"``).
    """

    uri: str
    sha256: str
    e_tag: str | None
    files: Mapping[str, tuple[Path, str]]


class WeatherCache:
    """A folder of weather files. It may be deleted at any time.

    A copy is used while the store still tells the same e-tag (one small request), and its bytes have the hash that
    they were kept with. Where a store tells none, every use fetches it again.

    Args:
        folder: Where they are kept.
        offline: Take what is kept without asking the store.
        most_bytes: How large an object, and what is unpacked from it, may be.
        most_kept_bytes: What was used least recently goes when there is more; not what was used in the last day.
    """

    def __init__(self, folder: Path, *, offline: bool, most_bytes: int, most_kept_bytes: int = MOST_KEPT_BYTES) -> None:
        self._folder = folder.expanduser().absolute()
        self._store = open_store(str(self._folder))
        self._offline = offline
        self._most_bytes = most_bytes
        self._most_kept_bytes = most_kept_bytes

    def get(self, store: Store, key: str, kind: str = ".epw") -> Kept:
        """Return the files of an object, fetched only if it is not kept, or has changed.

        Args:
            store: Where it is.
            key: Its name there.
            kind: ``".epw"`` for an EPW file or a zip that holds one; else the suffix of what lies beside one.

        Raises:
            KeyNotFoundError: There is no such object.
            WeatherError: It is no weather file; or it is not kept, and nothing may be fetched.
        """
        uri = redact_uri(store.uri_of(key))
        place = hashlib.sha256(uri.encode()).hexdigest()
        kept = self._find(place, kind)
        if kept is not None and self._is_current(kept, store, key):
            note_use(self._objects / kept.sha256)
            return kept
        if self._offline:
            raise WeatherError(f"{uri!r} is not kept here, and nothing is to be fetched", remedy="Go online once")
        with self._locked(place):
            kept = self._find(place, kind)  # another process may have fetched it while this one waited
            if kept is not None and self._is_current(kept, store, key):
                return kept
            info, data = store.read_with_info(key, ByteRange(0, self._most_bytes + 1))
            if info.size_bytes > self._most_bytes:
                raise WeatherError(
                    f"{uri!r} has {info.size_bytes} bytes, more than the {self._most_bytes} that are allowed",
                    remedy="Allow more by most_bytes=, if it is to be trusted",
                )
            name = file_name(key.partition("?")[0])
            files = unpack(data, name, uri, most_bytes=self._most_bytes) if kind == ".epw" else {name: data}
            kept = self._keep(place, uri, info.e_tag, data, files)
        trim_folder(self._objects, self._most_kept_bytes)
        return kept

    @property
    def _objects(self) -> Path:
        return self._folder / "objects"

    def _is_current(self, kept: Kept, store: Store, key: str) -> bool:
        if self._offline:
            return True
        return kept.e_tag is not None and store.info(key).e_tag == kept.e_tag

    def _find(self, place: str, kind: str) -> Kept | None:
        """Return what is kept of a place, if it is of this kind and every byte is as it was."""
        try:
            told = cast("dict[str, Any]", json.loads((self._folder / "places" / f"{place}.json").read_bytes()))
            folder = self._objects / str(told["sha256"])
            files = {str(suffix): (folder / str(name), str(sha256)) for suffix, (name, sha256) in told["files"].items()}
            intact = all(hashlib.sha256(path.read_bytes()).hexdigest() == sha256 for path, sha256 in files.values())
            found = Kept(str(told["uri"]), str(told["sha256"]), told["e_tag"], files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return found if intact and kind in files else None

    def _keep(self, place: str, uri: str, e_tag: str | None, data: bytes, contents: Mapping[str, bytes]) -> Kept:
        sha256 = hashlib.sha256(data).hexdigest()
        files: dict[str, tuple[str, str]] = {}
        for name, content in contents.items():
            self._store.write(f"objects/{sha256}/{name}", content)
            files[Path(name).suffix.lower()] = (name, hashlib.sha256(content).hexdigest())
        told = {"uri": uri, "e_tag": e_tag, "sha256": sha256, "files": files}
        self._store.write(f"places/{place}.json", json.dumps(told, indent=1).encode())
        folder = self._objects / sha256
        note_use(folder)  # it may have been there before, under another name
        return Kept(uri, sha256, e_tag, {suffix: (folder / name, own) for suffix, (name, own) in files.items()})

    @contextmanager
    def _locked(self, place: str) -> Generator[None]:
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / place).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
