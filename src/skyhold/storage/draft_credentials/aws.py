"""Who asks on S3: the sources in their order, and what each needs."""

import configparser
import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from skyhold.config import Secret, SecretOrigin
from skyhold.errors import BadOptionError, BadUriError, CredentialsError, MissingExtraError
from skyhold.storage.draft_credentials.connection import Connection, Provider
from skyhold.storage.draft_credentials.files import read_json_credentials
from skyhold.storage.draft_credentials.options import flag
from skyhold.storage.location import Location

__all__ = ["resolve_s3"]

_KEYS = ("access_key_id", "secret_access_key")
_CONTAINER_HOST = "http://169.254.170.2"
_NEEDS_BOTO = ("sso_session", "sso_start_url", "role_arn", "credential_process", "source_profile", "credential_source")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse", "sse-c")


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """A key, its secret, and the token that belongs to them."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

    def __call__(self) -> dict[str, Any]:
        """Return them in obstore's form."""
        return {
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key.reveal(),
            "token": self.session_token.reveal() if self.session_token else None,
            "expires_at": None,
        }

    def fingerprint(self) -> str:
        """Return what tells keys apart."""
        token = self.session_token.fingerprint() if self.session_token else ""
        return f"{self.access_key_id}{self.secret_access_key.fingerprint()}{token}"


@dataclass(frozen=True, slots=True)
class ContainerRole:
    """The role of a container on ECS or EKS, asked for at its local address."""

    url: str
    token: str = ""
    token_file: str = ""

    def __call__(self) -> dict[str, Any]:
        """Ask, and return the temporary keys in obstore's form."""
        token = Path(self.token_file).read_text().strip() if self.token_file else self.token
        headers = {"Authorization": token} if token else {}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - the platform's own address
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            found = json.load(answer)
        return {
            "access_key_id": found["AccessKeyId"],
            "secret_access_key": found["SecretAccessKey"],
            "token": found.get("Token"),
            "expires_at": datetime.fromisoformat(found["Expiration"]) if found.get("Expiration") else None,
        }

    def fingerprint(self) -> str:
        """Return what tells roles apart."""
        return f"{self.url}{self.token_file}"


@dataclass(frozen=True, slots=True)
class BotoProfile:
    """A profile that boto3 has to resolve: SSO, an assumed role, a credential process."""

    profile: str

    def __call__(self) -> dict[str, Any]:
        """Return keys that are valid now, and when they really end."""
        import boto3  # noqa: PLC0415 - the extra `aws`, 500 ms

        credentials: Any = boto3.Session(profile_name=self.profile).get_credentials()
        if credentials is None:
            raise CredentialsError(f"the profile {self.profile!r} gives no credentials", remedy="Run: aws sso login")
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": getattr(credentials, "_expiry_time", None),
        }

    def fingerprint(self) -> str:
        """Return what tells profiles apart."""
        return self.profile


@dataclass(frozen=True, slots=True)
class _Source:
    """A source that was chosen: who it is, and the region and endpoint that it brings along."""

    identity: str
    provider: Provider | None = None
    settings: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    portable: bool = True


def resolve_s3(location: Location, options: Mapping[str, Any], environment: Mapping[str, str]) -> Connection:
    """Return the connection to a bucket; the first source that is there at all is the one.

    Raises:
        CredentialsError: A source is half there, or two were given.
    """
    source = _choose(options, environment)
    defaults = source.defaults or {}
    profile = {} if "profile" in defaults else _profile_defaults(environment)
    region = (
        options.get("region")
        or defaults.get("region")
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or profile.get("region")
        or "us-east-1"
    )
    endpoint = (
        options.get("endpoint")
        or defaults.get("endpoint")
        or environment.get("AWS_ENDPOINT_URL_S3")
        or environment.get("AWS_ENDPOINT_URL")
        or environment.get("AWS_ENDPOINT")
        or profile.get("endpoint_url")
        or ""
    )
    settings: dict[str, Any] = {"region": region, "skip_signature": source.identity == "anonymous"}
    settings |= _place(location, endpoint, options, settings) | _protection(options) | (source.settings or {})
    client = {"allow_http": True} if endpoint.startswith("http://") else {}
    return Connection("s3", location.container, source.identity, settings, source.provider, client, None, source.portable)


def _place(location: Location, endpoint: str, options: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Path style for endpoints of one's own; on AWS the bucket is a host name, unless it has dots."""
    if endpoint and "://" not in endpoint:
        raise BadUriError(f"the endpoint {endpoint!r} has no scheme", remedy=f"Write https://{endpoint}")
    hosted = options.get("virtual_hosted_style_request")
    virtual = flag("virtual_hosted_style_request", hosted) if hosted is not None else False
    place: dict[str, Any] = {"virtual_hosted_style_request": virtual}
    if endpoint:
        host = endpoint.rstrip("/")
        if virtual:
            scheme, _, rest = host.partition("://")
            host = f"{scheme}://{location.container}.{rest}"
        return {**place, "endpoint": host, "aws_endpoint_url_s3": host}
    if hosted is None and "." not in location.container:
        place["virtual_hosted_style_request"] = True
    domain = "amazonaws.com.cn" if str(settings["region"]).startswith("cn-") else "amazonaws.com"
    base = f"s3.{settings['region']}.{domain}"
    host = f"https://{location.container}.{base}" if place["virtual_hosted_style_request"] else f"https://{base}"
    return {**place, "endpoint": host, "aws_endpoint_url_s3": host}


def _protection(options: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    encryption = options.get("encryption")
    if encryption is None and options.get("kms_key_id"):
        encryption = "aws:kms"
    if encryption is None and options.get("customer_key"):
        encryption = "sse-c"
    if encryption is not None:
        if encryption not in _ENCRYPTIONS:
            raise BadOptionError(f"encryption={encryption!r} is unknown", remedy=f"Use {', '.join(_ENCRYPTIONS)}")
        settings["server_side_encryption"] = encryption
    if options.get("kms_key_id"):
        settings["sse_kms_key_id"] = options["kms_key_id"]
    if options.get("bucket_key") is not None:
        settings["sse_bucket_key_enabled"] = flag("bucket_key", options["bucket_key"])
    if options.get("customer_key"):
        settings["sse_customer_key_base64"] = Secret(str(options["customer_key"]))
    for name in ("request_payer", "unsigned_payload"):
        if options.get(name) is not None:
            settings[name] = flag(name, options[name])
    if options.get("checksum_algorithm"):
        settings["checksum_algorithm"] = options["checksum_algorithm"]
    return settings


def _choose(options: Mapping[str, Any], environment: Mapping[str, str]) -> _Source:
    explicit = _explicit(options, environment)
    if explicit is not None:
        return explicit
    chain: tuple[Callable[[Mapping[str, str]], _Source | None], ...] = (
        _from_environment,
        _from_files,
        _from_container,
        _from_web_identity,
        _from_instance,
    )
    return next(source for find in chain if (source := find(environment)) is not None)


def _explicit(options: Mapping[str, Any], environment: Mapping[str, str]) -> _Source | None:
    ways = {
        "anonymous": options.get("anonymous") is not None and flag("anonymous", options["anonymous"]),
        "access_key_id": any(options.get(name) for name in (*_KEYS, "session_token")),
        "credentials_file": bool(options.get("credentials_file")),
        "profile": bool(options.get("profile")),
    }
    given = [name for name, present in ways.items() if present]
    if len(given) > 1:
        raise CredentialsError(
            f"two identities were given: {given[0]} and {given[1]}", remedy="Give one of them, and leave out the other"
        )
    if given == ["anonymous"]:
        return _Source("anonymous")
    if given == ["access_key_id"]:
        return _Source("explicit options", _keys(options, "explicit options"), portable=False)
    if given == ["credentials_file"]:
        path = str(options["credentials_file"])
        found = read_json_credentials(path, "s3")
        named = {name.removeprefix("aws_"): value for name, value in found.items()}
        identity = f"credentials file {path!r}"
        endpoint = named.get("endpoint_url") or named.get("endpoint")
        region = named.get("region") or named.get("default_region")
        return _Source(identity, _keys(named, identity), defaults={"region": region, "endpoint": endpoint})
    return _from_profile(str(options["profile"]), environment) if given else None


def _keys(found: Mapping[str, Any], identity: str, origins: Mapping[str, str] | None = None) -> StaticKeys:
    for name in _KEYS:
        if not found.get(name):
            raise CredentialsError(f"{identity} has no {name}", remedy=f"Give {' and '.join(_KEYS)} together")

    def secret(name: str) -> Secret:
        origin = SecretOrigin("env", origins[name]) if origins else None
        return Secret(str(found[name]), origin)

    token = secret("session_token") if found.get("session_token") else None
    return StaticKeys(str(found["access_key_id"]), secret("secret_access_key"), token)


def _from_environment(environment: Mapping[str, str]) -> _Source | None:
    names = {
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    }
    found = {name: environment[variable] for name, variable in names.items() if environment.get(variable)}
    if not any(name in found for name in _KEYS):
        if environment.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"}:
            return _Source("anonymous")
        return None
    identity = "environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    missing = [names[name] for name in _KEYS if name not in found]
    if missing:
        raise CredentialsError(f"the environment has no {missing[0]}", remedy=f"Run: export {missing[0]}=…")
    if "session_token" in found:
        identity += ", with AWS_SESSION_TOKEN"
    return _Source(identity, _keys(found, identity, names))


def _from_files(environment: Mapping[str, str]) -> _Source | None:
    if environment.get("AWS_PROFILE"):
        return _from_profile(environment["AWS_PROFILE"], environment)
    found = _read_profile("default", environment)
    if any(name in found for name in ("aws_access_key_id", "aws_secret_access_key", *_NEEDS_BOTO)):
        return _from_profile("default", environment)
    return None


def _from_profile(name: str, environment: Mapping[str, str]) -> _Source:
    found = _read_profile(name, environment)
    if not found:
        known = ", ".join(sorted(_profiles(environment))) or "none"
        raise CredentialsError(
            f"there is no profile {name!r} in ~/.aws/credentials or ~/.aws/config",
            remedy=f"Use one that exists ({known}), or run: aws configure --profile {name}",
        )
    identity = f"profile {name!r} of {_file_of(name, environment)}"
    defaults = {"region": found.get("region"), "endpoint": found.get("endpoint_url"), "profile": name}
    special = next((key for key in _NEEDS_BOTO if key in found), None)
    if special is None:
        keys = {key.removeprefix("aws_"): value for key, value in found.items()}
        return _Source(identity, _ProfileKeys(_keys(keys, identity), name), defaults=defaults)
    try:
        import boto3 as _  # noqa: PLC0415 - the extra `aws`, asked for only here
    except ImportError as error:
        raise MissingExtraError.of("aws", f"the profile {name!r}, which uses {special},") from error
    return _Source(identity, BotoProfile(name), defaults=defaults)


@dataclass(frozen=True, slots=True)
class _ProfileKeys:
    """Static keys of a profile; pickled by the profile's name."""

    keys: StaticKeys
    profile: str

    def __call__(self) -> dict[str, Any]:
        return self.keys()

    def fingerprint(self) -> str:
        return self.keys.fingerprint()


def _from_container(environment: Mapping[str, str]) -> _Source | None:
    relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = f"{_CONTAINER_HOST}{relative}" if relative else environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url:
        return None
    token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    token_file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
    return _Source("container role (AWS_CONTAINER_CREDENTIALS_…)", ContainerRole(url, token, token_file))


def _from_web_identity(environment: Mapping[str, str]) -> _Source | None:
    file, role = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN")
    if not file and not role:
        return None
    if not file or not role:
        missing = "AWS_ROLE_ARN" if file else "AWS_WEB_IDENTITY_TOKEN_FILE"
        raise CredentialsError(f"web identity needs {missing} too", remedy=f"Run: export {missing}=…")
    settings = {"web_identity_token_file": file, "role_arn": role}
    if environment.get("AWS_ROLE_SESSION_NAME"):
        settings["role_session_name"] = environment["AWS_ROLE_SESSION_NAME"]
    return _Source(f"web identity as {role} (AWS_WEB_IDENTITY_TOKEN_FILE)", settings=settings)


def _from_instance(environment: Mapping[str, str]) -> _Source:
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise CredentialsError(
            "no credentials were found: no options, no credentials file, no AWS_ACCESS_KEY_ID, no profile, no role",
            remedy="Run: export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or: aws configure; for public data "
            "give anonymous=True",
        )
    return _Source("instance role (no other source was found)")


def _profiles(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    home = Path(environment.get("HOME", "~")).expanduser()
    files = (
        Path(environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config").expanduser(),
        Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials").expanduser(),
    )
    found: dict[str, dict[str, str]] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except configparser.Error as error:
            raise CredentialsError(f"{str(file)!r} cannot be read: {error}", remedy="Correct that line") from error
        for section in parser.sections():
            if not section.startswith(("sso-session ", "services ")):
                found.setdefault(section.removeprefix("profile ").strip(), {}).update(parser.items(section))
    return found


def _read_profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    return _profiles(environment).get(name, {})


def _profile_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    return _read_profile(environment.get("AWS_PROFILE") or "default", environment)


def _file_of(name: str, environment: Mapping[str, str]) -> str:
    del name
    return environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws"
