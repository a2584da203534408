"""The seam to pyarrow, which ships no types: named here once, and ``Any`` to the type checker."""

import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Array", "DataType", "RecordBatch", "Schema", "pa", "pc", "pj"]

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
