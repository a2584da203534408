"""Containers of Azure Blob Storage."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from skyhold.storage.bucket_care.care import BucketCare, LifecycleRule
from skyhold.storage.buckets import with_errors
from skyhold.storage.credentials import Connection
from skyhold.storage.libraries import azure_client
from skyhold.storage.location import Location

__all__ = ["AzureCare"]


class AzureCare(BucketCare):
    """A container, by azure-storage-blob. Encryption is the account's, and always on.

    Args:
        location: Where it is.
        connection: Who asks.

    Raises:
        MissingExtraError: azure-storage-blob is not installed.
    """

    lacks = "containers have no such setting; their account has"
    by_hand = "Set it for the account: in the portal, or with az storage account"

    def __init__(self, location: Location, connection: Connection) -> None:
        super().__init__(location, connection.identity)
        self._container: Any = azure_client(connection).get_container_client(location.container)
        self._account = str(connection.settings["account_name"])

    def create(self, *, public: bool = False, encryption: str = "", kms_key_id: str = "") -> None:
        del encryption, kms_key_id
        access = "blob" if public else None
        with_errors(
            "make container",
            self.location,
            lambda: self._container.create_container(public_access=access),
            identity=self.identity,
        )

    def set_public(self, *, public: bool, prefix: str = "") -> None:
        if prefix and public:
            raise self.unsupported("set public access", "A container is open as a whole: keep what is public in one")

        def change() -> None:
            found = self._container.get_container_access_policy()
            kept = {each.id: each.access_policy for each in found["signed_identifiers"]}
            self._container.set_container_access_policy(kept, public_access="blob" if public else None)

        with_errors("set public access", self.location, change, identity=self.identity)

    def lifecycle(self) -> tuple[Sequence[LifecycleRule], Sequence[str]]:
        raise self.unsupported("read lifecycle rules", f"Run: {self._policy_command('show')}")

    def lifecycle_by_hand(self, rules: Sequence[LifecycleRule]) -> str:
        policy = json.dumps(
            {"rules": [self._management_rule(rule) for rule in rules if rule.action != "abort-uploads"]}
        )
        return (
            "Rules are the account's, not the container's, and the command puts these in the place of all: add to them "
            f"what this prints: {self._policy_command('show')}. Then run: {self._policy_command('create')} "
            f"--policy '{policy}'"
        )

    def _policy_command(self, verb: str) -> str:
        return f"az storage account management-policy {verb} --account-name {self._account} --resource-group GROUP"

    def set_class(self, keys: Iterable[str], storage_class: str) -> int:
        count = 0
        for key in keys:
            with_errors(
                "set tier",
                self.location,
                lambda key=key: self._container.get_blob_client(key).set_standard_blob_tier(storage_class),
                identity=self.identity,
                key=key,
            )
            count += 1
        return count

    def _management_rule(self, rule: LifecycleRule) -> dict[str, Any]:
        """Return a rule as the account's management takes it; uploads that nobody ended end by themselves in a week."""
        move = f"tierTo{rule.storage_class.capitalize()}"
        actions: dict[str, dict[str, Any]] = {
            "move": {"baseBlob": {move: {"daysAfterModificationGreaterThan": rule.days}}},
            "move-old-versions": {"version": {move: {"daysAfterCreationGreaterThan": rule.days}}},
            "delete-old-versions": {"version": {"delete": {"daysAfterCreationGreaterThan": rule.days}}},
        }
        match = f"{self.location.container}/{rule.prefix}"
        return {
            "enabled": True,
            "name": rule.name,
            "type": "Lifecycle",
            "definition": {
                "actions": actions[rule.action],
                "filters": {"blobTypes": ["blockBlob"], "prefixMatch": [match]},
            },
        }
