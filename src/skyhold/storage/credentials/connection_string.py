"""Azure connection strings, which obstore does not know."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from skyhold.config import Secret
from skyhold.errors import CredentialsError

__all__ = ["EMULATOR_ACCOUNT", "EMULATOR_KEY", "ConnectionString", "account_of", "parse_connection_string"]

EMULATOR_ACCOUNT = "devstoreaccount1"
# Published by Microsoft, the same for everybody; it opens nothing but the emulator.
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_KNOWN = {
    name.lower(): name
    for name in (
        "AccountName",
        "AccountKey",
        "SharedAccessSignature",
        "BlobEndpoint",
        "EndpointSuffix",
        "DefaultEndpointsProtocol",
        "UseDevelopmentStorage",
        "DevelopmentStorageProxyUri",
    )
}
# For other services, or for a copy that is read only.
_NOT_OURS = (
    "queueendpoint", "tableendpoint", "fileendpoint", "dfsendpoint",
    "blobsecondaryendpoint", "queuesecondaryendpoint", "tablesecondaryendpoint", "filesecondaryendpoint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """What a connection string says.

    Attributes:
        account_name: May be empty with a signature and an endpoint that does not show it.
        account_key: The key, or None.
        sas_token: The signature, or None.
        endpoint: Of blobs; empty for the account's usual one.
        endpoint_suffix: Of the account's usual endpoint, such as ``core.chinacloudapi.cn``.
        protocol: ``https`` or ``http``.
        emulator: Whether it means the emulator.
    """

    account_name: str
    account_key: Secret | None = field(default=None, repr=False)
    sas_token: Secret | None = field(default=None, repr=False)
    endpoint: str = ""
    endpoint_suffix: str = ""
    protocol: str = "https"
    emulator: bool = False


def parse_connection_string(secret: Secret, label: str) -> ConnectionString:
    """Take a connection string apart.

    Args:
        secret: The string.
        label: Where it came from, for messages.

    Raises:
        CredentialsError: It is none, or lacks something; the message names entries and never shows values.

    Example:
        >>> parsed = parse_connection_string(Secret("AccountName=models;AccountKey=Zm9v"), "option 'connection_string'")
        >>> parsed.account_name, parsed.account_key
        ('models', Secret(**redacted**))
    """
    entries = _entries(secret.reveal(), label)
    if entries.get("UseDevelopmentStorage", "").lower() == "true":
        return ConnectionString(
            EMULATOR_ACCOUNT, Secret(EMULATOR_KEY), None, _proxy(entries), protocol="http", emulator=True
        )
    key, sas = entries.get("AccountKey", ""), entries.get("SharedAccessSignature", "").removeprefix("?")
    endpoint = entries.get("BlobEndpoint", "").rstrip("/")
    account = entries.get("AccountName", "") or account_of(endpoint)
    if key and sas:
        raise CredentialsError(f"{label} holds both AccountKey and SharedAccessSignature", remedy="Remove one of them")
    if not key and not sas:
        raise CredentialsError(
            f"{label} holds neither AccountKey nor SharedAccessSignature; its entries are: {_listed(entries)}",
            remedy="Copy it from the portal: storage account, Access keys, Connection string",
        )
    if not account:
        raise CredentialsError(
            f"{label} names no account; its entries are: {_listed(entries)}", remedy="Add AccountName="
        )
    return ConnectionString(
        account,
        Secret(key) if key else None,
        Secret(sas) if sas else None,
        endpoint,
        entries.get("EndpointSuffix", ""),
        entries.get("DefaultEndpointsProtocol", "https").lower(),
        emulator=account == EMULATOR_ACCOUNT,
    )


def account_of(endpoint: str) -> str:
    """Return the account that an endpoint names in its host or, for addresses, as its first folder.

    Example:
        >>> account_of("https://models.blob.core.windows.net"), account_of("http://127.0.0.1:10000/devstoreaccount1")
        ('models', 'devstoreaccount1')
    """
    parts = urlsplit(endpoint)
    folder = parts.path.strip("/").partition("/")[0]
    if folder:
        return folder
    host = parts.hostname or ""
    return host.partition(".")[0] if ".blob." in host or ".dfs." in host else ""


def _entries(text: str, label: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    parts = [part for part in text.strip().strip("\"'").split(";") if part.strip()]
    for number, part in enumerate(parts, start=1):
        name, equals, value = part.partition("=")
        known = _KNOWN.get(name.strip().lower())
        if not equals or (known is None and name.strip().lower() not in _NOT_OURS):
            # An entry without a known name may be a piece of a key: it is not shown.
            raise CredentialsError(
                f"{label} is no connection string: its entry {number} is not one of {', '.join(_KNOWN.values())}",
                remedy="Copy it from the portal: storage account, Access keys, Connection string",
            )
        if known is not None:
            entries[known] = value.strip()
    return entries


def _proxy(entries: dict[str, str]) -> str:
    proxy = entries.get("DevelopmentStorageProxyUri", "")
    parts = urlsplit(proxy)
    # As in Microsoft's clients, the port is the emulator's own where the address has none.
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 10000}" if parts.hostname else ""


def _listed(entries: dict[str, str]) -> str:
    return ", ".join(sorted(entries)) or "none"
