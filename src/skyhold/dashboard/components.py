"""The pages of components, under the name "Cloud Storage": what a library holds, and the versions of each component."""

from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.components.library import Library
from skyhold.dashboard.desk import Place, desk_of, place_of
from skyhold.dashboard.forms import read_form
from skyhold.dashboard.links import component_link
from skyhold.dashboard.rendering import show
from skyhold.errors import BadOptionError

__all__ = ["components_routes"]

_SCREENFUL = 200


def components_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/components", _list_libraries),
        Route("/components/{place}", _list_components),
        Route("/components/{place}/component", _show_component),
        Route("/components/{place}/restore", _restore, methods=["POST"]),
    ]


def _list_libraries(request: Request) -> Response:
    return show(request, "libraries.html", places=desk_of(request).places.values())


def _list_components(request: Request) -> Response:
    place = place_of(request)
    prefix, deleted = request.query_params.get("prefix", ""), request.query_params.get("deleted") == "yes"
    found = list(islice(Library(place.open()).list(prefix, deleted=deleted), _SCREENFUL + 1))
    more = len(found) > _SCREENFUL
    shown = found[:_SCREENFUL]
    return show(request, "components.html", place=place, found=shown, prefix=prefix, deleted=deleted, more=more)


def _show_component(request: Request) -> Response:
    place, component = place_of(request), request.query_params.get("id", "")
    library = Library(place.open())
    tags = library.head(component)[0].tags
    versions = library.log(component)
    return show(
        request, "component.html", place=place, component=component, tags=tags, versions=versions, newest=versions[0]
    )


async def _restore(request: Request) -> Response:
    form = await read_form(request)
    version = form.text("version")
    if not version.isdecimal():
        raise BadOptionError(f"{version!r} is no number of a version", remedy="Go back and choose one")
    return await run_in_threadpool(_restore_version, place_of(request), form.text("id"), int(version))


def _restore_version(place: Place, component: str, version: int) -> Response:
    Library(place.open(hasty=False)).restore(component, version)
    return RedirectResponse(component_link(place, component), 303)
