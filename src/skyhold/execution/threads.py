"""Work in this process: in the calling thread, or in several."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["MultiThreadExecutor", "SingleThreadExecutor", "positive"]

P = ParamSpec("P")
T = TypeVar("T")


class SingleThreadExecutor(Executor):
    """Does each piece of work at once, in the thread that submits it.

    Args:
        batch_size: Rows that a pipe hands over at a time; None leaves it to the format.
    """

    max_workers = 1

    def __init__(self, *, batch_size: int | None = None) -> None:
        self.batch_size = positive("batch_size", batch_size)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` now, and return its finished future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - a future carries any error to its reader
            future.set_exception(error)
        return future


class MultiThreadExecutor(ThreadPoolExecutor):
    """Does the work in threads; Arrow's kernels and all requests run in parallel there.

    Args:
        max_workers: Threads; the number of processors if not given.
        batch_size: Rows that a pipe hands over at a time; None leaves it to the format.
    """

    def __init__(self, max_workers: int | None = None, *, batch_size: int | None = None) -> None:
        self.max_workers = positive("max_workers", max_workers) or os.cpu_count() or 1
        self.batch_size = positive("batch_size", batch_size)
        super().__init__(self.max_workers, thread_name_prefix="skyhold-worker")


def positive(name: str, value: int | None) -> int | None:
    """Return an option that is at least 1, or None."""
    if value is not None and value < 1:
        raise ValueError(f"{name} must be at least 1, found {value}")
    return value
