"""What of a model the engine drops without a word: it ignores fields that it does not know, also when it runs."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path as LocalPath
from typing import Any

from skyhold.errors import ModelError
from skyhold.simulation.document import suggest
from skyhold.simulation.engine import Engine
from skyhold.simulation.plain import Path, canonical_bytes, format_path, is_list, is_object

__all__ = ["find_lost", "write_idf"]

_UNKNOWN_TYPE = re.compile(r'"([^"]+)" is not a valid Object Type')
_MANY = 10


def write_idf(data: dict[str, Any], read: Any, engine: Engine, source: str) -> bytes:
    """Return the epJSON as an IDF that says all of it.

    Args:
        data: The epJSON.
        read: What makes epJSON of bytes.
        engine: Which engine writes it.
        source: What the model is called in errors.

    Raises:
        ModelError: The engine does not accept the model, or does not know some of it.
    """
    with tempfile.TemporaryDirectory(prefix="skyhold-model-") as place:
        folder = LocalPath(place)
        given = folder / "model.epJSON"
        given.write_bytes(canonical_bytes(data))
        try:
            idf = engine.convert(given, folder).read_bytes()
        except ModelError as error:
            _refuse_types(data, engine, folder, source)
            raise ModelError(str(error).replace(str(given), source), remedy=error.remedy) from error
        (folder / "written.idf").write_bytes(idf)
        back = read(engine.convert(folder / "written.idf", folder).read_bytes())
    lost = list(find_lost(data, back))
    if lost:
        raise _unknown(lost, data, engine, source)
    return idf


def find_lost(data: dict[str, Any], back: dict[str, Any]) -> Iterator[Path]:
    """Return the places of a model that are not in what came back from an IDF of it.

    Example:
        >>> list(find_lost({"Zone": {"A": {"multiplyer": 2, "height": 3}}}, {"Zone": {"A": {"height": 3}}}))
        [('Zone', 'A', 'multiplyer')]
    """
    types = {kind.lower(): objects for kind, objects in back.items()}
    for kind, objects in data.items():
        known = {name.lower(): fields for name, fields in types.get(kind.lower(), {}).items()}
        named = {name.lower() for name in objects}
        # Some types have no names in an IDF, so there these objects come back under others.
        renamed = [fields for name, fields in known.items() if name not in named]
        union: dict[str, Any] = {field: value for fields in renamed for field, value in fields.items()}
        for name, fields in objects.items():
            if name.lower() in known:
                yield from _lost(fields, known[name.lower()], (kind, name))
            elif not renamed:
                yield (kind, name)
            else:
                yield from ((kind, name, field) for field in fields if field not in union and _says(fields[field]))


def _lost(value: Any, back: Any, path: Path) -> Iterator[Path]:
    if is_object(value):
        for name, item in value.items():
            if is_object(back) and name in back:
                yield from _lost(item, back[name], (*path, name))
            elif _says(item):
                yield (*path, name)
    elif is_list(value) and is_list(back):
        for index, item in enumerate(value[: len(back)]):
            yield from _lost(item, back[index], (*path, index))


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})


def _unknown(lost: list[Path], data: dict[str, Any], engine: Engine, source: str) -> ModelError:
    listed = "".join(f"\n  {format_path(path)}" for path in lost[:_MANY])
    more = f"\n  and {len(lost) - _MANY} more" if len(lost) > _MANY else ""
    kind, *_, last = lost[0]
    siblings = {field for fields in data[str(kind)].values() for field in fields} - {str(path[-1]) for path in lost}
    return ModelError(
        f"EnergyPlus {engine.version} does not know this of {source!r}, and would run without it:{listed}{more}",
        remedy=suggest(str(last), sorted(siblings)) if siblings else "Correct the names of the fields",
    )


def _refuse_types(data: dict[str, Any], engine: Engine, folder: LocalPath, source: str) -> None:
    # Of a wrong type the engine's reader of JSON tells no name; its reader of IDFs does.
    probe = folder / "types.idf"
    probe.write_text("".join(f"{kind},;\n" for kind in data if kind.lower() != "version"), encoding="utf-8")
    try:
        engine.convert(probe, folder)
    except ModelError as error:
        unknown = [kind for kind in _UNKNOWN_TYPE.findall(str(error)) if kind in data]
        if unknown:
            known = [kind for kind in data if kind not in unknown]
            raise ModelError(
                f"EnergyPlus {engine.version} has no type {', '.join(map(repr, unknown))}, which is in {source!r}",
                remedy=suggest(unknown[0], known),
            ) from None
