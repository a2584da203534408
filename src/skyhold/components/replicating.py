"""What a replication of a library found and did."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from skyhold.errors import TransferError, VersionConflictError

__all__ = ["Divergence", "Replication"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """A component of which both sides have another version under one number.

    Attributes:
        component: Which.
        version: The first number that is not the same on both sides.
        detail: What each side has.
    """

    component: str
    version: int
    detail: str


@dataclass(frozen=True, slots=True)
class Replication:
    """What became of the components of a library that was replicated.

    Attributes:
        source: The library that was read.
        target: The library that was written.
        versions: The numbers that were copied, by component; in a dry run, that would be.
        contents: How many objects of content were copied.
        bytes_copied: How much content that was.
        tags: The names of versions that were set, by component.
        ahead: Components of which the target has newer versions, and all that the source has.
        diverged: Components that were left alone, since the sides contradict each other.
        failed: Components that could not be copied, or not to the end, and why.
        dry_run: Whether nothing was written.
    """

    source: str
    target: str
    versions: Mapping[str, tuple[int, ...]]
    contents: int
    bytes_copied: int
    tags: Mapping[str, tuple[str, ...]]
    ahead: tuple[str, ...]
    diverged: tuple[Divergence, ...]
    failed: Mapping[str, str]
    dry_run: bool

    @property
    def ok(self) -> bool:
        """Whether the target has all that the source has."""
        return not self.diverged and not self.failed

    def check(self) -> None:
        """Do nothing if the target has all that the source has.

        Raises:
            VersionConflictError: Some components contradict each other.
            TransferError: Some could not be copied.
        """
        if self.diverged:
            first = self.diverged[0]
            raise VersionConflictError(
                f"{len(self.diverged)} components were left alone, the first: {first.component!r}: {first.detail}",
                operation="replicate",
                uri=self.target,
                remedy="Publish under one of the two what the other has, then replicate into an empty place",
            )
        if self.failed:
            component, reason = next(iter(self.failed.items()))
            raise TransferError(
                f"{len(self.failed)} components could not be copied, the first: {component!r}: {reason}",
                operation="replicate",
                uri=self.target,
                remedy=f"Run: skyhold comp verify {self.source}; then replicate again, which goes on where it stopped",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "ok": self.ok}
