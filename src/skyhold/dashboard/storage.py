"""The pages of storage: places, folders, deletion, links."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.dashboard.desk import Desk, desk_of, place_of
from skyhold.dashboard.forms import Form, read_form
from skyhold.dashboard.links import folder_link
from skyhold.dashboard.objects import object_routes
from skyhold.dashboard.place import Place, make_place
from skyhold.dashboard.rendering import is_fragment, show
from skyhold.dashboard.searching import searching_routes
from skyhold.dashboard.trail import Crumb, folder_of, trail_of
from skyhold.dashboard.versions import read_count
from skyhold.errors import AccessDeniedError, ConflictError, DeleteGuardError
from skyhold.profiles import list_profiles
from skyhold.storage.browsing import browse_folder
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["open_place", "storage_routes"]

_SCREENFUL = 200
_MOST_AT_ONCE = 10_000
_LIFETIMES = {900: "15 minutes", 3600: "1 hour", 86_400: "1 day", 604_800: "7 days"}


def storage_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/storage", _list_places),
        Route("/storage", _open_place, methods=["POST"]),
        Route("/storage/{place}", _browse),
        Route("/storage/{place}/delete", _ask_to_delete),
        Route("/storage/{place}/delete", _delete, methods=["POST"]),
        Route("/storage/{place}/link", _make_link, methods=["POST"]),
        *object_routes(),
        *searching_routes(),
    ]


def _list_places(request: Request) -> Response:
    desk = desk_of(request)
    profiles = [profile.name for profile in list_profiles()] if desk.may_open else []
    return show(request, "places.html", places=desk.places.values(), may_open=desk.may_open, profiles=profiles)


async def _open_place(request: Request) -> Response:
    place = open_place(desk_of(request), await read_form(request))
    return RedirectResponse(f"/storage/{place.name}", 303)


def open_place(desk: Desk, form: Form) -> Place:
    """Return the place that a form names, which the dashboard shows from now on.

    Raises:
        AccessDeniedError: Pages may open no further places.
        BadUriError: The URI cannot be read.
    """
    if not desk.may_open:
        raise AccessDeniedError(
            "pages of a dashboard that other machines reach open no further places",
            operation="open",
            remedy="Start skyhold ui with the URI",
        )
    place = make_place(form.text("uri").strip(), form.text("profile"))
    desk.add([place])
    return place


def _browse(request: Request) -> Response:
    place = place_of(request)
    prefix, after = request.query_params.get("prefix", ""), request.query_params.get("after")
    store = place.open()
    view = browse_folder(store, prefix, after=after, limit=_SCREENFUL)
    template = "folder_rows.html" if is_fragment(request) else "folder.html"
    return show(request, template, place=place, store=store, prefix=prefix, view=view, trail=trail_of(place, prefix))


def _ask_to_delete(request: Request) -> Response:
    place = place_of(request)
    keys = request.query_params.getlist("key")
    found = _found(place.open(), keys)
    trail = [*trail_of(place, folder_of(keys[0]) if keys else ""), Crumb("Delete")]
    return show(request, "delete.html", place=place, keys=keys, found=found, trail=trail, shown=found[:20])


async def _delete(request: Request) -> Response:
    form = await read_form(request)
    return await run_in_threadpool(_delete_what_was_shown, place_of(request), form)


def _delete_what_was_shown(place: Place, form: Form) -> Response:
    keys = form.texts("key")
    store = place.open(hasty=False)
    found = _found(store, keys)
    if str(len(found)) != form.text("count"):
        raise ConflictError(
            f"{form.text('count') or 'no'} objects were shown to be deleted, and now there are {len(found):,}",
            operation="delete",
            uri=place.shown_uri,
            remedy="Go back, look again, and delete then; nothing was deleted",
        )
    for prefix in (key for key in keys if key.endswith("/")):
        store.delete_listed(prefix, [info for info in found if info.key.startswith(prefix)])
    store.delete([key for key in keys if not key.endswith("/")])
    return RedirectResponse(folder_link(place, folder_of(keys[0])), 303)


async def _make_link(request: Request) -> Response:
    form = await read_form(request)
    return await run_in_threadpool(_show_link, request, form)


def _show_link(request: Request, form: Form) -> Response:
    place, key = place_of(request), form.text("key")
    seconds = read_count(form.text("seconds"))
    lifetime = seconds if seconds in _LIFETIMES else 3600
    link = place.open().presign(key, expires_s=lifetime)
    values: dict[str, Any] = {"link": link, "lifetime": _LIFETIMES[lifetime], "place": place, "key": key}
    if is_fragment(request):
        return show(request, "link_part.html", **values)
    return show(request, "link.html", trail=[*trail_of(place, key), Crumb("Link")], **values)


def _found(store: Store, keys: list[str]) -> list[ObjectInfo]:
    """Return the objects that keys and prefixes mean.

    Raises:
        DeleteGuardError: None, all there are, or too many are meant.
        KeyNotFoundError: One is not there.
    """
    if not keys or any(not key.strip("/") for key in keys):
        raise DeleteGuardError(
            "nothing was chosen", operation="delete", uri=store.uri, remedy="Go back and choose what is to be deleted"
        )
    found: dict[str, ObjectInfo] = {}
    for key in keys:
        for info in store.list(key) if key.endswith("/") else [store.info(key)]:
            found[info.key] = info
            if len(found) > _MOST_AT_ONCE:
                raise DeleteGuardError(
                    f"more than {_MOST_AT_ONCE:,} objects are meant",
                    operation="delete",
                    uri=store.uri_of(key),
                    remedy="Choose less, or use: skyhold rm --recursive",
                )
    return list(found.values())
