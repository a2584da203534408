"""skyhold keeps engineering work in object storage and runs it there."""

from typing import TYPE_CHECKING

from skyhold._version import __version__
from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.execution.dask import DaskExecutor
    from skyhold.execution.processes import MultiProcessExecutor
    from skyhold.execution.ray import RayExecutor
    from skyhold.execution.threads import MultiThreadExecutor, SingleThreadExecutor
    from skyhold.records.formats.arrow import ArrowInputAdapter, ArrowOutputAdapter
    from skyhold.records.formats.arrow_streams import ArrowStreamInputAdapter, ArrowTableOutputAdapter
    from skyhold.records.formats.csv import CSVInputAdapter, CSVOutputAdapter
    from skyhold.records.formats.dataset import DatasetOutputAdapter
    from skyhold.records.formats.detection import open_input, open_output
    from skyhold.records.formats.excel import ExcelInputAdapter, ExcelOutputAdapter
    from skyhold.records.formats.json import JSONInputAdapter, JSONOutputAdapter
    from skyhold.records.formats.parquet import ParquetInputAdapter, ParquetOutputAdapter
    from skyhold.records.formats.python import PythonInputAdapter, PythonOutputAdapter
    from skyhold.records.formats.sql.adapters import SQLInputAdapter, SQLOutputAdapter
    from skyhold.records.hooks import BatchHook, RowHook
    from skyhold.records.pipe import Pipe
    from skyhold.records.validation.column_type import ColumnType
    from skyhold.runs.telemetry import OpenTelemetryListener
    from skyhold.simulation.model import Model
    from skyhold.simulation.model_source import load_epjson, load_idf
    from skyhold.storage.opening import open_object, open_store

__all__ = [
    "ArrowInputAdapter",
    "ArrowOutputAdapter",
    "ArrowStreamInputAdapter",
    "ArrowTableOutputAdapter",
    "BatchHook",
    "CSVInputAdapter",
    "CSVOutputAdapter",
    "ColumnType",
    "DaskExecutor",
    "DatasetOutputAdapter",
    "ExcelInputAdapter",
    "ExcelOutputAdapter",
    "JSONInputAdapter",
    "JSONOutputAdapter",
    "Model",
    "MultiProcessExecutor",
    "MultiThreadExecutor",
    "OpenTelemetryListener",
    "ParquetInputAdapter",
    "ParquetOutputAdapter",
    "Pipe",
    "PythonInputAdapter",
    "PythonOutputAdapter",
    "RayExecutor",
    "RowHook",
    "SQLInputAdapter",
    "SQLOutputAdapter",
    "SingleThreadExecutor",
    "__version__",
    "load_epjson",
    "load_idf",
    "open_input",
    "open_object",
    "open_output",
    "open_store",
]

_HOMES = {
    "ArrowInputAdapter": "skyhold.records.formats.arrow",
    "ArrowOutputAdapter": "skyhold.records.formats.arrow",
    "ArrowStreamInputAdapter": "skyhold.records.formats.arrow_streams",
    "ArrowTableOutputAdapter": "skyhold.records.formats.arrow_streams",
    "BatchHook": "skyhold.records.hooks",
    "CSVInputAdapter": "skyhold.records.formats.csv",
    "CSVOutputAdapter": "skyhold.records.formats.csv",
    "ColumnType": "skyhold.records.validation.column_type",
    "DaskExecutor": "skyhold.execution.dask",
    "DatasetOutputAdapter": "skyhold.records.formats.dataset",
    "ExcelInputAdapter": "skyhold.records.formats.excel",
    "ExcelOutputAdapter": "skyhold.records.formats.excel",
    "JSONInputAdapter": "skyhold.records.formats.json",
    "JSONOutputAdapter": "skyhold.records.formats.json",
    "Model": "skyhold.simulation.model",
    "MultiProcessExecutor": "skyhold.execution.processes",
    "MultiThreadExecutor": "skyhold.execution.threads",
    "OpenTelemetryListener": "skyhold.runs.telemetry",
    "ParquetInputAdapter": "skyhold.records.formats.parquet",
    "ParquetOutputAdapter": "skyhold.records.formats.parquet",
    "Pipe": "skyhold.records.pipe",
    "PythonInputAdapter": "skyhold.records.formats.python",
    "PythonOutputAdapter": "skyhold.records.formats.python",
    "RayExecutor": "skyhold.execution.ray",
    "RowHook": "skyhold.records.hooks",
    "SQLInputAdapter": "skyhold.records.formats.sql.adapters",
    "SQLOutputAdapter": "skyhold.records.formats.sql.adapters",
    "SingleThreadExecutor": "skyhold.execution.threads",
    "load_epjson": "skyhold.simulation.model_source",
    "load_idf": "skyhold.simulation.model_source",
    "open_input": "skyhold.records.formats.detection",
    "open_object": "skyhold.storage.opening",
    "open_output": "skyhold.records.formats.detection",
    "open_store": "skyhold.storage.opening",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
