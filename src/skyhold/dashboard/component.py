"""The page of one component, and what can be done with it."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.components.dependencies import DependencyGraph, dependency_graph, list_dependents
from skyhold.components.dependency_drawing import draw_dependencies
from skyhold.components.library import Library
from skyhold.components.previews import load_preview
from skyhold.components.shown_files import MESHES, choose_shown, ending_of
from skyhold.components.usage import find_component_readers
from skyhold.dashboard.campaign_uses import find_campaign_uses
from skyhold.dashboard.desk import desk_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.libraries import Shelf, shelf_of
from skyhold.dashboard.rendering import show
from skyhold.dashboard.versions import read_count, read_version
from skyhold.errors import BadOptionError, MissingExtraError, SkyholdError

__all__ = ["component_routes"]

_SCREENFUL = 50
_MOST = 5000
_RUNS = 10

T = TypeVar("T")


def component_routes() -> list[Route]:
    """Return the routes of these pages."""
    page = "/components/{place}/"
    acts = {"tag": _tag, "untag": _untag, "restore": _restore, "undelete": _undelete, "lock": _lock, "unlock": _unlock}
    return [
        Route(page + "component", _show_component),
        Route(page + "facts", _show_facts),
        Route(page + "related", _show_related),
        *(Route(page + name, answering(_done(act)), methods=["POST"]) for name, act in acts.items()),
    ]


def _show_component(request: Request) -> Response:
    shelf, asked = shelf_of(request), request.query_params
    component_id = asked.get("id", "")
    library = shelf.library()
    head = library.head(component_id)[0]
    limit = min(_MOST, read_count(asked.get("limit", "")) or _SCREENFUL)
    versions = library.log(component_id, limit + 1)
    newest = next((version for version in versions if version.number == head.version), None)
    newest = newest or library.info(component_id, head.version)
    return show(
        request,
        "component.html",
        shelf=shelf,
        library=library,
        head=head,
        newest=newest,
        versions=versions[:limit],
        more=limit * 4 if len(versions) > limit else 0,
        tags={number: [tag for tag in head.tags if head.tags[tag] == number] for number in head.tags.values()},
        lock=library.locks.find(component_id),
        is_mesh=not newest.is_deleted and ending_of(choose_shown(library, newest).name or component_id) in MESHES,
        trail=shelf.trail(component_id),
    )


def _show_facts(request: Request) -> Response:
    """Show a picture and measures; apart from the page, since the first time they have to be made."""
    shelf, asked = shelf_of(request), request.query_params
    component_id, version = asked.get("id", ""), read_version(asked.get("version", "latest"))
    try:
        preview, note = load_preview(shelf.library(), component_id, version=version, size_px=512), ""
    except MissingExtraError as error:
        preview, note = None, f"{error.message}. {error.remedy}"
    return show(
        request, "component_facts.html", shelf=shelf, id=component_id, number=version, preview=preview, note=note
    )


def _show_related(request: Request) -> Response:
    """Show what needs what, and which runs read it; apart from the page, since it takes some requests."""
    shelf, asked = shelf_of(request), request.query_params
    component_id = asked.get("id", "")
    library = shelf.library()
    versions = library.log(component_id, _SCREENFUL)
    is_deleted = library.info(component_id).is_deleted
    found = None if is_deleted else _tried(lambda: dependency_graph(library.store, component_id))
    graph = found if isinstance(found, DependencyGraph) else None
    needed_by = list_dependents(library.store, component_id)
    return show(
        request,
        "component_related.html",
        shelf=shelf,
        id=component_id,
        graph=graph,
        fault=found if isinstance(found, SkyholdError) else None,
        drawing=draw_dependencies(
            graph or DependencyGraph({component_id: versions[0].number}), component_id, needed_by
        ),
        needed_by=needed_by,
        readers=find_component_readers(library, desk_of(request).journal, component_id, versions, limit=_RUNS),
        campaigns=find_campaign_uses(desk_of(request), library.store.uri_of(component_id), versions),
        looked_at=len(versions),
    )


def _done(act: Callable[[Library, str, Form], object]) -> Callable[[Request, Form], Response]:
    """Return what does something with a component, and shows its page then."""

    def answer(request: Request, form: Form) -> Response:
        shelf: Shelf = shelf_of(request)
        component_id = form.text("id")
        act(shelf.library(hasty=False), component_id, form)
        return RedirectResponse(shelf.link("component", component_id), 303)

    return answer


def _tag(library: Library, component_id: str, form: Form) -> object:
    return library.tag(component_id, form.text("name").strip(), read_version(form.text("version")))


def _untag(library: Library, component_id: str, form: Form) -> object:
    return library.untag(component_id, form.text("name"))


def _restore(library: Library, component_id: str, form: Form) -> object:
    return library.restore(component_id, read_version(form.text("version")), message=form.text("message"))


def _undelete(library: Library, component_id: str, form: Form) -> object:
    return library.undelete(component_id, message=form.text("message"))


def _lock(library: Library, component_id: str, form: Form) -> object:
    hours = read_count(form.text("hours")) or 0
    if not 0 < hours <= _MOST:
        raise BadOptionError(
            f"a lock cannot hold for {form.text('hours')!r} hours", remedy="Give a whole number of hours"
        )
    forced = form.text("force") == "yes"
    return library.locks.take(component_id, lease_s=hours * 3600, reason=form.text("reason").strip(), force=forced)


def _unlock(library: Library, component_id: str, form: Form) -> object:
    forced = form.text("force") == "yes"
    return library.locks.release(component_id, force=forced, reason=form.text("reason").strip())


def _tried(work: Callable[[], T]) -> T | SkyholdError:
    try:
        return work()
    except SkyholdError as error:
        return error
