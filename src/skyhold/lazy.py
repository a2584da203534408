"""Public names that are loaded when they are first used, so that importing a package costs next to nothing."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["load_lazily"]


def load_lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package whose public names live in other modules.

    Args:
        package: Its ``__name__``.
        homes: Names, and the module of each.

    Example:
        >>> find, names = load_lazily("skyhold", {"open_store": "skyhold.storage.opening"})
        >>> names()
        ['open_store']
        >>> find("open_shop")
        Traceback (most recent call last):
        AttributeError: module 'skyhold' has no attribute 'open_shop'
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted(homes)
