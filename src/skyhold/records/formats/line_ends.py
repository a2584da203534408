"""Where lines begin in an object of text, looked for at a few places of it."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from skyhold.records.formats.object_shards import ObjectPart
from skyhold.records.formats.part_reader import read_part
from skyhold.records.formats.text_units import TextUnits
from skyhold.storage.contract import Store

__all__ = ["LOOK_BYTES", "StoredText", "find_line_ends"]

LOOK_BYTES = 64 * 1024
_LONGEST_LOOK_BYTES = 4 * 1024 * 1024
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class StoredText:
    """One version of an object that holds text.

    Attributes:
        store: Where it is.
        part: The object.
        units: Tells characters.
    """

    store: Store
    part: ObjectPart
    units: TextUnits

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.part.info.size_bytes

    def read(self, start: int, end: int) -> bytes:
        """Return a byte for each character."""
        return self.units.as_bytes(read_part(self.store, self.part.key, self.part.info, start, end))

    def end_of_line(self, ends: re.Pattern[bytes], place: int, limit: int) -> int | None:
        """Return where the first line end ends that ends at ``place`` or after it; None if none does before a limit."""
        width = self.units.size_bytes
        start, size = max(0, place - 2 * width), LOOK_BYTES
        while True:
            stop = min(start + size, self.size_bytes)
            found = ends.search(self.read(start, stop), (place - start) // width - 1)
            if found and start + found.end() * width < limit:
                return start + found.end() * width
            if found or stop >= limit:
                return None
            size = min(2 * size, size + _LONGEST_LOOK_BYTES)


def find_line_ends(
    store: Store, part: ObjectPart, places: Sequence[int], ends: re.Pattern[bytes], units: TextUnits
) -> list[int]:
    """Return where lines begin, one at each place or soon after it; places whose line is another's are left out.

    Args:
        store: Where the text is.
        part: The text.
        places: In bytes, ascending, each at least two characters from the beginning.
        ends: What ends a line.
        units: Tells characters.
    """
    if not places:
        return []
    text = StoredText(store, part, units)
    limits = [*places[1:], part.info.size_bytes]
    with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="skyhold-line-ends") as pool:
        found = pool.map(partial(text.end_of_line, ends), places, limits)
        return [place for place in found if place is not None]
