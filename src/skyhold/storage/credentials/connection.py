"""What a store needs to connect, and how it is found again in another process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from skyhold.config import Secret
from skyhold.errors import ConfigError, CredentialsError
from skyhold.storage.credentials.providers import Provider
from skyhold.storage.location import Location

__all__ = ["Connection", "Recipe", "reveal_settings"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a connection is found again elsewhere: the question, not the answer.

    Attributes:
        resolve: `skyhold.storage.credentials.resolve_connection`.
        location: As asked.
        options: As asked; never a secret in clear.
        identity: What was found; the other process must find the same.
    """

    resolve: "Callable[[Location, Mapping[str, Any]], Connection]"
    location: Location
    options: tuple[tuple[str, Any], ...] = field(repr=False)
    identity: str

    def connection(self) -> "Connection":
        """Return the connection, resolved here and now.

        Raises:
            CredentialsError: Here another identity, or none, is found.
        """
        found = self.resolve(self.location, dict(self.options))
        if found.identity != self.identity:
            raise CredentialsError(
                f"{self.location.container_uri!r} was opened with the identity {self.identity}, "
                f"and this process finds {found.identity}",
                remedy="Give every process the same variables, files and profiles",
            )
        return found


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a store is and who asks. Its text form shows no secret, and its pickle holds none.

    Attributes:
        scheme: Which service.
        container: Bucket, container, or a web server's URL.
        identity: Where the credentials came from, in words.
        settings: The client's configuration under obstore's names; secrets in it are `Secret`.
        provider: Gives credentials that are not in the settings.
        client: Options of the HTTP client under obstore's names.
        expires_at: When the credentials end, where that is known beforehand.
        recipe: How to find the connection again; None when secrets were given as options.
        can_sign: Whether links can be presigned with this identity.
    """

    scheme: Literal["s3", "az", "gs", "http"]
    container: str
    identity: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    provider: Provider | None = field(default=None, repr=False)
    client: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    expires_at: datetime | None = None
    recipe: Recipe | None = field(default=None, repr=False, compare=False)
    can_sign: bool = field(default=True, repr=False)

    @property
    def portable(self) -> bool:
        """Whether another process can find the same credentials by itself."""
        return self.recipe is not None

    def fingerprint(self) -> str:
        """Return what is equal for connections that can share a client, in this process; it tells no secret."""
        provider = self.provider.fingerprint() if self.provider else ""
        whole = f"{_canonical(self.settings)}|{_canonical(self.client)}|{provider}|{self.identity}"
        return Secret(whole).fingerprint()

    def key(self) -> tuple[str, str, str]:
        """Return the scheme, the container and the fingerprint: equal keys may share one client."""
        return self.scheme, self.container, self.fingerprint()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the recipe: what is read again elsewhere, never a secret."""
        if self.recipe is None:
            raise ConfigError(
                f"the connection to {self.container!r} was made with {self.identity}, and cannot go to another process",
                remedy="Give secrets by reference: environment variables, a credentials file or a profile",
            )
        return (Recipe.connection, (self.recipe,))


def reveal_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as the client takes them; keep the result nowhere.

    Example:
        >>> reveal_settings({"region": "eu-west-1", "sse_customer_key_base64": Secret("abc")})
        {'region': 'eu-west-1', 'sse_customer_key_base64': 'abc'}
    """
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in settings.items()}


def _canonical(value: object) -> str:
    """Return a text that is equal for equal settings, in which every text is hashed with a key of this process."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return "{" + ",".join(f"{name}:{_canonical(item)}" for name, item in sorted(items)) + "}"
    if isinstance(value, Secret):
        return f"secret {value.fingerprint()}"
    return Secret(repr(value)).fingerprint()
