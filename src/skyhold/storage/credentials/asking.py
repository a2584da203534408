"""The HTTP client behind `skyhold.storage.credentials.fetching`, loaded when a service is asked, which is seldom."""

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import cast

from skyhold.config import redact
from skyhold.errors import CredentialsError

__all__ = ["ask"]

_SHOWN = 300


def ask(
    identity: str,
    url: str,
    *,
    method: str,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None,
    timeout_s: float,
    proxies: bool,
    attempts: int,
) -> str:
    """Return the body of an answer; arguments and errors are those of `fetch_text`."""
    if not url.startswith(("http://", "https://")):
        raise CredentialsError(f"{identity}: {url!r} is no http address")
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url, data=data, headers=dict(headers), method="POST" if data is not None else method
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
