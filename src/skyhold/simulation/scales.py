"""Units in which numbers are easy to read."""

__all__ = ["scale_of"]

_SCALES = {
    "J": ((3.6e12, "GWh"), (3.6e9, "MWh"), (3.6e6, "kWh"), (1.0, "J")),
    "J/m2": ((3.6e6, "kWh/m2"), (1.0, "J/m2")),
    "W": ((1e6, "MW"), (1e3, "kW"), (1.0, "W")),
}


def scale_of(highest: float, unit: str) -> tuple[float, str]:
    """Return what to divide numbers by, and their unit then, so that the highest is easy to read.

    Example:
        >>> scale_of(7.2e9, "J"), scale_of(21.5, "C")
        ((3600000000.0, 'MWh'), (1.0, 'C'))
    """
    for factor, name in _SCALES.get(unit, ()):
        if abs(highest) >= factor:
            return factor, name
    return 1.0, unit
