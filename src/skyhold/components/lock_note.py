"""What is written of a lock: who holds it, for how long, and why."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from skyhold.runs.json_reader import JsonReader

__all__ = ["Lock", "LockNote"]

_SCHEMA = "skyhold.lock/1"


@dataclass(frozen=True, slots=True)
class LockNote:
    """What a lock's object says.

    Attributes:
        component: Which component is locked.
        owner: Who holds it, or held it last.
        lease_s: How long it holds after the object was last written, by the store's clock.
        reason: Why, in the owner's words.
        state: ``"free"`` once it was released.
        term: How often it has changed hands; whoever renews it under another term has lost it.
        beat: How often it was renewed, so that no two notes are equal.
        displaced: From whom it was taken by force; empty otherwise.
    """

    component: str
    owner: str
    lease_s: float
    reason: str = ""
    state: str = "held"
    term: int = 1
    beat: int = 0
    displaced: str = ""

    def changed(self, **changes: Any) -> "LockNote":
        """Return the next note of the same term."""
        return replace(self, beat=self.beat + 1, **changes)

    def to_json(self) -> bytes:
        """Return it as text."""
        content: Mapping[str, Any] = asdict(self) | {"schema": _SCHEMA}
        return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def from_json(text: bytes) -> "LockNote":
        """Return what ``text`` says.

        Raises:
            MalformedInputError: It is damaged, or of a version that this package does not know.
        """
        reader = JsonReader.parse(text)
        reader.one_of("schema", _SCHEMA)
        return LockNote(
            component=reader.text("component"),
            owner=reader.text("owner"),
            lease_s=reader.number("lease_s"),
            reason=reader.text("reason", ""),
            state=reader.one_of("state", "held", "free"),
            term=reader.integer("term"),
            beat=reader.integer("beat"),
            displaced=reader.text("displaced", ""),
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock as it was found.

    Attributes:
        note: What it says.
        renewed: When it was last written: by the store's clock, or by ours where we have just written it ourselves.
        e_tag: Of the object that says it.
    """

    note: LockNote
    renewed: datetime
    e_tag: str | None

    @property
    def component(self) -> str:
        """Which component is locked."""
        return self.note.component

    @property
    def owner(self) -> str:
        """Who holds it."""
        return self.note.owner

    @property
    def reason(self) -> str:
        """Why."""
        return self.note.reason

    @property
    def expires(self) -> datetime:
        """When it ends unless it is renewed, by the clock of `renewed`."""
        return self.renewed + timedelta(seconds=self.note.lease_s)
