"""Which runs have read a component.

A run counts where its receipt names, among what it has read, the component's own place in the library or something
below it, or content with the SHA-256 of a file of one of its versions, wherever that lay. The hash tells the version;
the place alone does not, since it holds whatever is the newest. Empty files tell nothing. Only the journal of this
machine is asked, and of that the newest runs: who has read the component elsewhere is not known here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.runs.journal import Journal, JournalEntry
from skyhold.runs.reading import find_readers

__all__ = ["ComponentReader", "find_component_readers"]


@dataclass(frozen=True, slots=True)
class ComponentReader:
    """A run that has read a component.

    Attributes:
        run: Which.
        versions: Those whose content it has read, oldest first; empty where its receipt tells the place alone.
    """

    run: JournalEntry
    versions: tuple[int, ...] = ()


def find_component_readers(
    library: Library, journal: Journal, component_id: str, versions: Sequence[Version], *, limit: int = 20
) -> list[ComponentReader]:
    """Return the runs that have read a component, newest first.

    Args:
        library: Where it is.
        journal: Where runs are listed.
        component_id: Which component.
        versions: Its versions by whose content runs are found; the rule is in this module's text.
        limit: How many runs at most.

    Example:
        >>> library = Library("memory://usage-example")
        >>> version = library.publish("arm.stl", b"solid")
        >>> find_component_readers(library, Journal(None), "arm.stl", [version])
        []
    """
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for version in versions:
        for entry in version.files:
            if entry.size_bytes:
                numbers[entry.sha256].add(version.number)
    found = find_readers(journal, library.store.uri_of(component_id), sha256s=numbers, limit=limit)
    return [
        ComponentReader(
            reading.run,
            tuple(sorted({number for each in reading.inputs for number in numbers.get(each.sha256 or "", ())})),
        )
        for reading in found
    ]
