"""Options for the stores of models and weather files: each of a study may lie elsewhere."""

import os
from collections.abc import Mapping
from typing import Any

from skyhold.errors import UnsupportedError
from skyhold.storage.location import parse_location

__all__ = ["PlaceOptions"]

_PUBLIC = frozenset({"file", "http", "https", "memory", "mock"})


class PlaceOptions:
    """Options with which things in buckets are read. They may hold secrets: only their names are shown.

    Args:
        options: As `skyhold.storage.opening.open_store` takes them.

    Example:
        >>> options = PlaceOptions({"profile": "archive"})
        >>> options.at("s3://weather/chicago.epw"), options.at("miami.epw")
        ({'profile': 'archive'}, {})
        >>> options
        PlaceOptions(profile)
    """

    __slots__ = ("_options",)

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def at(self, place: str | os.PathLike[str]) -> dict[str, Any]:
        """Return the options for what lies at a place: all of them in a bucket, none on this machine or on the web."""
        return {} if parse_location(place).scheme in _PUBLIC else dict(self._options)

    def __repr__(self) -> str:
        return f"PlaceOptions({', '.join(self._options)})"

    def __reduce__(self) -> tuple[type["PlaceOptions"], tuple[()]]:
        if self._options:
            raise UnsupportedError(
                "a study with storage_options is not pickled: they may hold secrets",
                operation="pickle",
                uri="",
                remedy="Set the credentials in the environment, or in a profile of the other machine",
            )
        return (PlaceOptions, ())
