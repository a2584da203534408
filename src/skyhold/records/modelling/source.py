"""A finding as the source code of a pydantic model."""

import builtins
import json
import keyword
import re
import unicodedata
from collections.abc import Mapping

from pydantic import BaseModel

from skyhold.errors import BadOptionError
from skyhold.records.modelling.kind import Kind, Name

__all__ = ["model_source"]

_PLAIN: dict[Name, str] = {
    "nothing": "Any",
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "bytes": "bytes",
    "date": "dt.date",
    "naive": "NaiveDatetime",
    "aware": "AwareDatetime",
    "time": "dt.time",
    "duration": "dt.timedelta",
    "uuid": "UUID",
    "anything": "Any",
}
_IMPORTED = ("Annotated", "Any", "AwareDatetime", "BaseModel", "Decimal", "Field", "NaiveDatetime", "UUID", "dt")
_UNREADABLE = ("I", "O", "l")  # linters take them for digits
# What a field of this name would hide from the annotations of those after it, or from pydantic.
_TAKEN = frozenset({*_IMPORTED, *_UNREADABLE, "bool", "bytes", "dict", "float", "int", "list", "str", *dir(BaseModel)})
_LONGEST = 88


def model_source(members: Mapping[str, Kind], *, name: str, about: str) -> str:
    """Return a module that defines a model, and the models nested in it before it.

    Names that Python or pydantic would not take are spelled otherwise, with the original as alias.

    Args:
        members: Its fields, under their names in the data.
        name: Of the model.
        about: Its docstring, one line.

    Raises:
        BadOptionError: The name is no name of a class.

    Example:
        >>> members = {"id": Kind("int"), "first name": Kind("str", optional=True)}
        >>> print(model_source(members, name="Row", about="A row."))
        from pydantic import BaseModel, Field
        <BLANKLINE>
        <BLANKLINE>
        class Row(BaseModel):
            \"\"\"A row.\"\"\"
        <BLANKLINE>
            id: int
            first_name: str | None = Field(None, alias="first name")
        <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name in _IMPORTED or hasattr(builtins, name):
        raise BadOptionError(f"{name!r} is no name for a model", remedy="Choose a name such as Row")
    writer = _Writer(name)
    writer.write_class(name, members, about)
    return "\n\n\n".join([_imports(writer.used), *writer.classes]) + "\n"


class _Writer:
    """Collects classes; an inner one is finished before the one that holds it, and stands before it."""

    def __init__(self, name: str) -> None:
        self.classes: list[str] = []
        self.used = {"BaseModel"}
        self._names = {name, *_IMPORTED, *_UNREADABLE}

    def write_class(self, name: str, members: Mapping[str, Kind], about: str) -> None:
        taken: set[str] = set()
        fields: list[str] = []
        for original, kind in members.items():
            spelled = _spell(original, taken)
            taken.add(spelled)
            fields.append(self._field(spelled, original, kind))
        lines = [f"class {name}(BaseModel):", f'    """{_in_docstring(about)}"""']
        self.classes.append("\n".join([*lines, *([""] if fields else []), *fields]))

    def _field(self, spelled: str, original: str, kind: Kind) -> str:
        annotation = self._annotation(kind, original)
        self.used.update(re.findall(r"\w+", annotation))
        default = "None" if kind.optional or kind.name == "nothing" else ""
        if spelled != original:
            given = [default, f"alias={_quoted(original)}"]
            self.used.add("Field")
            default = f"Field({', '.join(each for each in given if each)})"
        line = f"    {spelled}: {annotation}{f' = {default}' if default else ''}"
        if len(line) <= _LONGEST or not default.startswith("Field("):
            return line
        return f"    {spelled}: {annotation} = Field(\n        {default[6:-1]}\n    )"

    def _annotation(self, kind: Kind, original: str) -> str:
        inner = self._inner(kind, original)
        return f"{inner} | None" if kind.optional and inner != "Any" else inner

    def _inner(self, kind: Kind, original: str) -> str:
        if kind.name == "decimal":
            digits = max(kind.digits + kind.places, 1)
            return f"Annotated[Decimal, Field(max_digits={digits}, decimal_places={kind.places})]"
        if kind.name in ("list", "dict"):
            item = self._annotation(kind.item, original) if kind.item else "Any"
            return f"list[{item}]" if kind.name == "list" else f"dict[str, {item}]"
        if kind.name == "object":
            if not kind.members:
                return "dict[str, Any]"
            name = self._class_name(original)
            self.write_class(name, kind.members, f"What is in {original!r}.")
            return name
        return _PLAIN[kind.name]

    def _class_name(self, original: str) -> str:
        words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", original))
        base = "".join(word[0].upper() + word[1:] for word in words)
        if not base.isidentifier() or keyword.iskeyword(base) or hasattr(builtins, base):
            base = f"Inner{base}" if f"Inner{base}".isidentifier() else "Inner"
        name, number = base, 2
        while name in self._names:
            name, number = f"{base}{number}", number + 1
        self._names.add(name)
        return name


def _spell(original: str, taken: set[str]) -> str:
    """Return an original name as one that may stand in a class, the same where it can be."""
    name = unicodedata.normalize("NFKC", original)
    if not name.isidentifier():
        name = re.sub(r"\W+", "_", name)
    name = name.lstrip("_") or "column"
    if not name.isidentifier():
        name = f"column_{name}"
    if not name.isidentifier():
        name = "column"
    if keyword.iskeyword(name) or name in _TAKEN or name.startswith("model_"):
        name = f"{name}_" if not name.startswith("model_") else f"the_{name}"
    base, number = name, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _quoted(text: str) -> str:
    """Return a string literal as formatters write it: JSON's are Python's, but for quotes inside."""
    quoted = json.dumps(text, ensure_ascii=False)
    if '"' in text and "'" not in text:
        return "'" + quoted[1:-1].replace('\\"', '"') + "'"
    return quoted


def _in_docstring(text: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown.replace("\\", "/").replace('"', "'")


def _imports(used: set[str]) -> str:
    pydantic = [name for name in ("AwareDatetime", "BaseModel", "Field", "NaiveDatetime") if name in used]
    typing = [name for name in ("Annotated", "Any") if name in used]
    standard = [
        *(["import datetime as dt"] if "dt" in used else []),
        *(["from decimal import Decimal"] if "Decimal" in used else []),
        *([f"from typing import {', '.join(typing)}"] if typing else []),
        *(["from uuid import UUID"] if "UUID" in used else []),
    ]
    return "\n".join([*standard, *([""] if standard else []), f"from pydantic import {', '.join(pydantic)}"])
