"""EnergyPlus as a simulator: a run in a process of its own, and a verdict from all that it left."""

import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from skyhold.errors import BadOptionError, SimulationError
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.engine_process import EngineProcess, Exit
from skyhold.simulation.expansion import expand_templates, has_templates
from skyhold.simulation.messages import parse_ending, parse_messages, read_text
from skyhold.simulation.simulator import EngineMessage, FailureClass, Job, Kept, Verdict, Watch

__all__ = ["EnergyPlus", "RunOptions"]

LOG = "engine.log"
"""What the engine prints, in the folder of the run."""

_ENGINE_CODES = (0, 1)
_SUFFIXES = (".idf", ".imf", ".epjson")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run, as a job carries them.

    Attributes:
        annual: Simulate the weather file's year, whatever the model says.
        design_day: Simulate the design days only, whatever the model says.
        expand_objects: Expand templates (``HVACTemplate:*``) first.
        readvars: Also write what was reported as CSV.
        strict: Let severe errors spoil a run that the engine completed.
    """

    annual: bool = False
    design_day: bool = False
    expand_objects: bool = False
    readvars: bool = False
    strict: bool = False

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> "RunOptions":
        """Return the options of a job.

        Raises:
            BadOptionError: One is unknown, is no truth value, or excludes another.

        Example:
            >>> RunOptions.parse({"annual": True}).arguments()
            ['-a']
        """
        known = [field.name for field in fields(cls)]
        for name, value in options.items():
            if name not in known:
                raise BadOptionError(
                    f"EnergyPlus has no option {name!r}", remedy=f"Choose from: {', '.join(sorted(known))}"
                )
            if not isinstance(value, bool):
                raise BadOptionError(f"option {name!r} of EnergyPlus is true or false, found {value!r}")
        parsed = cls(**options)
        if parsed.annual and parsed.design_day:
            raise BadOptionError(
                "a run is either annual or of design days only",
                remedy="Give one of annual and design_day; with neither, the model says what is run",
            )
        return parsed

    def arguments(self) -> list[str]:
        """Return the engine's flags."""
        flags = {"-a": self.annual, "-D": self.design_day, "-r": self.readvars}
        return [flag for flag, is_on in flags.items() if is_on]


class EnergyPlus:
    """Runs EnergyPlus, each run in a process of its own; several threads may share one object.

    A run is a success when its process ended with 0, its ``.end`` file says that it completed, and there was no fatal
    error. Severe errors are listed and leave it a success, since many sound models have some: look at the messages,
    let a study's quality gate decide, or give the option ``strict``.

    Args:
        engine: Which one; by default what `find_engine` finds.
        warm: Keep a process that has the engine loaded, and fork it for each run: 0.2 s less for each. Close the
            object to end it; it also ends with this process.

    Example:
        >>> EnergyPlus().name
        'energyplus'
    """

    def __init__(self, engine: Engine | None = None, *, warm: bool = False) -> None:
        self.name = "energyplus"
        self.engine = engine or find_engine()
        self.build = self.engine.build
        self.warm = warm
        self._warmth = _Warmth()
        weakref.finalize(self, self._warmth.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (self.engine, self.warm))

    def close(self) -> None:
        """End the process that is kept warm, with its runs; it is started again when it is needed."""
        self._warmth.close()

    def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
        options = RunOptions.parse(job.options)
        started = time.monotonic()
        try:
            if problem := _problem(job, folder):
                return Verdict("infrastructure", None, (), 0.0, self.build, problem)
            with tempfile.TemporaryDirectory(prefix="skyhold-model-") as scratch:
                model = self._model(job.model, Path(scratch), is_to_expand=options.expand_objects)
                arguments = ["-d", str(folder.absolute()), "-p", "eplus", "-s", "L", *options.arguments()]
                if job.weather:
                    arguments += ["-w", str(job.weather.absolute())]
                with self._process() as process:
                    started = time.monotonic()
                    done = process.run([*arguments, str(model)], folder=folder, log=folder / LOG, watch=watch)
        except SimulationError as error:
            is_ours = error.code == "engine"
            seconds = time.monotonic() - started
            return Verdict("infrastructure" if is_ours else "engine", None, (), seconds, self.build, str(error))
        verdict = _judge(done, folder, options, self.build, time.monotonic() - started)
        if verdict.is_success and watch.on_progress:
            watch.on_progress(1.0, "done")
        return verdict

    def request_outputs(self, document: Any, selection: Mapping[str, Any]) -> Any:
        return import_module("skyhold.simulation.outputs").request_outputs(document, selection)

    def check_model(self, document: Any) -> None:
        model = import_module("skyhold.simulation.model_source").as_model(document)
        import_module("skyhold.simulation.known_fields").check_fields(model, self.engine)

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Kept:
        return import_module("skyhold.simulation.outputs").keep_outputs(folder, target, selection)

    def _model(self, model: Path, scratch: Path, *, is_to_expand: bool) -> Path:
        """Return the model under a name by which the engine tells its format."""
        if is_to_expand and has_templates(model):
            return expand_templates(self.engine, model, scratch)
        if model.suffix.lower() in _SUFFIXES:
            return model.absolute()
        with model.open("rb") as reader:
            is_json = reader.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
        link = scratch / ("model.epJSON" if is_json else "model.idf")
        link.symlink_to(model.absolute())
        return link

    @contextmanager
    def _process(self) -> Generator[EngineProcess]:
        with nullcontext(self._warmth.get(self.engine)) if self.warm else self.engine.start() as process:
            yield process


class _Warmth:
    """A process that is kept, started when it is needed and again when it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: EngineProcess | None = None

    def get(self, engine: Engine) -> EngineProcess:
        with self._lock:
            if self._process is not None and not self._process.is_alive:
                self._process.close()
                self._process = None
            if self._process is None:
                self._process = engine.start()
            return self._process

    def close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.close()


def _again(engine: Engine, warm: bool) -> EnergyPlus:
    return EnergyPlus(engine, warm=warm)


def _problem(job: Job, folder: Path) -> str:
    """Return why no run can be made."""
    if not job.model.is_file():
        return f"there is no model {str(job.model)!r}"
    # For design days the engine passes over a weather file that is not there, and says that all is well.
    if job.weather is not None and not job.weather.is_file():
        return f"there is no weather file {str(job.weather)!r}"
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r}"
    if any(folder.glob("eplus*")):
        return f"the folder {str(folder)!r} holds another run's results"
    return ""


def _judge(done: Exit, folder: Path, options: RunOptions, build: str, seconds: float) -> Verdict:
    said = read_text(folder / "eplusout.err")
    messages = parse_messages(said)
    failure, detail = _death(done, folder) or _defeat(done, folder, options, messages) or (None, "")
    return Verdict(failure, done.code, messages, seconds, build, detail)


def _death(done: Exit, folder: Path) -> tuple[FailureClass, str] | None:
    """Return how the process was ended, or kept from beginning, by something else than the engine."""
    if done.cause == "timeout":
        return "timeout", "it took longer than it was given, and was ended"
    if done.cause == "stop":
        return "cancelled", "it was stopped on purpose"
    if done.code is None:
        return "crash", "the engine's process died, with the one that could have told how"
    if done.code < 0:
        known = {number.value: number.name for number in signal.Signals}
        return "crash", f"the engine's process died of {known.get(-done.code, f'signal {-done.code}')}"
    if done.code not in _ENGINE_CODES:
        return "infrastructure", f"the engine could not be started: {_last_line(folder)}"
    return None


def _defeat(
    done: Exit, folder: Path, options: RunOptions, messages: tuple[EngineMessage, ...]
) -> tuple[FailureClass, str] | None:
    """Return what the engine itself says against the run."""
    if fatal := next((message.text for message in messages if message.severity == "fatal"), None):
        cause = next((message.text for message in messages if message.severity == "severe"), fatal)
        return "engine", " ".join(cause.split())
    ending = parse_ending(read_text(folder / "eplusout.end"))
    if done.code != 0 or (ending and not ending.is_complete):
        return "engine", _last_line(folder) or f"the engine ended with {done.code} and says nothing of the cause"
    if ending is None:
        # It came to its end and could not write so: a full disk is no fault of the model.
        return "infrastructure", "the engine ended with 0, and no eplusout.end says that it completed"
    if options.readvars and not (folder / "eplusout.rvaudit").exists():
        return "infrastructure", f"the CSV files were not written: {_last_line(folder)}"
    if options.strict and ending.severes:
        return "engine", f"it completed with {ending.severes} severe errors"
    return None


def _last_line(folder: Path) -> str:
    lines = [line.strip() for line in read_text(folder / LOG).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [""])[-1]
