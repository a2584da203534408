"""Tables: what each cloud accepts.

The names are object_store's where it has one. The spellings are those of object_store with its prefixes, of the
environment variables, s3fs, boto3, DuckDB, pyarrow, adlfs and gcsfs.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["OPTIONS", "Option"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: Canonical.
        kind: ``text``; ``flag``: yes or no; ``secret``: text that is never shown; ``switch``: text or yes or no;
            ``mapping``; ``any``: looked at where it is used.
        spellings: Other names of it, in lower case.
    """

    name: str
    kind: Literal["text", "flag", "secret", "switch", "mapping", "any"] = "text"
    spellings: tuple[str, ...] = ()


def _options(kind: Literal["text", "flag", "secret", "switch", "mapping", "any"], *lines: str) -> tuple[Option, ...]:
    return tuple(Option(names[0], kind, tuple(names[1:])) for names in map(str.split, lines))


_CLIENT = (
    *_options("mapping", "client_options"),
    *_options("flag", "allow_http"),
    *_options("switch", "verify verify_ssl"),
    *_options("text", "proxy_url proxy"),
    *_options("any", "root_certificate ca_bundle"),
)

_S3 = (
    *_options(
        "text",
        "access_key_id aws_access_key_id key s3_access_key_id access_key key_id",
        "region aws_region region_name s3_region default_region aws_default_region",
        "endpoint endpoint_url aws_endpoint aws_endpoint_url aws_endpoint_url_s3 s3_endpoint endpoint_override",
        "profile profile_name aws_profile",
        "credentials_file",
        "addressing_style s3_url_style url_style",
        "kms_key_id sse_kms_key_id aws_sse_kms_key_id ssekmskeyid",
        "checksum_algorithm aws_checksum_algorithm",
        "conditional_put aws_conditional_put",
        "copy_if_not_exists aws_copy_if_not_exists",
        "metadata_endpoint aws_metadata_endpoint",
        "role_arn aws_role_arn",
        "role_session_name aws_role_session_name",
        "web_identity_token_file aws_web_identity_token_file",
        "sts_endpoint aws_sts_endpoint",
        "container_credentials_relative_uri aws_container_credentials_relative_uri",
        "container_credentials_full_uri aws_container_credentials_full_uri",
        "container_authorization_token_file aws_container_authorization_token_file",
    ),
    *_options(
        "secret",
        "secret_access_key aws_secret_access_key secret s3_secret_access_key secret_key",
        "session_token aws_session_token token s3_session_token aws_token",
        "customer_key sse_customer_key_base64 aws_sse_customer_key_base64 ssecustomerkey",
    ),
    *_options(
        "flag",
        "anonymous anon skip_signature aws_skip_signature no_sign_request aws_no_sign_request",
        "virtual_hosted_style_request aws_virtual_hosted_style_request force_virtual_addressing",
        "use_ssl s3_use_ssl",
        "bucket_key sse_bucket_key_enabled aws_sse_bucket_key_enabled bucketkeyenabled",
        "unsigned_payload aws_unsigned_payload",
        "disable_tagging aws_disable_tagging",
        "disable_bulk_delete aws_disable_bulk_delete",
        "s3_express aws_s3_express",
        "imdsv1_fallback aws_imdsv1_fallback",
    ),
    *_options(
        "switch",
        "encryption server_side_encryption aws_server_side_encryption serversideencryption sse",
        "request_payer aws_request_payer requester_pays requestpayer",
    ),
)

_AZURE = (
    *_options(
        "text",
        "account_name account azure_storage_account_name azure_storage_account storage_account",
        "endpoint azure_storage_endpoint azure_endpoint account_url endpoint_url",
        "endpoint_suffix",
        "credentials_file",
        "client_id azure_client_id azure_storage_client_id",
        "tenant_id azure_tenant_id azure_storage_tenant_id authority_id",
        "authority_host azure_authority_host azure_storage_authority_host",
        "federated_token_file azure_federated_token_file",
        "msi_endpoint azure_msi_endpoint identity_endpoint",
        "object_id azure_object_id",
        "msi_resource_id azure_msi_resource_id",
    ),
    *_options(
        "secret",
        "connection_string azure_storage_connection_string",
        "account_key azure_storage_account_key azure_storage_key azure_storage_access_key access_key storage_key",
        "sas_token sas_key azure_storage_sas_token azure_storage_sas_key shared_access_signature sas",
        "client_secret azure_client_secret azure_storage_client_secret",
        "token azure_storage_token bearer_token",
        "encryption_key azure_encryption_key",
    ),
    *_options(
        "flag",
        "anonymous anon skip_signature azure_skip_signature",
        "use_emulator azure_storage_use_emulator",
        "use_fabric_endpoint azure_use_fabric_endpoint",
        "use_azure_cli azure_use_azure_cli",
        "disable_tagging azure_disable_tagging",
    ),
    *_options("any", "credential"),
)

_GOOGLE = (
    *_options(
        "text",
        "service_account google_service_account service_account_path google_service_account_path",
        "application_credentials google_application_credentials",
        "credentials_file",
        "base_url google_base_url endpoint endpoint_url",
    ),
    *_options("secret", "service_account_key google_service_account_key", "bearer_token google_bearer_token"),
    *_options("flag", "anonymous anon skip_signature google_skip_signature"),
    *_options("any", "token", "credential"),
)

_HTTP = (*_options("secret", "token bearer_token"), *_options("mapping", "headers"))

OPTIONS: dict[str, tuple[Option, ...]] = {
    "s3": _S3 + _CLIENT,
    "az": _AZURE + _CLIENT,
    "gs": _GOOGLE + _CLIENT,
    "http": _HTTP + _CLIENT,
}
