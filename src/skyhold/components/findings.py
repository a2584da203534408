"""What a look at a whole library finds."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from skyhold.components.manifest import Version
from skyhold.errors import VerificationError

__all__ = ["Finding", "LibraryVerification", "What", "holders"]

What = Literal[
    "head missing",
    "head damaged",
    "head behind",
    "version missing",
    "version damaged",
    "tag without version",
    "dependency missing",
    "content missing",
    "content damaged",
    "plain file missing",
    "plain file damaged",
    "plain file changed",
    "unread",
]
Level = Literal["damaged", "unread", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        component: Whose it is.
        what: In two or three words, which stay the same.
        level: ``"damaged"``: something is lost or wrong. ``"unread"``: the store did not let us look, so nobody knows.
            ``"warning"``: nothing is lost, and something is to be done.
        key: Of the object.
        detail: What was expected, and what was found.
        versions: The numbers of the versions that it touches.
        remedy: What to do.
    """

    component: str
    what: What
    level: Level
    key: str
    detail: str
    versions: tuple[int, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class LibraryVerification:
    """What was looked at, and what was found.

    Attributes:
        uri: The library.
        components: How many there are.
        versions: How many versions could be read.
        contents: How many contents the versions name.
        contents_verified: How many of them were read, and have the right hash.
        plain_files: How many plain files there should be.
        plain_verified: How many of them were read and have the right hash; in a quick look, how many have the e-tag
            that skyhold has written down.
        bytes_read: Content that was hashed.
        quick: Whether content was not read.
        findings: By component.
    """

    uri: str
    components: int
    versions: int
    contents: int
    contents_verified: int
    plain_files: int
    plain_verified: int
    bytes_read: int
    quick: bool
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, and nothing went unread."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What is damaged or went unread."""
        return tuple(each for each in self.findings if each.level != "warning")

    def check(self) -> None:
        """Do nothing if all is well.

        Raises:
            VerificationError: It is not; the message has the first finding, and how many there are.
        """
        if self.failed:
            first = self.failed[0]
            more = f" (and {len(self.failed) - 1} more)" if len(self.failed) > 1 else ""
            raise VerificationError(
                f"{first.component!r}: {first.what} at {first.key!r}: {first.detail}{more}", remedy=first.remedy
            )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "ok": self.ok}


def holders(versions: Iterable[Version]) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """Return who holds each content: by hash and component, the numbers of the versions."""
    found: dict[str, dict[str, set[int]]] = {}
    for version in versions:
        for entry in version.files:
            found.setdefault(entry.sha256, {}).setdefault(version.component, set()).add(version.number)
    return {
        sha256: {component: tuple(sorted(numbers)) for component, numbers in sorted(by.items())}
        for sha256, by in found.items()
    }
