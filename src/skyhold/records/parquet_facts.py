"""What a Parquet object says of itself: its columns, their sizes, their least and greatest values.

All of it stands in the footer, so that one or two small requests tell it of an object of any size. Statistics are what
the writer has written; nobody has looked at the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyhold.errors import MalformedInputError
from skyhold.records.formats.parquet_footer import parse_struct
from skyhold.records.formats.parquet_leaves import Leaf, list_leaves
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange

__all__ = ["ColumnFacts", "ParquetFacts", "read_parquet_facts"]

_MAGIC = b"PAR1"
_END_BYTES = 8
_TAIL_BYTES = 64 * 1024
_MOST_BYTES = 8 * 1024 * 1024  # as many take some seconds
_SCHEMA, _ROWS, _GROUPS, _MAKER = 2, 3, 4, 6
_COLUMNS, _METADATA = 1, 3
_VALUES, _PLAIN_BYTES, _BYTES, _STATISTICS = 5, 6, 7, 12
_OLD_MAX, _OLD_MIN, _NULLS, _MAX, _MIN, _MAX_IS_EXACT, _MIN_IS_EXACT = 1, 2, 3, 5, 6, 7, 8


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a footer says of a column; None is what it does not say.

    Attributes:
        name: Its path, with dots.
        type: What it holds.
        size_bytes: How much room it takes, compressed.
        plain_bytes: How much it would take without compression.
        nulls: How many values are missing.
        least: The least value, as text.
        greatest: The greatest.
        is_exact: Whether these are values of rows; else they are shortened, and only no row lies outside.
    """

    name: str
    type: str
    size_bytes: int
    plain_bytes: int
    nulls: int | None = None
    least: str | None = None
    greatest: str | None = None
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class ParquetFacts:
    """What a footer says.

    Attributes:
        rows: How many rows there are.
        row_groups: In how many groups.
        columns: In the order of the file.
        made_by: The program that wrote it, as that calls itself.
        footer_bytes: How long the footer is.
    """

    rows: int
    row_groups: int
    columns: tuple[ColumnFacts, ...]
    made_by: str
    footer_bytes: int


def read_parquet_facts(store: Store, key: str) -> ParquetFacts:
    """Return what the footer of a Parquet object says; nothing else of it is read.

    Args:
        store: Where it is.
        key: Which object.

    Raises:
        MalformedInputError: It is no Parquet, damaged, or encrypted.

    Example:
        >>> import io, pyarrow as pa, pyarrow.parquet as pq
        >>> from skyhold.storage.opening import open_store
        >>> file = io.BytesIO()
        >>> pq.write_table(pa.table({"id": [3, 1, None]}), file)
        >>> store = open_store("memory://parquet-facts-example")
        >>> _ = store.write("a.parquet", file.getvalue())
        >>> facts = read_parquet_facts(store, "a.parquet")
        >>> column = facts.columns[0]
        >>> facts.rows, column.name, column.type, column.nulls, column.least, column.greatest
        (3, 'id', 'int64', 1, '1', '3')
    """
    footer = _read_footer(store, key)
    try:
        fields = parse_struct(footer)
        leaves = list_leaves(fields[_SCHEMA])
        groups: list[list[dict[int, Any]]] = [_columns_of(group, len(leaves)) for group in fields[_GROUPS]]
        columns = tuple(_facts(leaf, [group[place] for group in groups]) for place, leaf in enumerate(leaves))
        made_by = bytes(fields.get(_MAKER, b"")).decode(errors="backslashreplace")
        return ParquetFacts(int(fields[_ROWS]), len(groups), columns, made_by, len(footer))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        told = error.args[0] if isinstance(error, ValueError) else f"its footer is damaged ({error!r})"
        raise MalformedInputError(f"{store.uri_of(key)!r} is no Parquet that can be read: {told}") from error


def _read_footer(store: Store, key: str) -> bytes:
    info, tail = store.read_with_info(key, ByteRange(suffix=_TAIL_BYTES))
    length = int.from_bytes(tail[-_END_BYTES:-4], "little")
    if info.size_bytes < _END_BYTES + 4 or tail[-4:] != _MAGIC:
        raise MalformedInputError(f"{store.uri_of(key)!r} is no Parquet: it does not end in PAR1")
    start = info.size_bytes - _END_BYTES - length
    if start < len(_MAGIC) or length > _MOST_BYTES:
        raise MalformedInputError(f"{store.uri_of(key)!r} is no Parquet that can be read: a footer of {length:,} bytes")
    if length + _END_BYTES > len(tail):
        tail = store.read(key, ByteRange(start), if_match=info.e_tag)
    return tail[-_END_BYTES - length : -_END_BYTES]


def _columns_of(group: Mapping[int, Any], count: int) -> list[dict[int, Any]]:
    columns = [column.get(_METADATA) for column in group[_COLUMNS]]
    if None in columns:
        raise ValueError("its columns are encrypted")
    if len(columns) != count:
        raise ValueError(f"its footer is damaged (a row group of {len(columns)} columns, and {count} are described)")
    return columns


def _facts(leaf: Leaf, chunks: Sequence[Mapping[int, Any]]) -> ColumnFacts:
    told = [chunk.get(_STATISTICS, {}) for chunk in chunks]
    nulls = [each.get(_NULLS) for each in told]
    # Where all values are missing there is no least one to be told.
    told = [each for each, chunk in zip(told, chunks, strict=True) if each.get(_NULLS) != chunk[_VALUES]]
    least, low_is_exact = _extreme(leaf, told, min, (_MIN, _OLD_MIN, _MIN_IS_EXACT))
    greatest, high_is_exact = _extreme(leaf, told, max, (_MAX, _OLD_MAX, _MAX_IS_EXACT))
    return ColumnFacts(
        leaf.name,
        leaf.kind,
        sum(int(chunk[_BYTES]) for chunk in chunks),
        sum(int(chunk[_PLAIN_BYTES]) for chunk in chunks),
        None if None in nulls or not nulls else sum(each for each in nulls if each is not None),
        least,
        greatest,
        low_is_exact and high_is_exact,
    )


def _extreme(
    leaf: Leaf, told: Sequence[Mapping[int, Any]], choose: Callable[..., Any], fields: tuple[int, int, int]
) -> tuple[str | None, bool]:
    """Return a column's least or greatest value, where every row group that has any values tells its own."""
    new, old, exact = fields
    if leaf.read is None or not told:
        return None, True
    found: list[Any] = []
    is_exact = True
    for each in told:
        data = each.get(new, each.get(old) if leaf.is_signed else None)
        if data is None:
            return None, True
        found.append(leaf.read(data))
        is_exact = is_exact and each.get(exact, True)
    return leaf.show(choose(found)), is_exact
