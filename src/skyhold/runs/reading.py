"""Which runs have read an object."""

from skyhold.runs.journal import Journal, JournalEntry

__all__ = ["find_readers"]

_LOOKED_AT = 500


def find_readers(journal: Journal, uri: str, *, limit: int = 20) -> list[JournalEntry]:
    """Return the runs that have read an object, or objects below it, newest first, as their receipts tell.

    Only the newest runs of the journal are looked at.

    Args:
        journal: Where the runs are listed.
        uri: Of the object.
        limit: How many at most.

    Example:
        >>> find_readers(Journal(None), "s3://models/arm.stl")
        []
    """
    found: list[JournalEntry] = []
    for entry in journal.list_runs(_LOOKED_AT):
        inputs = entry.receipt.inputs if entry.receipt else ()
        if any(each.uri == uri or each.uri.startswith(f"{uri}/") for each in inputs):
            found.append(entry)
            if len(found) == limit:
                break
    return found
