"""What single-object outputs share: a writer that hashes, and one place that publishes or throws away."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from abc import abstractmethod

import pyarrow as pa

from skyhold.records.formats.adapter import OutputStream, Written
from skyhold.runs.hashing import HashingWriter
from skyhold.storage.contract import Store

__all__ = ["ObjectSink"]


class ObjectSink(OutputStream):
    """Writes one object.

    Args:
        store: Where to.
        key: Under which name.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._uri = store.uri_of(key)
        self._writer = HashingWriter(store.open_writer(key))
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._encode(batch)
        self._rows += batch.num_rows

    def close(self) -> list[Written]:
        try:
            self._finish()
        except BaseException:
            self._writer.abort()
            raise
        self._writer.close()
        assert self._writer.info is not None
        return [Written(self._uri, self._writer.info, self._writer.sha256, self._rows)]

    def abort(self) -> None:
        self._writer.abort()
        self._let_go()

    @abstractmethod
    def _encode(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def _finish(self) -> None:
        """Write what is still held, such as a footer."""

    def _let_go(self) -> None:
        """Drop the encoder without writing its footer anywhere that counts."""
