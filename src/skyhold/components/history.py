"""The contents of all versions, found by their SHA-256: written once, never changed.

Equal contents are one object, whichever components they belong to. Whatever is read is hashed before it is handed out.

**Whole or as a delta.** The first version of a file lies there whole, as it is, neither packed nor cut: so any tool can
read and check it, large ones are fetched in many ranges at once and gone on with after an interruption, and the plain
key of a large file is made by the store's own copy. A later version lies there as a delta against the one before if

- it is at least ``min_content_bytes`` long: below, a request costs more than the room;
- making it, and putting it together again, take at most ``max_memory_bytes``: about twice the old version and three
  times the new one;
- the delta is shorter than ``largest_share`` of the new version as it would lie there otherwise, which is its length;
- it is at most the ``longest_chain``-th after a whole one, and the deltas of the chain together are shorter than the
  new version: so what is fetched never exceeds about twice of what is wanted.

Otherwise it lies there whole, and begins a new chain.
"""

from collections.abc import Iterator
from pathlib import Path

from skyhold.components.assembling import Assembler, Moved
from skyhold.components.chains import Held, deltas_of, list_held
from skyhold.components.hashing import hash_file
from skyhold.components.keeping import DeltaPolicy, Keeper, Stored
from skyhold.components.layout import blob_key
from skyhold.storage.contract import Store

__all__ = ["DeltaPolicy", "Held", "History", "Stored", "hash_file"]


class History:
    """Contents of a library.

    Args:
        store: The library's.
        policy: When to store deltas.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> history = History(open_store("memory://history-example"))
        >>> stored = history.put(b"solid arm")
        >>> history.read(stored.sha256), history.put(b"solid arm").existed
        (b'solid arm', True)
    """

    def __init__(self, store: Store, *, policy: DeltaPolicy | None = None) -> None:
        self.store = store
        self.policy = policy or DeltaPolicy()
        self._assembler = Assembler(store)
        self._keeper = Keeper(store, self.policy)

    def put(self, content: Path | bytes, *, sha256: str | None = None, base: str | None = None) -> Stored:
        """Keep content; does nothing where it is kept already.

        Large files are never held in memory, except to make a delta. What lies there already is read and compared, and
        replaced where it is damaged, up to 8 MiB; of larger content, and of deltas, the length is compared.

        Args:
            content: A file of any size, or bytes.
            sha256: Its hash, where it is known.
            base: The hash of content that it is likely to resemble, such as that of the version before. Without it
                content is kept whole, also where a delta makes it: to look for one would take a request.

        Raises:
            ConflictError: The file changed while it was read, or since ``sha256`` was taken.

        Example:
            >>> from random import Random
            >>> from skyhold.storage.opening import open_store
            >>> history = History(open_store("memory://put-example"))
            >>> first = Random(1).randbytes(1_000_000)
            >>> before = history.put(first)
            >>> stored = history.put(first + b" and more", base=before.sha256)
            >>> stored.kind, stored.stored_bytes < 1000
            ('delta', True)
        """
        return self._keeper.put(content, sha256, base)

    def mend(self, content: Path | bytes, *, sha256: str) -> None:
        """Make sure that content is still there which has been kept, and is at hand: one request where it is.

        What is gone or of another length is written again. Whether the rest is sound only `check` can tell.

        Args:
            content: A file of any size, or bytes.
            sha256: Its hash.

        Raises:
            ConflictError: The file changed since ``sha256`` was taken.

        Example:
            >>> from skyhold.components.layout import blob_key
            >>> from skyhold.storage.opening import open_store
            >>> history = History(open_store("memory://mend-example"))
            >>> sha256 = history.put(b"solid arm").sha256
            >>> history.store.delete(blob_key(sha256))
            >>> history.mend(b"solid arm", sha256=sha256)
            >>> history.read(sha256)
            b'solid arm'
        """
        self._keeper.mend(content, sha256)

    def fetch(self, sha256: str, target: Path, *, size_bytes: int, progress: Moved | None = None) -> None:
        """Bring content into a file, which appears once it is whole and verified.

        What an interruption leaves beside the target, as ``.<name>.skyhold-part``, is gone on with.

        Args:
            sha256: Which content.
            target: The file; its folder is made.
            size_bytes: How long it is.
            progress: Told of bytes as they come from the store; of deltas they are not those of the file.

        Raises:
            IntegrityError: The content is damaged or missing; ``target`` is as it was.
            StorageError: The disk has no room for it.
        """
        self._assembler.fetch(sha256, target, size_bytes=size_bytes, told=progress or _tell_nobody)

    def read(self, sha256: str) -> bytes:
        """Return content of modest size.

        Raises:
            IntegrityError: It is damaged or missing.
        """
        return self._assembler.read(sha256)

    def check(self, sha256: str) -> int:
        """Read content without keeping it, and return its length.

        Raises:
            IntegrityError: It is damaged or missing.
        """
        return self._assembler.check(sha256)

    def has(self, sha256: str) -> bool:
        """Return whether content is kept, whole or as a delta; whether it is sound only `check` can tell."""
        return self.store.exists(blob_key(sha256)) or bool(deltas_of(self.store, sha256))

    def all_hashes(self) -> Iterator[Held]:
        """Yield every object of the history, whole contents first, each kind in key order, by listing alone."""
        return list_held(self.store)


def _tell_nobody(size_bytes: int) -> None:
    del size_bytes
