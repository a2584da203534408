"""From values to pages: the templates, what they may call, and how errors are worded."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from skyhold._version import __version__
from skyhold.errors import (
    AccessError,
    BucketNotFoundError,
    ConfigError,
    ConflictError,
    DependencyError,
    InvalidKeyError,
    NetworkError,
    NotFoundError,
    PreviewError,
    ResultError,
    SkyholdError,
    StorageError,
    UnsupportedError,
)
from skyhold.runs.asked import format_command, redact_text
from skyhold.runs.wording import human_size, human_time

__all__ = [
    "SECTIONS",
    "drawing_limiter",
    "error_words",
    "is_fragment",
    "render",
    "show",
    "show_error",
    "status_of",
    "tell_script",
]

SECTIONS: tuple[tuple[str, str], ...] = (
    ("Runs", "/runs"),
    ("Campaigns", "/campaigns"),
    ("Storage", "/storage"),
    ("Cloud Storage", "/components"),
    ("Sync", "/sync"),
    ("Connections", "/connections"),
)
"""The tabs: name and first page."""

_STATUS: tuple[tuple[type[SkyholdError], int], ...] = (
    (NotFoundError, 404),
    (AccessError, 403),
    (ConflictError, 409),
    (DependencyError, 409),
    (PreviewError, 422),
    (ResultError, 404),
    (NetworkError, 502),
    (InvalidKeyError, 400),
    (UnsupportedError, 400),
    (ConfigError, 400),
)
_HERE = Path(__file__).parent
_DRAWN_AT_ONCE = 3
_SMALLEST_PLAIN = 1e-9
_WHOLE = 1000
_LARGEST_PLAIN = 1e15

drawing_limiter = anyio.CapacityLimiter(_DRAWN_AT_ONCE)
"""So that pictures that were never made, and meshes, leave threads and processor to other pages."""


def show(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page made from a template, with what every page has around it."""
    return HTMLResponse(render(template, path=request.url.path, **values), status_code)


def render(template: str, **values: Any) -> str:
    """Return a template's text; values are escaped wherever they stand."""
    text = _templates().get_template(template).render(sections=SECTIONS, version=__version__, **values)
    # A folder may hold names that are no Unicode; they are spelt out where a page has them as they are.
    return text.encode(errors="backslashreplace").decode()


def show_error(request: Request, error: SkyholdError) -> HTMLResponse:
    """Return the page that says what failed, on what, why, and what to do; or that part of a page."""
    words, status = error_words(error), status_of(error)
    if is_fragment(request):
        return show(request, "error_part.html", status_code=status, error=words)
    is_of_store = isinstance(error, NetworkError | AccessError | BucketNotFoundError)
    place = request.path_params.get("place", "") if is_of_store else ""
    again = str(request.url.replace(scheme="", netloc="")) if request.method == "GET" else ""
    return show(request, "error.html", status_code=status, error=words, again=again, place=place)


def tell_script(error: SkyholdError) -> JSONResponse:
    """Return an error for a script, which shows it."""
    return JSONResponse({"code": error.code, **error_words(error)}, status_of(error))


def status_of(error: SkyholdError) -> int:
    """Return the HTTP status that means an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_words(error: SkyholdError) -> Mapping[str, str]:
    """Return an error's parts for templates, without secrets.

    Example:
        >>> error_words(StorageError("no such bucket", operation="list", uri="s3://b", remedy="Make it"))["cause"]
        'no such bucket'
    """
    of_storage = isinstance(error, StorageError)
    return {
        "title": error.code.replace("_", " ").capitalize(),
        "cause": redact_text(error.reason if of_storage else error.message),
        "operation": error.operation if of_storage else "",
        "uri": redact_text(error.uri) if of_storage else "",
        "identity": redact_text(error.identity) if of_storage else "",
        "remedy": redact_text(error.remedy),
    }


def is_fragment(request: Request) -> bool:
    """Return whether a script asks, for a part of a page that is shown already."""
    return request.headers.get("hx-request") == "true"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "size": human_size,
        "span": human_time,
        "when": _when,
        "clock": _clock,
        "number": _number,
        "shown": _shown,
        "exact": _exact,
        "shell": format_command,
        "urlencode": _query,
    }
    return templates


def _query(fields: Mapping[str, Any]) -> str:
    """Return fields as an address has them, also those with names that are no Unicode."""
    return urlencode(fields, errors="surrogatepass")


def _when(at: datetime) -> Markup:
    """Return a moment as the reader's machine tells it, with the exact one for whoever points at it."""
    local = at.astimezone()
    year = "" if local.year == datetime.now(UTC).astimezone().year else f" {local.year}"
    exact = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact, exact, f"{local.day} {local:%b}{year} {local:%H:%M:%S}"
    )


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _number(number: float) -> str:
    """Return a number as people read it; what requests cost is small, and no reason for exponents.

    Example:
        >>> _number(12345), _number(0.0000223456), _number(11690.4), _number(1e-30)
        ('12,345', '0.00002235', '11,690', '1e-30')
    """
    if isinstance(number, int):
        return f"{number:,}"
    if _WHOLE <= abs(number) < _LARGEST_PLAIN:
        return f"{number:,.0f}"
    text = f"{number:,.4g}"
    return format(Decimal(text), "f") if _SMALLEST_PLAIN <= abs(number) < 1 else text


def _shown(text: str) -> str:
    """Return a name on one line."""
    return _seen(text).replace("\n", "\\n").replace("\t", "\\t")


def _exact(text: str) -> Markup:
    """Return a name for a form's field or a script, which need it as it is."""
    return escape(text)


def _seen(value: Any) -> Any:
    """Return a text whose controls, and marks that turn the reading direction, are seen; whatever a page shows."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape", "surrogatepass").decode()
        for each in value
    )
