"""What Azure tells of a container and its account."""

from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from typing import Any

from skyhold.storage.bucket_settings.asking import Refusal, Setting, Told, ask_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection
from skyhold.storage.libraries import azure_client

__all__ = ["azure_settings"]


class _Container:
    """Asks the library's client about one container, and about its account."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._container = client.get_container_client(name)

    @cached_property
    def properties(self) -> Any:
        return self._container.get_container_properties()

    @cached_property
    def service(self) -> dict[str, Any]:
        return self._client.get_service_properties()

    def has_versions(self) -> bool:
        """Return whether the first page of blobs shows a version; an account without versioning gives none."""
        pages = self._container.list_blobs(include=["versions"], results_per_page=100).by_page()
        return any(blob.version_id for blob in next(iter(pages), ()))


def azure_settings(connection: Connection) -> Iterator[CheckLine]:
    """Yield a line for each setting.

    Raises:
        MissingExtraError: azure-storage-blob is not installed.
    """
    container = _Container(azure_client(connection), connection.container)
    account = str(connection.settings["account_name"])
    return ask_settings(_SETTINGS, container, _refusal_of, bucket=connection.container, account=account)


def _public_access(container: _Container) -> Told:
    level = container.properties.public_access
    if level:
        return Told(good=False, found=f"everybody may read: {level}")
    return Told(good=True, found="nobody reads unnamed")


def _encryption(container: _Container) -> Told:
    scope = container.properties.encryption_scope
    name = getattr(scope, "default_encryption_scope", None)
    if not name:
        return Told(good=None, found="not told: the store names no encryption scope")
    whole = "" if getattr(scope, "prevent_encryption_scope_override", False) else ", which a writer may override"
    return Told(good=True, found="on, with the account's key" if name.startswith("$") else f"on: scope {name!r}{whole}")


def _soft_delete(container: _Container) -> Told:
    found = container.service["delete_retention_policy"]
    return Told(good=True, found=f"for {found.days} days") if found.enabled else Told(good=False, found="off")


def _versioning(container: _Container) -> Told:
    if container.has_versions():
        return Told(good=True, found="blobs have versions")
    return Told(good=None, found="not told: no blob has a version yet, and only the account's management knows more")


def _log(container: _Container) -> Told:
    found = container.service["analytics_logging"]
    off = [name for name in ("read", "write", "delete") if not getattr(found, name)]
    if not off:
        return Told(good=True, found="reads, writes and deletes")
    return Told(good=False, found="off" if len(off) == 3 else f"off for {', '.join(off)}")  # noqa: PLR2004 - all of them


_OF_CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers/read (with a SAS: r on containers)"
_OF_SERVICE = "Microsoft.Storage/storageAccounts/blobServices/read (with a SAS: r on the service)"
_OF_BLOBS = "to list blobs with their versions (Storage Blob Data Reader; with a SAS: l on containers)"
_PROPERTIES = "az storage account blob-service-properties"
_SETTINGS = (
    Setting(
        "public access is blocked",
        _public_access,
        "Run: az storage container set-permission --name {bucket} --account-name {account} --public-access off",
        _OF_CONTAINER,
    ),
    Setting(
        "encryption at rest",
        _encryption,
        "Run: az storage container show --name {bucket} --account-name {account} --query properties",
        _OF_CONTAINER,
    ),
    Setting(
        "soft delete",
        _soft_delete,
        f"Run: {_PROPERTIES} update --account-name {{account}} --enable-delete-retention true"
        " --delete-retention-days 7",
        _OF_SERVICE,
    ),
    Setting(
        "versioning",
        _versioning,
        f"Run: {_PROPERTIES} show --account-name {{account}} --query isVersioningEnabled",
        _OF_BLOBS,
    ),
    Setting(
        "access log",
        _log,
        "Run: az storage logging update --services b --log rwd --retention 30 --account-name {account}",
        _OF_SERVICE,
    ),
)


def _refusal_of(error: Exception) -> Refusal | None:
    exceptions: Any = import_module("azure.core.exceptions")
    if isinstance(error, exceptions.HttpResponseError):
        status = int(getattr(error, "status_code", None) or 0)
        code = str(getattr(error, "error_code", None) or "")
        return Refusal(status, code or str(status or error))
    return Refusal(0, str(error)) if isinstance(error, exceptions.AzureError) else None
