"""An object that a browser sends: written as it comes, listed as a run, there only when it is whole."""

import mimetypes
from collections.abc import Iterator

from skyhold.dashboard.place import Place
from skyhold.errors import AlreadyExistsError, IntegrityError
from skyhold.runs.hashing import HashingWriter
from skyhold.runs.journal import Journal
from skyhold.runs.recording import record_run
from skyhold.storage.objects import Attributes, ObjectInfo

__all__ = ["receive_object"]


def receive_object(
    place: Place, key: str, pieces: Iterator[bytes], *, size_bytes: int | None, replace: bool, journal: Journal
) -> ObjectInfo:
    """Write an object from pieces of its content, in bounded memory.

    Args:
        place: Where.
        key: Its name there.
        pieces: Its content.
        size_bytes: How much is to come, where that is known.
        replace: Whether one that is there may be replaced.
        journal: Where the run is listed.

    Raises:
        AlreadyExistsError: It is there, and may not be replaced.
        IntegrityError: Not all of it has come; nothing was written.
    """
    store = place.open(hasty=False)
    uri = store.uri_of(key)
    if not replace and store.exists(key):
        raise AlreadyExistsError(
            "there is an object of this name", operation="upload", uri=uri, remedy="Replace it, or choose another name"
        )
    content_type = mimetypes.guess_type(key)[0] or ""
    with record_run(
        "transfer", f"upload {uri}", asked={"target": uri}, unit="bytes", total=size_bytes, journal=journal
    ) as run:
        target = run.metered(store).open_writer(key, attributes=Attributes(content_type=content_type))
        writer = HashingWriter(target)
        with writer:
            for piece in pieces:
                writer.write(piece)
                run.progress.advance(len(piece))
            if size_bytes is not None and writer.size_bytes != size_bytes:
                raise IntegrityError(
                    f"{writer.size_bytes:,} of {size_bytes:,} bytes have come", operation="upload", uri=uri
                )
        assert writer.info is not None
        run.add_output(uri, writer.info, sha256=writer.sha256)
    return writer.info
