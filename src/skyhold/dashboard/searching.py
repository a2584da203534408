"""The pages that search a place, by an index of it."""

from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.config import cache_folder
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.index_tasks import IndexWork
from skyhold.dashboard.live import Part, stream_part
from skyhold.dashboard.place import Place
from skyhold.dashboard.rendering import error_words, is_fragment, render, show
from skyhold.dashboard.trail import Crumb, trail_of
from skyhold.dashboard.versions import read_count
from skyhold.storage.key_index import Order, find_index, index_file
from skyhold.storage.keys import check_prefix

__all__ = ["searching_routes"]

_SCREENFUL = 100
_ORDERS: tuple[Order, ...] = get_args(Order)


def searching_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/storage/{place}/search", _search),
        Route("/storage/{place}/index", answering(_begin), methods=["POST"]),
        Route("/storage/{place}/index/stop", answering(_stop), methods=["POST"]),
        Route("/storage/{place}/index/live", _live),
    ]


def _search(request: Request) -> Response:
    place, asked = place_of(request), request.query_params
    prefix, words = asked.get("prefix", ""), asked.get("q", "")
    order = asked.get("order", "")
    chosen = order if order in _ORDERS else "name"
    offset = read_count(asked.get("from", "")) or 0
    index = find_index(_folder(), place.connection(), prefix)
    found = index.search(words, prefix=prefix, order=chosen, limit=_SCREENFUL, offset=offset) if index else None
    return show(
        request,
        "search_rows.html" if is_fragment(request) else "search.html",
        place=place,
        prefix=prefix,
        words=words,
        order=chosen,
        orders=_ORDERS,
        index=index,
        found=found,
        following=offset + _SCREENFUL if found and found.count > offset + _SCREENFUL else 0,
        trail=[*trail_of(place, prefix), Crumb("Search")],
        **_state(request, place, prefix),
    )


def _begin(request: Request, form: Form) -> Response:
    place, desk = place_of(request), desk_of(request)
    prefix = form.text("prefix")
    check_prefix(prefix, operation="index", uri=place.shown_uri)
    file = index_file(_folder(), place.connection(), prefix)
    work = IndexWork(place.name, prefix, lambda: place.open(hasty=False), file, desk.journal)
    desk.indexes.begin(work, desk.closing)
    return RedirectResponse(search_link(place, prefix, form.text("q")), 303)


def _stop(request: Request, form: Form) -> Response:
    place = place_of(request)
    task = desk_of(request).indexes.find(place.name, form.text("prefix"))
    if task is not None:
        task.stop()
    return RedirectResponse(search_link(place, form.text("prefix"), form.text("q")), 303)


def _live(request: Request) -> Response:
    place, asked = place_of(request), request.query_params
    prefix, words = asked.get("prefix", ""), asked.get("q", "")

    def make() -> Part:
        values = _state(request, place, prefix)
        text = render("index_part.html", place=place, prefix=prefix, words=words, was_live=True, **values)
        return text, not values["under_way"]

    return stream_part(request, make)


def search_link(place: Place, prefix: str, words: str = "") -> str:
    """Return the address of a search.

    Example:
        >>> search_link(Place("b-1", "s3://b"), "a/", "x&y")
        '/storage/b-1/search?prefix=a%2F&q=x%26y'
    """
    return f"/storage/{place.name}/search?{urlencode({'prefix': prefix, 'q': words}, errors='surrogatepass')}"


def _folder() -> Path:
    return cache_folder() / "indexes"


def _state(request: Request, place: Place, prefix: str) -> dict[str, Any]:
    task = desk_of(request).indexes.find(place.name, prefix)
    return {
        "under_way": task is not None and task.goes_on,
        "count": task.count if task else 0,
        "fault": error_words(task.error) if task and task.error and not task.goes_on else None,
    }
