"""Where the demo keeps its objects: a plain folder, or a bucket of a real S3 server that runs as long as the demo."""

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyhold.storage.buckets import make_bucket
from skyhold.testing.servers import start_moto

__all__ = ["DemoPlace", "Say", "open_place"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoPlace:
    """Where objects go.

    Attributes:
        base: URI of the folder or bucket.
        options: Of its store.
    """

    base: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def open_place(folder: Path, bucket: str, say: Say, *, s3: bool) -> Generator[DemoPlace]:
    """Give a folder below ``folder``, or start a server and make a bucket there."""
    if not s3:
        yield DemoPlace(str((folder / "bucket").absolute()))
        return
    with tempfile.TemporaryDirectory() as scratch, start_moto(Path(scratch)) as server:
        make_bucket(f"s3://{bucket}", **server.options)
        say(f"A real S3 server listens on {server.endpoint}; it has the bucket s3://{bucket}.")
        yield DemoPlace(f"s3://{bucket}", dict(server.options))
