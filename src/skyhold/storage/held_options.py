"""Options that are kept until a store is opened with them, perhaps in another process."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skyhold.errors import ConfigError
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import may_hold_secret

__all__ = ["HeldOptions"]


class HeldOptions(Mapping[str, Any]):
    """Options as `skyhold.storage.opening.open_store` takes them: shown by their names, pickled only without secrets.

    Args:
        uris: What will be opened with them.
        options: The options.

    Example:
        >>> HeldOptions(["s3://lake/in.csv"], {"region": "eu-west-1", "secret_access_key": "hunter2"})
        HeldOptions(region, secret_access_key)
    """

    __slots__ = ("_options", "_uris")

    def __init__(self, uris: Sequence[str], options: Mapping[str, Any]) -> None:
        self._uris = uris
        self._options = dict(options)

    def __getitem__(self, name: str) -> Any:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __repr__(self) -> str:
        return f"HeldOptions({', '.join(self._options)})"

    def __reduce__(self) -> tuple[Any, ...]:
        for uri in self._uris if self._options else ():
            if may_hold_secret(uri, self._options):
                raise ConfigError(
                    f"{redact_uri(uri)!r} is opened with secrets as options, which are never pickled, "
                    "so it cannot go to another process",
                    remedy="Give credentials by environment, file or profile",
                )
        return HeldOptions, (self._uris, self._options)
