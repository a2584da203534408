"""Where components are kept, and as whom: a provider, a bucket, an identity; read from JSON and written to it."""

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

from skyhold.config import Secret, check_private, is_secret_name, redact, secret_by_reference, write_private
from skyhold.errors import BadOptionError, ConfigError
from skyhold.storage.contract import Store
from skyhold.storage.held_options import HeldOptions
from skyhold.storage.opening import may_hold_secret, open_store

__all__ = ["CloudStorageConfig", "Provider", "config_file"]

Provider = Literal["aws", "azure", "gcs", "local", "mock"]

_SCHEMES: dict[str, str] = {"aws": "s3", "azure": "az", "gcs": "gs", "local": "file", "mock": "mock"}
_FOLDERS = frozenset({"local", "mock"})
_ALWAYS_ENCRYPTED = frozenset({"azure", "gcs", "mock"})  # services that have no other way; the mock plays one
_TEXTS = ("credentials_file", "bucket_name", "prefix", "region", "storage_class")
_FLAGS = ("encryption", "public_access")


class CloudStorageConfig:
    """Where a library of components is, and with which identity it is opened.

    Args:
        provider: ``"aws"`` (S3 and services like it), ``"azure"``, ``"gcs"``, ``"local"`` (a folder) or ``"mock"`` (a
            folder that behaves like a cloud; ``latency_ms=``, ``error_rate=`` and their like make it unreliable).
        credentials_file: JSON with one identity. Without it, the environment and the files of the provider's own tools
            are asked, as `skyhold.open_store` asks them.
        bucket_name: The bucket or container; for ``"local"`` and ``"mock"`` a folder.
        prefix: Under what everything lies in it.
        encryption: True lets the service encrypt with keys of its own; ``"aws:kms"`` with one of yours
            (``kms_key_id=``). Azure, Google and S3 encrypt in any case.
        public_access: Whether everybody may read. It takes effect when the manager creates the bucket, or sets it up.
        region: Of a bucket on S3; the default is that of the credentials file or of the environment. Elsewhere it is
            not looked at: a container is where its account is.
        storage_class: Of contents, in the service's own words (``"STANDARD_IA"``, ``"Cool"``); what is written of
            versions stays in the default class.
        **options: Whatever else `skyhold.open_store` takes there: ``endpoint``, ``connection_string``, ``retries``, ….
            A secret may be given by reference: ``{"env": "VARIABLE"}`` or ``{"file": "path"}``.

    Raises:
        BadOptionError: The provider is unknown, there is no bucket, or the provider cannot do what is asked.

    Example:
        >>> config = CloudStorageConfig("aws", bucket_name="model-components", prefix="models", encryption=True)
        >>> config.uri, config.store_options
        ('s3://model-components/models', {'encryption': 'AES256'})
    """

    def __init__(
        self,
        provider: Provider = "aws",
        credentials_file: str | os.PathLike[str] | None = None,
        bucket_name: str = "",
        prefix: str = "",
        encryption: bool | str = False,
        public_access: bool = False,
        region: str = "",
        *,
        storage_class: str = "",
        **options: Any,
    ) -> None:
        self.provider: Provider = provider
        self.credentials_file = os.fspath(credentials_file) if credentials_file else ""
        self.bucket_name = str(bucket_name)
        self.prefix = prefix.strip("/")
        self.encryption = encryption
        self.public_access = public_access
        self.region = region
        self.storage_class = storage_class
        hidden = {name: _hidden(name, value) for name, value in options.items()}
        self.options: Mapping[str, Any] = hidden
        self._check()
        self.options = HeldOptions([self.uri], hidden)

    @property
    def uri(self) -> str:
        """Where the components are."""
        if self.provider not in _FOLDERS:
            return "/".join(filter(None, (f"{_SCHEMES[self.provider]}://{self.bucket_name}", self.prefix)))
        folder = str(Path(self.bucket_name).expanduser().absolute() / self.prefix)
        return folder if self.provider == "local" else f"mock://{folder}"

    @property
    def bucket_uri(self) -> str:
        """The bucket, container or folder itself."""
        return CloudStorageConfig(self.provider, bucket_name=self.bucket_name).uri

    @property
    def store_options(self) -> dict[str, Any]:
        """What `skyhold.open_store` is given with the URI."""
        if self.provider in _FOLDERS:
            return dict(self.options)
        found = {"credentials_file": self.credentials_file, "region": self.region if self.provider == "aws" else ""}
        if self.provider == "aws" and self.encryption:
            managed = "aws:kms" if self.options.get("kms_key_id") else "AES256"
            found["encryption"] = managed if self.encryption is True else str(self.encryption)
        return {**{name: value for name, value in found.items() if value}, **self.options}

    def has_plain_secret(self, name: str) -> bool:
        """Return whether an option may hold a secret itself, and not say where it comes from.

        Example:
            >>> config = CloudStorageConfig("aws", bucket_name="b", client_options={"default_headers": {"X-Key": "k"}})
            >>> config.has_plain_secret("client_options")
            True
        """
        value = self.options[name]
        if isinstance(value, Secret):
            return not _is_referred(value)
        try:
            return may_hold_secret(self.uri, {name: value})
        except BadOptionError:  # no store is opened with it
            return False

    def open_store(self) -> Store:
        """Return the store of the components.

        Raises:
            CredentialsError: No identity, half of one, or two.
        """
        return open_store(self.uri, **self.store_options)

    def save(self, path: str | os.PathLike[str] | None = None, *, with_secrets: bool = False) -> Path:
        """Write it as JSON that nobody else may read, and return where.

        A secret that came from a variable or a file is written as ``{"env": …}`` or ``{"file": …}``.

        Args:
            path: By default `config_file` in the working folder.
            with_secrets: Write secrets that came from nowhere else in plain text.

        Raises:
            ConfigError: There is such a secret, or may be one in headers, and it was not asked for.
        """
        file = config_file(self.provider) if path is None else Path(path)
        folder = file.parent.absolute()
        content: dict[str, Any] = {"provider": self.provider, "bucket_name": self.bucket_name, "prefix": self.prefix}
        content |= {"encryption": self.encryption, "public_access": self.public_access}
        if self.provider in _FOLDERS:
            content["bucket_name"] = _relative(self.bucket_name, folder)
        if self.credentials_file:
            content["credentials_file"] = _relative(self.credentials_file, folder)
        content |= {name: getattr(self, name) for name in ("region", "storage_class") if getattr(self, name)}
        content |= {name: _written(value) for name, value in self.options.items()}
        try:
            text = json.dumps(content, indent=4, ensure_ascii=False)
        except TypeError as error:
            raise ConfigError(
                f"the configuration cannot be written to {str(file)!r}: {error}",
                remedy="Give such an option when the configuration is loaded",
            ) from error
        for name in self.options:
            if not with_secrets and self.has_plain_secret(name):
                raise ConfigError(
                    f"{name!r} is a secret, and is not written to {str(file)!r} in plain text",
                    remedy=f"Give {name}={{'env': 'VARIABLE'}} instead, or a credentials_file; "
                    "or save(with_secrets=True)",
                )
        write_private(file, text + "\n")
        return file

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return what a file of `save` says; paths in it are relative to its folder.

        Raises:
            ConfigError: It cannot be read, or holds a secret and may be read by others.
        """
        file = Path(path)
        content = _parse(_read_text(file), file)
        for name, value in content.items():
            if isinstance(value, str) and is_secret_name(name):
                check_private(file, f"{str(file)!r} holds {name!r} in plain text")
        return cls._of_content(content, file)

    @classmethod
    def parse(cls, text: str, file: str | os.PathLike[str]) -> Self:
        """Return what a file would say if it held a text; it need not be there, and is not looked at.

        Args:
            text: As `save` writes it.
            file: What errors call it; paths in the text are relative to its folder.

        Raises:
            ConfigError: It cannot be read.

        Example:
            >>> text = '{"provider": "local", "bucket_name": "models"}'
            >>> CloudStorageConfig.parse(text, "/srv/cloud_storage_local_config.json").uri
            '/srv/models'
        """
        return cls._of_content(_parse(text, Path(file)), Path(file))

    @classmethod
    def _of_content(cls, content: dict[str, Any], file: Path) -> Self:
        folder = file.parent.absolute()
        _check_types(content, file)
        if content.get("credentials_file"):
            content["credentials_file"] = str(folder / Path(content["credentials_file"]).expanduser())
        if content.get("provider") in _FOLDERS and content.get("bucket_name"):
            content["bucket_name"] = str(folder / Path(content["bucket_name"]).expanduser())
        return cls(**{name: _referred(name, value, file) for name, value in content.items()})

    def _check(self) -> None:
        names = get_args(Provider)
        if self.provider not in names:
            close = get_close_matches(str(self.provider).lower(), [*names, *_MEANT], 1, 0.5)
            meant = _MEANT.get(close[0], close[0]) if close else ""
            raise BadOptionError(
                f"there is no provider {self.provider!r}",
                remedy=f"Did you mean {meant!r}?" if meant else f"Use one of {', '.join(names)}",
            )
        if not self.bucket_name:
            what = "a folder" if self.provider in _FOLDERS else "a bucket or container"
            raise BadOptionError("bucket_name is empty", remedy=f"Name {what}: bucket_name=…")
        if self.provider not in _FOLDERS and not set(self.bucket_name).isdisjoint("/\\: "):
            raise BadOptionError(
                f"{self.bucket_name!r} cannot be the name of a bucket or container",
                remedy="Name it without its URI, and give what follows as prefix=",
            )
        if self.provider == "mock" and "?" in self.bucket_name + self.prefix:
            raise BadOptionError(f"the folder {self.bucket_name!r} of a mock cannot have '?' in its name")
        self._check_safety()

    def _check_safety(self) -> None:
        asked = [name for name in _FLAGS if getattr(self, name)]
        if self.provider == "local" and asked:
            raise BadOptionError(
                f"{' and '.join(asked)}: a folder has no such thing of its own",
                remedy="Leave it out, and set up the folder's disk and rights instead",
            )
        if isinstance(self.encryption, str) and self.encryption and self.provider in _ALWAYS_ENCRYPTED:
            raise BadOptionError(
                f"encryption={self.encryption!r} is chosen by a write on S3 alone",
                remedy="Write encryption=True; set another key on the container itself",
            )
        if self.provider in _FOLDERS and self.credentials_file:
            raise BadOptionError(
                f"credentials_file={self.credentials_file!r}: a folder asks for no credentials",
                remedy="Leave it out",
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudStorageConfig) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show where, never secrets."""
        options = "".join(f", {name}={_shown(value)}" for name, value in self.options.items())
        return redact(f"CloudStorageConfig({self.provider!r}, {self.uri!r}{options})")


_MEANT: dict[str, Provider] = {
    "s3": "aws",
    "amazon": "aws",
    "minio": "aws",
    "az": "azure",
    "gs": "gcs",
    "google": "gcs",
    "gcp": "gcs",
    "file": "local",
    "folder": "local",
}


def config_file(provider: Provider, folder: str | os.PathLike[str] = ".") -> Path:
    """Return where a provider's configuration is kept in a folder.

    Example:
        >>> config_file("azure").name
        'cloud_storage_azure_config.json'
    """
    return Path(folder) / f"cloud_storage_{provider}_config.json"


def _hidden(name: str, value: Any) -> Any:
    if isinstance(value, str) and value and is_secret_name(name):
        return Secret(value)
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    return secret_by_reference(value, Path(), f"option {name!r}") or value


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | Secret) else f"<{type(value).__name__}>"


def _relative(path: str, folder: Path) -> str:
    """What lies beside the file goes where the file goes; the rest stays where it is."""
    whole = Path(path).expanduser().absolute()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _is_referred(secret: Secret) -> bool:
    return secret.origin is not None and secret.origin.kind in {"env", "file"}


def _written(value: Any) -> Any:
    if not isinstance(value, Secret):
        return value
    if value.origin is not None and _is_referred(value):
        return {value.origin.kind: value.origin.place}
    return value.reveal()


def _referred(name: str, value: Any, file: Path) -> Any:
    secret = secret_by_reference(value, file.parent, f"option {name!r} in {str(file)!r}")
    return value if secret is None else secret


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {str(file)!r}: {error.strerror or error}",
            remedy="Make one: CloudStorageConfig(…).save()",
        ) from error
    except ValueError:
        raise ConfigError(f"the configuration {str(file)!r} is not valid JSON") from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        # A decoder's error carries the whole text, which may hold secrets: it is not chained.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigError(f"the configuration {str(file)!r} is not valid JSON{where}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration {str(file)!r} holds no JSON object")
    return {name: value for name, value in cast("dict[str, Any]", content).items() if value is not None}


def _check_types(content: Mapping[str, Any], file: Path) -> None:
    for name in (*_TEXTS, "provider"):
        if not isinstance(content.get(name, ""), str):
            raise ConfigError(f"{name!r} in {str(file)!r} should be a text")
    if not isinstance(content.get("public_access", False), bool):
        raise ConfigError(f"'public_access' in {str(file)!r} should be true or false")
    if not isinstance(content.get("encryption", False), bool | str):
        raise ConfigError(f"'encryption' in {str(file)!r} should be true, false or a text")
