"""The many spellings of the same option, and one name for each."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

from skyhold.errors import BadOptionError

__all__ = ["canonical_options", "flag"]

_EVERYWHERE = {
    "allow_http": (),
    "proxy_url": (),
    "root_certificate": ("ca_bundle",),
    "verify": ("verify_ssl",),
    "anonymous": ("anon", "skip_signature", "no_sign_request", "aws_skip_signature", "azure_skip_signature"),
    "token": (),
    "credentials_file": (),
}

_SPELLINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        **_EVERYWHERE,
        "access_key_id": ("aws_access_key_id", "key", "s3_access_key_id"),
        "secret_access_key": ("aws_secret_access_key", "secret", "s3_secret_access_key"),
        "session_token": ("aws_session_token", "token", "aws_token", "s3_session_token"),
        "region": ("aws_region", "region_name", "aws_default_region", "default_region", "s3_region"),
        "endpoint": ("endpoint_url", "aws_endpoint_url", "aws_endpoint", "aws_endpoint_url_s3", "s3_endpoint"),
        "profile": ("aws_profile", "profile_name"),
        "encryption": ("server_side_encryption", "aws_server_side_encryption", "sse"),
        "kms_key_id": ("sse_kms_key_id", "aws_sse_kms_key_id"),
        "bucket_key": ("sse_bucket_key_enabled",),
        "customer_key": ("sse_customer_key_base64",),
        "request_payer": ("requester_pays",),
        "virtual_hosted_style_request": ("aws_virtual_hosted_style_request",),
        "unsigned_payload": ("aws_unsigned_payload",),
        "checksum_algorithm": ("aws_checksum_algorithm",),
    },
    "az": {
        **_EVERYWHERE,
        "account_name": ("azure_storage_account_name", "azure_storage_account", "storage_account"),
        "account_key": ("access_key", "azure_storage_account_key", "azure_storage_key", "azure_storage_access_key"),
        "sas_token": ("sas_key", "azure_storage_sas_token", "sas"),
        "connection_string": ("azure_storage_connection_string",),
        "client_id": ("azure_client_id",),
        "client_secret": ("azure_client_secret",),
        "tenant_id": ("azure_tenant_id", "authority_id"),
        "endpoint": ("endpoint_url", "account_url", "azure_storage_endpoint"),
        "token": ("bearer_token",),
        "use_emulator": ("azure_storage_use_emulator",),
        "credential": (),
    },
    "gs": {
        **_EVERYWHERE,
        "service_account": ("service_account_path", "google_service_account"),
        "service_account_key": ("google_service_account_key",),
        "application_credentials": ("google_application_credentials",),
        "token": ("bearer_token",),
        "endpoint": ("base_url", "endpoint_url"),
    },
    "http": {**_EVERYWHERE},
}


def canonical_options(scheme: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options under their canonical names.

    Raises:
        BadOptionError: A name is unknown, or two spellings of one option disagree.

    Example:
        >>> canonical_options("s3", {"aws_region": "eu-west-1", "client_kwargs": {"endpoint_url": "http://h:9000"}})
        {'region': 'eu-west-1', 'endpoint': 'http://h:9000'}
    """
    names = {spelling: name for name, spellings in _SPELLINGS[scheme].items() for spelling in (name, *spellings)}
    if scheme == "s3":
        names["token"] = "session_token"  # s3fs's name of it  # noqa: S105
    found: dict[str, Any] = {}
    given: dict[str, str] = {}
    for spelling, value in _flattened(options).items():
        name = names.get(spelling.lower())
        if name is None:
            raise _unknown(scheme, spelling, names)
        if value is None:
            continue
        if name in found and found[name] != value:
            raise BadOptionError(
                f"the options {given[name]!r} and {spelling!r} mean the same and differ", remedy="Give one of them"
            )
        found[name] = value
        given[name] = spelling
    return found


def _flattened(options: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in options.items() if name != "client_kwargs"}
    inner = options.get("client_kwargs")
    if isinstance(inner, Mapping):
        flat.update(cast("Mapping[str, Any]", inner))
    return flat


def _unknown(scheme: str, spelling: str, names: Mapping[str, str]) -> BadOptionError:
    close = get_close_matches(spelling.lower(), names, 1)
    canonical = ", ".join(sorted(set(names.values())))
    remedy = f"Did you mean {close[0]!r}? " if close else ""
    return BadOptionError(f"{scheme}:// knows no option {spelling!r}", remedy=f"{remedy}It takes {canonical}")


def flag(name: str, value: Any) -> bool:
    """Return an option that is true or false, however it is written.

    Raises:
        BadOptionError: It is neither.
    """
    lowered = str(value).lower()
    if lowered in {"true", "1", "yes", "on", "requester"}:
        return True
    if lowered in {"false", "0", "no", "off", ""}:
        return False
    raise BadOptionError(f"the option {name}={value!r} is neither true nor false")
