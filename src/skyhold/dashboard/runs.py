"""The pages of runs: all of them, and one."""

from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.dashboard.desk import desk_of
from skyhold.dashboard.live import Part, stream_part
from skyhold.dashboard.rendering import render, show
from skyhold.errors import KeyNotFoundError
from skyhold.runs.journal import JournalEntry, JournalState
from skyhold.runs.stopping import can_stop, stop_run
from skyhold.storage.pricing import estimate_cost
from skyhold.storage.wrappers.metered import Usage

__all__ = ["runs_routes"]

_SHOWN = 50
_MOST = 1000
_STATES: tuple[str, ...] = get_args(JournalState)


def runs_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/runs", _list_runs),
        Route("/runs/live", _list_live),
        Route("/runs/{run_id}", _show_run),
        Route("/runs/{run_id}/live", _show_live),
        Route("/runs/{run_id}/receipt.json", _download_receipt),
        Route("/runs/{run_id}/stop", _stop, methods=["POST"]),
    ]


def _list_runs(request: Request) -> Response:
    return show(request, "runs.html", **_listed(request))


def _list_live(request: Request) -> Response:
    return stream_part(request, lambda: (render("runs_part.html", **_listed(request)), False))


def _show_run(request: Request) -> Response:
    return show(request, "run.html", **_shown(request))


def _show_live(request: Request) -> Response:
    _entry(request)  # one that is not there is told before the stream begins

    def make() -> Part:
        values = _shown(request)
        return render("run_part.html", **values), values["run"].state != "running"

    return stream_part(request, make)


def _download_receipt(request: Request) -> Response:
    entry = _entry(request)
    if entry.receipt is None:
        raise KeyNotFoundError(
            f"it has left no receipt: it is {entry.state}", operation="download receipt", uri=entry.run_id
        )
    headers = {"Content-Disposition": f'attachment; filename="{entry.run_id}.receipt.json"'}
    return Response(entry.receipt.to_json(), media_type="application/json", headers=headers)


def _stop(request: Request) -> Response:
    entry = _entry(request)
    stop_run(entry)
    return RedirectResponse(f"/runs/{entry.run_id}", 303)


def _listed(request: Request) -> dict[str, Any]:
    asked = request.query_params
    state = asked.get("state", "")
    limit = min(_MOST, max(1, int(asked["limit"]))) if asked.get("limit", "").isdecimal() else _SHOWN
    chosen = cast("JournalState", state) if state in _STATES else None
    runs = desk_of(request).journal.list_runs(limit, state=chosen)
    more = limit * 4 if len(runs) == limit < _MOST else 0
    return {"runs": runs, "states": _STATES, "state": chosen or "", "limit": limit, "more": more}


def _shown(request: Request) -> dict[str, Any]:
    entry = _entry(request)
    running, receipt = entry.running, entry.receipt
    usage = receipt or running
    cost = dict(receipt.cost or {}) if receipt else {}
    if running and any(running.requests.values()):
        spent = Usage(cast("Any", dict(running.requests)), running.bytes_in, running.bytes_out)
        cost = estimate_cost(spent).as_dict()
    return {
        "run": entry,
        "running": running,
        "receipt": receipt,
        "usage": usage,
        "cost": cost,
        "stops": can_stop(entry),
    }


def _entry(request: Request) -> JournalEntry:
    return desk_of(request).journal.read_run(request.path_params["run_id"])
