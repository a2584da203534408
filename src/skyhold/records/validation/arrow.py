"""The seam to pyarrow, which ships no types: named here once, and ``Any`` to the type checker."""

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Array", "DataType", "RecordBatch", "Schema", "pa", "pc", "pj", "walk_types", "with_inner_types"]

pa: Any = importlib.import_module("pyarrow")
pc: Any = importlib.import_module("pyarrow.compute")
pj: Any = importlib.import_module("pyarrow.json")

if TYPE_CHECKING:
    Array: TypeAlias = Any
    DataType: TypeAlias = Any
    RecordBatch: TypeAlias = Any
    Schema: TypeAlias = Any
else:
    Array = pa.Array
    DataType = pa.DataType
    RecordBatch = pa.RecordBatch
    Schema = pa.Schema


def walk_types(kind: DataType) -> "Iterator[DataType]":
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


def with_inner_types(kind: DataType, change: Callable[[DataType], DataType]) -> DataType:
    """Return a struct, list or map with the types inside it changed, and any other type as it is.

    Args:
        kind: The type.
        change: Gives the new type for one inside; calls this again for what is deeper.
    """
    types = pa.types
    if types.is_struct(kind):
        return pa.struct([field.with_type(change(field.type)) for field in kind])
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(change(kind.value_type)), kind.list_size)
    if types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(change(kind.value_type)))
    if types.is_map(kind):
        return pa.map_(
            kind.key_field.with_type(change(kind.key_type)), kind.item_field.with_type(change(kind.item_type))
        )
    return kind
