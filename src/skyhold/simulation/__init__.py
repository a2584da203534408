"""Many runs of a simulator, whose inputs, state and results live in a store."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skyhold.simulation.filesystem import FileSystem, StoreFileSystem
    from skyhold.simulation.named_filesystems import AzureFileSystem, GCSFileSystem, LocalFileSystem, S3FileSystem

__all__ = [
    "AzureFileSystem",
    "FileSystem",
    "GCSFileSystem",
    "LocalFileSystem",
    "S3FileSystem",
    "StoreFileSystem",
]

_HOMES = {
    "AzureFileSystem": "skyhold.simulation.named_filesystems",
    "FileSystem": "skyhold.simulation.filesystem",
    "GCSFileSystem": "skyhold.simulation.named_filesystems",
    "LocalFileSystem": "skyhold.simulation.named_filesystems",
    "S3FileSystem": "skyhold.simulation.named_filesystems",
    "StoreFileSystem": "skyhold.simulation.filesystem",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'skyhold.simulation' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__
