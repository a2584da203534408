"""Many runs of a simulator, whose inputs, state and results live in a store."""

from typing import TYPE_CHECKING

from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.simulation.batch import BatchResult, simulate_batch
    from skyhold.simulation.cache import ResultCache
    from skyhold.simulation.campaign import Campaign
    from skyhold.simulation.campaign_record import Rules
    from skyhold.simulation.case import Case, case_key
    from skyhold.simulation.command import CommandSimulator
    from skyhold.simulation.document import Document
    from skyhold.simulation.energyplus import EnergyPlus
    from skyhold.simulation.engine import Engine, find_engine, list_engines
    from skyhold.simulation.engine_messages import EngineMessages
    from skyhold.simulation.filesystem import FileSystem, StoreFileSystem
    from skyhold.simulation.forecast_report import Forecast
    from skyhold.simulation.forecasting import forecast
    from skyhold.simulation.job import SimulationJob
    from skyhold.simulation.kept import KeptResults
    from skyhold.simulation.message_groups import MessageGroup, group_messages
    from skyhold.simulation.model import Model, ModelObject
    from skyhold.simulation.model_source import as_model, load_epjson, load_idf
    from skyhold.simulation.named_filesystems import AzureFileSystem, GCSFileSystem, LocalFileSystem, S3FileSystem
    from skyhold.simulation.outputs import keep_outputs
    from skyhold.simulation.parameters import Parameter
    from skyhold.simulation.patches import apply_patch, make_patch
    from skyhold.simulation.plan import Plan
    from skyhold.simulation.plots import Plot, plot_end_uses, plot_load_duration, plot_parallel
    from skyhold.simulation.results import SimulationResult
    from skyhold.simulation.run import simulate
    from skyhold.simulation.sampling import Grid, LatinHypercube, Listed, Sobol
    from skyhold.simulation.selection import OutputSelection, TabularValue, request_outputs
    from skyhold.simulation.simulator import EngineMessage, Job, Kept, Quantity, Simulator, Verdict, Watch
    from skyhold.simulation.sql import SqlResults
    from skyhold.simulation.status import Status
    from skyhold.simulation.study import Study
    from skyhold.simulation.survey import Survey
    from skyhold.simulation.table import QualityGate, add_deltas, add_quality, add_values, make_table, unit_of
    from skyhold.simulation.worker import WorkReport, work

__all__ = [
    "AzureFileSystem",
    "BatchResult",
    "Campaign",
    "Case",
    "CommandSimulator",
    "Document",
    "EnergyPlus",
    "Engine",
    "EngineMessage",
    "EngineMessages",
    "FileSystem",
    "Forecast",
    "GCSFileSystem",
    "Grid",
    "Job",
    "Kept",
    "KeptResults",
    "LatinHypercube",
    "Listed",
    "LocalFileSystem",
    "MessageGroup",
    "Model",
    "ModelObject",
    "OutputSelection",
    "Parameter",
    "Plan",
    "Plot",
    "QualityGate",
    "Quantity",
    "ResultCache",
    "Rules",
    "S3FileSystem",
    "SimulationJob",
    "SimulationResult",
    "Simulator",
    "Sobol",
    "SqlResults",
    "Status",
    "StoreFileSystem",
    "Study",
    "Survey",
    "TabularValue",
    "Verdict",
    "Watch",
    "WorkReport",
    "add_deltas",
    "add_quality",
    "add_values",
    "apply_patch",
    "as_model",
    "case_key",
    "find_engine",
    "forecast",
    "group_messages",
    "keep_outputs",
    "list_engines",
    "load_epjson",
    "load_idf",
    "make_patch",
    "make_table",
    "plot_end_uses",
    "plot_load_duration",
    "plot_parallel",
    "request_outputs",
    "simulate",
    "simulate_batch",
    "unit_of",
    "work",
]

_HOMES = {
    "AzureFileSystem": "skyhold.simulation.named_filesystems",
    "BatchResult": "skyhold.simulation.batch",
    "Campaign": "skyhold.simulation.campaign",
    "Case": "skyhold.simulation.case",
    "CommandSimulator": "skyhold.simulation.command",
    "Document": "skyhold.simulation.document",
    "EnergyPlus": "skyhold.simulation.energyplus",
    "Engine": "skyhold.simulation.engine",
    "EngineMessage": "skyhold.simulation.simulator",
    "EngineMessages": "skyhold.simulation.engine_messages",
    "FileSystem": "skyhold.simulation.filesystem",
    "Forecast": "skyhold.simulation.forecast_report",
    "GCSFileSystem": "skyhold.simulation.named_filesystems",
    "Grid": "skyhold.simulation.sampling",
    "Job": "skyhold.simulation.simulator",
    "Kept": "skyhold.simulation.simulator",
    "KeptResults": "skyhold.simulation.kept",
    "LatinHypercube": "skyhold.simulation.sampling",
    "Listed": "skyhold.simulation.sampling",
    "LocalFileSystem": "skyhold.simulation.named_filesystems",
    "MessageGroup": "skyhold.simulation.message_groups",
    "Model": "skyhold.simulation.model",
    "ModelObject": "skyhold.simulation.model",
    "OutputSelection": "skyhold.simulation.selection",
    "Parameter": "skyhold.simulation.parameters",
    "Plan": "skyhold.simulation.plan",
    "Plot": "skyhold.simulation.plots",
    "QualityGate": "skyhold.simulation.table",
    "Quantity": "skyhold.simulation.simulator",
    "ResultCache": "skyhold.simulation.cache",
    "Rules": "skyhold.simulation.campaign_record",
    "S3FileSystem": "skyhold.simulation.named_filesystems",
    "SimulationJob": "skyhold.simulation.job",
    "SimulationResult": "skyhold.simulation.results",
    "Simulator": "skyhold.simulation.simulator",
    "Sobol": "skyhold.simulation.sampling",
    "SqlResults": "skyhold.simulation.sql",
    "Status": "skyhold.simulation.status",
    "StoreFileSystem": "skyhold.simulation.filesystem",
    "Study": "skyhold.simulation.study",
    "Survey": "skyhold.simulation.survey",
    "TabularValue": "skyhold.simulation.selection",
    "Verdict": "skyhold.simulation.simulator",
    "Watch": "skyhold.simulation.simulator",
    "WorkReport": "skyhold.simulation.worker",
    "add_deltas": "skyhold.simulation.table",
    "add_quality": "skyhold.simulation.table",
    "add_values": "skyhold.simulation.table",
    "apply_patch": "skyhold.simulation.patches",
    "as_model": "skyhold.simulation.model_source",
    "case_key": "skyhold.simulation.case",
    "find_engine": "skyhold.simulation.engine",
    "forecast": "skyhold.simulation.forecasting",
    "group_messages": "skyhold.simulation.message_groups",
    "keep_outputs": "skyhold.simulation.outputs",
    "list_engines": "skyhold.simulation.engine",
    "load_epjson": "skyhold.simulation.model_source",
    "load_idf": "skyhold.simulation.model_source",
    "make_patch": "skyhold.simulation.patches",
    "make_table": "skyhold.simulation.table",
    "plot_end_uses": "skyhold.simulation.plots",
    "plot_load_duration": "skyhold.simulation.plots",
    "plot_parallel": "skyhold.simulation.plots",
    "request_outputs": "skyhold.simulation.selection",
    "simulate": "skyhold.simulation.run",
    "simulate_batch": "skyhold.simulation.batch",
    "unit_of": "skyhold.simulation.table",
    "work": "skyhold.simulation.worker",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
