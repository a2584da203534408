"""The pages of libraries: which there are, and their components."""

from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.components.batch_run import Batch
from skyhold.components.batches import delete_all
from skyhold.components.inventory import list_plain
from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.overview import look_over
from skyhold.dashboard.component import component_routes
from skyhold.dashboard.component_content import content_routes
from skyhold.dashboard.desk import desk_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.libraries import is_library, shelf_of
from skyhold.dashboard.looking_at import looking_at_routes
from skyhold.dashboard.place import Place
from skyhold.dashboard.provider_fields import TITLES
from skyhold.dashboard.providers import list_configured, providers_routes
from skyhold.dashboard.rendering import is_fragment, show
from skyhold.dashboard.storage import open_place
from skyhold.errors import ConflictError, DeleteGuardError, SkyholdError

__all__ = ["components_routes"]

_SCREENFUL = 60
_MOST_AT_ONCE = 1000


def components_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/components", _list_libraries),
        Route("/components", answering(_open_library), methods=["POST"]),
        *providers_routes(),
        Route("/components/{place}", _list_components),
        Route("/components/{place}/delete", _ask_to_delete),
        Route("/components/{place}/delete", answering(_delete), methods=["POST"]),
        *component_routes(),
        *content_routes(),
        *looking_at_routes(),
    ]


def _list_libraries(request: Request) -> Response:
    desk = desk_of(request)
    places = list(desk.places.values())
    with ThreadPoolExecutor(16, thread_name_prefix="skyhold-libraries") as pool:
        found = list(pool.map(_state_of, places))
    return show(
        request,
        "libraries.html",
        libraries=sorted(zip(places, found, strict=True), key=lambda each: each[1] is not True),
        may_open=desk.may_open,
        providers=TITLES,
        files=list_configured(desk) if desk.may_open else {},
        configured={name: config.provider for name, config in desk.configured.items()},
    )


def _state_of(place: Place) -> bool | SkyholdError:
    try:
        return is_library(place)
    except SkyholdError as error:
        return error


def _open_library(request: Request, form: Form) -> Response:
    return RedirectResponse(f"/components/{open_place(desk_of(request), form).name}", 303)


def _list_components(request: Request) -> Response:
    shelf, asked = shelf_of(request), request.query_params
    library = shelf.library()
    prefix, deleted = asked.get("prefix", ""), asked.get("deleted") == "yes"
    seen = look_over(library, prefix, after=asked.get("after"), limit=_SCREENFUL, deleted=deleted)
    template = "component_rows.html" if is_fragment(request) else "components.html"
    return show(
        request,
        template,
        shelf=shelf,
        library=library,
        seen=seen,
        prefix=prefix,
        deleted=deleted,
        strange=not seen.components and next(list_plain(library.store, prefix), None) is not None,
        trail=shelf.trail(),
    )


def _ask_to_delete(request: Request) -> Response:
    shelf = shelf_of(request)
    library = shelf.library()
    found = _chosen(library, request.query_params.getlist("id"))
    steps = (found[0].component, "Delete") if len(found) == 1 else ("", "Delete")
    return show(request, "delete_components.html", shelf=shelf, found=found, trail=shelf.trail(*steps))


def _delete(request: Request, form: Form) -> Response:
    """Delete what was shown: one that has a newer version than that stays."""
    shelf = shelf_of(request)
    library = shelf.library(hasty=False)
    found = _chosen(library, form.texts("id"))
    shown = dict(zip(form.texts("id"), form.texts("version"), strict=False))
    for version in found:
        if shown.get(version.component) != str(version.number):
            raise ConflictError(
                f"{version.component!r} has version {version.number} now, and another one was shown",
                operation="delete",
                uri=library.store.uri_of(version.component),
                remedy="Go back, look again, and delete then; nothing was deleted",
            )
    message, anyway = form.text("message"), form.text("even_if_needed") == "yes"
    if len(found) == 1:
        only = found[0]
        library.delete(only.component, message=message, expected=only.number, even_if_needed=anyway)
        return RedirectResponse(shelf.link("component", only.component), 303)
    result = delete_all(
        Batch("delete", library, largest_bytes=0, check=False),
        [version.component for version in found],
        message=message,
    )
    if result.all_succeeded:
        return RedirectResponse(shelf.address, 303)
    return show(request, "batch.html", status_code=409, shelf=shelf, result=result, trail=shelf.trail("", "Delete"))


def _chosen(library: Library, ids: list[str]) -> list[Version]:
    """Return the newest versions of components that are there.

    Raises:
        DeleteGuardError: None, or too many were chosen.
        ComponentNotFoundError: One is not there.
    """
    if not 0 < len(set(ids)) <= _MOST_AT_ONCE:
        raise DeleteGuardError(
            f"{len(set(ids)):,} components were chosen" if ids else "nothing was chosen",
            operation="delete",
            uri=library.uri,
            remedy=f"Go back and choose one to {_MOST_AT_ONCE:,} components",
        )
    with ThreadPoolExecutor(16, thread_name_prefix="skyhold-chosen") as pool:
        found = list(pool.map(library.info, dict.fromkeys(ids)))
    return [version for version in found if not version.is_deleted]
