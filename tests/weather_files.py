"""Weather files for tests: the real ones of the wheel, and made ones."""

from collections.abc import Sequence
from datetime import date, timedelta

from pyenergyplus.dataset import weather_files

__all__ = ["CHICAGO", "hourly_rows", "make_epw", "weather_files"]

CHICAGO: str = weather_files["usa_il_chicago"]

_FLAGS = "?9?9?9?9E0?9?9?9?9?9?9?9?9?9?9?9?9?9?9*9*9*9*9*9"
_VALUES = "-1.5,-3.25,81,101300,0,0,300,0,0,0,0,0,0,0,270,2.6,9,9,24.1,2740,9,999999999,40,0.12,0,88,0.2,0.5,1.0"


def hourly_rows(
    year: int, *, minutes: Sequence[int] = (0,), days: Sequence[tuple[int, int, int]] | None = None
) -> list[str]:
    """Return the rows of a year, or of some days."""
    if days is None:
        first, last = date(year, 1, 1), date(year, 12, 31)
        dates = [first + timedelta(number) for number in range((last - first).days + 1)]
    else:
        dates = [date(*day) for day in days]
    return [
        f"{day.year},{day.month},{day.day},{hour},{minute},{_FLAGS},{_VALUES}"
        for day in dates
        for hour in range(1, 25)
        for minute in minutes
    ]


def make_epw(
    rows: Sequence[str],
    *,
    location: str = "LOCATION,Town,ST,LND,Made,123456,10.5,20.25,1.0,100",
    holidays: str = "HOLIDAYS/DAYLIGHT SAVINGS,Yes,0,0,1,New Year,1/ 1",
    comment: str = "made",
    periods: str = "1,1,Data,Thursday, 1/ 1,12/31",
    typical: str = "TYPICAL/EXTREME PERIODS,1,Summer,Typical,July 3,7/9",
) -> bytes:
    """Return a weather file of such rows."""
    header = [location, "DESIGN CONDITIONS,0", typical]
    header += ["GROUND TEMPERATURES,0", holidays, f"COMMENTS 1,{comment}", "COMMENTS 2,", f"DATA PERIODS,{periods}"]
    return ("\n".join([*header, *rows]) + "\n").encode()
