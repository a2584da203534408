"""Work in other processes of this machine."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from skyhold.execution.threads import positive

__all__ = ["MultiProcessExecutor"]


class MultiProcessExecutor(ProcessPoolExecutor):
    """Does the work in processes, for validators in Python that hold the interpreter's lock.

    Processes are spawned, so a script that uses it keeps its work under ``if __name__ == "__main__":``.

    Args:
        max_workers: Processes; the number of processors if not given.
        batch_size: Rows that a pipe hands over at a time; None leaves it to the format.
    """

    def __init__(self, max_workers: int | None = None, *, batch_size: int | None = None) -> None:
        self.max_workers = positive("max_workers", max_workers) or os.cpu_count() or 1
        self.batch_size = positive("batch_size", batch_size)
        super().__init__(self.max_workers, mp_context=multiprocessing.get_context("spawn"))
