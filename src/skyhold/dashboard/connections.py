"""The pages of connections: profiles, and what works in a place, line by line."""

from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from skyhold.config import profiles_path
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.importing import importing_routes
from skyhold.dashboard.live import format_event
from skyhold.dashboard.provider_fields import TITLES
from skyhold.dashboard.providers import list_configured
from skyhold.dashboard.rendering import error_words, is_fragment, render, show
from skyhold.errors import SkyholdError
from skyhold.profiles import list_profiles
from skyhold.storage.checkup import CheckLine
from skyhold.storage.diagnosis import open_diagnosis

__all__ = ["connections_routes"]


def connections_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/connections", _list_connections),
        *importing_routes(),
        Route("/connections/{place}", _show_connection),
        Route("/connections/{place}", _test, methods=["POST"]),
        Route("/connections/{place}/identity", _show_identity),
    ]


def _list_connections(request: Request) -> Response:
    desk = desk_of(request)
    file = profiles_path()
    return show(
        request,
        "connections.html",
        places=desk.places.values(),
        profiles=list_profiles(file),
        file=str(file),
        may_open=desk.may_open,
        providers=TITLES,
        files=list_configured(desk) if desk.may_open else {},
        configured={name: config.provider for name, config in desk.configured.items()},
    )


def _show_connection(request: Request) -> Response:
    place = place_of(request)
    diagnosis = open_diagnosis(place.uri, **place.all_options())
    return show(request, "connection.html", place=place, diagnosis=diagnosis, lines=None)


def _show_identity(request: Request) -> Response:
    """Show who asks, and until when; apart from the list of places, since finding it out can take a while."""
    place = place_of(request)
    try:
        diagnosis = open_diagnosis(place.uri, **place.all_options())
    except SkyholdError as error:
        return show(request, "identity.html", diagnosis=None, error=error_words(error), ended=False)
    ended = diagnosis.expires_at is not None and diagnosis.expires_at <= datetime.now(UTC)
    return show(request, "identity.html", diagnosis=diagnosis, error=None, ended=ended)


async def _test(request: Request) -> Response:
    place = place_of(request)
    diagnosis = await run_in_threadpool(lambda: open_diagnosis(place.uri, **place.all_options()))
    if is_fragment(request):
        return StreamingResponse(_as_they_come(request, diagnosis.lines()), media_type="text/event-stream")
    lines = await run_in_threadpool(lambda: list(diagnosis.lines()))
    return show(request, "connection.html", place=place, diagnosis=diagnosis, lines=lines, under_way=False)


async def _as_they_come(request: Request, checkup: Generator[CheckLine]) -> AsyncGenerator[str]:
    shut = desk_of(request).closing
    found: list[CheckLine] = []
    with closing(checkup):
        yield format_event(render("check_lines.html", lines=found, under_way=True))
        while not shut.is_set():
            line = await run_in_threadpool(next, checkup, None)
            found += [line] if line else []
            yield format_event(render("check_lines.html", lines=found, under_way=line is not None))
            if line is None:
                return
