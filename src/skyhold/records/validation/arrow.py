"""The seam to pyarrow, which ships no types: named here once, and ``Any`` to the type checker."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Array", "DataType", "RecordBatch", "Schema", "pa", "pc", "pj", "with_inner_types"]

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
