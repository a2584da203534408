"""Any command line as a simulator: it reads a model, fills a folder, and says its results in a JSON file."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from skyhold.errors import BadOptionError, ResultError
from skyhold.simulation.simulator import EngineMessage, FailureClass, Job, Kept, Quantity, Verdict, Watch

__all__ = ["CommandSimulator"]

LOG = "output.log"
_POLL_MS = 50
_LAST_BYTES = 4000
_PR_SET_PDEATHSIG = 1
# Becomes the command, which then dies with the thread that waits for it; unless that was gone before.
_START = (
    "import ctypes,os,sys;"
    f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG},{int(signal.SIGKILL)});"
    "os.getppid()==int(sys.argv[1]) and os.execvp(sys.argv[2],sys.argv[2:])"
)


@dataclass(frozen=True)
class CommandSimulator:
    """Runs a command for each case.

    The command's parts may hold ``{model}``, ``{weather}`` and ``{folder}``, which become paths, and ``{options}``,
    which becomes JSON text. It runs in ``{folder}``; what it prints goes to ``output.log`` there. It has succeeded when
    it ends with 0.

    Args:
        name: What it is called in plans and receipts.
        build: Which version it is: results of two builds are two results.
        argv: The command and its arguments.
        values: The file it leaves with its results: ``{"heating": [12.5, "kWh"], "hours": 3}``. It need not be there.

    Example:
        >>> import sys, tempfile
        >>> code = "import json, sys; json.dump({'double': 2 * json.load(open(sys.argv[1]))['x']}, open('v.json', 'w'))"
        >>> doubling = CommandSimulator("doubling", "1", (sys.executable, "-c", code, "{model}"), values="v.json")
        >>> folder, target = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
        >>> _ = (target / "model.json").write_text('{"x": 21}')
        >>> doubling.simulate(Job(target / "model.json"), folder, Watch()).is_success
        True
        >>> doubling.keep(folder, target, {}).values["double"]
        Quantity(value=42, unit='')
    """

    name: str
    build: str
    argv: Sequence[str]
    values: str = "values.json"

    def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
        begun = time.monotonic()
        command = [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *self._filled(job, folder)]
        try:
            with (folder / LOG).open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - running this command is what was asked
                    command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            return self._verdict("infrastructure", None, begun, f"{self.name} could not be started: {error}")
        try:
            failure = _wait(process, watch, begun)
        finally:
            _end(process)
        code = process.wait()
        if failure is None and code != 0:
            failure = "crash" if code < 0 else "engine"
        if failure is None:
            return self._verdict(None, code, begun, "")
        last = _last_words(folder / LOG)
        detail = f"{self.name} ended with {code} ({failure})" + (f": {last.splitlines()[-1]}" if last else "")
        return self._verdict(failure, code, begun, detail, EngineMessage("fatal", last or detail))

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Kept:
        unknown = sorted(selection.keys() - {"raw"})
        if unknown:
            raise BadOptionError(
                f"{self.name} knows no selection {unknown[0]!r}", remedy="Use raw=[patterns of file names]"
            )
        patterns: list[str] = list(selection.get("raw", ["*"]))
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        files = [name for name in found if any(fnmatchcase(name, pattern) for pattern in patterns)]
        for name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
        return Kept(tuple(files), self._read_values(folder / self.values))

    def _filled(self, job: Job, folder: Path) -> list[str]:
        words = {
            "{model}": str(job.model),
            "{weather}": str(job.weather or ""),
            "{folder}": str(folder),
            "{options}": json.dumps(dict(job.options), sort_keys=True),
        }
        return [_fill(part, words) for part in self.argv]

    def _read_values(self, file: Path) -> dict[str, Quantity]:
        try:
            content: Any = json.loads(file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ResultError(f"{self.name} left a {self.values!r} that is no JSON: {error}") from error
        if not isinstance(content, dict):
            raise ResultError(f"{self.name} left a {self.values!r} that has no names")
        return {name: _quantity(name, value) for name, value in cast("dict[str, Any]", content).items()}

    def _verdict(
        self, failure: FailureClass | None, code: int | None, begun: float, detail: str, *messages: EngineMessage
    ) -> Verdict:
        return Verdict(failure, code, messages, time.monotonic() - begun, self.build, detail)


def _fill(part: str, words: Mapping[str, str]) -> str:
    for mark, word in words.items():
        part = part.replace(mark, word)
    return part


def _wait(process: subprocess.Popen[bytes], watch: Watch, begun: float) -> FailureClass | None:
    """Wait for the end without taking note of it, so that the process's number stays its own meanwhile."""
    descriptor = os.pidfd_open(process.pid)
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    try:
        while not ended.poll(_POLL_MS):
            if watch.stop.is_set():
                return "cancelled"
            if watch.timeout_s is not None and time.monotonic() - begun > watch.timeout_s:
                return "timeout"
        return None
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what the command has started ends with it
    process.wait()


def _last_words(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        return file.read().decode("utf-8", "replace").strip()


def _quantity(name: str, value: Any) -> Quantity:
    parts: list[Any] = [*value] if isinstance(value, list) else [value, ""]
    if len(parts) == 2 and isinstance(parts[1], str):  # noqa: PLR2004 - a number and its unit
        number = parts[0]
        if number is None or (isinstance(number, int | float | str) and not isinstance(number, bool)):
            return Quantity(number, parts[1])
    raise ResultError(f"the value {name!r} is {value!r}: neither a number nor a text, with or without a unit")
