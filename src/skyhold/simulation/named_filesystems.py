"""The file systems by name: S3, Azure, Google and this machine's own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skyhold.errors import AlreadyExistsError
from skyhold.simulation.filesystem import AnyPath, StoreFileSystem
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store

__all__ = ["AzureFileSystem", "GCSFileSystem", "LocalFileSystem", "S3FileSystem"]


class S3FileSystem(StoreFileSystem):
    """A folder of a bucket of Amazon S3, or of a service that speaks its language (MinIO, LocalStack, Spaces).

    Args:
        bucket: Its name.
        prefix: The folder in it; empty for all of it.
        endpoint_url: Of another service than Amazon's.
        region_name: Where the bucket is.
        aws_access_key_id: Who asks; without it the environment, files and the machine's role are looked at.
        aws_secret_access_key: That identity's secret.
        aws_session_token: Of a temporary identity.
        storage_class: What new files are kept as, such as ``"STANDARD_IA"``.
        **options: As `open_store` takes them.

    Example:
        >>> S3FileSystem("studies", "2026/", region_name="eu-west-1", anonymous=True)
        S3FileSystem('s3://studies/2026')
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        aws_access_key_id: Any = None,
        aws_secret_access_key: Any = None,
        aws_session_token: Any = None,
        storage_class: str | None = None,
        **options: Any,
    ) -> None:
        named = {
            "endpoint_url": endpoint_url,
            "region_name": region_name,
            "aws_access_key_id": aws_access_key_id,
            "aws_secret_access_key": aws_secret_access_key,
            "aws_session_token": aws_session_token,
        }
        super().__init__(_uri("s3", bucket, prefix), storage_class=storage_class, **_given(named), **options)


class AzureFileSystem(StoreFileSystem):
    """A folder of a container of Azure Blob Storage.

    Args:
        container: Its name.
        prefix: The folder in it; empty for all of it.
        account_name: Whose container; without it the environment is asked.
        connection_string: Account and key in one.
        storage_class: The access tier of new files, such as ``"Cool"``.
        **options: As `open_store` takes them.
    """

    def __init__(
        self,
        container: str,
        prefix: str = "",
        *,
        account_name: str | None = None,
        connection_string: Any = None,
        storage_class: str | None = None,
        **options: Any,
    ) -> None:
        named = {"account_name": account_name, "connection_string": connection_string}
        super().__init__(_uri("az", container, prefix), storage_class=storage_class, **_given(named), **options)


class GCSFileSystem(StoreFileSystem):
    """A folder of a bucket of Google Cloud Storage.

    Args:
        bucket: Its name.
        prefix: The folder in it; empty for all of it.
        storage_class: What new files are kept as, such as ``"NEARLINE"``.
        **options: As `open_store` takes them.
    """

    def __init__(self, bucket: str, prefix: str = "", *, storage_class: str | None = None, **options: Any) -> None:
        super().__init__(_uri("gs", bucket, prefix), storage_class=storage_class, **options)


class LocalFileSystem(StoreFileSystem):
    """Folders of this machine: paths are relative to ``root``; without one they are paths as programs take them.

    Args:
        root: A folder; empty to take paths as they are.

    Example:
        >>> import tempfile
        >>> fs, folder = LocalFileSystem(), tempfile.mkdtemp()
        >>> fs.write_text(f"{folder}/run/in.txt", "x")
        >>> fs.glob(folder, "run/*") == [f"{folder}/run/in.txt"]
        True
    """

    def __init__(self, root: AnyPath = "") -> None:
        self._root = os.fspath(root)
        super().__init__(self._root or os.curdir)

    def open_folder(self, path: AnyPath, *, classed: bool = True) -> Store:
        return super().open_folder(path, classed=classed) if self._root else open_store(os.fspath(path) or os.curdir)

    def exists(self, path: AnyPath) -> bool:
        try:
            self._path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def makedirs(self, path: AnyPath, *, exist_ok: bool = False) -> None:
        """Make a folder and those above it.

        Raises:
            AlreadyExistsError: It is there, and ``exist_ok`` was not given.
        """
        try:
            self._path(path).mkdir(parents=True, exist_ok=exist_ok)
        except FileExistsError as error:
            raise AlreadyExistsError(
                "it is there already", operation="makedirs", uri=str(self._path(path)), remedy="Say exist_ok=True"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._root,))

    def __repr__(self) -> str:
        return f"LocalFileSystem({self._root!r})"

    def _path(self, path: AnyPath) -> Path:
        return Path(self._root, self._key(path)) if self._root else Path(path)

    def _object(self, path: AnyPath) -> tuple[Store, str]:
        if self._root:
            return super()._object(path)
        where = self._path(path)
        return open_store(where.parent), where.name

    def _matching(self, path: AnyPath, pattern: str) -> Iterator[ObjectInfo]:
        return super()._matching(path, pattern) if self._path(path).is_dir() else iter(())


def _uri(scheme: str, container: str, prefix: str) -> str:
    return f"{scheme}://{container}/{prefix.strip('/')}".rstrip("/")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
