"""The engine's older description of its input, written from its newer one.

Expanding templates needs an ``Energy+.idd``, which the wheel has not. The epJSON schema says the same things.
"""

from collections.abc import Generator, Mapping
from typing import Any

__all__ = ["format_idd"]

_REPETITIONS = 200
"""How often the fields are written that may be repeated."""


def format_idd(kinds: Mapping[str, Any], version: str) -> str:
    r"""Return the ``Energy+.idd`` for an epJSON schema, with all that expanding asks for.

    Args:
        kinds: The schema of each type of object, by its name, as ``Energy+.schema.epJSON`` holds them.
        version: The engine's, such as ``"25.2.0"``.

    Example:
        >>> field = {"heat": {"field_name": "Heat", "field_type": "n"}}
        >>> legacy = {"fields": ["heat"], "field_info": field}
        >>> shape = {".*": {"properties": {"heat": {"default": 3}}}}
        >>> print(format_idd({"Stove": {"group": "Fire", "legacy_idd": legacy, "patternProperties": shape}}, "25.2.0"))
        !IDD_Version 25.2.0
        <BLANKLINE>
        \group Fire
        <BLANKLINE>
        Stove,
          N1; \field Heat
            \default 3
        <BLANKLINE>
    """
    lines = [f"!IDD_Version {version}", ""]
    group = None
    for name, kind in kinds.items():
        fields = list(_fields(kind))
        if not fields:
            continue
        if kind["group"] != group:
            # Templates are looked for in their group only.
            group = kind["group"]
            lines += [f"\\group {group}", ""]
        lines.append(f"{name},")
        if kind.get("min_fields"):
            lines.append(f"  \\min-fields {int(kind['min_fields'])}")
        for number, (code, title, rules) in enumerate(fields, start=1):
            lines.append(f"  {code}{';' if number == len(fields) else ','} \\field {title}")
            lines += _rules(rules)
        lines.append("")
    return "\n".join(lines)


def _rules(rules: Mapping[str, Any]) -> Generator[str]:
    if choices := rules.get("enum"):
        yield "    \\type choice"
        yield from (f"    \\key {choice}" for choice in choices if choice)
    if (default := rules.get("default")) is not None:
        yield f"    \\default {default}"


def _fields(kind: Mapping[str, Any]) -> Generator[tuple[str, str, Mapping[str, Any]]]:
    legacy = kind["legacy_idd"]
    shapes: Mapping[str, Any] = kind["patternProperties"]
    properties: Mapping[str, Any] = next(iter(shapes.values()))["properties"]
    counts = {"A": 0, "N": 0}
    for name in [*legacy["fields"], *list(legacy.get("extensibles", [])) * _REPETITIONS]:
        info = legacy["field_info"][name]
        letter = "A" if info["field_type"] == "a" else "N"
        counts[letter] += 1
        yield f"{letter}{counts[letter]}", info["field_name"], properties.get(name, {})
