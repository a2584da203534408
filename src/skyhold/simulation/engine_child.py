"""The process that runs engines: it starts each run in a process of its own, and none outlives who asked for it.

A program, not a module: ``python -I -S engine_child.py PARENT CONTROL [FOLDER]``, for any Python from 3.9 on, with
nothing but the standard library and, where ``FOLDER`` holds it, pyenergyplus. ``PARENT`` is the process that asked,
``CONTROL`` a socket. Each byte on it brings a socket of its own for one run. On that one comes a line of JSON,

    {"arguments": [...], "folder": "...", "log": "...", "program": null, "progress": true}

and there go lines of JSON: ``{"share": 0.25, "at": "04/01"}`` as the run gets on, if that is asked for, and
``{"exit": 0}`` at its end. Closing either socket ends what was asked there.

It has one thread: the library is loaded once, and forked for each run with nothing else going on.
"""

import ctypes
import datetime as dt
import importlib
import json
import os
import pty
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 1.0
_GROUP_S = 5.0
_PAUSE_S = 0.002
_BROKEN = 70
"""What a run ends with that could not be started; engines end with 0 or 1."""

_ALL = 100
_SIZING_PERIOD = re.compile(r"for Sizing Period: #(\d+)")
_DATE = re.compile(r"(Starting|Continuing) Simulation at (\d\d)/(\d\d)(?:/(\d{4}))? for ")


class Supervisor:
    """Starts runs, ends them when nobody wants them any more, and tells how they ended."""

    def __init__(self, parent: int, control: socket.socket) -> None:
        self.parent = parent
        self.control = control
        self.library: Library | None = None
        self.runs: dict[int, socket.socket] = {}
        # A signal is a byte in this pipe, so that one `select` waits for everything.
        self.signals, wake = os.pipe()
        for end in (self.signals, wake):
            os.set_blocking(end, False)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, _ignore)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Work until the parent closes the control socket, or is gone."""
        while self.is_wanted():
            ready = select.select([self.control, self.signals, *self.runs.values()], [], [], _TICK_S)[0]
            if self.signals in ready and signal.SIGTERM in os.read(self.signals, 512):
                return
            for pid, channel in self.runs.items():
                if channel in ready:
                    _end(pid)
            self.reap()
            if self.control in ready and not self.accept():
                return

    def is_wanted(self) -> bool:
        """Whether the parent lives: the death of one of its threads sends the same signal as its own."""
        return os.getppid() == self.parent

    def accept(self) -> bool:
        """Start a run; return False when none will come any more."""
        byte, fds, *_ = socket.recv_fds(self.control, 1, 1)
        if not byte:
            return False
        channel = socket.socket(fileno=fds[0])
        with channel.makefile("rb") as reader:
            line = reader.readline()
        if not line.endswith(b"\n"):
            channel.close()
            return True
        mine = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                self.enter(json.loads(line), channel, mine)
            finally:
                os._exit(_BROKEN)
        self.runs[pid] = channel
        return True

    def enter(self, request: dict[str, Any], channel: socket.socket, supervisor: int) -> None:
        """Become the run."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            return
        for other in (self.control, *self.runs.values()):
            other.close()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for number in (1, 2):
            os.dup2(log, number)
        os.chdir(request["folder"])
        progress = None
        if request["progress"]:
            progress = Progress(_teller(channel), design_days_only="-D" in request["arguments"])
        if request["program"]:
            os._exit(run_program(request["program"], request["arguments"], progress))
        assert self.library, "asked for a program or a library"
        os._exit(self.library.run(request["arguments"], progress))

    def reap(self) -> None:
        """Tell of the runs that have ended."""
        for pid in list(self.runs):
            # Not yet reaped, its number still names its group: what it may have left there goes first.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _end(pid)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            _await_group(pid)
            with self.runs.pop(pid) as channel:
                _teller(channel)({"exit": code})

    def close(self) -> None:
        """End all runs."""
        for pid in self.runs:
            _end(pid)


class Progress:
    """Tells how far a run is, from what the engine says of itself.

    The library gives a percentage each day. It counts the days of every period that the model lists, asked for or
    not: right for a year, and useless for design days, so those are counted here. A program prints dates, each week
    or month, and not where it will end: the share supposes the end of the year.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None], *, design_days_only: bool) -> None:
        self.tell = tell
        self.design_days_only = design_days_only
        self.is_given = False
        self.design_days = 0
        self.begun = 0
        self.first = dt.date.min
        self.share = 0.0

    def on_line(self, line: str) -> None:
        """Take in a line of output."""
        if sizing := _SIZING_PERIOD.search(line):
            self.design_days = max(self.design_days, int(sizing[1]))
        elif (found := _DATE.match(line)) and (self.design_days_only or not self.is_given):
            day = f"{found[2]}/{found[3]}"
            if found[4]:
                self.on_day(self.share_of_year(found), day)
            else:
                self.begun += 1
                self.on_day((self.begun - 1) / max(self.begun, self.design_days) * self.design_days_only, day)

    def share_of_year(self, found: re.Match[str]) -> float:
        """Return how much of the way from the first day to the year's end is done."""
        try:
            day = dt.date(int(found[4]), int(found[2]), int(found[3]))
        except ValueError:  # 29 February of a year that the weather file calls by another number
            return self.share
        if found[1] == "Starting":
            self.first = day
        return (day - self.first).days / ((dt.date(self.first.year, 12, 31) - self.first).days + 1)

    def on_percent(self, percent: int, day: str) -> None:
        """Take in the engine's own figure."""
        self.is_given = True
        # It gives 100 whenever it ends, also where it fails.
        if not self.design_days_only and percent < _ALL:
            self.on_day(percent / 100, day)

    def on_day(self, share: float, day: str) -> None:
        """Tell it, never less than before."""
        self.share = max(self.share, min(share, 1.0))
        self.tell({"share": self.share, "at": day})


class Library:
    """The engine as it lies beside pyenergyplus, ready for one run: which is made in a fork, so that it stays ready.

    A fresh state costs more than loading does.
    """

    def __init__(self, folder: str) -> None:
        sys.path.append(folder)
        self.api = importlib.import_module("pyenergyplus.api").EnergyPlusAPI()
        self.state = self.api.state_manager.new_state()

    def run(self, arguments: list[str], progress: "Progress | None") -> int:
        """Run the engine in this process, and return its code."""
        runtime, state = self.api.runtime, self.state

        def on_message(line: bytes) -> None:
            # The engine's own way is buffered, and a crash would lose the last lines.
            os.write(1, line + b"\n")
            if progress:
                progress.on_line(line.decode("utf-8", "replace"))

        if progress:
            self.follow(progress)
        runtime.callback_message(state, on_message)
        runtime.set_console_output_status(state, False)
        code = runtime.run_energyplus(state, arguments)
        ctypes.CDLL(None).fflush(None)
        return code

    def follow(self, progress: Progress) -> None:
        """Let the engine tell each day."""
        exchange, state = self.api.exchange, self.state

        def on_progress(percent: int) -> None:
            month, day = exchange.month(state), exchange.day_of_month(state)
            if month:
                progress.on_percent(percent, f"{month:02d}/{day:02d}")

        self.api.runtime.callback_progress(state, on_progress)


def run_program(program: str, arguments: list[str], progress: "Progress | None") -> int:
    """Run an installed engine below this process, and end as it does."""
    # To a terminal it writes line by line; to a file or a pipe, by kilobytes.
    reader, writer = pty.openpty()
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent(signal.SIGKILL)
            for number in (1, 2):
                os.dup2(writer, number)
            os.execv(program, [program, *arguments])  # noqa: S606 - no shell is wanted
        finally:
            os._exit(_BROKEN)
    os.close(writer)
    with suppress(OSError), os.fdopen(reader, "rb") as lines:
        for line in lines:
            text = line.rstrip(b"\r\n")
            os.write(1, text + b"\n")
            if progress:
                progress.on_line(text.decode("utf-8", "replace"))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


def die_with_parent(number: int) -> None:
    """Ask for a signal when the parent is gone; elsewhere than on Linux, the sockets must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of what a run leaves behind, to see it end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _teller(channel: socket.socket) -> Callable[[dict[str, Any]], None]:
    def tell(event: dict[str, Any]) -> None:
        # Who does not listen any more has closed the channel, and the run is about to be ended.
        with suppress(OSError):
            channel.sendall(json.dumps(event).encode() + b"\n")

    return tell


def _end(pid: int) -> None:
    """End a run and all that it started, also before it has made its group."""
    for kill in (os.kill, os.killpg):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _await_group(leader: int) -> None:
    """Wait until nobody is left of a group that was ended: a kill takes its time."""
    deadline = time.monotonic() + _GROUP_S
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-leader, os.WNOHANG)[0] == 0:
                time.sleep(_PAUSE_S)


def _ignore(number: int, frame: Any) -> None:
    """Let the signal only wake the loop."""


def main() -> None:
    """Serve the process that is named on the command line."""
    parent, control = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(signal.SIGUSR1)
    adopt_orphans()
    supervisor = Supervisor(parent, socket.socket(fileno=control))
    if len(sys.argv) > 3:  # noqa: PLR2004 - the program, and two arguments
        supervisor.library = Library(sys.argv[3])
    try:
        supervisor.serve()
    finally:
        supervisor.close()


if __name__ == "__main__":
    main()
