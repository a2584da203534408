"""Web servers: no identity, or a token that goes with every request."""

from collections.abc import Mapping

from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials.client import checked_endpoint, client_of
from skyhold.storage.credentials.draft import Draft, Identity
from skyhold.storage.credentials.options import Given
from skyhold.storage.location import Location

__all__ = ["draft_web"]


def draft_web(location: Location, given: Given, environment: Mapping[str, str]) -> Draft:
    """Return the client's options for a web server."""
    checked_endpoint(location.container, "the URI", example="https://example.com")
    client = client_of(given, location.container, environment)
    headers: dict[str, str] = dict(client.get("default_headers") or {})
    extra: Mapping[str, object] = given.values.get("headers") or {}
    if not all(isinstance(value, str) for value in extra.values()):
        raise BadOptionError(f"{given.named('headers')}: every value is text")
    headers |= {name: str(value) for name, value in extra.items()}
    if token := given.text("token"):
        if "authorization" in map(str.lower, headers):
            raise CredentialsError(
                f"more than one identity was given: {given.named('token')} and an Authorization header",
                remedy="Give exactly one of them",
            )
        headers["authorization"] = f"Bearer {token}"
    if headers:
        client["default_headers"] = headers
    used = [name for name in ("token", "headers", "client_options") if name in given]
    return Draft({}, client, Identity(given.named(*used) if headers else "anonymous", None))
