"""Small HTTP requests to the services that give out credentials, with the standard library."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from skyhold.errors import CredentialsError

__all__ = ["fetch_json", "fetch_text", "parse_time"]


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
    from skyhold.storage.credentials.asking import ask  # noqa: PLC0415 - 50 ms

    return ask(
        identity,
        url,
        method=method,
        headers=headers or {},
        form=form,
        timeout_s=timeout_s,
        proxies=proxies,
        attempts=attempts,
    )


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
