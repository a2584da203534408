"""What a backend needs to connect, whoever found it out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from skyhold.config import Secret

__all__ = ["Connection", "Provider", "reveal_settings"]


class Provider(Protocol):
    """Gives credentials whenever the client asks; shows none in its ``repr``, and pickles by reference only."""

    def __call__(self) -> Any:
        """Return credentials in obstore's form."""
        ...

    def fingerprint(self) -> str:
        """Return what is equal for equal credentials and tells nothing about them."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a store is and who asks.

    Attributes:
        scheme: Which service.
        container: Bucket, container, or a web server's URL.
        identity: Where the credentials came from, in words.
        settings: The client's configuration; secrets in it are `Secret`.
        provider: Gives credentials that are not in the settings.
        client: The client's HTTP options.
        expires_at: When the credentials end, where that is known.
        portable: Whether another process can find the same credentials by itself.
    """

    scheme: Literal["s3", "az", "gs", "http"]
    container: str
    identity: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    provider: Provider | None = field(default=None, repr=False)
    client: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    expires_at: datetime | None = None
    portable: bool = True

    def fingerprint(self) -> str:
        """Return what is equal for connections that can share a client."""
        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted({**self.settings, **self.client}.items()):
            shown = value.fingerprint() if isinstance(value, Secret) else repr(value)
            digest.update(f"{name}={shown}\n".encode())
        digest.update((self.provider.fingerprint() if self.provider else "").encode())
        digest.update(self.identity.encode())
        return digest.hexdigest()


def reveal_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as the client takes them; keep the result nowhere."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in settings.items()}


