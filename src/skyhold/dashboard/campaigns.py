"""The pages of campaigns: all of them, how one stands, its cases, and what its engine said."""

from functools import partial
from typing import Any, get_args
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.dashboard.campaign_charts import chart_routes
from skyhold.dashboard.campaign_place import campaign_address, campaign_trail, open_campaign
from skyhold.dashboard.campaign_tables import table_routes
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.links import object_link
from skyhold.dashboard.live import Part, stream_part
from skyhold.dashboard.place import Place
from skyhold.dashboard.rendering import error_words, render, show
from skyhold.dashboard.versions import read_count
from skyhold.errors import BadOptionError, KeyNotFoundError, SkyholdError
from skyhold.runs.journal import JournalEntry
from skyhold.simulation.message_groups import group_messages
from skyhold.simulation.scales import scale_of
from skyhold.simulation.survey import CaseState, CaseView, Look

__all__ = ["campaigns_routes"]

_STATES: tuple[CaseState, ...] = get_args(CaseState)
_CELLS = 400
_ROWS = 25
_GROUPS = 200
_MOST_WORKERS = 32
_FIRST_WAIT_S = 1.0
_RECEIPTS = 1000
_OWN = "energyplus"


def campaigns_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/campaigns", _list_campaigns),
        Route("/campaigns", answering(_open), methods=["POST"]),
        Route("/campaigns/{place}", _show),
        Route("/campaigns/{place}/live", _show_live),
        Route("/campaigns/{place}/case", _show_case),
        Route("/campaigns/{place}/messages", _show_messages),
        Route("/campaigns/{place}/retry", answering(_retry), methods=["POST"]),
        Route("/campaigns/{place}/cancel", answering(_cancel), methods=["POST"]),
        Route("/campaigns/{place}/work", answering(_work), methods=["POST"]),
        Route("/campaigns/{place}/stop", answering(_stop), methods=["POST"]),
        Route("/campaigns/{place}/runs/{run_id}", _show_run),
        Route("/campaigns/{place}/runs/{run_id}/receipt.json", _download_receipt),
        *table_routes(),
        *chart_routes(),
    ]


def _list_campaigns(request: Request) -> Response:
    desk = desk_of(request)
    found = desk.campaigns.listed(desk.places.values(), wait_s=_FIRST_WAIT_S)
    return show(request, "campaigns.html", campaigns=found, may_open=desk.may_open)


def _open(request: Request, form: Form) -> Response:
    if form.text("place"):
        desk = desk_of(request)
        place = desk.place(form.text("place")).below(form.text("prefix"))
        desk.add([place])
    else:
        place = open_campaign(request, form.text("uri").strip())
    if form.text("then") == "retry":
        with desk_of(request).campaigns.changing(place) as campaign:
            campaign.retry()
    return RedirectResponse(campaign_address(place), 303)


def _show(request: Request) -> Response:
    place = place_of(request)
    values = _standing(request, place)
    return show(request, "campaign.html", trail=campaign_trail(place), tab="", **values)


def _show_live(request: Request) -> Response:
    place = place_of(request)
    _standing(request, place)  # what keeps it from being shown is told before the stream begins

    def make() -> Part:
        try:
            values = _standing(request, place)
        except SkyholdError as error:
            return render("error_part.html", error=error_words(error)), False
        work = values["work"]
        return render("campaign_part.html", **values), values["look"].status.is_complete and (not work or work.ended)

    return stream_part(request, make)


def _standing(request: Request, place: Place) -> dict[str, Any]:
    desk, asked = desk_of(request), request.query_params
    look = desk.campaigns.look(place)
    state = asked.get("state", "") if asked.get("state", "") in _STATES else ""
    cases = [view for view in look.cases.values() if state in {"", view.state}]
    pages = max(1, -(-len(cases) // _CELLS))
    page = min(pages, read_count(asked.get("page", "")) or 1)
    failed = [view for view in look.cases.values() if view.state == "failed"]
    return {
        "place": place,
        "address": campaign_address(place),
        "look": look,
        "status": look.status,
        "state": state,
        "states": [(each, getattr(look.status, each)) for each in _STATES],
        "cells": cases[(page - 1) * _CELLS : page * _CELLS],
        "shown": len(cases),
        "page": page,
        "pages": pages,
        "first": (page - 1) * _CELLS + 1,
        "failed": failed[:_ROWS],
        "more_failed": max(0, len(failed) - _ROWS),
        "work": desk.campaigns.work_of(place.name),
        "can_work": desk.campaigns.can_work(look),
        "command": _work_command(place, look),
        "query": urlencode({"state": state, "page": page}),
    }


def _work_command(place: Place, look: Look) -> list[str]:
    """Return the command that starts a worker; what another simulator is imported from, nobody but its author knows."""
    command = ["skyhold", "sim", "work", place.shown_uri]
    command += ["--simulator", "module:name"] if look.record.simulator != _OWN else []
    return command + (["--profile", place.profile] if place.profile else [])


def _show_case(request: Request) -> Response:
    place, label = place_of(request), request.query_params.get("label", "")
    desk = desk_of(request)
    story = desk.campaigns.survey(place).story(label)
    look = desk.campaigns.look(place)
    labels = list(look.cases)
    number = labels.index(label) if label in look.cases else 0
    return show(
        request,
        "campaign_case.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, label),
        story=story,
        view=story.view,
        outcome=story.view.outcome,
        values=_values(story.view),
        before=labels[number - 1] if number else "",
        after=labels[number + 1] if number + 1 < len(labels) else "",
        number=number + 1,
        total=len(labels),
    )


def _values(view: CaseView) -> list[tuple[str, float | str, str]]:
    """Return the results of a case, in units in which they are easy to read."""
    found: list[tuple[str, float | str, str]] = []
    for name, quantity in view.outcome.values.items() if view.outcome else ():
        if isinstance(quantity.value, str):
            found.append((name, quantity.value, quantity.unit))
        elif quantity.value is not None:
            factor, unit = scale_of(quantity.value, quantity.unit)
            found.append((name, quantity.value / factor if factor != 1.0 else quantity.value, unit))
    return found


def _show_messages(request: Request) -> Response:
    place = place_of(request)
    look = desk_of(request).campaigns.look(place)
    ended = {name: view.outcome for name, view in look.cases.items() if view.outcome is not None}
    severity = request.query_params.get("severity", "")
    groups = group_messages(ended)
    counts = {
        each: sum(outcome.messages.get(each, 0) for outcome in ended.values())
        for each in ("fatal", "severe", "warning")
    }
    chosen = [group for group in groups if severity in {"", group.severity}]
    return show(
        request,
        "campaign_messages.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, "Messages"),
        tab="messages",
        look=look,
        ended=len(ended),
        counts=counts,
        severity=severity if severity in counts else "",
        groups=chosen[:_GROUPS],
        more=max(0, len(chosen) - _GROUPS),
    )


def _retry(request: Request, form: Form) -> Response:
    del form
    place = place_of(request)
    with desk_of(request).campaigns.changing(place) as campaign:
        campaign.retry()
    return RedirectResponse(campaign_address(place), 303)


def _cancel(request: Request, form: Form) -> Response:
    del form
    place = place_of(request)
    with desk_of(request).campaigns.changing(place) as campaign:
        campaign.cancel()
    return RedirectResponse(campaign_address(place), 303)


def _work(request: Request, form: Form) -> Response:
    text = form.text("workers")
    workers = read_count(text) or 0
    if not 1 <= workers <= _MOST_WORKERS:
        raise BadOptionError(f"workers={text[:20]!r} is not a number from 1 to {_MOST_WORKERS}")
    desk, place = desk_of(request), place_of(request)
    desk.campaigns.work(place, workers, desk.closing)
    return RedirectResponse(campaign_address(place), 303)


def _stop(request: Request, form: Form) -> Response:
    del form
    place = place_of(request)
    work = desk_of(request).campaigns.work_of(place.name)
    if work is None or work.ended:
        raise KeyNotFoundError("no workers of this dashboard are at it", operation="stop", uri=place.shown_uri)
    work.stop()
    return RedirectResponse(campaign_address(place), 303)


def _show_run(request: Request) -> Response:
    place, entry = place_of(request), _entry(request)
    return show(
        request,
        "run.html",
        run=entry,
        running=None,
        receipt=entry.receipt,
        usage=entry.receipt,
        cost=dict(entry.receipt.cost or {}) if entry.receipt else {},
        stops="",
        address=f"{campaign_address(place)}/runs/{quote(entry.run_id, safe='')}",
        link=partial(object_link, desk_of(request)),
        trail=campaign_trail(place, entry.run_id),
    )


def _download_receipt(request: Request) -> Response:
    entry = _entry(request)
    assert entry.receipt is not None
    headers = {"Content-Disposition": f'attachment; filename="{quote(entry.run_id, safe="")}.receipt.json"'}
    return Response(entry.receipt.to_json(), media_type="application/json", headers=headers)


def _entry(request: Request) -> JournalEntry:
    place, run_id = place_of(request), request.path_params["run_id"]
    for receipt in desk_of(request).campaigns.survey(place).receipts(_RECEIPTS):
        if receipt.run_id == run_id:
            return JournalEntry(run_id, receipt.kind, receipt.name, receipt.state, receipt.started, receipt)
    raise KeyNotFoundError("no worker has left such a receipt", operation="read run", uri=f"{place.shown_uri}/{run_id}")
