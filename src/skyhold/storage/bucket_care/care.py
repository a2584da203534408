"""What can be done to a bucket itself, whatever the provider calls it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from skyhold.errors import BadOptionError, UnsupportedError
from skyhold.storage.location import Location

__all__ = ["ARCHIVES", "OURS", "BucketCare", "LifecycleRule", "RuleAction"]

RuleAction = Literal["abort-uploads", "move", "move-old-versions", "delete-old-versions"]

OURS = "skyhold-"
"""How the names of rules begin that are changed here; rules of others stay as they are."""

ARCHIVES = frozenset({"glacier", "deep_archive", "archive"})
"""Classes whose objects must be restored before they can be read, in lower case."""

_SOONEST_DAYS = {"standard_ia": 30, "onezone_ia": 30}


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """What a service does by itself with objects that have reached an age.

    Attributes:
        name: Of the rule; begins with ``skyhold-``.
        action: ``"abort-uploads"`` ends multipart uploads that nobody ended; ``"move"`` moves objects to another class;
            ``"move-old-versions"`` and ``"delete-old-versions"`` look at those that a bucket with versioning keeps.
        days: The age.
        prefix: Which objects.
        storage_class: Where they are moved.

    Raises:
        BadOptionError: No service would take it.

    Example:
        >>> print(LifecycleRule("skyhold-history", "move", 90, "models/.skyhold/blobs/", "STANDARD_IA"))
        skyhold-history: move 'models/.skyhold/blobs/' to STANDARD_IA after 90 days
    """

    name: str
    action: RuleAction
    days: int
    prefix: str = ""
    storage_class: str = ""

    def __post_init__(self) -> None:
        wrong = ""
        if not self.name.startswith(OURS):
            wrong = f"its name does not begin with {OURS!r}"
        elif self.action not in get_args(RuleAction):
            wrong = f"there is no action {self.action!r}"
        elif self.action.startswith("move") != bool(self.storage_class):
            wrong = "a storage class goes with 'move', and with nothing else"
        elif self.days < (soonest := _SOONEST_DAYS.get(self.storage_class.lower(), 1)):
            wrong = f"{self.days} days are too few, the least are {soonest}"
        if wrong:
            raise BadOptionError(f"the lifecycle rule {self.name!r} cannot be: {wrong}")

    def __str__(self) -> str:
        what = f"{self.prefix!r}" if self.prefix else "everything"
        texts = {
            "abort-uploads": f"abort unfinished uploads to {what}",
            "move": f"move {what} to {self.storage_class}",
            "move-old-versions": f"move old versions of {what} to {self.storage_class}",
            "delete-old-versions": f"delete old versions of {what}",
        }
        return f"{self.name}: {texts[self.action]} after {self.days} days"


class BucketCare(ABC):
    """One bucket, container or folder. What a provider does not have is refused by name.

    Args:
        location: Where it is.
        identity: Who asks, in words.

    Attributes:
        lacks: Why something cannot be done, in words.
        by_hand: What to do instead.
    """

    lacks = "the server does not have it"
    by_hand = "Use a service that has it, or set it up with the server's own tools"

    def __init__(self, location: Location, identity: str = "") -> None:
        self.location = location
        self.identity = identity

    @abstractmethod
    def create(self, *, public: bool = False, encryption: str = "", kms_key_id: str = "") -> None:
        """Make it, closed to the public unless asked otherwise.

        Raises:
            AlreadyExistsError: It exists.
            UnsupportedError: It was made, and the service does not have what else was asked for.
        """

    def set_encryption(self, encryption: str, *, kms_key_id: str = "") -> None:
        """Let the service encrypt what is written without a wish of its own: ``"AES256"`` or ``"aws:kms"``."""
        del encryption, kms_key_id
        raise self.unsupported("set encryption")

    def set_public(self, *, public: bool, prefix: str = "") -> None:
        """Let everybody read objects by their name, or nobody who is not named. Nobody lists them."""
        del public, prefix
        raise self.unsupported("set public access")

    def lifecycle(self) -> tuple[Sequence[LifecycleRule], Sequence[str]]:
        """Return the rules that were set here, and the names of all others."""
        raise self.unsupported("read lifecycle rules")

    def set_lifecycle(self, rules: Iterable[LifecycleRule]) -> None:
        """Put these rules in the place of all that were set here; those of others stay."""
        self.check_lifecycle(rules)

    def check_lifecycle(self, rules: Iterable[LifecycleRule]) -> None:
        """Refuse rules that cannot be set here, and change nothing."""
        raise self.unsupported("set lifecycle rules", self.lifecycle_by_hand(tuple(rules)))

    def lifecycle_by_hand(self, rules: Sequence[LifecycleRule]) -> str:
        """Return how to set the rules without us."""
        del rules
        return self.by_hand

    def set_class(self, keys: Iterable[str], storage_class: str) -> int:
        """Move objects to another class, now, and return how many; keys are whole."""
        del keys, storage_class
        raise self.unsupported("set storage class")

    def unsupported(self, verb: str, remedy: str = "") -> UnsupportedError:
        """Return the error for what the provider does not have."""
        uri, remedy = self.location.container_uri, remedy or self.by_hand
        return UnsupportedError(self.lacks, operation=verb, uri=uri, identity=self.identity, remedy=remedy)
