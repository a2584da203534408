"""A model made ready for EnergyPlus: read, its templates expanded, and asked to report what is kept."""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from skyhold.errors import ModelError
from skyhold.simulation.energyplus import EnergyPlus, RunOptions
from skyhold.simulation.expansion import expand_templates, has_templates
from skyhold.simulation.filesystem import AnyPath
from skyhold.simulation.known_fields import check_fields
from skyhold.simulation.model import Model
from skyhold.simulation.model_source import as_model, load_epjson
from skyhold.simulation.plain import canonical_bytes
from skyhold.simulation.selection import OutputSelection, request_outputs
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object

__all__ = ["name_of", "prepare_energyplus"]


def prepare_energyplus(
    model: Any,
    simulator: EnergyPlus,
    flags: Mapping[str, Any],
    selection: Mapping[str, Any],
    folder: Path,
    beside: Store | None = None,
) -> tuple[Path, str, dict[str, Any]]:
    """Write the model that the engine is given; return its path, its identity, and the selection in full.

    The identity is the SHA-256 of the canonical bytes of the model before it was asked for outputs, as campaigns have
    it: a run's key has the selection besides. Nothing that is wrong with the model reaches a run, since the engine's
    own reader has read it.

    Args:
        model: A path or URI, a `Model`, an epJSON dict, or a document of idfkit.
        simulator: What will run it.
        flags: Of the run.
        selection: What is kept, as plain JSON; empty for everything.
        folder: Where to.
        beside: A store with whose options a model of the same bucket is read.

    Raises:
        ModelError: The model cannot be run; the message says what and where.
        BadOptionError: A flag or the selection asks for what there is not.
        MissingExtraError: It has templates, and what expands them is not installed.
    """
    options = RunOptions.parse(flags)
    chosen = OutputSelection.from_json(selection) if selection else OutputSelection(everything=True)
    source = _template_source(model, simulator, folder, beside) if options.expand_objects else None
    if source is not None and has_templates(source):
        read, identity = _expanded(source, simulator, folder), sha256(source.read_bytes()).hexdigest()
    else:
        read = as_model(model, engine=simulator.engine, beside=beside)
        identity = read.sha256
    _refuse_templates(read, name_of(model))
    check_fields(read, simulator.engine)
    target = folder / "in.epJSON"
    target.write_bytes(canonical_bytes(request_outputs(read.data, chosen)))
    return target, identity, chosen.to_json()


def name_of(given: Any) -> str:
    """Return what is given in a word: a path or URI as it is, anything else by its type."""
    if isinstance(given, str | os.PathLike):
        return redact_uri(os.fspath(cast("AnyPath", given)))
    return f"<{type(given).__name__}>"


def _refuse_templates(model: Model, name: str) -> None:
    kind = next((kind for kind in model.data if kind.lower().startswith("hvactemplate:")), None)
    if kind is not None:
        raise ModelError(
            f"the model {name} has objects of {kind!r}, which the engine runs only when they are expanded",
            remedy="Say expand_objects=True",
        )


def _template_source(model: Any, simulator: EnergyPlus, folder: Path, beside: Store | None) -> Path:
    """Return a file of a model that may have templates."""
    if isinstance(model, str | os.PathLike):
        store, key = open_object(cast("AnyPath", model), beside=beside)
        source = folder / f"template{Path(key).suffix}"
        source.write_bytes(store.read(key))
    else:
        source = folder / "template.epJSON"
        source.write_bytes(as_model(model, engine=simulator.engine).to_bytes())
    return source


def _expanded(source: Path, simulator: EnergyPlus, folder: Path) -> Model:
    target = folder / "expanded"
    target.mkdir()
    return load_epjson(expand_templates(simulator.engine, source, target))
