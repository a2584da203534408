"""What can be said of a mesh in numbers: how many triangles, how large, closed or not, of what."""

from pathlib import Path

from skyhold.components.meshes.measures import MeshFacts
from skyhold.components.meshes.source import Siblings, open_source

__all__ = ["MeshFacts", "read_facts"]


def read_facts(content: Path | bytes, name: str = "", *, siblings: Siblings | None = None) -> MeshFacts:
    r"""Return what can be said of a mesh in numbers.

    Args:
        content: STL, glTF, GLB, OBJ or binary FBX. Files in the folder of a path that it names are
            read too.
        name: What it is called; its ending tells the format. A path's own name if not given.
        siblings: Gives the files that it names, where it is not a path.

    Raises:
        PreviewError: It is damaged or too large, or its format is not read.
        MissingExtraError: The extra ``preview`` is not installed.

    Example:
        >>> pyramid = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
        >>> facts = read_facts(pyramid, "pyramid.obj")
        >>> facts.triangles, facts.watertight, round(facts.volume, 4), facts.size
        (4, True, 0.1667, (1.0, 1.0, 1.0))
    """
    from skyhold.components.meshes.measuring import facts_of  # noqa: PLC0415 - the extra `preview`
    from skyhold.components.meshes.reading import read_mesh  # noqa: PLC0415 - the same

    return facts_of(read_mesh(open_source(content, name, siblings=siblings)))
