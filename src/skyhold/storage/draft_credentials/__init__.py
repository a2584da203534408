"""Who asks: exactly one source of identity for a connection, never merged, named in every error."""

from skyhold.storage.draft_credentials.connection import Connection
from skyhold.storage.draft_credentials.resolution import resolve_connection

__all__ = ["Connection", "resolve_connection"]
