"""Which runs have read an object."""

from collections.abc import Container
from dataclasses import dataclass

from skyhold.runs.journal import Journal, JournalEntry
from skyhold.runs.receipt import Artifact

__all__ = ["Reading", "find_readers"]

_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """A run, and which of its inputs were asked for."""

    run: JournalEntry
    inputs: tuple[Artifact, ...]


def find_readers(journal: Journal, uri: str, *, sha256s: Container[str] = (), limit: int = 20) -> list[Reading]:
    """Return the runs that have read an object, or objects below it, newest first, as their receipts tell.

    Only the newest 500 runs of the journal are looked at.

    Args:
        journal: Where the runs are listed.
        uri: Of the object.
        sha256s: What was read from elsewhere counts too where its content has one of these hashes.
        limit: How many at most.

    Example:
        >>> find_readers(Journal(None), "s3://models/arm.stl")
        []
    """
    found: list[Reading] = []
    for entry in journal.list_runs(_LOOKED_AT):
        inputs = tuple(
            each
            for each in (entry.receipt.inputs if entry.receipt else ())
            if each.uri == uri or each.uri.startswith(f"{uri}/") or (each.sha256 or "") in sha256s
        )
        if inputs:
            found.append(Reading(entry, inputs))
            if len(found) == limit:
                break
    return found
