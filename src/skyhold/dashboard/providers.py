"""The pages of providers: one form for each, whose answers are kept in ``cloud_storage_<provider>_config.json``."""

from pathlib import Path
from typing import cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.components.config import CloudStorageConfig, Provider, config_file
from skyhold.components.manager import CloudStorageManager
from skyhold.components.operation_log import LOG_FILE
from skyhold.dashboard.desk import Desk, desk_of
from skyhold.dashboard.forms import Form, answering
from skyhold.dashboard.libraries import HOME
from skyhold.dashboard.place import Place, make_place
from skyhold.dashboard.provider_fields import FIELDS, TITLES, read_config, shown_values
from skyhold.dashboard.rendering import error_words, show
from skyhold.dashboard.trail import Crumb
from skyhold.errors import AccessDeniedError, ConfigError, KeyNotFoundError, SkyholdError

__all__ = ["list_configured", "providers_routes", "refuse_from_afar", "show_library"]

_PAGE = "/components/providers/{provider}"


def providers_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route(_PAGE, _show_provider),
        Route(_PAGE, answering(_configure), methods=["POST"]),
        Route(f"{_PAGE}/open", answering(_open), methods=["POST"]),
        Route(f"{_PAGE}/bucket", answering(_make_bucket), methods=["POST"]),
    ]


def list_configured(desk: Desk) -> dict[Provider, Path]:
    """Return the files of configurations in the dashboard's folder; nothing of them is read."""
    files: dict[Provider, Path] = {provider: config_file(provider, desk.folder) for provider in TITLES}
    return {provider: file for provider, file in files.items() if file.is_file()}


def _show_provider(request: Request) -> Response:
    desk, provider, file = _asked(request)
    config, fault = None, None
    try:
        config = CloudStorageConfig.load(file) if file.is_file() else None
    except SkyholdError as error:
        fault = error_words(error)
    opened = next((name for name, each in desk.configured.items() if each.provider == provider), "")
    return show(
        request,
        "provider.html",
        provider=provider,
        title=TITLES[provider],
        fields=FIELDS[provider],
        values=shown_values(provider, config),
        config=config,
        fault=fault,
        file=str(file),
        place=desk.places.get(opened),
        trail=[HOME, Crumb(TITLES[provider])],
    )


def _configure(request: Request, form: Form) -> Response:
    desk, provider, file = _asked(request)
    try:
        before = CloudStorageConfig.load(file) if file.is_file() else None
    except ConfigError:  # it is damaged, and replaced by what the form says
        before = None
    config = read_config(provider, form, before)
    config.save(file, with_secrets=True)
    show_library(desk, config)
    return RedirectResponse(f"/components/providers/{provider}", 303)


def _open(request: Request, form: Form) -> Response:
    del form
    desk, _, file = _asked(request)
    return RedirectResponse(f"/components/{show_library(desk, CloudStorageConfig.load(file)).name}", 303)


def _make_bucket(request: Request, form: Form) -> Response:
    del form
    desk, _, file = _asked(request)
    config = CloudStorageConfig.load(file)
    CloudStorageManager(config, log_file=desk.folder / LOG_FILE).create_bucket()
    return RedirectResponse(f"/components/{show_library(desk, config).name}", 303)


def refuse_from_afar(desk: Desk) -> None:
    """Refuse to configure providers where other machines reach the dashboard.

    Raises:
        AccessDeniedError: They do.
    """
    if not desk.may_open:
        raise AccessDeniedError(
            "pages of a dashboard that other machines reach configure no providers",
            operation="configure",
            remedy="Write the file on its machine: CloudStorageConfig(…).save()",
        )


def show_library(desk: Desk, config: CloudStorageConfig) -> Place:
    """Show the library of a configuration, in place of the one that the provider had before."""
    for name in [name for name, each in desk.configured.items() if each.provider == config.provider]:
        del desk.configured[name]
        desk.places.pop(name, None)
    place = make_place(config.uri, options=config.store_options)
    desk.add([place])
    desk.configured[place.name] = config
    return place


def _asked(request: Request) -> tuple[Desk, Provider, Path]:
    desk, provider = desk_of(request), request.path_params["provider"]
    refuse_from_afar(desk)
    if provider not in TITLES:
        raise KeyNotFoundError(
            "there is no such provider", operation="configure", uri=provider, remedy=f"Use one of {', '.join(TITLES)}"
        )
    return desk, cast("Provider", provider), config_file(provider, desk.folder)
