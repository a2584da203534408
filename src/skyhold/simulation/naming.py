"""Names as users write them: case does not matter, frequencies have two vocabularies, and a slip is answered."""

from collections.abc import Iterable
from difflib import get_close_matches

from skyhold.errors import BadOptionError
from skyhold.simulation.series import FREQUENCIES, Frequency

__all__ = ["distinct", "nearest", "parse_frequency", "same"]

_MOST_NAMES = 5

_ENGINE_WORDS: dict[str, Frequency] = {
    "hvacsystemtimestep": "detailed",
    "eachcall": "detailed",
    "zonetimestep": "timestep",
    "environment": "runperiod",
}


def same(left: str, right: str) -> bool:
    """Return whether two names are one to the engine."""
    return left.casefold() == right.casefold()


def parse_frequency(text: str) -> Frequency:
    """Return the frequency that one of our words or the engine's stands for.

    Raises:
        BadOptionError: No frequency is called so.

    Example:
        >>> parse_frequency("HVAC System Timestep"), parse_frequency("Run Period")
        ('detailed', 'runperiod')
    """
    word = text.casefold().replace(" ", "").replace("_", "").replace("-", "")
    for frequency in FREQUENCIES:
        if word == frequency:
            return frequency
    if word in _ENGINE_WORDS:
        return _ENGINE_WORDS[word]
    raise BadOptionError(f"the frequency {text!r} is none of {', '.join(FREQUENCIES)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of a message that offers the names most like ``name``; empty where none is like it.

    Example:
        >>> nearest("zone mean temperature", ["Zone Mean Air Temperature", "Fans:Electricity"])
        "; did you mean 'Zone Mean Air Temperature'?"
    """
    known = {each.casefold(): each for each in names}
    asked = name.casefold()
    found = get_close_matches(asked, known, _MOST_NAMES, 0.6)
    found += [each for each in known if asked and asked in each and each not in found]
    if found:
        return f"; did you mean {' or '.join(repr(known[each]) for each in found[:_MOST_NAMES])}?"
    return f"; there are {', '.join(repr(each) for each in known.values())}" if 0 < len(known) <= _MOST_NAMES else ""


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names, those met before with a number behind them.

    Example:
        >>> distinct(["a", "b", "a"])
        ['a', 'b', 'a (2)']
    """
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
