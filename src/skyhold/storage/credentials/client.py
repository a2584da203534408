"""Options of the HTTP client, which are the same for every cloud."""

import difflib
import logging
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from skyhold.errors import BadOptionError
from skyhold.storage.credentials.json_file import expand_path
from skyhold.storage.credentials.options import CLIENT_OPTIONS, FLAG_WORDS, Given, parse_flag

__all__ = ["checked_endpoint", "client_of", "is_loopback", "is_private_way"]

_LOG = logging.getLogger("skyhold.storage.credentials")


def client_of(given: Given, endpoint: str, environment: Mapping[str, str], *, ca_bundle: str = "") -> dict[str, Any]:
    """Return the client's options; never empty, since obstore then takes them from the environment.

    Args:
        given: The options.
        endpoint: Plain http is allowed exactly when it says so.
        environment: For ``~``.
        ca_bundle: A certificate file that the environment names.

    Raises:
        BadOptionError: An unknown client option, or a certificate that cannot be read.
    """
    client: dict[str, Any] = {"allow_http": endpoint.startswith("http://")}
    passed_on: dict[str, Any] = given.values.get("client_options") or {}
    for name, value in passed_on.items():
        if name not in CLIENT_OPTIONS:
            near = difflib.get_close_matches(name, CLIENT_OPTIONS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadOptionError(
                f"unknown entry {name!r} of 'client_options'{hint}", remedy=f"Use one of: {', '.join(CLIENT_OPTIONS)}"
            )
        client[name] = value
    allow_http = given.flag("allow_http")
    if allow_http is not None:
        client["allow_http"] = allow_http
    if "proxy_url" in given:
        client["proxy_url"] = given.text("proxy_url")
    verify = given.values.get("verify")
    if isinstance(verify, str) and verify.lower() in FLAG_WORDS:
        verify = parse_flag("verify", verify)
    certificate = given.values.get("root_certificate") or (verify if isinstance(verify, str) else "") or ca_bundle
    if certificate:
        client["root_certificate"] = _certificate(certificate, environment)
    if verify is False:
        client["allow_invalid_certificates"] = True
    if client.get("allow_invalid_certificates"):
        _LOG.warning("certificates of %s are not verified: anybody on the way can read and change data", endpoint)
    return client


def checked_endpoint(endpoint: str, name: str, *, example: str = "http://localhost:9000") -> str:
    """Return an endpoint without its trailing slash.

    Args:
        endpoint: As given.
        name: The option or variable that holds it, for messages.
        example: What one looks like.

    Raises:
        BadOptionError: It has no scheme or no host, or carries a password.
    """
    authority = endpoint.partition("://")[2] or endpoint
    if "@" in authority.partition("/")[0] or "?" in authority:
        raise BadOptionError(
            f"{name} carries credentials or a query", remedy=f"Give the address alone, such as {example}"
        )
    if not endpoint.startswith(("http://", "https://")):
        host = endpoint.partition("://")[2] or endpoint
        local = host.startswith(("localhost", "127.", "[::1]")) or ":9000" in host
        raise BadOptionError(
            f"{name} {endpoint!r} does not begin with http:// or https://",
            remedy=f"Write {'http' if local else 'https'}://{host} (an example: {example})",
        )
    parts = urlsplit(endpoint)
    if not parts.hostname:
        raise BadOptionError(f"{name} {endpoint!r} names no host", remedy=f"An example: {example}")
    return endpoint.rstrip("/")


def is_private_way(endpoint: str) -> bool:
    """Return whether nobody on the way can change what is sent there: it is encrypted, or does not leave the machine.

    Example:
        >>> is_private_way("https://s3.eu-west-1.amazonaws.com"), is_private_way("http://minio:9000")
        (True, False)
    """
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address means this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _certificate(value: object, environment: Mapping[str, str]) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if "-----BEGIN" in text:
        return text
    path: Path = expand_path(text, environment)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not PEM text"
        raise BadOptionError(f"cannot read the certificates in {text!r}: {reason}") from error
