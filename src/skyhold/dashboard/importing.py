"""The pages that take over a configuration of a provider: shown line by line first, and taken then."""

import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.components.config import CloudStorageConfig, config_file
from skyhold.components.config_lines import explain_config
from skyhold.dashboard.desk import Desk, desk_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.provider_fields import TITLES
from skyhold.dashboard.providers import refuse_from_afar, show_library
from skyhold.dashboard.rendering import show
from skyhold.dashboard.trail import Crumb
from skyhold.errors import BadOptionError, ConfigError, KeyNotFoundError

__all__ = ["importing_routes"]

_PAGE = "/connections/import"
_MOST_WAITING = 8
_MOST_BYTES = 1024 * 1024
_TRAIL = [Crumb("Connections", "/connections"), Crumb("Import", _PAGE)]


def importing_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route(_PAGE, _ask),
        Route(_PAGE, answering(_explain), methods=["POST"]),
        Route(f"{_PAGE}/take", answering(_take), methods=["POST"]),
    ]


def _ask(request: Request) -> Response:
    refuse_from_afar(desk_of(request))
    return show(request, "import.html", trail=_TRAIL, folder=str(desk_of(request).folder))


def _explain(request: Request, form: Form) -> Response:
    desk = desk_of(request)
    refuse_from_afar(desk)
    config = _read(desk, form)
    number = _keep(desk, config)
    return show(
        request,
        "import_lines.html",
        number=number,
        title=TITLES[config.provider],
        lines=explain_config(config, desk.folder),
        trail=[*_TRAIL, Crumb(TITLES[config.provider])],
    )


def _take(request: Request, form: Form) -> Response:
    desk = desk_of(request)
    refuse_from_afar(desk)
    config = desk.offered.pop(form.text("number"), None)
    if config is None:
        raise KeyNotFoundError(
            "this configuration is not waiting any more",
            operation="import",
            remedy="Choose it again under Connections, and take it then",
        )
    config.save(config_file(config.provider, desk.folder), with_secrets=True)
    show_library(desk, config)
    return RedirectResponse(f"/components/providers/{config.provider}", 303)


def _read(desk: Desk, form: Form) -> CloudStorageConfig:
    """Return the configuration that a form holds, or names by its path.

    Raises:
        BadOptionError: It does neither, or both.
        ConfigError: It cannot be read.
    """
    path, text = form.text("path").strip(), form.text("text")
    if bool(path) == bool(text.strip()):
        raise BadOptionError("give the path of a file, or its text: one of them", remedy="Go back, and correct it")
    if not path:
        return CloudStorageConfig.parse(text, desk.folder / "the text")
    file = desk.folder / Path(path).expanduser()
    if file.exists() and not file.is_file():
        raise ConfigError(f"{str(file)!r} is not a file", remedy="Go back, and correct it")
    if file.is_file() and file.stat().st_size > _MOST_BYTES:
        raise ConfigError(f"{str(file)!r} is too large for a configuration", remedy="Go back, and correct it")
    return CloudStorageConfig.load(file)


def _keep(desk: Desk, config: CloudStorageConfig) -> str:
    """Keep a configuration here until it is taken, since pages are never sent its secrets; return its number."""
    number = secrets.token_urlsafe(16)
    desk.offered[number] = config
    for old in list(desk.offered)[:-_MOST_WAITING]:
        desk.offered.pop(old, None)
    return number
