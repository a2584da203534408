"""What a contender holds: it says when the measured part begins and ends."""

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Stopwatch:
    """Measures the part of a contender inside ``with watch:``; imports and preparation stay outside.

    Example:
        >>> watch = Stopwatch()
        >>> with watch:
        ...     pass
        >>> watch.seconds < 1
        True
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._begun = self._cpu_begun = 0.0

    def __enter__(self) -> Self:
        self._cpu_begun = _cpu_so_far()
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += time.perf_counter() - self._begun
        self.cpu_seconds += _cpu_so_far() - self._cpu_begun


def _cpu_so_far() -> float:
    """Return what all threads of this process, and programs that it has waited for, have computed."""
    return sum(os.times()[:4])


def own_peak_mb() -> float:
    """Return the highest resident memory of this process so far, as the kernel has it."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the memory of who started a process into its ru_maxrss
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6
    import resource

    units = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * units / 1e6
