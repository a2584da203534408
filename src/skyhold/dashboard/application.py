"""The application: routes, and how errors become pages."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, request_response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from skyhold.dashboard.campaigns import campaigns_routes
from skyhold.dashboard.components import components_routes
from skyhold.dashboard.connections import connections_routes
from skyhold.dashboard.desk import Desk, desk_of
from skyhold.dashboard.entering import entering_routes, refuse
from skyhold.dashboard.rendering import show_error
from skyhold.dashboard.runs import runs_routes
from skyhold.dashboard.safety import Guard, Keyring
from skyhold.dashboard.storage import storage_routes
from skyhold.dashboard.syncing import syncing_routes
from skyhold.errors import KeyNotFoundError, SkyholdError, UnsupportedError
from skyhold.runs.asked import redact_text
from skyhold.simulation.survey import is_campaign

__all__ = ["make_application"]

_LOG = logging.getLogger("skyhold.dashboard")
_STATIC = Path(__file__).parent / "static"


def make_application(desk: Desk, *, keys: Keyring, hosts: Iterable[str]) -> ASGIApp:
    """Return the dashboard as an ASGI application, guarded.

    Args:
        desk: What it shows.
        keys: What opens it.
        hosts: Values of the ``Host`` header that mean it.
    """
    routes: list[BaseRoute] = [
        Route("/", _home),
        *entering_routes(),
        *runs_routes(),
        *campaigns_routes(),
        *storage_routes(),
        *components_routes(),
        *syncing_routes(),
        *connections_routes(),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    application = Starlette(
        routes=routes,
        exception_handlers={SkyholdError: _tell, HTTPException: _tell_http, Exception: _tell_unexpected},
    )
    application.state.desk = desk
    application.state.keys = keys

    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = application
        await request_response(refuse)(scope, receive, send)

    return Guard(application, keys=keys, hosts=hosts, refused=refused)


def _home(request: Request) -> Response:
    """Lead to the runs; to the campaign where the dashboard was started with one alone."""
    desk = desk_of(request)
    if desk.front:
        with suppress(SkyholdError):  # its own page says what is wrong with a place
            if is_campaign(desk.place(desk.front).open()):
                return RedirectResponse(f"/campaigns/{desk.front}", 303)
    return RedirectResponse("/runs", 303)


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkyholdError)
    return show_error(request, error)


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:  # noqa: PLR2004 - by its number
        return show_error(request, KeyNotFoundError("there is no such page", uri=request.url.path, operation="open"))
    answer = show_error(request, UnsupportedError(error.detail, operation=request.method, uri=request.url.path))
    answer.status_code = error.status_code
    return answer


async def _tell_unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %r failed: %s", request.method, request.url.path, redact_text(repr(error)))
    remedy = "Report it with what the terminal says; the other pages go on working"
    return show_error(request, SkyholdError(f"{type(error).__name__} in the dashboard itself", remedy=remedy))
