"""The pages of runs."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skyhold.dashboard.desk import desk_of
from skyhold.dashboard.rendering import show

__all__ = ["runs_routes"]


def runs_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [Route("/runs", _list_runs)]


def _list_runs(request: Request) -> Response:
    return show(request, "runs.html", runs=desk_of(request).journal.list_runs(100))
