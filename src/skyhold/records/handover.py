"""Objects for another process of this machine: their Arrow data lie in shared memory and are not copied there again."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
import mmap
import os
import pickle
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["Parcel", "pack", "shared_folder"]

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
_PREFIX = "skyhold-rows-"
_ALIGNMENT = 64


@contextmanager
def shared_folder() -> Generator[Path | None]:
    """Give a folder in shared memory while the block lasts; None where this system has none.

    What killed processes have left there goes first.
    """
    if not _SHARED_MEMORY.is_dir():
        yield None
        return
    for left in _SHARED_MEMORY.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    prefix = f"{_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_SHARED_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packed object.

    Attributes:
        pickled: The object; its Arrow data are in it only where shared memory has no room.
        path: The file of the Arrow data, which goes when they have been taken; None without one.
        spans: Where each of them lies in it.
    """

    pickled: bytes
    path: Path | None = None
    spans: tuple[tuple[int, int], ...] = ()

    def unpack(self) -> Any:
        """Return the object; its Arrow data stay in shared memory for as long as it lives."""
        if self.path is None:
            return pickle.loads(self.pickled)  # noqa: S301 - packed by this very run
        with self.path.open("rb") as file:
            self.path.unlink()
            shared = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        buffers = [shared[start:end] for start, end in self.spans]
        return pickle.loads(self.pickled, buffers=buffers)  # noqa: S301 - packed by this very run


def pack(thing: Any, folder: Path | None) -> Parcel:
    """Pack an object for another process; of slices, only what they show.

    Args:
        thing: Anything that can be pickled.
        folder: Of `shared_folder`; without one, Arrow data are pickled like everything else.

    Example:
        >>> with shared_folder() as folder:
        ...     parcel = pack(pa.record_batch({"a": [1, 2, 3]}).slice(1), folder)
        ...     parcel.unpack().to_pylist()
        [{'a': 2}, {'a': 3}]
    """
    if folder is not None:
        buffers: list[pickle.PickleBuffer] = []
        pickled = _dump(thing, buffers)
        if not buffers:
            return Parcel(pickled)
        with suppress(OSError):  # it is small in some containers
            return _share(pickled, [buffer.raw() for buffer in buffers], folder)
    return Parcel(_dump(thing, None))


class _Packer(pickle.Pickler):
    """Pickles Arrow data in Arrow's own form: pyarrow would take along all that a slice was cut from."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, pa.RecordBatch):
            return _read_batch, (pickle.PickleBuffer(_as_stream(obj)),)
        if isinstance(obj, pa.Array):
            return _read_array, (pickle.PickleBuffer(_as_stream(pa.record_batch([obj], ["array"]))),)
        return NotImplemented


def _as_stream(batch: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _read_batch(data: Any) -> pa.RecordBatch:
    return pa.ipc.open_stream(pa.py_buffer(data)).read_next_batch()


def _read_array(data: Any) -> pa.Array:
    return _read_batch(data).column(0)


def _dump(thing: Any, buffers: list[pickle.PickleBuffer] | None) -> bytes:
    written = io.BytesIO()
    _Packer(written, 5, buffer_callback=None if buffers is None else buffers.append).dump(thing)
    return written.getvalue()


def _share(pickled: bytes, buffers: list[memoryview], folder: Path) -> Parcel:
    spans: list[tuple[int, int]] = []
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
        try:
            for buffer in buffers:
                start = file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
                file.write(buffer)
                spans.append((start, start + buffer.nbytes))
            file.flush()
        except OSError:
            path.unlink()
            raise
    return Parcel(pickled, path, tuple(spans))
