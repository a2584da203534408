"""Runs of an engine, each in a process of its own, ended with whoever asked for them."""

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from skyhold.config import environment
from skyhold.errors import EngineError
from skyhold.simulation.simulator import Watch

__all__ = ["EngineProcess", "Exit"]

_CHILD = Path(__file__).with_name("engine_child.py")
_TICK_S = 0.05
_GRACE_S = 10.0
_KEPT_VARIABLES = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR")
"""What an engine sees of the environment: some variables change what it computes, and it needs no secrets."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run's process ended.

    Attributes:
        code: Its exit code, negative for a signal; None when nobody was left to tell.
        cause: Whether it ended by itself, or who ended it.
    """

    code: int | None
    cause: Literal["itself", "timeout", "stop"] = "itself"


class EngineProcess:
    """A process that has loaded an engine and starts a process for each run; several threads may share it.

    When this process ends, in whatever way, that one ends with all its runs.

    Args:
        python: The Python that runs it.
        library: The folder of pyenergyplus; None where a program is run.
        program: The program of an installed engine.
    """

    def __init__(self, python: str, *, library: str | None = None, program: str | None = None) -> None:
        self._program = program
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._control, theirs = socket.socketpair()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        arguments = [str(os.getpid()), str(theirs.fileno()), *([library] if library else [])]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own program, and no shell
                    [python, "-I", "-S", str(_CHILD), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=self._complaints,
                    stderr=self._complaints,
                    env={name: value for name, value in environment().items() if name in _KEPT_VARIABLES},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            self._control.close()
            self._complaints.close()
            raise EngineError(f"cannot start {python!r}, which is to run the engine: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, arguments: Sequence[str], *, folder: Path, log: Path, watch: Watch) -> Exit:
        """Run the engine in a folder, and return when nothing of it is left.

        Args:
            arguments: Of its command line.
            folder: Its working folder.
            log: What it prints is added there.
            watch: When to end it, and who is told of progress.

        Raises:
            EngineError: It could not be started.
        """
        request = {
            "arguments": list(arguments),
            "folder": str(folder.absolute()),
            "log": str(log.absolute()),
            "program": self._program,
            "progress": watch.on_progress is not None,
        }
        with self._channel(request) as channel:
            return self._follow(channel, watch)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for another run."""
        return os.getpid() == self._owner and self._process.poll() is None

    def close(self) -> None:
        """End it, and all runs; a fork of the process that began it only lets go of it."""
        if os.getpid() != self._owner:
            self._control.close()
            return
        # Such a fork holds the socket too: closing it here would not be seen at the other end.
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    @contextmanager
    def _channel(self, request: Mapping[str, Any]) -> Generator[socket.socket]:
        mine, theirs = socket.socketpair()
        with mine:
            with theirs:
                try:
                    mine.sendall(json.dumps(request).encode() + b"\n")
                    with self._lock:
                        socket.send_fds(self._control, [b"r"], [theirs.fileno()])
                except OSError as error:
                    raise self._lost() from error
            try:
                yield mine
            except BaseException:
                # Nobody is listening any more: end the run here too, before its folder is taken away.
                _finish(mine)
                raise

    def _follow(self, channel: socket.socket, watch: Watch) -> Exit:
        deadline = None if watch.timeout_s is None else time.monotonic() + watch.timeout_s
        for event in _events(channel):
            if "exit" in event:
                return Exit(event["exit"])
            if "share" in event and watch.on_progress:
                watch.on_progress(event["share"], event["at"])
            if watch.stop.is_set():
                return Exit(_finish(channel), "stop")
            if deadline is not None and time.monotonic() >= deadline:
                return Exit(_finish(channel), "timeout")
            if not event and self._process.poll() is not None:
                break
        # The process between is gone. It took its runs with it; why it went matters where it never was at work.
        with suppress(subprocess.TimeoutExpired):
            if self._process.wait(_GRACE_S) > 0:
                raise self._lost()
        return Exit(None)

    def _lost(self) -> EngineError:
        if self._complaints.closed:
            return EngineError("the process that runs engines was closed")
        code = self._process.wait(_GRACE_S)
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        return EngineError(f"the process that runs engines ended with {code}{': ' + said[-1] if said else ''}")


def _events(channel: socket.socket) -> Generator[dict[str, Any]]:
    """Give what the run tells, and an empty event in each tick in which it tells nothing; end when it is gone."""
    channel.settimeout(_TICK_S)
    rest = b""
    while True:
        try:
            received = channel.recv(65536)
        except TimeoutError:
            yield {}
            continue
        except ConnectionError:
            return
        if not received:
            return
        *lines, rest = (rest + received).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _finish(channel: socket.socket) -> int | None:
    """End a run, wait until it is gone, and return its exit code."""
    with suppress(OSError):
        channel.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + _GRACE_S
    for event in _events(channel):
        if "exit" in event:
            return event["exit"]
        if time.monotonic() > deadline:
            break
    return None
