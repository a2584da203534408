"""Where the messages of an Arrow file lie, read from its footer, which pyarrow keeps to itself.

The footer is a flatbuffer; field numbers are those of File.fbs in the format's specification.
"""

import struct
from dataclasses import dataclass

from skyhold.records.formats.planned import Span

__all__ = ["ArrowIndex", "parse_arrow_footer"]

_DICTIONARIES, _RECORD_BATCHES = 2, 3
_BLOCK = struct.Struct("<qi4xq")
_INT = struct.Struct("<i")
_UNSIGNED = struct.Struct("<I")
_SHORT = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class ArrowIndex:
    """The messages with dictionaries and those with rows, each whole, in the footer's order."""

    dictionaries: tuple[Span, ...]
    batches: tuple[Span, ...]

    @property
    def is_in_order(self) -> bool:
        """Whether reading from front to back meets the messages in this order."""
        return all(list(spans) == sorted(spans) for spans in (self.dictionaries, self.batches))

    def needed_for(self, first: int, last: int) -> list[Span]:
        """Return the messages that a stream of some batches is made of: these, and all dictionaries before the last."""
        batches = self.batches[first : last + 1]
        return sorted([*batches, *(span for span in self.dictionaries if span.start < batches[-1].start)])


def parse_arrow_footer(data: bytes) -> ArrowIndex:
    """Return the footer's two lists.

    Args:
        data: The footer, without its length and the magic word behind it.

    Raises:
        ValueError: It is damaged.
    """
    try:
        table: int = _UNSIGNED.unpack_from(data, 0)[0]
        return ArrowIndex(_blocks(data, table, _DICTIONARIES), _blocks(data, table, _RECORD_BATCHES))
    except struct.error as error:
        raise ValueError(f"its footer is damaged ({error})") from error


def _blocks(data: bytes, table: int, field: int) -> tuple[Span, ...]:
    fields = table - _INT.unpack_from(data, table)[0]
    if _SHORT.unpack_from(data, fields)[0] <= 4 + 2 * field:
        return ()
    offset = _SHORT.unpack_from(data, fields + 4 + 2 * field)[0]
    if not offset:
        return ()
    vector = table + offset + _UNSIGNED.unpack_from(data, table + offset)[0]
    count = _UNSIGNED.unpack_from(data, vector)[0]
    spans: list[Span] = []
    for number in range(count):
        start, head_bytes, body_bytes = _BLOCK.unpack_from(data, vector + 4 + number * _BLOCK.size)
        spans.append(Span(start, start + head_bytes + body_bytes))
    return tuple(spans)
