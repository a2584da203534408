"""Stores for tests of what happens between two requests: others at work, or the end of the process."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Literal

from skyhold.components.layout import RESERVED, blob_key, versions_prefix
from skyhold.components.manifest import Version
from skyhold.errors import KeyNotFoundError
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo
from skyhold.storage.wrappers.delegating import DelegatingStore


class SteppedStore(DelegatingStore):
    """Calls ``before`` in front of every request, and ``after`` behind every one that succeeded.

    Args:
        inner: The store that does the work.
        before: Called with the verb and the key.
        after: Called with the verb and the key.
    """

    def __init__(
        self, inner: Store, before: Callable[[str, str], None], after: Callable[[str, str], None] | None = None
    ) -> None:
        super().__init__(inner)
        self._before = before
        self._after = after or _nothing

    def info(self, key: str) -> ObjectInfo:
        self._before("info", key)
        return super().info(key)

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        self._before("read", key)
        return super().read_with_info(key, byte_range, if_match=if_match)

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        self._before("write", key)
        info = super().write(key, data, if_absent=if_absent, if_match=if_match, attributes=attributes)
        self._after("write", key)
        return info

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        self._before("write", key)
        return super().open_writer(key, attributes=attributes)

    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        self._before("list", prefix)
        return super().list_pages(prefix, start_after=start_after, delimiter=delimiter)

    def delete(self, keys: str | Iterable[str]) -> None:
        for key in [keys] if isinstance(keys, str) else list(keys):
            self._before("delete", key)
            super().delete(key)
            self._after("delete", key)

    def copy(self, source: str, target: str) -> None:
        self._before("copy", target)
        super().copy(source, target)
        self._after("copy", target)


class Stage:
    """Lets workers do one request at a time, in an order that is given: the same order, the same outcome.

    Args:
        order: Whose turn it is, modulo the workers that are still at it; after its end they take turns.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self._order = iter(order)
        self._turn = 0
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._alive: set[str] = set()
        self._chosen = ""

    def gate(self, name: str) -> Callable[[str, str], None]:
        """Return what a worker's store calls before each request."""

        def wait(verb: str, key: str) -> None:
            del verb, key
            with self._changed:
                self._waiting.add(name)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._chosen == name)
                self._chosen = ""
                self._waiting.discard(name)

        return wait

    def play(self, workers: dict[str, Callable[[], None]]) -> None:
        """Run all workers to their end, and raise what one of them raised."""
        errors: list[BaseException] = []
        self._alive = set(workers)

        def run(name: str, work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised in the main thread
                errors.append(error)
            with self._changed:
                self._alive.discard(name)
                self._changed.notify_all()

        threads = [threading.Thread(target=run, args=each, daemon=True) for each in workers.items()]
        for thread in threads:
            thread.start()
        while self._choose():
            pass
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def _choose(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._chosen and self._waiting == self._alive)
            if not self._alive:
                return False
            self._turn = next(self._order, self._turn + 1)
            self._chosen = sorted(self._alive)[self._turn % len(self._alive)]
            self._changed.notify_all()
            return True


class Keepsake(SteppedStore):
    """Insists that no plain object is replaced or deleted unless a version names its content, which is kept.

    Args:
        inner: The store that does the work.
        component_id: Of which component.
    """

    def __init__(self, inner: Store, component_id: str) -> None:
        super().__init__(inner, self._remember, self._check)
        self._component_id = component_id
        self._replaced: dict[str, bytes] = {}

    def _remember(self, verb: str, key: str) -> None:
        if verb in {"write", "delete", "copy"} and not key.startswith(RESERVED):
            self._replaced.pop(key, None)
            with suppress(KeyNotFoundError):
                self._replaced[key] = self._inner.read(key)

    def _check(self, verb: str, key: str) -> None:
        content = self._replaced.pop(key, None)
        if content is not None:
            sha256 = hashlib.sha256(content).hexdigest()
            kept = self._inner.exists(blob_key(sha256)) and sha256 in self._named()
            assert kept, f"{verb} {key!r} loses {content!r}"

    def _named(self) -> set[str]:
        keys = [info.key for info in self._inner.list(versions_prefix(self._component_id))]
        versions = [Version.from_json(self._inner.read(key)) for key in keys]
        return {entry.sha256 for version in versions for entry in version.files}


def _nothing(verb: str, key: str) -> None:
    del verb, key
