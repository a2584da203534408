"""Servers for whole sessions, of which a part may not be installed here."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager

import pytest

from skyhold.errors import MissingExtraError
from skyhold.testing.servers import LocalServer


def started(server: AbstractContextManager[LocalServer]) -> Generator[LocalServer]:
    """Yield a server while it runs; skip what needs it where a part is missing, and fail there in CI."""
    try:
        with server as running:
            yield running
    except MissingExtraError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{missing}. {missing.remedy}")
