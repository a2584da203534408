"""Components as a stream of bytes, for those who have no folder of ours: one file as it is, or many in a ZIP file.

Nothing goes out that was not verified: each file is brought to a temporary folder first, whole. There is never more
than one component there.
"""

import io
import zipfile
from collections.abc import Generator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from skyhold.components.library import Library
from skyhold.runs.recording import record_run

__all__ = ["stream_archive", "stream_component"]

_PIECE_BYTES = 1024 * 1024


def stream_component(library: Library, component_id: str, version: int | str = "latest") -> Generator[bytes]:
    """Yield the content of a component that is one file.

    Args:
        library: Where it is.
        component_id: Which component.
        version: A number or a tag.

    Raises:
        ComponentNotFoundError: There is no such component or version, or it was deleted.
        IntegrityError: The content is damaged or missing; nothing was yielded.

    Example:
        >>> library = Library("memory://stream-example")
        >>> _ = library.publish("arm.stl", b"solid arm")
        >>> b"".join(stream_component(library, "arm.stl"))
        b'solid arm'
    """
    with TemporaryDirectory(prefix="skyhold-") as folder:
        path = Path(folder) / "content"
        library.get(component_id, path, version=version)
        yield from _pieces(path)


def stream_archive(library: Library, wanted: Mapping[str, int | str]) -> Generator[bytes]:
    """Yield components as a ZIP file, each under its id; it holds them as they are, without packing them.

    Args:
        library: Where they are.
        wanted: Numbers or tags of versions, by component.

    Raises:
        ComponentNotFoundError: There is no such component or version, or it was deleted.
        IntegrityError: A content is damaged or missing; the file is cut off before it.

    Example:
        >>> library = Library("memory://archive-example")
        >>> _ = library.publish("parts/arm.stl", b"solid arm")
        >>> archive = io.BytesIO(b"".join(stream_archive(library, {"parts/arm.stl": 1})))
        >>> zipfile.ZipFile(archive).read("parts/arm.stl")
        b'solid arm'
    """
    sink = _Sink()
    asked = {"library": library.uri, "components": len(wanted)}
    with (
        record_run(
            "components download",
            f"download {len(wanted)} components",
            asked=asked,
            unit="components",
            total=len(wanted),
        ) as run,
        zipfile.ZipFile(sink, "w", allowZip64=True) as archive,
    ):
        for component_id, version in wanted.items():
            with TemporaryDirectory(prefix="skyhold-") as folder:
                target = Path(folder) / "content"
                found = library.get(component_id, target, version=version, run=run)
                for entry in found.files:
                    name = f"{component_id}/{entry.name}" if entry.name else component_id
                    about = zipfile.ZipInfo(name, found.created.timetuple()[:6])
                    about.file_size = entry.size_bytes  # so that large ones get the large form
                    about.external_attr = 0o644 << 16
                    with archive.open(about, "w") as writer:
                        for piece in _pieces(target / entry.name if entry.name else target):
                            writer.write(piece)
                            yield sink.taken()
            run.progress.advance(1)
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Takes what is written, to be taken away again."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: object, /) -> int:
        piece = bytes(memoryview(content))  # type: ignore[arg-type] - what a buffer is has no type in Python 3.11
        self._held += piece
        return len(piece)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        held, self._held = bytes(self._held), bytearray()
        return held


def _pieces(path: Path) -> Generator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
