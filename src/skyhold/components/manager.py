"""Components in the cloud by one object: upload, download, list, delete, many at a time."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import cached_property
from pathlib import Path

from skyhold.components.batch_run import Batch, BatchResult
from skyhold.components.batches import (
    delete_all,
    download_all,
    existing_path,
    largest_of,
    list_matching,
    list_needed,
    list_uploads,
    prepared_path,
    upload_all,
)
from skyhold.components.bucket import ComponentBucket, is_content
from skyhold.components.component_facts import ComponentMetadata, describe_component
from skyhold.components.conditions import warn_once
from skyhold.components.config import CloudStorageConfig
from skyhold.components.layout import plain_key
from skyhold.components.library import ANY, Library
from skyhold.components.listing import ComponentInfo
from skyhold.components.manifest import Dependency, Version
from skyhold.components.operation_log import LOG_FILE, OperationLog
from skyhold.components.publication import Expected
from skyhold.errors import BucketNotFoundError, ComponentNotFoundError
from skyhold.runs.event import Listener
from skyhold.storage.wrappers.classed import ClassedStore

__all__ = ["CloudStorageManager"]


class CloudStorageManager:
    """Uploads, downloads, lists and deletes the components of one configuration. Every failure is raised.

    Args:
        config: Where the components are.
        author: Who publishes; ``user@host`` if not given.
        log_file: Where operations are logged; None nowhere.

    Attributes:
        config: As given.
        operation_log: Where operations are logged.
        keeps_conditions: Whether the store keeps conditions on writes; None until `authenticate` has tried it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> config = CloudStorageConfig("mock", bucket_name=str(folder / "bucket"))
        >>> manager = CloudStorageManager(config, log_file=folder / "cloud_storage.log")
        >>> manager.authenticate()
        True
        >>> _ = (folder / "arm.stl").write_text("solid arm")
        >>> manager.upload_component(folder / "arm.stl", "robot/arm.stl").number
        1
        >>> [each.component for each in manager.list_components()]
        ['robot/arm.stl']
    """

    def __init__(
        self,
        config: CloudStorageConfig,
        *,
        author: str | None = None,
        log_file: str | os.PathLike[str] | None = LOG_FILE,
    ) -> None:
        self.config = config
        self.keeps_conditions: bool | None = None
        self._author = author
        self._library: Library | None = None
        self.operation_log = OperationLog(log_file)

    @property
    def library(self) -> Library:
        """The components with their versions, tags, locks and history.

        Raises:
            CredentialsError: No identity, half of one, or two.
        """
        if self._library is None:
            store = self.config.open_store()
            if self.config.storage_class:
                store = ClassedStore(store, self.config.storage_class, only=is_content)
            self._library = Library(store, author=self._author)
        return self._library

    @cached_property
    def bucket(self) -> ComponentBucket:
        """The bucket itself: made, opened, closed, encrypted, with rules for its lifecycle.

        Raises:
            MissingExtraError: The provider's own library is not installed.
        """
        return ComponentBucket(self.config)

    def authenticate(self) -> bool:
        """Return True if the store lets this identity list and write; a folder that is missing is made.

        Where the store was opened with ``read_only=True``, nothing is written. A store that ignores conditions on
        writes is warned about, once: let one at a time publish there.

        Raises:
            CredentialsError: No identity, half of one, or two.
            BadCredentialsError: The store does not accept the identity.
            AccessDeniedError: The identity may not list, or not write.
            BucketNotFoundError: There is no such bucket.
            UnreachableError: No connection.
        """
        with self.operation_log.of("authenticate", self.config.uri) as words:
            store = self.library.store
            words.append(store.identity or "no identity needed")
            try:
                next(iter(store.list_pages()), None)
            except BucketNotFoundError:
                if self.config.provider not in {"local", "mock"}:
                    raise
                self.bucket.create()
            if self.config.options.get("read_only"):
                words.append("for reading only")
                return True
            if self.keeps_conditions is None:
                self.keeps_conditions = self.library.format.keeps_conditions(by_trial=True)
            if not self.keeps_conditions:
                warn_once(store.uri, self.operation_log.warning)
        return True

    def create_bucket(self) -> None:
        """Make the bucket or container as the configuration says: region, encryption, who may read.

        Raises:
            AlreadyExistsError: It exists; nothing was changed.
        """
        with self.operation_log.of("create bucket", self.config.uri):
            self.bucket.create()

    def upload_component(
        self,
        path: str | os.PathLike[str],
        component_id: str,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        dependencies: Iterable[Dependency | str] | None = None,
        expected: Expected = ANY,
        on_progress: Listener | None = None,
    ) -> Version:
        """Publish a file, or a folder as a component of several files, and return the version.

        Content that the newest version has already makes no new one, unless message, metadata or dependencies say
        something new.

        Args:
            path: The file or folder.
            component_id: What it is called.
            message: Why.
            metadata: The user's own entries; those of the version before stay if not given.
            dependencies: Other components that it needs.
            expected: The number of the version that this was made from; another newest version is refused.
            on_progress: Told how it goes on.

        Raises:
            NotFoundError: There is no such file.
            VersionConflictError: The newest version is not the expected one.
            LockedError: Somebody else holds the lock.
        """
        with self.operation_log.of("upload", component_id) as words:
            version = self.library.publish(
                component_id,
                existing_path(path, component_id),
                message=message,
                metadata=metadata,
                dependencies=dependencies,
                expected=expected,
                on_progress=on_progress,
            )
            words.extend(_told(version))
        return version

    def download_component(
        self,
        component_id: str,
        path: str | os.PathLike[str],
        *,
        version: int | str = "latest",
        on_progress: Listener | None = None,
    ) -> Version:
        """Bring a component to disk, verified, whole or not at all, and return the version.

        Args:
            component_id: Which.
            path: The file that it becomes, or the folder that it goes to: one that exists, or whose name ends in
                ``/``. A component of several files becomes this folder. Folders above are made.
            version: A number or a tag.
            on_progress: Told how it goes on.

        Raises:
            ComponentNotFoundError: There is no such component or version, or it was deleted.
            IntegrityError: The content is damaged or missing.
        """
        with self.operation_log.of("download", component_id) as words:
            found = self.library.get(component_id, prepared_path(path), version=version, on_progress=on_progress)
            words.extend([*_told(found), f"to {os.fspath(path)!r}"])
        return found

    def list_components(self, prefix: str = "", *, deleted: bool = False) -> list[ComponentInfo]:
        """Return the components whose id starts with ``prefix``, by id; those that were deleted too, if asked."""
        with self.operation_log.of("list", self.library.store.uri_of(prefix)) as words:
            found = list(self.library.list(prefix, deleted=deleted))
            words.append(f"{len(found)} components")
        return found

    def delete_component(self, component_id: str, *, message: str = "") -> Version:
        """Delete a component, and return the version that says so; those before stay, and `undelete` brings it back.

        Raises:
            ComponentNotFoundError: There is no such component.
            LockedError: Somebody else holds the lock.
        """
        with self.operation_log.of("delete", component_id) as words:
            version = self.library.delete(component_id, message=message)
            words.extend(_told(version))
        return version

    def component_metadata(self, component_id: str, version: int | str = "latest") -> ComponentMetadata:
        """Return size, times, hashes, author and the user's own entries of a version.

        Raises:
            ComponentNotFoundError: There is no such component or version.
        """
        with self.operation_log.of("look at", component_id):
            return describe_component(self.library, component_id, version)

    def link(self, component_id: str, *, file: str = "", expires_s: int = 3600) -> str:
        """Return a URL that lets its holder read the newest version for a while, without an identity.

        Args:
            component_id: Which.
            file: Which of its files, where it has several.
            expires_s: For how long.

        Raises:
            ComponentNotFoundError: There is no such component or file, or it was deleted.
            UnsupportedError: The store has no such links.
        """
        with self.operation_log.of("link to", component_id) as words:
            head, _ = self.library.head(component_id)
            names = [each.name for each in head.plain]
            if file not in names:
                found = f"it has {', '.join(map(repr, names))}" if names else "it was deleted"
                raise ComponentNotFoundError(
                    f"{component_id!r} has no file {file!r}; {found}",
                    operation="link",
                    uri=self.library.store.uri_of(component_id),
                    remedy="Name one: file=…" if names else "Bring it back with library.undelete",
                )
            words.append(f"for {expires_s} s")
            return self.library.store.presign(plain_key(component_id, file), expires_s=expires_s)

    def upload_components(
        self,
        source: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
        *,
        patterns: Sequence[str] = ("*",),
        prefix: str = "",
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        max_workers: int | None = None,
        check: bool = True,
        on_progress: Listener | None = None,
    ) -> BatchResult:
        """Upload every file below a folder under its relative path, or files by their ids; several at a time.

        Args:
            source: A folder, or paths by component id.
            patterns: Which files of a folder: their name or relative path matches one.
            prefix: The folder of the library in which they are to lie.
            message: Why, for every version.
            metadata: The user's own entries, for every version.
            max_workers: How many at a time; as many as suit their sizes if not given.
            check: Raise at the end if any failed; otherwise only the result tells.
            on_progress: Told how it goes on.

        Raises:
            TransferError: Some failed, and ``check``; the others are complete.
        """
        uploads = list_uploads(source, patterns, prefix)
        largest = largest_of(uploads)
        batch = Batch(
            "upload",
            self.library,
            max_workers=max_workers,
            largest_bytes=largest,
            check=check,
            on_progress=on_progress,
        )
        return self._tell(batch, uploads, lambda: upload_all(batch, uploads, message=message, metadata=metadata))

    def download_components(
        self,
        components: str | Iterable[str],
        folder: str | os.PathLike[str],
        *,
        dependencies: bool = False,
        max_workers: int | None = None,
        check: bool = True,
        on_progress: Listener | None = None,
    ) -> BatchResult:
        """Download components into a folder, each under its id; several at a time.

        Args:
            components: Ids, or patterns that ids match, such as ``"robots/*.stl"``.
            folder: Where; it is made if need be, and nothing is written outside it.
            dependencies: Bring what they need too, in the versions that they name.
            max_workers: How many at a time; as many as suit their sizes if not given.
            check: Raise at the end if any failed; otherwise only the result tells.
            on_progress: Told how it goes on.

        Raises:
            ComponentNotFoundError: Nothing matches a pattern.
            DependencyError: Something that is needed is missing, or needed at two versions.
            TransferError: Some failed, and ``check``; the others are complete.
        """
        ids = list_matching(self.library, components, operation="download")
        wanted = list_needed(self.library, ids) if dependencies else dict.fromkeys(ids, "latest")
        batch = Batch("download", self.library, max_workers=max_workers, check=check, on_progress=on_progress)
        return self._tell(batch, wanted, lambda: download_all(batch, wanted, Path(folder)))

    def delete_components(
        self,
        components: str | Iterable[str],
        *,
        message: str = "",
        max_workers: int | None = None,
        check: bool = True,
        on_progress: Listener | None = None,
    ) -> BatchResult:
        """Delete components; several at a time. All can be brought back.

        Args:
            components: Ids, or patterns that ids match.
            message: Why.
            max_workers: How many at a time; as many as suit their sizes if not given.
            check: Raise at the end if any failed; otherwise only the result tells.
            on_progress: Told how it goes on.

        Raises:
            ComponentNotFoundError: Nothing matches a pattern.
            TransferError: Some failed, and ``check``; the others are deleted.
        """
        ids = list_matching(self.library, components, operation="delete")
        batch = Batch(
            "delete", self.library, max_workers=max_workers, largest_bytes=0, check=check, on_progress=on_progress
        )
        return self._tell(batch, ids, lambda: delete_all(batch, ids, message=message))

    def _tell(self, batch: Batch, asked: Sized, work: Callable[[], BatchResult]) -> BatchResult:
        with self.operation_log.of(batch.operation, f"{len(asked)} components") as words:
            result = work()
            words.append(str(result))
        for item in result.failed:
            if item.error is not None:
                self.operation_log.error(f"{batch.operation} {item.component}", item.error)
        return result


def _told(version: Version) -> list[str]:
    return [f"version {version.number}", f"{version.size_bytes} bytes"]
