"""The pages of synchronization: what was done before, the plan, the choice about each conflict, and how it goes on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from skyhold.components.sync_config import SyncConfig
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.dashboard.desk import Desk, desk_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.libraries import Shelf
from skyhold.dashboard.live import Part, stream_part
from skyhold.dashboard.rendering import error_words, render, show
from skyhold.dashboard.sync_tasks import Pair, SyncTask, digest_of, make_pair
from skyhold.errors import AccessDeniedError, BadOptionError, ConflictError, KeyNotFoundError
from skyhold.runs.journal import JournalEntry
from skyhold.storage.sync import ConflictChoice, Direction, SyncPlan

__all__ = ["syncing_routes"]

_LOOKED_AT = 500
_SHOWN = 500
_QUICK_S = 0.5
_CHOICES: Mapping[ConflictChoice, str] = {
    "keep-both": "keep both",
    "local": "take the folder's",
    "remote": "take the library's",
    "newest": "take the newer one",
    "ask": "leave it for now",
}
_DIRECTIONS: Mapping[Direction, str] = {"both": "both ways", "upload": "to the library", "download": "to the folder"}
_WORDS: Mapping[str, str] = {
    "upload": "upload",
    "download": "download",
    "keep_both": "keep both",
    "rename_local": "rename in the folder",
    "rename_remote": "rename in the library",
    "delete_local": "delete in the folder",
    "delete_remote": "delete in the library",
    "leave": "leave as it is",
}


def syncing_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/sync", _list_syncs),
        Route("/sync", answering(_choose_pair), methods=["POST"]),
        Route("/sync/{pair}", _show_plan),
        Route("/sync/{pair}/choose", answering(_choose), methods=["POST"]),
        Route("/sync/{pair}/apply", answering(_apply), methods=["POST"]),
        Route("/sync/{pair}/progress", _show_progress),
        Route("/sync/{pair}/live", _show_live),
        Route("/sync/{pair}/stop", answering(_stop), methods=["POST"]),
    ]


def _list_syncs(request: Request) -> Response:
    desk = desk_of(request)
    runs = [run for run in desk.journal.list_runs(_LOOKED_AT) if run.kind == "sync"]
    return show(
        request,
        "syncs.html",
        runs=runs[:50],
        asked={run.run_id: _asked(run) for run in runs},
        pairs=[
            (pair, desk.place(pair.place), desk.syncs.goes_on(pair.name))
            for pair in desk.syncs.pairs.values()
            if pair.place in desk.places
        ],
        places=desk.places.values(),
        chosen=request.query_params.get("place", ""),
        folder=request.query_params.get("folder", ""),
        may_open=desk.may_open,
        directions=_DIRECTIONS,
        choices=_CHOICES,
    )


def _asked(run: JournalEntry) -> Mapping[str, Any]:
    told = run.receipt or run.running
    return told.asked if told else {}


def _choose_pair(request: Request, form: Form) -> Response:
    """Take what is to be kept in step; a page that was led here from elsewhere looks into no folder."""
    desk = desk_of(request)
    if not desk.may_open:
        raise AccessDeniedError(
            "pages of a dashboard that other machines reach look into no folders",
            operation="sync",
            remedy="Use: skyhold sync FOLDER URI",
        )
    place = desk.place(form.text("place"))
    config = _read_config(form)
    if form.text("create") == "yes":
        config.folder.mkdir(parents=True, exist_ok=True)
    pair = make_pair(place.name, config)
    desk.syncs.pairs[pair.name] = pair
    return RedirectResponse(f"/sync/{pair.name}", 303)


def _show_plan(request: Request) -> Response:
    desk, pair = _pair(request)
    if desk.syncs.goes_on(pair.name):
        return RedirectResponse(f"/sync/{pair.name}/progress", 303)
    plan = _synchronizer(desk, pair).plan()
    return show(request, "sync_plan.html", **_planned(desk, pair, plan))


def _choose(request: Request, form: Form) -> Response:
    desk, pair = _pair(request)
    pairs = zip(form.texts("path"), form.texts("choice"), strict=False)
    choices: dict[str, ConflictChoice] = {
        path: cast("ConflictChoice", choice) for path, choice in pairs if choice in _CHOICES
    }
    if choices:
        _synchronizer(desk, pair).resolve_all(choices)
    return RedirectResponse(f"/sync/{pair.name}", 303)


def _apply(request: Request, form: Form) -> Response:
    desk, pair = _pair(request)
    config = pair.config
    if form.text("confirmed"):
        if form.text("confirmed") != digest_of(_synchronizer(desk, pair).plan()):
            raise ConflictError(
                "other files would be deleted now than those that were shown",
                operation="sync",
                uri=str(config.folder),
                remedy="Look at the plan again, and confirm it then; nothing was changed",
            )
        config = replace(config, confirmed=True)
    task = desk.syncs.begin(pair, _synchronizer(desk, replace(pair, config=config)), desk.closing)
    task.wait(_QUICK_S)  # a short one is shown as it ended
    return RedirectResponse(f"/sync/{pair.name}/progress", 303)


def _show_progress(request: Request) -> Response:
    return show(request, "sync_progress.html", **_progress(request))


def _show_live(request: Request) -> StreamingResponse:
    _task(request)  # one that is not there is told before the stream begins

    def make() -> Part:
        values = _progress(request)
        return render("sync_part.html", **values), values["ended"]

    return stream_part(request, make)


def _stop(request: Request, form: Form) -> Response:
    del form
    _task(request).stop()
    return RedirectResponse(f"/sync/{request.path_params['pair']}/progress", 303)


def _planned(desk: Desk, pair: Pair, plan: SyncPlan) -> dict[str, Any]:
    moved = {kind: [each for each in plan.actions if each.kind == kind] for kind in _WORDS}
    shown = [each for each in plan.actions if each.kind in _WORDS and not each.conflict]
    return {
        "pair": pair,
        "place": desk.place(pair.place),
        "plan": plan,
        "moved": moved,
        "words": _WORDS,
        "actions": shown[:_SHOWN],
        "more": max(0, len(shown) - _SHOWN),
        "choices": _CHOICES,
        "directions": _DIRECTIONS,
        "digest": digest_of(plan),
        "command": _command(desk, pair),
    }


def _progress(request: Request) -> dict[str, Any]:
    desk, pair = _pair(request)
    task = _task(request)
    ended = task.ended
    return {
        "pair": pair,
        "place": desk.place(pair.place),
        "task": task,
        "event": task.event,
        "ended": ended,
        "result": task.result if ended else None,
        "error": error_words(task.error) if ended and task.error else None,
        "words": list(task.words)[::-1],
    }


def _pair(request: Request) -> tuple[Desk, Pair]:
    desk = desk_of(request)
    return desk, desk.syncs.pair(request.path_params["pair"])


def _task(request: Request) -> SyncTask:
    desk, pair = _pair(request)
    task = desk.syncs.tasks.get(pair.name)
    if task is None:
        raise KeyNotFoundError(
            "it was not begun yet", operation="look at", uri=pair.name, remedy="Look at the plan, and carry it out"
        )
    return task


def _synchronizer(desk: Desk, pair: Pair) -> StorageSynchronizer:
    place = desk.place(pair.place)
    return StorageSynchronizer(Shelf(place, desk.configured.get(place.name)).library(hasty=False), pair.config)


def _read_config(form: Form) -> SyncConfig:
    folder = form.text("folder").strip()
    direction, conflict = form.text("direction") or "both", form.text("conflict") or "keep-both"
    if not folder or direction not in get_args(Direction) or conflict not in _CHOICES:
        raise BadOptionError("a folder, a direction and a rule for conflicts are needed", remedy="Go back and choose")
    return SyncConfig(
        Path(folder).expanduser().absolute(),
        direction=cast("Direction", direction),
        delete_files=form.text("delete_files") == "yes",
        overwrite=form.text("overwrite") != "no",
        file_patterns=form.text("patterns").split() or None,
        conflict=cast("ConflictChoice", conflict),
        prefix=form.text("prefix").strip(),
    )


def _command(desk: Desk, pair: Pair) -> list[str]:
    """Return the command that does the same."""
    place, config = desk.place(pair.place), pair.config
    sides = [str(config.folder), place.shown_uri]
    command = ["skyhold", "sync", *(sides[::-1] if config.direction == "download" else sides)]
    flags = {
        "--both": config.direction == "both",
        "--delete": config.delete_files,
        "--no-overwrite": not config.overwrite,
    }
    command += [flag for flag, is_set in flags.items() if is_set]
    command += ["--conflict", config.conflict] if config.conflict != "keep-both" else []
    command += ["--prefix", config.prefix] if config.prefix else []
    command += [part for pattern in config.file_patterns or () for part in ("--include", pattern)]
    return command + (["--profile", place.profile] if place.profile else [])
