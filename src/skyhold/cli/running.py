"""``sim run``: one run of a model."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common, takes_none
from skyhold.cli.output import Printer
from skyhold.errors import BadOptionError
from skyhold.runs.bar import ProgressBar
from skyhold.runs.wording import visible
from skyhold.simulation.filesystem import StoreFileSystem
from skyhold.simulation.results import SimulationResult
from skyhold.simulation.run import simulate
from skyhold.simulation.selection import OutputSelection

__all__ = ["run_model"]

_DEFAULT = Common()
_FAILED = 1
_SHOWN = 10
_LONGEST = 300


@Parameter(name="*")
@dataclass(frozen=True)
class Running:
    """How it is run.

    Attributes:
        annual: Run the whole year, whatever the model says.
        design_day: Run the design days alone.
        expand_objects: Expand the templates of the model first.
        keep: Patterns of the engine's files to keep beside tables and time series; all of them if not given.
        variables: Output variables to ask for and to keep, such as "Zone Mean Air Temperature"; what the model reports
            if not given.
        meters: Meters to ask for and to keep, such as "Electricity:Facility"; what the model reports if not given.
        frequency: How often those are asked for that the model does not report itself.
        timeout_s: Seconds that the engine may take.
        overwrite: Run it again, and replace whatever result the folder holds.
    """

    annual: bool = False
    design_day: bool = False
    expand_objects: bool = False
    keep: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = ()
    variables: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = ()
    meters: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = ()
    frequency: str = "hourly"
    timeout_s: float | None = None
    overwrite: bool = False

    @property
    def outputs(self) -> OutputSelection | None:
        """What to keep; None where nothing was said of it."""
        if not (self.keep or self.variables or self.meters):
            return None
        return OutputSelection(
            variables=self.variables or None,
            meters=self.meters or None,
            raw=self.keep,
            everything=not self.keep,
            frequency=self.frequency,
        )


_RUNNING = Running()


def run_model(
    model: str, weather: str = "", /, *, output: str, running: Running = _RUNNING, common: Common = _DEFAULT
) -> int:
    """Run one model, and keep its result; what is there already of the same run is not run again.

    Args:
        model: An IDF or epJSON, by path or URI.
        weather: An EPW, by path or URI.
        output: The folder of the result, by path or URI.
        running: How it is run.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    _refuse_vain_options(output, common)
    if common.dry_run:
        printer.item(f"would run {model!r} into {output!r}", action="would run", model=model, output=output)
        printer.summary("nothing was done", dry_run=True)
        return 0
    result = simulate(
        model,
        weather or None,
        fs=StoreFileSystem(output, **common.options_for(output)),
        output_dir="",
        annual=running.annual,
        design_day=running.design_day,
        expand_objects=running.expand_objects,
        outputs=running.outputs,
        timeout=running.timeout_s,
        overwrite=running.overwrite,
        on_progress=ProgressBar() if common.progress and not common.json else None,
    )
    return _tell(printer, result, output)


def _refuse_vain_options(output: str, common: Common) -> None:
    given = [f"--option {each}" for each in (text.partition("=")[0] for text in common.option)]
    given += ["--profile"] if common.profile else []
    if given and takes_none(output):
        raise BadOptionError(
            f"{given[0]} is for the store of the output, and {output!r} is none that takes options",
            remedy="Leave it out; models and weather in other stores are read with the options of the environment",
        )


def _tell(printer: Printer, result: SimulationResult, output: str) -> int:
    grave = [each for each in result.errors if each.severity != "warning"]
    for each in grave[:_SHOWN]:
        printer.item(visible(f"{each.severity}: {each.text}", _LONGEST), severity=each.severity, text=each.text)
    warnings = sum(each.count for each in result.errors if each.severity == "warning")
    how = "complete" if result.success else f"failed ({result.failure}): {visible(result.detail, _LONGEST)}"
    words = f"{how}; {len(result.files)} files in {output}, {len(grave)} grave messages, {warnings} warnings"
    printer.summary(
        words,
        success=result.success,
        failure=result.failure,
        detail=result.detail,
        output=output,
        files=[name for name in result.files if not fnmatchcase(name, "_*")],
        warnings=warnings,
        seconds=result.seconds,
        build=result.build,
    )
    return 0 if result.success else _FAILED
