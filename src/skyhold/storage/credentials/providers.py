"""Callables that give obstore its credentials, one at a time, and never show or pickle them."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from skyhold.config import Secret
from skyhold.errors import ConfigError, CredentialsError

__all__ = [
    "FetchingProvider",
    "Provider",
    "StaticAzureCredential",
    "StaticCredential",
    "StaticS3Keys",
    "StaticToken",
    "check_not_expired",
    "current_time",
]


class ProviderRecipe(Protocol):
    """What a provider needs of `Recipe`, which needs providers."""

    def connection(self) -> Any:
        """Return the connection, found again."""


class Provider(ABC):
    """Gives credentials in obstore's form each time that it is called.

    Args:
        identity: Where they come from, in words.

    Attributes:
        recipe: How to find it again in another process; None when it holds secrets that were given as options.
        last_error: Why it gave no credentials when it was last asked; the client buries it in an error of its own.
    """

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.recipe: ProviderRecipe | None = None
        self.last_error: CredentialsError | None = None

    def __call__(self) -> dict[str, Any]:
        """Return credentials that are valid now, in clear.

        Raises:
            CredentialsError: There are none; the message names the identity.
        """
        try:
            given = self._give()
        except CredentialsError as error:
            self.last_error = error
            raise
        self.last_error = None
        return given

    @abstractmethod
    def _give(self) -> dict[str, Any]: ...

    @abstractmethod
    def fingerprint(self) -> str:
        """Return what changes when the credentials are others, and tells nothing about them."""

    @property
    @abstractmethod
    def expires_at(self) -> datetime | None:
        """When the credentials that were given last end; None if never, or if none were given yet."""

    def __repr__(self) -> str:
        """Show where from, never what."""
        return f"<{type(self).__name__}: {self.identity}>"

    def __copy__(self) -> "Provider":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Provider":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the recipe, never the secret."""
        if self.recipe is None:
            raise ConfigError(
                f"{self.identity}: secrets that were given as options are not pickled",
                remedy="Give them by reference: environment variables, a credentials file or a profile",
            )
        return (_provider_again, (self.recipe,))


def _provider_again(recipe: ProviderRecipe) -> Provider:
    return recipe.connection().provider


class StaticCredential(Provider):
    """The same secrets at every call, until they expire."""

    def __init__(self, identity: str, secrets: Mapping[str, Secret | None], expires_at: datetime | None = None) -> None:
        super().__init__(identity)
        self._secrets = dict(secrets)
        self._expires_at = expires_at

    def _give(self) -> dict[str, Any]:
        check_not_expired(self.identity, self._expires_at)
        values: dict[str, Any] = {name: secret and secret.reveal() for name, secret in self._secrets.items()}
        return {**values, "expires_at": self._expires_at}

    def fingerprint(self) -> str:
        """Return a hash of the secrets."""
        parts = [f"{name}={secret.fingerprint()}" for name, secret in self._secrets.items() if secret]
        return f"{type(self).__name__}({','.join(parts)})"

    @property
    def expires_at(self) -> datetime | None:
        """When the secrets end, if they do."""
        return self._expires_at


class StaticS3Keys(StaticCredential):
    """S3 keys. Given this way, an ``AWS_SESSION_TOKEN`` of the environment is not mixed in, as obstore does."""

    def __init__(
        self,
        identity: str,
        access_key_id: Secret,
        secret_access_key: Secret,
        session_token: Secret | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        secrets = {"access_key_id": access_key_id, "secret_access_key": secret_access_key, "token": session_token}
        super().__init__(identity, secrets, expires_at)


class StaticAzureCredential(StaticCredential):
    """One Azure secret: ``access_key``, ``sas_token`` or ``token``."""

    def __init__(self, identity: str, kind: str, secret: Secret, expires_at: datetime | None = None) -> None:
        super().__init__(identity, {kind: secret}, expires_at)


class StaticToken(StaticCredential):
    """A bearer token for Google."""

    def __init__(self, identity: str, token: Secret) -> None:
        super().__init__(identity, {"token": token})


class FetchingProvider(Provider):
    """Credentials that are fetched, kept until shortly before they end, and fetched again.

    When fetching again fails, those that are still good are used until they end.

    Args:
        identity: Where from.
        fetch: Returns new credentials in obstore's form with their true ``expires_at``.
        place: What distinguishes this source from others of its kind, for `fingerprint`: a profile, a role, a file.
    """

    MARGIN = timedelta(minutes=5)
    PAUSE = timedelta(seconds=30)

    def __init__(self, identity: str, fetch: Callable[[], dict[str, Any]], place: str) -> None:
        super().__init__(identity)
        self._fetch = fetch
        self._fingerprint = f"{type(self).__name__}({Secret(place).fingerprint()})"
        self._lock = threading.Lock()
        self._last: dict[str, Any] | None = None
        self._renew_at: datetime | None = None

    def _give(self) -> dict[str, Any]:
        with self._lock:
            now = current_time()
            if self._last is None or (self._renew_at is not None and self._renew_at <= now):
                self._renew(now)
            # obstore uses credentials to their last second, when a request on its way would be refused.
            return {**(self._last or {}), "expires_at": self._renew_at}

    def _renew(self, now: datetime) -> None:
        try:
            fetched = self._fetch()
        except CredentialsError:
            ends = self.expires_at
            if ends is None or ends <= now:
                raise
            self._renew_at = min(ends, now + self.PAUSE)
            return
        ends = fetched["expires_at"]
        check_not_expired(self.identity, ends)
        self._last = fetched
        self._renew_at = ends and ends - min(self.MARGIN, (ends - now) / 10)

    def fingerprint(self) -> str:
        """Return a hash of the place: what is fetched there changes by itself."""
        return self._fingerprint

    @property
    def expires_at(self) -> datetime | None:
        """When the secrets end, if they do."""
        return self._last["expires_at"] if self._last else None


def current_time() -> datetime:
    """Return the time; tests move it."""
    return datetime.now(UTC)


def check_not_expired(identity: str, expires_at: datetime | None) -> None:
    """Raise if the credentials have ended.

    Raises:
        CredentialsError: They have.
    """
    if expires_at is not None and expires_at <= current_time():
        raise CredentialsError(
            f"the credentials of {identity} expired at {expires_at.isoformat()}",
            remedy="Renew them (and check this machine's clock)",
        )
