"""Types within types."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

__all__ = ["walk_types"]


def walk_types(kind: Any) -> Iterator[pa.DataType]:
    """Yield a type, what it stores if it is an extension, and every type within.

    Example:
        >>> [str(each) for each in walk_types(pa.list_(pa.struct({"a": pa.int8()})))]
        ['list<item: struct<a: int8>>', 'struct<a: int8>', 'int8']
    """
    yield kind
    if isinstance(kind, pa.BaseExtensionType):
        yield from walk_types(kind.storage_type)
        return
    for number in range(kind.num_fields):
        yield from walk_types(kind.field(number).type)
