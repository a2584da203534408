"""Contenders against each other: in turns, each run in a process of its own, on the same machine in the same call."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_SCRIPT = Path(__file__).parent.parent / "contender.py"
_SAMPLE_S = 0.01
_FORGOTTEN = ("AWS_", "AZURE_", "GOOGLE_", "SKYHOLD_", "RCLONE_", "PYTHONDONTWRITEBYTECODE")
"""Settings of whoever runs this must not change what is measured."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One who is measured.

    Attributes:
        name: How the table calls it.
        function: ``module:function``, called with a stopwatch and the arguments.
        arguments: Plain values; ``{run}`` in a text becomes the number of the run.
        environment: Settings that it needs.
        is_command: The work is done by a program that it starts; its own memory is not counted then.
        is_sampled: The memory of what it starts is sampled, which takes part of a core: not where all are at work.
    """

    name: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    is_command: bool = False
    is_sampled: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run: wall seconds, computing, the highest memory of its process tree, what the contender told."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """All runs of one contender."""

    name: str
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """The median."""
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """The highest of all runs."""
        return max(run.peak_mb for run in self.runs)

    @property
    def told(self) -> dict[str, Any]:
        """What the first run told; but for times, it is the same for all."""
        return self.runs[0].told

    def median(self, figure: Callable[[Run], float]) -> float:
        """Return the median of a figure of each run."""
        return statistics.median(figure(run) for run in self.runs)


def race(
    contenders: Sequence[Contender],
    repeats: int,
    *,
    measure: Callable[[Contender, int], Run] | None = None,
) -> list[Standing]:
    """Run all contenders in turns, so that a slow minute of the machine falls on all of them.

    Args:
        contenders: Who runs; every round begins with the next of them.
        repeats: Rounds.
        measure: Runs one contender; a process of its own if not given.

    Returns: Their standings, in the order given.

    Example:
        >>> order = []
        >>> def fake(contender, number):
        ...     order.append(contender.name)
        ...     return Run(1.0, 1.0, 1.0, {})
        >>> _ = race([Contender("a", "m:a"), Contender("b", "m:b")], 2, measure=fake)
        >>> order
        ['a', 'b', 'b', 'a']
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(repeats):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            runs[contender.name].append((measure or measure_once)(contender, number))
    return [Standing(name, tuple(found)) for name, found in runs.items()]


def measure_once(contender: Contender, number: int = 0) -> Run:
    """Run a contender once in a process of its own.

    Raises:
        RuntimeError: It failed; the message has what it said.
    """
    arguments = {
        name: value.replace("{run}", str(number)) if isinstance(value, str) else value
        for name, value in contender.arguments.items()
    }
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), contender.function, json.dumps(arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(home) | dict(contender.environment),
        )
        peak = _TreePeak(process.pid, with_root=not contender.is_command) if contender.is_sampled else None
        output, said = process.communicate()
        tree_mb = peak.stop() if peak else 0.0
    if process.returncode:
        raise RuntimeError(f"{contender.name!r} ended with code {process.returncode}: {(output + said)[-2000:]}")
    found = json.loads(output.splitlines()[-1])
    own_mb = 0.0 if contender.is_command else found["peak_mb"]
    return Run(found["seconds"], found["cpu_seconds"], max(own_mb, tree_mb), found["told"])


def clean_environment(home: str) -> dict[str, str]:
    """Return the environment without settings that change results, and with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FORGOTTEN)}
    return kept | {"HOME": home, "SKYHOLD_STATE": home, "AWS_EC2_METADATA_DISABLED": "true"}


class _TreePeak:
    """The highest sum of resident memory over a process and all its descendants, sampled."""

    def __init__(self, pid: int, *, with_root: bool) -> None:
        self._root = psutil.Process(pid)
        self._with_root = with_root
        self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            try:
                processes = self._root.children(recursive=True)
            except psutil.NoSuchProcess:
                return
            if self._with_root:
                processes.append(self._root)
            self._peak_bytes = max(self._peak_bytes, sum(_resident_bytes(process) for process in processes))

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._peak_bytes / 1e6


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
