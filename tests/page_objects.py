"""What the invisible blocks of the documentation prepare and check with."""

import contextlib
import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.errors import AlreadyExistsError
from skyhold.storage.buckets import make_bucket
from skyhold.storage.opening import open_object


class Objects:
    """Objects by URI, in the store that the environment leads to."""

    def bucket(self, uri: str) -> None:
        """Make a bucket, unless another page has made it."""
        with contextlib.suppress(AlreadyExistsError):
            make_bucket(uri)

    def put(self, uri: str, content: bytes) -> None:
        """Write an object, into a bucket of its own where there is none yet."""
        store, key = open_object(uri)
        self.bucket(store.uri)
        store.write(key, content)

    def read(self, uri: str) -> bytes:
        """Return an object's bytes."""
        store, key = open_object(uri)
        return store.read(key)

    def csv(self, uri: str) -> list[dict[str, str]]:
        """Return the rows of a CSV object, as Python's own reader sees them."""
        return list(csv.DictReader(io.StringIO(self.read(uri).decode(), newline="")))

    def parquet(self, uri: str) -> pa.Table:
        """Return a Parquet object, as Arrow's own reader sees it."""
        return pq.read_table(io.BytesIO(self.read(uri)))

    def put_parquet(self, uri: str, table: pa.Table) -> None:
        """Write a Parquet object with Arrow's own writer."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        self.put(uri, buffer.getvalue())
