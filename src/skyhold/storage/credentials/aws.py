"""Who one is on S3: exactly one source, in the order of AWS's own tools."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from skyhold.config import Secret
from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials.aws_boto import open_boto_profile
from skyhold.storage.credentials.aws_files import AwsFiles, AwsProfile, read_aws_files
from skyhold.storage.credentials.aws_machine import (
    ContainerSource,
    InstanceSource,
    WebIdentitySource,
    container_source_of,
)
from skyhold.storage.credentials.draft import Identity, Way, choose_way, env_text, variables
from skyhold.storage.credentials.fetching import parse_time
from skyhold.storage.credentials.json_file import read_json_file, unusable, warn_if_others_may_read
from skyhold.storage.credentials.options import Given, parse_flag, parse_options
from skyhold.storage.credentials.providers import FetchingProvider, StaticS3Keys, check_not_expired

__all__ = ["AwsQuestion", "find_aws_identity"]

_WAYS = (
    Way("keys", ("access_key_id", "secret_access_key", "session_token")),
    Way("file", ("credentials_file",)),
    Way("profile", ("profile",)),
    Way("anonymous", ("anonymous",)),
    Way("web", ("web_identity_token_file", "role_arn")),
    Way("container", ("container_credentials_relative_uri", "container_credentials_full_uri")),
)
_FILE_NAMES = {"access_key_id", "secret_access_key", "session_token", "region", "endpoint"}
# Entries of configuration files around the keys; they are for others.
_NOT_OURS = {"version", "accountid", "provider", "bucket", "bucket_name", "prefix", "output", "assumedroleuser"}
_STS = {
    "AccessKeyId": "access_key_id",
    "SecretAccessKey": "secret_access_key",
    "SessionToken": "session_token",
    "Expiration": "",
}


@dataclass
class AwsQuestion:
    """The options and the environment; ``~/.aws`` is read when it is first needed."""

    given: Given
    environment: Mapping[str, str] = field(repr=False)
    _files: AwsFiles | None = field(default=None, repr=False)

    @property
    def files(self) -> AwsFiles:
        """The files in ``~/.aws``."""
        if self._files is None:
            self._files = read_aws_files(self.environment)
        return self._files

    @property
    def profile_name(self) -> tuple[str, str]:
        """Who names a profile (an option, a variable or nobody), and its name."""
        if "profile" in self.given:
            return self.given.named("profile"), self.given.text("profile")
        variable, name = env_text(self.environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
        return variable, name or "default"

    @property
    def profile(self) -> AwsProfile | None:
        """The profile that region and endpoint may come from, if there is one."""
        return self.files.profiles.get(self.profile_name[1])


def find_aws_identity(question: AwsQuestion) -> Identity:
    """Return the one identity.

    Raises:
        CredentialsError: None, an incomplete one, or two given as options.
        MissingExtraError: It needs boto3.
    """
    way = choose_way(question.given, _WAYS)
    return _BY_OPTIONS[way](question) if way else _from_environment(question)


def _by_keys(question: AwsQuestion) -> Identity:
    given = question.given
    values = {name: given.text(name) for name in _WAYS[0].options}
    return _static(given.named(*_WAYS[0].options), values, given.spelled)


def _by_web(question: AwsQuestion) -> Identity:
    given = question.given
    role_arn, token_file = given.text("role_arn"), given.text("web_identity_token_file")
    return _web(role_arn, token_file, question, given.named("web_identity_token_file", "role_arn"))


def _from_environment(question: AwsQuestion) -> Identity:
    environment = question.environment
    skip, skip_text = env_text(environment, "AWS_SKIP_SIGNATURE")
    if skip and question.given.flag("anonymous") is None and parse_flag(skip, skip_text):
        return Identity("anonymous", None)
    keys = {
        "access_key_id": env_text(environment, "AWS_ACCESS_KEY_ID"),
        "secret_access_key": env_text(environment, "AWS_SECRET_ACCESS_KEY"),
        "session_token": env_text(environment, "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    }
    named_by, profile_name = question.profile_name
    if any(text for _, text in keys.values()):
        names = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        label = variables(*(name for name, _ in keys.values()))
        # As in AWS's own tools; a profile given as an option would have won.
        note = f" ({named_by}={profile_name!r} is not used for the keys)" if named_by else ""
        values = {name: text for name, (_, text) in keys.items()}
        values["expires"] = environment.get("AWS_CREDENTIAL_EXPIRATION", "")
        return _static(label + note, values, names)
    if named_by:
        return _from_profile(question.files.named(profile_name), question, note=f" (named by {named_by})")
    profile = question.profile
    if profile is not None and (profile.static or profile.dynamic):
        return _from_profile(profile, question, note="")
    return _from_machine(question)


def _from_machine(question: AwsQuestion) -> Identity:
    environment = question.environment
    token_name, token_file = env_text(environment, "AWS_WEB_IDENTITY_TOKEN_FILE")
    role_name, role_arn = env_text(environment, "AWS_ROLE_ARN")
    if token_file:
        return _web(role_arn, token_file, question, variables(token_name, role_name))
    names = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
    name, _ = env_text(environment, *names)
    if name:
        return _container(question, variables(name))
    disabled = env_text(environment, "AWS_EC2_METADATA_DISABLED")
    if disabled[1].lower() == "true":
        raise CredentialsError(
            "no credentials for S3 were found: no options, no AWS_ACCESS_KEY_ID in the environment, no profile in "
            f"{question.files.credentials_path or '~/.aws'}, no container or web identity, and the instance role is "
            "turned off (AWS_EC2_METADATA_DISABLED)",
            remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure; or pass anonymous=True",
        )
    label = "instance role (no other source was found)"
    source = InstanceSource(
        label,
        question.given.text("metadata_endpoint")
        or env_text(environment, "AWS_METADATA_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT")[1]
        or "http://169.254.169.254",
        allow_v1=question.given.flag("imdsv1_fallback") or False,
    )
    return Identity(label, FetchingProvider(label, source.fetch, source.endpoint))


def _static(label: str, values: Mapping[str, str], spelled: Mapping[str, str]) -> Identity:
    missing = [name for name in ("access_key_id", "secret_access_key") if not values.get(name)]
    if missing:
        wanted = " and ".join(repr(spelled.get(name) or name) for name in missing)
        raise CredentialsError(
            f"{label}: incomplete, {wanted} is missing", remedy="Give both the key's id and its secret"
        )
    expires_at = parse_time(values.get("expires", ""))
    check_not_expired(label, expires_at)
    token = values.get("session_token", "")
    provider = StaticS3Keys(
        label,
        Secret(values["access_key_id"]),
        Secret(values["secret_access_key"]),
        Secret(token) if token else None,
        expires_at,
    )
    return Identity(label, provider, expires_at=expires_at)


def _from_file(name: str, environment: Mapping[str, str]) -> Identity:
    content = read_json_file(name, environment, "s3")
    found: Any = content.get("Credentials", content)
    if not isinstance(found, dict):
        raise unusable(name, content, "s3")
    inner = cast("dict[str, Any]", found)
    expires = str(inner.get("Expiration") or "")
    renamed = {_STS.get(key, key): value for key, value in inner.items() if key.lower() not in _NOT_OURS}
    renamed.pop("", None)
    try:
        given = parse_options("s3", renamed)
    except BadOptionError:
        raise unusable(name, inner, "s3") from None
    if not set(given.values) <= _FILE_NAMES or not given.values.keys() & {"access_key_id", "secret_access_key"}:
        raise unusable(name, inner, "s3")
    values = {key: given.text(key) for key in given.values}
    missing = next((key for key in ("access_key_id", "secret_access_key") if not values.get(key)), "")
    if missing:
        raise unusable(name, inner, "s3", f"has no {missing!r}")
    identity = _static(f"credentials file {name!r}", {**values, "expires": expires}, {})
    hints = {key: values[key] for key in ("region", "endpoint") if values.get(key)}
    return Identity(identity.label, identity.provider, expires_at=identity.expires_at, hints=hints)


def _from_profile(profile: AwsProfile, question: AwsQuestion, *, note: str) -> Identity:
    label = f"profile {profile.name!r} of {profile.file}{note}"
    if reason := profile.dynamic:
        provider = open_boto_profile(label, profile.name, question.files, reason)
        return Identity(label, provider)
    if not profile.static:
        raise CredentialsError(
            f"{label} holds no credentials", remedy=f"Run: aws configure --profile {profile.name}, or name another"
        )
    warn_if_others_may_read(profile.file)
    values: dict[str, Any] = {name.removeprefix("aws_"): text for name, text in profile.static.items()}
    return _static(label, values, {name: f"aws_{name}" for name in ("access_key_id", "secret_access_key")})


def _web(role_arn: str, token_file: str, question: AwsQuestion, words: str) -> Identity:
    if not role_arn or not token_file:
        missing = "the role (role_arn, AWS_ROLE_ARN)" if token_file else "the token (web_identity_token_file)"
        raise CredentialsError(
            f"web identity by {words} is incomplete: {missing} is missing",
            remedy="Give both; to assume a role with keys, write role_arn and source_profile into a profile",
        )
    label = f"web identity ({words})"
    given, environment = question.given, question.environment
    source = WebIdentitySource(
        label,
        role_arn=role_arn,
        token_file=token_file,
        session_name=given.text("role_session_name") or environment.get("AWS_ROLE_SESSION_NAME", "") or "skyhold",
        region=given.text("region") or env_text(environment, "AWS_REGION", "AWS_DEFAULT_REGION")[1] or "us-east-1",
        endpoint=given.text("sts_endpoint") or env_text(environment, "AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT")[1],
    )
    return Identity(label, FetchingProvider(label, source.fetch, f"{role_arn} {token_file} {source.endpoint}"))


def _container(question: AwsQuestion, words: str) -> Identity:
    label = f"container credentials ({words})"
    source: ContainerSource = container_source_of(label, question.given, question.environment)
    return Identity(label, FetchingProvider(label, source.fetch, f"{source.url} {source.token_file}"))


_BY_OPTIONS: dict[str, Callable[[AwsQuestion], Identity]] = {
    "keys": _by_keys,
    "file": lambda question: _from_file(question.given.text("credentials_file"), question.environment),
    "profile": lambda question: _from_profile(question.files.named(question.given.text("profile")), question, note=""),
    "anonymous": lambda _: Identity("anonymous", None),
    "web": _by_web,
    "container": lambda question: _container(question, question.given.named(*_WAYS[5].options)),
}
