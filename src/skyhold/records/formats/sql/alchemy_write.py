"""Databases that this package does not speak itself, written through SQLAlchemy."""

import pyarrow as pa

from skyhold.errors import UnsupportedError
from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.sql.asked import WriteRequest

__all__ = ["open_output"]


def open_output(request: WriteRequest, schema: pa.Schema) -> OutputStream:
    """Refuse to write."""
    del schema
    raise UnsupportedError("tables of this database are only read", operation="write", uri=request.uri)
