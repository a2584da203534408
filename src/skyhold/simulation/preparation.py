"""A model made ready for EnergyPlus: read, its templates expanded, and asked to report what is kept."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from skyhold.simulation.energyplus import EnergyPlus, RunOptions
from skyhold.simulation.expansion import expand_templates, has_templates
from skyhold.simulation.filesystem import AnyPath
from skyhold.simulation.model import Model
from skyhold.simulation.model_source import as_model, load_epjson
from skyhold.simulation.plain import canonical_bytes
from skyhold.simulation.selection import OutputSelection, request_outputs
from skyhold.storage.opening import open_object

__all__ = ["prepare_energyplus"]


def prepare_energyplus(
    model: Any, simulator: EnergyPlus, flags: Mapping[str, Any], selection: Mapping[str, Any], folder: Path
) -> tuple[Path, dict[str, Any]]:
    """Write the model that the engine is given; return its path, and the selection in full.

    Nothing that is wrong with the model reaches a run: it has been read by the engine's own reader.

    Args:
        model: A path or URI, a `Model`, an epJSON dict, or a document of idfkit.
        simulator: What will run it.
        flags: Of the run.
        selection: What is kept, as plain JSON; empty for everything.
        folder: Where to.

    Raises:
        ModelError: The model cannot be run; the message says what and where.
        BadOptionError: A flag or the selection asks for what there is not.
        MissingExtraError: It has templates, and what expands them is not installed.
    """
    options = RunOptions.parse(flags)
    chosen = OutputSelection.from_json(selection) if selection else OutputSelection(everything=True)
    expanded = _expanded(model, simulator, folder) if options.expand_objects else None
    read = as_model(model, engine=simulator.engine) if expanded is None else expanded
    target = folder / "in.epJSON"
    target.write_bytes(canonical_bytes(request_outputs(read.data, chosen)))
    return target, chosen.to_json()


def _expanded(model: Any, simulator: EnergyPlus, folder: Path) -> Model | None:
    """Return the model without its templates; None where it has none."""
    if isinstance(model, str | os.PathLike):
        store, key = open_object(cast("AnyPath", model))
        source = folder / f"template{Path(key).suffix}"
        source.write_bytes(store.read(key))
    else:
        source = folder / "template.epJSON"
        source.write_bytes(as_model(model, engine=simulator.engine).to_bytes())
    if not has_templates(source):
        return None
    target = folder / "expanded"
    target.mkdir()
    return load_epjson(expand_templates(simulator.engine, source, target))
