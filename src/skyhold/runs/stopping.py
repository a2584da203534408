"""Asking a run that goes on in another process of this machine to stop."""

import os
import signal

from skyhold.errors import ConflictError
from skyhold.runs.journal import JournalEntry
from skyhold.runs.liveness import is_alive, mark_process

__all__ = ["can_stop", "stop_run"]


def can_stop(entry: JournalEntry) -> bool:
    """Return whether `stop_run` reaches a run: it goes on, on this machine, in a process that is not this one."""
    if entry.running is None or entry.state != "running":
        return False
    here, there = mark_process(), entry.running.process
    return (here.host, here.boot, here.pid_space) == (there.host, there.boot, there.pid_space) and here.pid != there.pid


def stop_run(entry: JournalEntry) -> None:
    """Do what Ctrl-C does in the run's terminal; the run then ends in good order, and says so in the journal.

    Raises:
        ConflictError: It has ended, or its process is not of this machine.
    """
    if entry.running is None or not can_stop(entry) or not is_alive(entry.running.process):
        raise ConflictError(
            "it does not go on in another process of this machine",
            operation="stop",
            uri=entry.run_id,
            remedy="Press Ctrl-C where it runs; if it has ended, there is nothing to do",
        )
    os.kill(entry.running.process.pid, signal.SIGINT)
