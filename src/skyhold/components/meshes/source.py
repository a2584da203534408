"""What a reader is given: bytes with a name, and the files beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skyhold.errors import PreviewError

__all__ = ["MOST_BYTES", "MOST_TEXT_BYTES", "MOST_TRIANGLES", "Siblings", "Source", "check_size", "open_source"]

MOST_BYTES = 256 * 1024 * 1024
"""Of a file, and of all files that belong to it."""

MOST_TEXT_BYTES = 64 * 1024 * 1024
"""Of a file of text, which takes longer."""

MOST_TRIANGLES = 2_000_000
"""Of a mesh. As many are drawn in about 1 GB of memory, and compared in 1.4 GB; a picture would not show more."""

Siblings = Callable[[str], bytes | None]
"""Gives the content of a file by its path, seen from the folder of the one that names it; None where there is none."""


@dataclass(frozen=True, slots=True)
class Source:
    """Content to be read.

    Attributes:
        name: What errors call it; its ending tells the format where the content does not.
        data: All of it.
        siblings: Gives the files that it names; None where there are none.
    """

    name: str
    data: bytes
    siblings: Siblings | None = None

    @property
    def suffix(self) -> str:
        """The ending of the name, in lower case, such as ``".stl"``."""
        return Path(self.name).suffix.lower()

    def damaged(self, reason: str) -> PreviewError:
        """Return the error of content that is not what its format asks for."""
        return PreviewError(f"{self.name!r} is damaged: {reason}")

    def unsupported(self, reason: str, *, remedy: str = "") -> PreviewError:
        """Return the error of content that is sound, and that is not read here."""
        return PreviewError(f"no preview of {self.name!r}: {reason}", remedy=remedy)

    def check_triangles(self, count: int) -> None:
        """Refuse more triangles than are read; asked before memory is taken for them.

        Raises:
            PreviewError: They are too many.
        """
        if count > MOST_TRIANGLES:
            raise self.unsupported(f"it has {count:,} triangles, and at most {MOST_TRIANGLES:,} are read")

    def check_text(self) -> None:
        """Refuse more text than is read.

        Raises:
            PreviewError: It is too large.
        """
        if len(self.data) > MOST_TEXT_BYTES:
            raise self.unsupported(
                f"it is {len(self.data) / 1e6:,.0f} MB of text, and at most {MOST_TEXT_BYTES / 1e6:,.0f} MB are read"
            )


def check_size(size_bytes: int, name: str) -> None:
    """Refuse a file that is larger than what is read; asked before it is.

    Raises:
        PreviewError: It is.
    """
    if size_bytes > MOST_BYTES:
        raise PreviewError(
            f"no preview of {name!r}: it has {size_bytes / 1e6:,.0f} MB, and at most {MOST_BYTES / 1e6:,.0f} MB "
            "are read"
        )


def open_source(content: Path | bytes, name: str = "", *, siblings: Siblings | None = None) -> Source:
    """Return content to be read; the files beside a path can be named by it, and no others.

    Raises:
        PreviewError: It is larger than what is read.
    """
    if isinstance(content, bytes):
        check_size(len(content), name)
        return Source(name, content, siblings)
    shown = name or content.name
    check_size(content.stat().st_size, shown)
    return Source(shown, content.read_bytes(), siblings or _beside(content.parent))


def _beside(folder: Path) -> Siblings:
    inside = folder.resolve()

    def read(name: str) -> bytes | None:
        path = (inside / name).resolve()  # follows links: one that leads out is refused like ".."
        if not path.is_relative_to(inside):
            raise PreviewError(f"no preview: {name!r} leads out of the folder, and only files beside it are read")
        if not path.is_file():
            return None
        check_size(path.stat().st_size, name)
        return path.read_bytes()

    return read
