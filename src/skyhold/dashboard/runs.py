"""The pages of runs: all of them, and one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast, get_args
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.dashboard.campaign_list import Listed
from skyhold.dashboard.desk import Desk, desk_of
from skyhold.dashboard.links import find_place, object_link
from skyhold.dashboard.live import Part, stream_part
from skyhold.dashboard.looking import rows_of
from skyhold.dashboard.rendering import render, show
from skyhold.dashboard.trail import Crumb
from skyhold.dashboard.versions import read_count
from skyhold.errors import KeyNotFoundError
from skyhold.runs.journal import JournalEntry, JournalState
from skyhold.runs.stopping import can_stop, stop_run
from skyhold.storage.pricing import estimate_cost
from skyhold.storage.wrappers.metered import Usage

__all__ = ["runs_routes"]

_SHOWN = 50
_MOST = 1000
_STATES: tuple[str, ...] = get_args(JournalState)
_FIRST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class _Row:
    """A run among others: of this machine's journal, or a worker that has left its receipt with a campaign."""

    run: JournalEntry
    address: str
    host: str = ""


def runs_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/runs", _list_runs),
        Route("/runs/live", _list_live),
        Route("/runs/{run_id}", _show_run),
        Route("/runs/{run_id}/live", _show_live),
        Route("/runs/{run_id}/receipt.json", _download_receipt),
        Route("/runs/{run_id}/rejected", _show_rejected),
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


def _show_rejected(request: Request) -> Response:
    from skyhold.records.reject_samples import sample_rejects  # noqa: PLC0415 - pyarrow, for tables alone

    entry, desk = _entry(request), desk_of(request)
    uri = str(entry.receipt.asked.get("error_output") or "") if entry.receipt else ""
    found = find_place(desk, uri) if uri else None
    if entry.receipt is None or found is None or not found[1]:
        raise KeyNotFoundError(
            "the dashboard shows no place that its rejected rows are in",
            operation="look at rejected rows",
            uri=uri or entry.run_id,
            remedy="Open the place under Storage first, if the run has an error output",
        )
    place, key = found
    adapter = rows_of(place, place.open(), key)
    return show(
        request,
        "rejected.html",
        groups=entry.receipt.rejects,
        samples=sample_rejects(adapter) if adapter else {},
        uri=uri,
        target=object_link(desk, uri),
        trail=[Crumb("Runs", "/runs"), Crumb(entry.run_id, f"/runs/{entry.run_id}"), Crumb("Rejected rows")],
    )


def _stop(request: Request) -> Response:
    entry = _entry(request)
    stop_run(entry)
    return RedirectResponse(f"/runs/{entry.run_id}", 303)


def _listed(request: Request) -> dict[str, Any]:
    asked = request.query_params
    state = asked.get("state", "")
    limit = min(_MOST, read_count(asked.get("limit", "")) or _SHOWN)
    chosen = cast("JournalState", state) if state in _STATES else None
    desk = desk_of(request)
    campaigns = desk.campaigns.listed(desk.places.values(), wait_s=_FIRST_WAIT_S)
    runs = [_Row(run, f"/runs/{run.run_id}") for run in desk.journal.list_runs(limit, state=chosen)]
    rows = _merged(runs, campaigns, chosen)[:limit]
    more = limit * 4 if len(rows) == limit < _MOST else 0
    return {
        "rows": rows,
        "campaigns": campaigns,
        "states": _STATES,
        "state": chosen or "",
        "limit": limit,
        "more": more,
    }


def _merged(runs: list[_Row], campaigns: Iterable[Listed], state: str | None) -> list[_Row]:
    """Return the runs of this machine and those of workers anywhere, the newest first, each once."""
    known = {row.run.run_id for row in runs}
    for campaign in campaigns:
        for receipt in campaign.receipts:
            if receipt.run_id in known or state not in {None, receipt.state}:
                continue
            entry = JournalEntry(receipt.run_id, receipt.kind, receipt.name, receipt.state, receipt.started, receipt)
            known.add(receipt.run_id)
            address = f"/campaigns/{campaign.name}/runs/{quote(receipt.run_id, safe='')}"
            runs.append(_Row(entry, address, receipt.host))
    return sorted(runs, key=lambda row: row.run.run_id, reverse=True)


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
        "stops": _stop_address(desk_of(request), entry),
        "address": f"/runs/{entry.run_id}",
        "link": partial(object_link, desk_of(request)),
        "trail": [Crumb("Runs", "/runs"), Crumb(entry.run_id)],
    }


def _stop_address(desk: Desk, entry: JournalEntry) -> str:
    """Return where a run is told to stop; empty where it cannot be told from here."""
    if can_stop(entry):
        return f"/runs/{entry.run_id}/stop"
    pair = desk.syncs.pair_of_run(entry.run_id)
    return f"/sync/{quote(pair, safe='')}/stop" if pair else ""


def _entry(request: Request) -> JournalEntry:
    return desk_of(request).journal.read_run(request.path_params["run_id"])
