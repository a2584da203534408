"""Weather stations, and the EPW files that simulations need."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skyhold.weather.epw import Epw, read_epw, read_epw_header
    from skyhold.weather.header import EpwHeader

__all__ = [
    "Epw",
    "EpwHeader",
    "read_epw",
    "read_epw_header",
]

_HOMES = {
    "Epw": "skyhold.weather.epw",
    "EpwHeader": "skyhold.weather.header",
    "read_epw": "skyhold.weather.epw",
    "read_epw_header": "skyhold.weather.epw",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'skyhold.weather' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__
