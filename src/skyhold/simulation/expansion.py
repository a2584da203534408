"""Templates (``HVACTemplate:*``) of a model turned into the objects that they stand for."""

import json
import shutil
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from skyhold.errors import EngineError, MissingExtraError, ModelError
from skyhold.simulation.engine import Engine, list_engines
from skyhold.simulation.idd import format_idd
from skyhold.simulation.messages import parse_messages, read_text
from skyhold.simulation.model_complaints import describe_complaints
from skyhold.simulation.simulator import EngineMessage, Watch

__all__ = ["expand_templates", "has_templates"]

_PATIENCE_S = 600.0
_TEMPLATE = b"hvactemplate:"


def has_templates(model: Path) -> bool:
    """Return whether a model, IDF or epJSON, names a template; it may do so in a comment only."""
    return _TEMPLATE in model.read_bytes().lower()


def expand_templates(engine: Engine, source: Path, folder: Path) -> Path:
    """Turn a model with templates into one without, in epJSON.

    The engine does it. It needs its ``Energy+.idd``, which every installed EnergyPlus has and the wheel has not: then
    that of an installed one of the same version is used, else it is written from what the extra ``idf`` brings. A
    model in epJSON needs that extra in any case, to become an IDF first.

    Args:
        engine: Which one.
        source: The model.
        folder: Where the result goes, under the name of the source.

    Raises:
        MissingExtraError: There is no installed EnergyPlus of this version, and the extra is missing.
        ModelError: The engine does not accept the model.
        EngineError: The engine could not be run.
    """
    with tempfile.TemporaryDirectory(prefix="skyhold-expand-") as name:
        place = Path(name)
        idf = _as_idf(source, place / "model.idf")
        arguments = ["-x", "--convert-only", "-d", name, *_dictionary(engine, place), idf.name]
        with engine.start() as process:
            done = process.run(arguments, folder=place, log=place / "log", watch=Watch(timeout_s=_PATIENCE_S))
        if done.code is None or done.code < 0:
            raise EngineError(f"EnergyPlus {engine.build} died while it expanded {str(source)!r} ({done})")
        result = place / "model.epJSON"
        messages = [*_said(result), *parse_messages(read_text(place / "eplusout.err"))]
        # That a template cannot be expanded is written into the model, as an object, and the engine ends with 0.
        if done.code != 0 or not result.exists() or any(message.severity == "fatal" for message in messages):
            raise describe_complaints(str(source), engine.version, messages)
        target = folder / f"{source.stem}.epJSON"
        shutil.copyfile(result, target)
    return target


def _said(expanded: Path) -> list[EngineMessage]:
    """Return what the expansion says, in the objects that it leaves for it."""
    if not expanded.exists():
        return []
    document: dict[str, dict[str, dict[str, str]]] = json.loads(read_text(expanded))
    said: list[EngineMessage] = []
    for message in document.get("Output:PreprocessorMessage", {}).values():
        text = " ".join(line for name, line in message.items() if name.startswith("message_line"))
        said.append(EngineMessage("fatal" if message.get("error_severity") == "Fatal" else "warning", text))
    return said


def _as_idf(source: Path, target: Path) -> Path:
    content = source.read_bytes()
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"{":
        target.write_bytes(content)
        return target
    copy = target.with_suffix(".epJSON")
    copy.write_bytes(content)
    try:
        _idfkit("expanding the templates of a model in epJSON", "idfkit.writers").convert_epjson_to_idf(copy, target)
    except (ValueError, KeyError, LookupError) as error:
        raise ModelError(f"the model {str(source)!r} does not become an IDF: {error}") from error
    copy.unlink()
    return target


def _dictionary(engine: Engine, place: Path) -> list[str]:
    """Return the flags that name the ``Energy+.idd``; an installed engine finds its own."""
    if engine.kind == "installed":
        return []
    for other in list_engines():
        beside = Path(other.place).parent / "Energy+.idd"
        if other.kind == "installed" and other.version == engine.version and beside.is_file():
            return ["-i", str(beside)]
    written = place / "Energy+.idd"
    written.write_text(_written_dictionary(engine.version))
    return ["-i", str(written)]


@lru_cache
def _written_dictionary(version: str) -> str:
    idfkit = _idfkit("expanding templates without an installed EnergyPlus", "idfkit")
    try:
        schema = idfkit.get_schema(tuple(int(part) for part in version.split(".")))
    except idfkit.IdfKitError as error:
        raise EngineError(
            f"the extra 'idf' does not know EnergyPlus {version}, so its templates cannot be expanded",
            remedy="Install that EnergyPlus and set ENERGYPLUS_DIR, or run: pip install -U idfkit",
        ) from error
    return format_idd({name: schema.get_object_schema(name) for name in schema.object_types}, version)


def _idfkit(feature: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        missing = MissingExtraError.of("idf", feature)
        missing.add_note("Or: install EnergyPlus of the same version and set ENERGYPLUS_DIR to its folder")
        raise missing from error
