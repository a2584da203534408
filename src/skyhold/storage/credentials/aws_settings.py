"""Where S3 is and how it is spoken to: endpoint, region, encryption, payer."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from skyhold.config import Secret
from skyhold.errors import BadOptionError
from skyhold.storage.credentials.aws import AwsQuestion, find_aws_identity
from skyhold.storage.credentials.aws_files import parse_nested
from skyhold.storage.credentials.client import checked_endpoint, client_of, is_private_way
from skyhold.storage.credentials.draft import Draft, Identity, env_text
from skyhold.storage.credentials.options import Given, parse_flag
from skyhold.storage.location import Location

__all__ = ["draft_s3"]

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_PASSED_ON = ("checksum_algorithm", "copy_if_not_exists")
_PASSED_ON_FLAGS = ("disable_tagging", "disable_bulk_delete")
_CUSTOMER_KEY_BYTES = 32
_ENCRYPTIONS = {name.lower(): name for name in ("AES256", "aws:kms", "aws:kms:dsse", "sse-c")}
_ENCRYPTION_VARIABLES = {
    "encryption": "AWS_SERVER_SIDE_ENCRYPTION",
    "kms_key_id": "AWS_SSE_KMS_KEY_ID",
    "bucket_key": "AWS_SSE_BUCKET_KEY_ENABLED",
    "customer_key": "AWS_SSE_CUSTOMER_KEY_BASE64",
}


def draft_s3(location: Location, given: Given, environment: Mapping[str, str]) -> Draft:
    """Return the settings for a bucket.

    Every variable that obstore would read on its own and that changes who or where is answered by a setting.
    """
    question = AwsQuestion(given, environment)
    identity = find_aws_identity(question)
    region = _region(question, identity)
    custom, virtual = _endpoint(question, identity, location.container)
    endpoint, virtual = _address(location.container, region, custom, virtual, environment)
    bundle = env_text(environment, "AWS_CA_BUNDLE")[1]
    client = client_of(given, endpoint, environment, ca_bundle=bundle)
    is_safe = is_private_way(endpoint) and not client.get("allow_invalid_certificates")
    settings: dict[str, Any] = {
        "region": region,
        "endpoint": endpoint,
        "aws_endpoint_url_s3": endpoint,
        "virtual_hosted_style_request": virtual,
        "skip_signature": identity.provider is None,
        "s3_express": given.flag("s3_express") or location.container.endswith("--x-s3"),
        "conditional_put": given.text("conditional_put") or "etag",
        # Signing the content takes a SHA-256 of it, which costs more than sending it; TLS keeps it whole as well.
        "unsigned_payload": _flag(given, environment, "unsigned_payload", "AWS_UNSIGNED_PAYLOAD", unasked=is_safe),
        "request_payer": _payer(given, environment),
        **_encryption(given, environment),
        **{name: given.text(name) for name in _PASSED_ON if name in given},
        **{name: given.flag(name) for name in _PASSED_ON_FLAGS if name in given},
    }
    return Draft(settings, client, identity)


def _region(question: AwsQuestion, identity: Identity) -> str:
    profile = question.profile
    return (
        question.given.text("region")
        or identity.hints.get("region", "")
        or env_text(question.environment, "AWS_REGION", "AWS_DEFAULT_REGION")[1]
        or (profile.values.get("region", "") if profile else "")
        or "us-east-1"
    )


def _endpoint(question: AwsQuestion, identity: Identity, bucket: str) -> tuple[str, bool | None]:
    """Return the endpoint that was asked for, if any, and whether the bucket goes into the host, if that was said."""
    given = question.given
    name, endpoint = _endpoint_asked_for(question, identity)
    if endpoint and "://" not in endpoint and (use_ssl := given.flag("use_ssl")) is not None:
        endpoint = f"{'https' if use_ssl else 'http'}://{endpoint}"
    if endpoint:
        endpoint = checked_endpoint(endpoint, name)
        if urlsplit(endpoint).path.strip("/") == bucket:
            raise BadOptionError(
                f"{name} {endpoint!r} ends in the bucket's name", remedy=f"Write {endpoint.removesuffix('/' + bucket)}"
            )
    return endpoint, _asked_style(question)


def _endpoint_asked_for(question: AwsQuestion, identity: Identity) -> tuple[str, str]:
    given, environment = question.given, question.environment
    if "endpoint" in given:
        return given.named("endpoint"), given.text("endpoint")
    if hint := identity.hints.get("endpoint"):
        return f"endpoint of {identity.label}", hint
    ignored = env_text(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")[1].lower() == "true"
    name, endpoint = ("", "") if ignored else env_text(environment, *_ENDPOINTS)
    if not endpoint and not ignored and question.profile:
        name, endpoint = f"endpoint_url of profile {question.profile.name!r}", question.profile.endpoint
    return name, endpoint


def _asked_style(question: AwsQuestion) -> bool | None:
    given = question.given
    asked = given.flag("virtual_hosted_style_request")
    if asked is not None:
        return asked
    variable, text = env_text(question.environment, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
    if variable:
        return parse_flag(variable, text)
    profile = question.profile
    nested = parse_nested(profile.values.get("s3", "")) if profile else {}
    style = (given.text("addressing_style") or nested.get("addressing_style", "")).lower()
    styles = {"": None, "auto": None, "path": False, "virtual": True, "vhost": True}
    if style not in styles:
        raise BadOptionError(f"addressing style {style!r} is unknown", remedy="Use 'path', 'virtual' or 'auto'")
    return styles[style]


def _address(
    bucket: str, region: str, custom: str, virtual: bool | None, environment: Mapping[str, str]
) -> tuple[str, bool]:
    """Return the endpoint as obstore wants it (with the bucket, where the host carries it), and whether it does."""
    if custom:
        scheme, _, rest = custom.partition("://")
        if rest.startswith(f"{bucket}."):
            return custom, virtual is not False
        return (f"{scheme}://{bucket}.{rest}", True) if virtual else (custom, False)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if bucket.endswith("--x-s3"):
        zone = bucket.removesuffix("--x-s3").rpartition("--")[2]
        return f"https://{bucket}.s3express-{zone}.{region}.{suffix}", True
    service = "s3-fips" if environment.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" else "s3"
    dual = ".dualstack" if environment.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true" else ""
    host = f"{service}{dual}.{region}.{suffix}"
    # A certificate for *.s3.amazonaws.com does not cover a name with a further dot.
    if virtual or (virtual is None and "." not in bucket):
        return f"https://{bucket}.{host}", True
    return f"https://{host}", False


def _flag(given: Given, environment: Mapping[str, str], name: str, variable: str, *, unasked: bool = False) -> bool:
    asked = given.flag(name)
    if asked is not None:
        return asked
    text = env_text(environment, variable)[1]
    return parse_flag(variable, text) if text else unasked


def _payer(given: Given, environment: Mapping[str, str]) -> bool:
    value = given.values.get("request_payer", env_text(environment, "AWS_REQUEST_PAYER")[1])
    if isinstance(value, str) and value.lower() in {"requester", ""}:
        return bool(value)
    return parse_flag("request_payer", value)


def _encryption(given: Given, environment: Mapping[str, str]) -> dict[str, Any]:
    found = {name: env_text(environment, variable)[1] for name, variable in _ENCRYPTION_VARIABLES.items()}
    asked = given.values.get("encryption")
    _refuse_mixed(given, found, asked)
    key = given.text("customer_key") or found["customer_key"]
    kms_key_id = given.text("kms_key_id") or found["kms_key_id"]
    algorithm = _algorithm(asked, found["encryption"], given)
    if not algorithm:
        return {}
    kms = algorithm.startswith("aws:kms")
    if not kms and ("kms_key_id" in given or "bucket_key" in given):
        raise BadOptionError(
            f"{given.named('kms_key_id', 'bucket_key')} needs encryption='aws:kms', found {algorithm!r}"
        )
    if "customer_key" in given and algorithm != "sse-c":
        raise BadOptionError(f"{given.named('customer_key')} needs encryption='sse-c', found {algorithm!r}")
    settings: dict[str, Any] = {"server_side_encryption": algorithm}
    if kms and kms_key_id:
        settings["sse_kms_key_id"] = kms_key_id
    if kms and ("bucket_key" in given or found["bucket_key"]):
        settings["sse_bucket_key_enabled"] = _flag(given, environment, "bucket_key", "AWS_SSE_BUCKET_KEY_ENABLED")
    if algorithm == "sse-c":
        settings["sse_customer_key_base64"] = _customer_key(key)
    return settings


def _customer_key(text: str) -> Secret:
    try:
        size = len(base64.b64decode(text, validate=True))
    except ValueError:
        size = -1
    if size != _CUSTOMER_KEY_BYTES:
        raise BadOptionError("encryption='sse-c' needs a 'customer_key' of 32 bytes in base64")
    return Secret(text)


def _algorithm(asked: object, ambient: str, given: Given) -> str:
    if asked is None and "kms_key_id" in given:
        asked = "aws:kms"
    if asked is None and "customer_key" in given:
        asked = "sse-c"
    if asked is True:
        return "AES256"
    wanted = str(asked or ambient)
    if not wanted:
        return ""
    if wanted.lower() not in _ENCRYPTIONS:
        raise BadOptionError(
            f"encryption {wanted!r} is unknown", remedy=f"Use one of: {', '.join(_ENCRYPTIONS.values())}"
        )
    return _ENCRYPTIONS[wanted.lower()]


def _refuse_mixed(given: Given, found: Mapping[str, str], asked: object) -> None:
    """Raise where obstore would mix a variable into what was asked for, and no setting can keep it from doing so."""
    mixed: list[str] = []
    if asked is False and found["encryption"]:
        mixed.append("encryption")
    if asked and not str(asked).lower().startswith("aws:kms"):
        mixed += [name for name in ("kms_key_id", "bucket_key") if found[name]]
    if mixed:
        names = ", ".join(_ENCRYPTION_VARIABLES[name] for name in mixed)
        raise BadOptionError(
            f"{given.named('encryption')} contradicts {names} of the environment", remedy=f"Unset {names}"
        )
