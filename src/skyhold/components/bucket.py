"""The bucket that a library of components is in: made and set up as its configuration says."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from skyhold.components.config import CloudStorageConfig
from skyhold.components.in_parallel import in_parallel
from skyhold.components.layout import RESERVED
from skyhold.components.library import Library
from skyhold.errors import BadOptionError, UnsupportedError
from skyhold.storage.bucket_care import ARCHIVES, BucketCare, LifecycleRule, open_bucket
from skyhold.storage.bucket_settings import bucket_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.location import parse_location

__all__ = ["ComponentBucket", "is_content", "library_rules"]

_CONTENTS = (f"{RESERVED}blobs/", f"{RESERVED}deltas/")
_COLDER = {"s3": "STANDARD_IA", "az": "Cool", "gs": "NEARLINE"}


def is_content(key: str) -> bool:
    """Return whether a key of a library holds content, and not what is written of versions.

    Example:
        >>> [is_content(key) for key in ("arm.stl", ".skyhold/blobs/ab/abc", ".skyhold/heads/arm.stl/@.json")]
        [True, True, False]
    """
    return not key.startswith(RESERVED) or key.startswith(_CONTENTS)


class ComponentBucket:
    """Looks after the bucket of a configuration.

    Args:
        config: Which bucket, and how it is to be.

    Raises:
        MissingExtraError: The provider's own library is not installed.
    """

    def __init__(self, config: CloudStorageConfig) -> None:
        self._config = config
        self._care: BucketCare = open_bucket(config.uri, **config.store_options)
        self._under = f"{config.prefix}/" if config.prefix else ""

    def create(self) -> None:
        """Make it in the configured region: encrypted, and open to the public, where the configuration says so.

        Raises:
            AlreadyExistsError: It exists; nothing was changed.
            UnsupportedError: It was made, and the service does not have what else was asked for.
        """
        config = self._config
        encryption = str(config.store_options.get("encryption", ""))
        key = str(config.options.get("kms_key_id", ""))
        self._care.create(encryption=encryption, kms_key_id=key)
        if config.public_access and config.provider != "mock":
            self.set_public(public=True)

    def set_public(self, *, public: bool) -> None:
        """Let everybody read components by their name, or nobody who is not named; nobody lists them.

        Public means the history too: who knows a component's name can read what is written of its versions.

        Raises:
            AccessDeniedError: The account forbids it.
            UnsupportedError: The service has no such thing.
        """
        whole = self._config.provider == "azure"
        self._care.set_public(public=public, prefix="" if whole else self._under)

    def set_encryption(self, encryption: str = "AES256", *, kms_key_id: str = "") -> None:
        """Let the service encrypt what is written without a wish of its own: ``"AES256"`` or ``"aws:kms"``.

        Raises:
            UnsupportedError: It is no choice there.
        """
        self._care.set_encryption(encryption, kms_key_id=kms_key_id)

    def settings(self) -> Iterator[CheckLine]:
        """Yield what the bucket's settings say of safety, a line each.

        Raises:
            UnsupportedError: A folder has no such settings.
        """
        return bucket_settings(self._config.uri, **self._config.store_options)

    def recommended_rules(
        self, *, uploads_after_days: int = 7, history_after_days: int = 90, storage_class: str = ""
    ) -> list[LifecycleRule]:
        """Return rules that the library can live with; see `library_rules`.

        Args:
            uploads_after_days: When uploads that nobody ended are ended.
            history_after_days: When whole contents move to the colder class.
            storage_class: Which one; ``STANDARD_IA`` on S3 and ``Cool`` on Azure if not given.

        Raises:
            BadOptionError: It is an archive, from which nothing can be read at once.
        """
        return library_rules(
            self._config.uri,
            uploads_after_days=uploads_after_days,
            history_after_days=history_after_days,
            storage_class=storage_class,
        )

    def lifecycle(self) -> tuple[Sequence[LifecycleRule], Sequence[str]]:
        """Return the rules that were set by skyhold, and the names of all others.

        Raises:
            UnsupportedError: The service keeps them elsewhere; the remedy says where.
        """
        return self._care.lifecycle()

    def set_lifecycle(self, rules: Iterable[LifecycleRule]) -> None:
        """Put rules in the place of all that were set by skyhold; those of others stay.

        Raises:
            BadOptionError: A rule would archive contents that a newest version may need.
            UnsupportedError: The service keeps them elsewhere; the remedy is the command.
        """
        listed = list(rules)
        for rule in listed:
            if rule.action == "move":
                _refuse_archive(rule.storage_class)
        self._care.set_lifecycle(listed)

    def move_history(self, library: Library, storage_class: str = "", *, older_than_days: int = 30) -> int:
        """Move old contents to a colder class now, and return how many; those of newest versions stay.

        Args:
            library: Of this configuration.
            storage_class: Which one; ``STANDARD_IA`` on S3 and ``Cool`` on Azure if not given.
            older_than_days: How long ago they must have been written.

        Raises:
            BadOptionError: It is an archive.
            UnsupportedError: A folder has one class only.
        """
        location = parse_location(self._config.uri)
        colder = storage_class or _COLDER.get(location.scheme, "")
        _refuse_archive(colder)
        ids = (each for each, _ in library.list_heads())
        heads = in_parallel(library.head, ids, jobs=library.store.concurrency)
        newest = {file.sha256 for _, (head, _) in heads for file in head.plain}
        before = datetime.now(UTC) - timedelta(days=older_than_days)
        root = location.key.rstrip("/")
        old = (
            info.key
            for kind in _CONTENTS
            for info in library.store.list(kind)
            if info.modified <= before and info.key.rpartition("/")[2].partition(".")[0] not in newest
        )
        return self._care.set_class((f"{root}/{key}" if root else key for key in old), colder)


def library_rules(
    uri: str, *, uploads_after_days: int = 7, history_after_days: int = 90, storage_class: str = ""
) -> list[LifecycleRule]:
    """Return rules that a library can live with: unfinished uploads end, and its history becomes cheaper.

    Nothing of a library is ever deleted by a rule; `skyhold.components` collects what nothing needs any more.

    Args:
        uri: Of the library.
        uploads_after_days: When uploads that nobody ended are ended.
        history_after_days: When whole contents move to the colder class.
        storage_class: Which one; the service's own class for what is seldom read if not given.

    Raises:
        BadOptionError: It is an archive, from which nothing can be read at once.
        UnsupportedError: A folder has no such rules.

    Example:
        >>> print(library_rules("s3://bucket/models", history_after_days=60)[1])
        skyhold-history: move 'models/.skyhold/blobs/' to STANDARD_IA after 60 days
    """
    location = parse_location(uri)
    under = f"{location.key.rstrip('/')}/".lstrip("/")
    colder = storage_class or _COLDER.get(location.scheme, "")
    if not colder:
        raise UnsupportedError(
            f"{location.scheme}:// has no storage classes", operation="lifecycle", uri=uri, remedy="Use a bucket"
        )
    _refuse_archive(colder)
    return [
        LifecycleRule("skyhold-uploads", "abort-uploads", uploads_after_days, under),
        LifecycleRule("skyhold-history", "move", history_after_days, f"{under}{_CONTENTS[0]}", colder),
        LifecycleRule("skyhold-old", "move-old-versions", history_after_days, under, colder),
    ]


def _refuse_archive(storage_class: str) -> None:
    if storage_class.lower() in ARCHIVES:
        raise BadOptionError(
            f"{storage_class!r} is an archive: a component whose content lies there cannot be read at once, and "
            "later versions may be stored as what changed since",
            remedy="Choose a class that is read at once, such as STANDARD_IA, GLACIER_IR, Cool or Cold",
        )
