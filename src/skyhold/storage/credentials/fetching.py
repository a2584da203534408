"""Small HTTP requests to the services that give out credentials, with the standard library."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, cast

from skyhold.config import redact
from skyhold.errors import CredentialsError

__all__ = ["fetch_json", "fetch_text", "parse_time"]

_SHOWN = 300


def fetch_text(
    identity: str,
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
    proxies: bool = True,
    attempts: int = 3,
) -> str:
    """Return the body of an answer.

    Args:
        identity: Whose credentials are asked for; errors name it.
        url: Where.
        method: The HTTP method; POST with a form.
        headers: To be sent.
        form: To be sent as the body.
        timeout_s: For each attempt.
        proxies: Whether the proxies of the environment are used; not for services on the machine itself.
        attempts: How often, when there is no answer or a 5xx.

    Raises:
        CredentialsError: No answer, or one that says no.
    """
    if not url.startswith(("http://", "https://")):
        raise CredentialsError(f"{identity}: {url!r} is no http address")
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url, data=data, headers=dict(headers or {}), method="POST" if data is not None else method
    )
    opener = urllib.request.build_opener(_NoRedirects, *([] if proxies else [urllib.request.ProxyHandler({})]))
    place, problem = url.partition("?")[0], ""
    for attempt in range(1, attempts + 1):
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                return cast("bytes", answer.read()).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                body = redact(error.read(4096).decode("utf-8", "replace")).strip()[:_SHOWN]
            problem = f"{identity}: {place} answered {error.code}{f': {body}' if body else ''}"
            final = error.code < 500  # noqa: PLR2004 - server faults may pass
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            problem, final = f"{identity}: no answer from {place} ({reason})", False
        if final or attempt == attempts:
            break
        time.sleep(0.1 * attempt)
    raise CredentialsError(problem)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as a refusal: tokens in headers would follow it to anywhere."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def fetch_json(identity: str, url: str, **request: Any) -> dict[str, Any]:
    """Return the JSON object of an answer; see `fetch_text`.

    Raises:
        CredentialsError: No answer, one that says no, or one that is no JSON object.
    """
    text = fetch_text(identity, url, **request)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CredentialsError(f"{identity}: {url.partition('?')[0]} did not answer with a JSON object")
    return cast("dict[str, Any]", value)


def parse_time(value: object) -> datetime | None:
    """Return a time with zone from ISO text or seconds since 1970; None for anything else.

    Example:
        >>> parse_time("2030-01-02T03:04:05Z")
        datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        >>> parse_time("1893553445") == parse_time(1893553445)
        True
    """
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and value:
            time_ = datetime.fromisoformat(value.strip())
            return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
