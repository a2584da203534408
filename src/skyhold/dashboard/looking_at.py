"""The pages that show meshes: one version, or two beside each other with what changed."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skyhold.components.diffing import diff_versions
from skyhold.components.manifest import Version
from skyhold.components.shown_files import MESHES, ending_of
from skyhold.dashboard.libraries import shelf_of
from skyhold.dashboard.rendering import show
from skyhold.dashboard.versions import read_version

__all__ = ["looking_at_routes"]

_VERSIONS = 200


def looking_at_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/components/{place}/view", _view),
        Route("/components/{place}/compare", _compare),
    ]


def _view(request: Request) -> Response:
    shelf, asked = shelf_of(request), request.query_params
    component_id = asked.get("id", "")
    version = shelf.library().info(component_id, read_version(asked.get("version", "")))
    files = _meshes(version)
    file = asked.get("file", files[0] if files else "")
    return show(
        request,
        "view.html",
        shelf=shelf,
        id=component_id,
        found=version,
        files=files,
        file=file,
        trail=shelf.trail(component_id, f"3D view of version {version.number}"),
    )


def _compare(request: Request) -> Response:
    shelf, asked = shelf_of(request), request.query_params
    component_id = asked.get("id", "")
    library = shelf.library()
    newest = library.head(component_id)[0].version
    new = read_version(asked.get("new", ""))
    old = read_version(asked["old"]) if asked.get("old") else None
    diff = diff_versions(library, component_id, old, new)
    shown = [change.name for change in diff.files if change.mesh is not None]
    return show(
        request,
        "compare.html",
        shelf=shelf,
        id=component_id,
        diff=diff,
        shown=shown,
        numbers=range(newest, max(0, newest - _VERSIONS), -1),
        trail=shelf.trail(component_id, f"Version {diff.old} → {diff.new}"),
    )


def _meshes(version: Version) -> list[str]:
    """Return the files of a version that may be meshes; the name of the only one is empty."""
    return [entry.name for entry in version.files if ending_of(entry.name or version.component) in MESHES]
