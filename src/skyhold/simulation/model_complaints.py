"""What an engine says against a model, told by object, field and line."""

import re
from collections.abc import Sequence

from skyhold.errors import ModelError
from skyhold.simulation.simulator import EngineMessage

__all__ = ["describe_complaints"]

_SHOWN = 10
_PLACE = re.compile(r"<root>((?:\[[^\]]*\])*) - (.*)", re.DOTALL)
_LINE = re.compile(r"Line: (\d+) Index: \d+ - (.*)", re.DOTALL)
_EXPAND = "HVACTemplate"


def describe_complaints(source: str, version: str, messages: Sequence[EngineMessage], idf: str = "") -> ModelError:
    r"""Return the error for a model that the engine refuses.

    Args:
        source: What the model is called.
        version: Of the engine.
        messages: What it says.
        idf: The model's text where it is an IDF, to tell lines from.

    Example:
        >>> said = EngineMessage("severe", '<root>[Building][Bad][north_axis] - "x" is no number.')
        >>> print(describe_complaints("a.idf", "25.2.0", [said], "Version,25.2;\nBuilding,\n  Bad, x;"))
        EnergyPlus 25.2.0 does not accept the model 'a.idf':
          Building 'Bad', field 'north_axis' (line 2): "x" is no number.
    """
    severe = (
        [message.text for message in messages if message.severity == "severe"]
        or [message.text for message in messages if message.severity == "fatal"]
        or ["it says nothing of the cause"]
    )
    # That the version is another one is a warning to the engine, and often the cause of all that follows.
    older = [m.text for m in messages if m.severity == "warning" and m.text.startswith("Version:")]
    lines = [_say(text, idf) for text in [*older, *severe]]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"and {len(lines) - _SHOWN} more"]
    return ModelError(
        f"EnergyPlus {version} does not accept the model {source!r}:" + "".join(f"\n  {line}" for line in lines),
        remedy=_remedy(severe, is_older=bool(older)),
    )


def _remedy(severe: Sequence[str], *, is_older: bool) -> str:
    if any(text.startswith(_EXPAND) for text in severe):
        return "Run with expand_objects=True, or expand the templates first"
    if is_older:
        return "Update the model to this version, or use an EnergyPlus of the model's version"
    return "Correct the model"


def _say(text: str, idf: str) -> str:
    text = text.replace("\n", " ")
    if found := _LINE.match(text):
        return f"line {found[1]}: {found[2]}"
    if not (found := _PLACE.match(text)):
        return text
    kind, name, *fields = [*re.findall(r"\[([^\]]*)\]", found[1]), "", ""]
    where = " ".join(part for part in (kind, repr(name) if name else "") if part) or "the model"
    if shown := [field for field in fields if field]:
        where += f", field {'/'.join(shown)!r}"
    line = _line_of(idf, kind, name)
    return f"{where}{f' (line {line})' if line else ''}: {found[2]}"


def _line_of(idf: str, kind: str, name: str) -> int | None:
    if not kind or not idf:
        return None
    gap = r"\s*(?:![^\n]*\n\s*)*"
    found = re.search(
        rf"^[ \t]*{re.escape(kind)}{gap},{gap}{re.escape(name)}{gap}[,;]", idf, re.IGNORECASE | re.MULTILINE
    )
    return idf.count("\n", 0, found.start()) + 1 if found else None
