"""Real S3 servers for the tables, each started by the call that needs it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyhold.testing.servers import start_rclone

BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of a server that keeps objects as plain files.

    Attributes:
        endpoint: The server's URL.
        environment: What every client reads; ``AWS_ALLOW_HTTP`` is for those who refuse a plain-HTTP endpoint without.
        folder: Where its objects lie as files.
    """

    endpoint: str
    environment: dict[str, str]
    folder: Path


@contextmanager
def rclone_bucket(folder: Path) -> Generator[Bucket]:
    """Run ``rclone serve s3`` with an empty bucket called `BUCKET`."""
    with start_rclone(folder) as server:
        objects = folder / "rclone-data" / BUCKET
        objects.mkdir()
        yield Bucket(server.endpoint, environment_of(server.options), objects)


def environment_of(options: dict[str, str]) -> dict[str, str]:
    """Return a server's options as the variables that all S3 clients know."""
    return {
        "AWS_ACCESS_KEY_ID": options["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": options["secret_access_key"],
        "AWS_REGION": options["region"],
        "AWS_ENDPOINT_URL": options["endpoint"],
        "AWS_ALLOW_HTTP": "true",
    }
