"""Whether the process that began a run still lives, so that a killed run is not shown as running for ever."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from skyhold.runs.json_reader import JsonReader
from skyhold.runs.receipt import this_host

__all__ = ["ProcessMark", "is_alive", "mark_process"]

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """What tells one process from every other, also from a later one with the same number.

    Attributes:
        host: The machine's name.
        boot: Changes when the machine starts anew; empty where it cannot be told.
        pid_space: Changes between containers, which number their processes separately; empty where it cannot be told.
        pid: The process's number.
        started: When it was started, in whatever form the system tells it.
    """

    host: str
    boot: str
    pid_space: str
    pid: int
    started: str

    def as_dict(self) -> Mapping[str, str | int]:
        """Return it for JSON; `parse` is the inverse."""
        return asdict(self)

    @classmethod
    def parse(cls, reader: JsonReader) -> "ProcessMark":
        """Return what `as_dict` gave.

        Raises:
            MalformedInputError: It is damaged.
        """
        return cls(
            reader.text("host"),
            reader.text("boot"),
            reader.text("pid_space"),
            reader.integer("pid"),
            reader.text("started"),
        )


def mark_process() -> ProcessMark:
    """Return the mark of this process."""
    pid = os.getpid()
    return ProcessMark(this_host(), _boot(), _pid_space(), pid, _started(pid) or "")


def is_alive(mark: ProcessMark) -> bool:
    """Return False when the process is surely gone; one that cannot be asked is not called dead on suspicion.

    Example:
        >>> is_alive(mark_process())
        True
    """
    if mark.host != this_host():
        return True
    if mark.boot != _boot():
        return False
    if mark.pid_space != _pid_space():
        return True
    return _started(mark.pid) == mark.started


def _boot() -> str:
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""


def _pid_space() -> str:
    with suppress(OSError):
        return str((_PROC / "self/ns/pid").readlink())
    return ""


def _started(pid: int) -> str | None:
    """Return when a process was started, None when there is no such process."""
    if not (_PROC / "self").exists():
        return _started_without_proc(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, and may itself hold brackets and spaces.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else rest[18]


def _started_without_proc(pid: int) -> str | None:
    answer = subprocess.run(  # noqa: S603 - a number, and no shell
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        env={"LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
