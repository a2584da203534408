"""Making buckets and setting them up: encryption, who may read, storage classes, lifecycle. One file a provider."""

from typing import Any

from skyhold.storage.bucket_care.azure import AzureCare
from skyhold.storage.bucket_care.care import ARCHIVES, BucketCare, LifecycleRule, RuleAction
from skyhold.storage.bucket_care.s3 import S3Care
from skyhold.storage.buckets import make_bucket
from skyhold.storage.libraries import connect
from skyhold.storage.location import Location, parse_location

__all__ = ["ARCHIVES", "BucketCare", "LifecycleRule", "RuleAction", "open_bucket"]


def open_bucket(uri: str, **options: Any) -> BucketCare:
    """Return what looks after the bucket of a URI.

    Args:
        uri: The bucket, or anything in it.
        **options: As for `skyhold.storage.opening.open_store`.

    Raises:
        MissingExtraError: The provider's own library is not installed.
        CredentialsError: No identity, half of one, or two.

    Example:
        >>> import tempfile
        >>> bucket = open_bucket(tempfile.mkdtemp() + "/models")
        >>> bucket.create()
    """
    location = parse_location(uri)
    if location.scheme == "s3":
        return S3Care(location, connect(location, options))
    if location.scheme == "az":
        return AzureCare(location, connect(location, options))
    return _OtherCare(location)


class _OtherCare(BucketCare):
    """Folders, and services whose buckets are made elsewhere."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        if location.scheme == "gs":
            self.lacks = "buckets of this service are not set up here"
            self.by_hand = f"Run: gcloud storage buckets update {location.container_uri}, with the flag for it"
        else:
            self.lacks = f"{location.scheme}:// has no such thing"
            self.by_hand = "See to its disk and rights instead"

    def create(self, *, public: bool = False, encryption: str = "", kms_key_id: str = "") -> None:
        del public, encryption, kms_key_id
        location = self.location
        folder = location.scheme in {"file", "mock"}
        make_bucket(location.container if folder else location.container_uri)
