"""AWS credentials that the machine has: of its container, its web identity, its instance.

obstore could fetch them too. Ours time out in a second where nobody answers, strip the newline that ends a token
file (obstore panics), take nothing else from the environment, and know the true expiry.
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlsplit

from skyhold.config import Secret
from skyhold.errors import CredentialsError
from skyhold.storage.credentials.client import is_loopback
from skyhold.storage.credentials.draft import env_text
from skyhold.storage.credentials.fetching import fetch_json, fetch_text, parse_time
from skyhold.storage.credentials.json_file import expand_path
from skyhold.storage.credentials.options import Given

__all__ = ["ContainerSource", "InstanceSource", "WebIdentitySource", "container_source_of"]

_ECS = "http://169.254.170.2"
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
_ALLOWED_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """The service that gives a container its credentials (ECS, EKS Pod Identity)."""

    label: str
    url: str
    token_file: str = ""
    token: Secret | None = None

    def fetch(self) -> dict[str, Any]:
        """Return new credentials."""
        token = _read_token(self.label, self.token_file) if self.token_file else self.token and self.token.reveal()
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        answer = fetch_json(self.label, self.url, headers=headers, timeout_s=2, proxies=False)
        return _keys(self.label, answer, token_name="Token")  # noqa: S106 - a field's name


def container_source_of(label: str, given: Given, environment: Mapping[str, str]) -> ContainerSource:
    """Return the container's service as options and environment name it.

    Raises:
        CredentialsError: Its address is one that a token must not be sent to.
    """
    relative = given.text("container_credentials_relative_uri")
    full = given.text("container_credentials_full_uri")
    if not relative and not full:
        relative = env_text(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")[1]
        full = env_text(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI")[1]
    url = f"{_ECS}/{relative.lstrip('/')}" if relative else full
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_local(parts.hostname or ""):
        raise CredentialsError(
            f"{label}: {url!r} is neither https, nor this machine, nor AWS's container service",
            remedy="Correct AWS_CONTAINER_CREDENTIALS_FULL_URI",
        )
    token_file = (
        given.text("container_authorization_token_file")
        or env_text(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")[1]
    )
    token = env_text(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN")[1]
    path = str(expand_path(token_file, environment)) if token_file else ""
    return ContainerSource(label, url, path, Secret(token) if token else None)


@dataclass(frozen=True, slots=True)
class WebIdentitySource:
    """A token from outside, changed for a role's credentials at STS."""

    label: str
    role_arn: str
    token_file: str
    session_name: str
    region: str
    endpoint: str = ""

    def fetch(self) -> dict[str, Any]:
        """Return new credentials; the token file is read each time, since it is rotated."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "WebIdentityToken": _read_token(self.label, self.token_file),
        }
        answer = fetch_text(self.label, self.endpoint or f"https://sts.{self.region}.{suffix}", form=form)
        # A few fields of a known document: no parser, so no parser's faults.
        found = dict(re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)</\1>", answer))
        fields = {name: html.unescape(cast("str", text)).strip() for name, text in found.items()}
        return _keys(self.label, fields, token_name="SessionToken")  # noqa: S106 - a field's name


@dataclass(frozen=True, slots=True)
class InstanceSource:
    """The role of an EC2 instance, by its metadata service, version 2."""

    label: str
    endpoint: str
    allow_v1: bool = False
    timeout_s: float = field(default=1.0)

    def fetch(self) -> dict[str, Any]:
        """Return new credentials."""
        try:
            return self._fetch()
        except CredentialsError as error:
            raise CredentialsError(
                f"no credentials for S3 were found: {error}",
                remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure; "
                "for public data pass anonymous=True",
            ) from error

    def _fetch(self) -> dict[str, Any]:
        base = self.endpoint.rstrip("/")
        headers: dict[str, str] = {}
        try:
            ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
            headers["X-aws-ec2-metadata-token"] = self._get(f"{base}/latest/api/token", ttl, method="PUT")
        except CredentialsError:
            if not self.allow_v1:
                raise
        roles = f"{base}/latest/meta-data/iam/security-credentials/"
        names = self._get(roles, headers).split()
        if not names:
            raise CredentialsError(f"{self.label}: this instance has no role")
        try:
            answer: object = json.loads(self._get(roles + quote(names[0]), headers))
        except ValueError:
            answer = None
        return _keys(self.label, answer, token_name="Token")  # noqa: S106 - a field's name

    def _get(self, url: str, headers: Mapping[str, str], method: str = "GET") -> str:
        return fetch_text(
            self.label, url, method=method, headers=headers, timeout_s=self.timeout_s, proxies=False, attempts=1
        ).strip()


def _keys(label: str, answer: object, *, token_name: str) -> dict[str, Any]:
    fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    if not fields.get("AccessKeyId") or not fields.get("SecretAccessKey"):
        code = str(fields.get("Code") or "no keys in it")[:80]
        raise CredentialsError(f"{label}: the answer cannot be used ({code})")
    return {
        "access_key_id": fields["AccessKeyId"],
        "secret_access_key": fields["SecretAccessKey"],
        "token": fields.get(token_name),
        "expires_at": parse_time(fields.get("Expiration")),
    }


def _read_token(label: str, file: str) -> str:
    try:
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - a plain name, already expanded
            token = opened.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CredentialsError(f"{label}: cannot read the token in {file!r}: {reason}") from error
    if not token or "\n" in token or "\r" in token:
        raise CredentialsError(f"{label}: {file!r} does not hold one line with a token")
    return token


def _is_local(host: str) -> bool:
    return host in _ALLOWED_HOSTS or is_loopback(host)
