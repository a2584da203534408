"""Which EnergyPlus there is on this machine, and what it makes of a model file."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from skyhold.config import environment
from skyhold.errors import EngineError, MissingExtraError, ModelError
from skyhold.simulation.engine_process import EngineProcess, Exit
from skyhold.simulation.messages import parse_messages, read_text
from skyhold.simulation.model_complaints import describe_complaints
from skyhold.simulation.simulator import Watch

__all__ = ["Engine", "find_engine", "list_engines"]

_BUILD = re.compile(r"Version ((\d+\.\d+\.\d+)-\w+)")
_PATIENCE_S = 600.0
_USUAL_PLACES = ("/usr/local", "/opt", "/Applications")


@dataclass(frozen=True, slots=True)
class Engine:
    """An EnergyPlus of this machine.

    Attributes:
        kind: ``"wheel"`` for the one from pip, ``"installed"`` for a program.
        version: Such as ``"25.2.0"``.
        build: The version and the commit, such as ``"25.2.0-cf7368216c"``: two builds give two results.
        python: Which Python runs it.
        place: The folder of the wheel's packages, or the program.

    Example:
        >>> engine = find_engine()
        >>> engine.build.startswith(f"{engine.version}-")
        True
    """

    kind: Literal["wheel", "installed"]
    version: str
    build: str
    python: str
    place: str

    def start(self) -> EngineProcess:
        """Return a process that runs this engine; close it after use.

        Raises:
            EngineError: It cannot be started.
        """
        return _start(self.kind, self.python, self.place)

    def convert(self, source: Path, folder: Path) -> Path:
        """Turn an IDF into epJSON, or epJSON into an IDF, by the engine's own reader.

        Args:
            source: The model; what it is is told from its content.
            folder: Where the result goes, under the name of the source with the other suffix.

        Returns:
            The result's path.

        Raises:
            ModelError: The engine does not accept the model; the message says what it says, object by object.
            EngineError: The engine could not be run.
        """
        try:
            content = source.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {str(source)!r}: {error.strerror}") from error
        if not content.strip():
            raise ModelError(f"the model {str(source)!r} is empty")  # the engine would accept it
        is_json = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
        with tempfile.TemporaryDirectory(prefix="skyhold-convert-") as place:
            # The engine tells the format by the suffix, and names its result after the source.
            copy = Path(place, "model.epJSON" if is_json else "model.idf")
            copy.write_bytes(content)
            done = self._run(["--convert-only", "-d", place, copy.name], Path(place))
            result = Path(place, "model.idf" if is_json else "model.epJSON")
            messages = parse_messages(read_text(Path(place, "eplusout.err")))
            is_refused = any(message.severity != "warning" for message in messages)
            if done.code != 0 or is_refused or not result.exists():
                text = "" if is_json else read_text(copy)
                raise describe_complaints(str(source), self.version, messages, text)
            target = folder / f"{source.stem}{result.suffix}"
            # The engine lets nobody else read what it writes; a copy has the rights that new files have here.
            shutil.copyfile(result, target)
        return target

    def _run(self, arguments: Sequence[str], folder: Path) -> Exit:
        with self.start() as process:
            done = process.run(arguments, folder=folder, log=folder / "log", watch=Watch(timeout_s=_PATIENCE_S))
        if done.code is None or done.code < 0 or done.cause != "itself":
            raise EngineError(f"EnergyPlus {self.build} in {self.place!r} died while it read a model ({done})")
        return done


def find_engine(
    version: str | None = None, *, path: str | Path | None = None, python: str | Path | None = None
) -> Engine:
    """Return an EnergyPlus: the one that is named, else the first of `list_engines` that fits.

    Args:
        version: Which one, such as ``"25.2"`` or ``"25.2.0"``; any, if not given.
        path: An installed EnergyPlus: its folder, or the program.
        python: The program of another Python, whose wheel is used.

    Raises:
        MissingExtraError: There is none.
        EngineError: There is none of that version, or what was named does not run.

    Example:
        >>> find_engine().kind
        'wheel'
        >>> find_engine("9.1")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        skyhold.errors.EngineError: there is no EnergyPlus 9.1; found: ...
    """
    if path is not None and python is not None:
        raise EngineError(f"both path={str(path)!r} and python={str(python)!r} were given: one of them is the engine")
    if path is not None:
        found = [_installed(Path(path))]
    elif python is not None:
        found = [_of_python(str(python))]
    else:
        found = list_engines()
    if not found:
        error = MissingExtraError.of("simulation", "running EnergyPlus")
        error.add_note("Or: install EnergyPlus and set ENERGYPLUS_DIR to its folder; or name one by path= or python=")
        raise error
    fitting = [engine for engine in found if version is None or _fits(engine.version, version)]
    if not fitting:
        listed = ", ".join(f"{engine.version} ({engine.kind}, {engine.place})" for engine in found)
        raise EngineError(
            f"there is no EnergyPlus {version}; found: {listed}",
            remedy="Name the right one by path= or python=, or update the model to a version that is there",
        )
    return fitting[0]


def list_engines() -> list[Engine]:
    """Return every EnergyPlus that is found and runs, in the order of preference, no build twice in one place.

    First the one that ``ENERGYPLUS_DIR`` names, then the wheel of this Python, then ``energyplus`` on the ``PATH``,
    then those in the usual folders.

    Raises:
        EngineError: What ``ENERGYPLUS_DIR`` names does not run.

    Example:
        >>> [engine.kind for engine in list_engines()][:1]
        ['wheel']
    """
    variables = environment()
    engines: list[Engine] = []
    if named := variables.get("ENERGYPLUS_DIR"):
        engines.append(_installed(Path(named)))
    if (spec := find_spec("pyenergyplus")) and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations))).parent
        engines.append(_wheel(sys.executable, folder))
    programs = [Path(found)] if (found := shutil.which("energyplus", path=variables.get("PATH"))) else []
    for place in _USUAL_PLACES:
        programs += sorted(Path(place).glob("EnergyPlus-*/energyplus"), reverse=True)
    for program in programs:
        try:
            engines.append(_installed(program))
        except EngineError:
            continue  # an old program for another machine that lies about is no reason to refuse the others
    return list(dict.fromkeys(engines))


def _fits(found: str, wanted: str) -> bool:
    parts = wanted.removeprefix("v").split("-")[0].split(".")
    return found.split(".")[: len(parts)] == parts


def _installed(path: Path) -> Engine:
    program = path / "energyplus" if path.is_dir() else path
    if not program.is_file():
        raise EngineError(f"there is no EnergyPlus at {str(path)!r}", remedy="Name its folder, or its program")
    # A link to the program would not find the files that lie beside it.
    program = program.resolve()
    return _ask("installed", sys.executable, str(program), program.stat().st_mtime_ns)


def _of_python(python: str) -> Engine:
    asked = "import importlib.util as u; print(u.find_spec('pyenergyplus').submodule_search_locations[0])"
    try:
        done = subprocess.run(  # noqa: S603 - the Python that the caller names, and no shell
            [python, "-I", "-c", asked], capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except OSError as error:
        raise EngineError(f"{python!r} is no Python: {error.strerror}", remedy="Name its program") from error
    if done.returncode != 0:
        raise EngineError(
            f"the Python {python!r} has no EnergyPlus", remedy=f"Run: {python} -m pip install pyenergyplus-lbnl"
        )
    return _wheel(python, Path(done.stdout.strip()).parent)


def _wheel(python: str, folder: Path) -> Engine:
    library = next(folder.glob("libenergyplusapi.*"), folder)
    return _ask("wheel", python, str(folder), library.stat().st_mtime_ns)


@lru_cache
def _ask(kind: Literal["wheel", "installed"], python: str, place: str, changed_ns: int) -> Engine:
    """Ask the engine itself what it is: the wheel's number is not the engine's."""
    del changed_ns
    with tempfile.TemporaryDirectory(prefix="skyhold-engine-") as name, _start(kind, python, place) as process:
        log = Path(name, "log")
        process.run(["--version"], folder=Path(name), log=log, watch=Watch(timeout_s=_PATIENCE_S))
        said = read_text(log)
    found = _BUILD.search(said)
    if found is None:
        raise EngineError(f"what lies in {place!r} does not say which EnergyPlus it is: {said.strip()[-200:]!r}")
    return Engine(kind, found[2], found[1], python, place)


def _start(kind: Literal["wheel", "installed"], python: str, place: str) -> EngineProcess:
    return EngineProcess(python, library=place) if kind == "wheel" else EngineProcess(python, program=place)
