"""``comp preview``: what a component looks like, and its measures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from skyhold.cli.components import open_library
from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.components.meshes.measures import MeshFacts
from skyhold.components.previews import load_preview
from skyhold.runs.wording import visible

__all__ = ["show_preview"]

_DEFAULT = Common()
_WIDTH = 120


def show_preview(
    library: str,
    component: str,
    /,
    *,
    file: str | None = None,
    version: str = "latest",
    output: Path | None = None,
    size: Literal[256, 512] = 512,
    common: Common = _DEFAULT,
) -> int:
    """Show the measures of a component, and write its picture as PNG.

    Args:
        library: URI of the library.
        component: Which.
        file: Which of its files; the one that shows most if not given.
        version: A number or a tag.
        output: Where to write the picture; none is written if not given.
        size: Of the picture's longer side.
        common: Options of every command.
    """
    number = int(version) if version.isdecimal() else version
    found = load_preview(open_library(library, common), component, file=file, version=number, size_px=size)
    written = output if output is not None and found.picture is not None else None
    if written is not None and found.picture is not None and not common.dry_run:
        written.write_bytes(found.picture)
    name = f"{component}/{found.file}" if found.file else component
    lines = [name, *_measures(found.facts), found.note, f"picture {written}" if written else ""]
    Printer(as_json=common.json).item(
        "\n".join(visible(line, _WIDTH) for line in lines if line),
        component=component,
        file=found.file,
        facts=found.facts.to_json() if found.facts else None,
        note=found.note,
        picture=str(written) if written else None,
    )
    return 0 if found.picture is not None or output is None else 1


def _measures(facts: MeshFacts | None) -> Iterator[str]:
    if facts is None:
        return
    unit = f" {facts.unit}" if facts.unit else ""
    yield f"{facts.format}, {facts.triangles:,} triangles, {facts.vertices:,} vertices"
    if facts.size is not None:
        yield f"size {' x '.join(f'{each:.6g}' for each in facts.size)}{unit}"
    yield f"area {facts.area:.6g}{unit and unit + '²'}"
    if facts.volume is not None:
        yield f"volume {facts.volume:.6g}{unit and unit + '³'}"
    yield "closed" if facts.watertight else "open"
    for words, names in (("materials", facts.materials), ("parts", facts.parts)):
        if names:
            yield f"{words} {', '.join(names)}"
    if facts.left_out:
        yield f"{facts.left_out:,} triangles without a place"
    yield from facts.remarks
