"""``--executor`` and ``--shards``: who does the work, and in how many parts."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

from cyclopts import Parameter

from skyhold.errors import BadOptionError
from skyhold.execution.threads import MultiThreadExecutor, SingleThreadExecutor

__all__ = ["Working", "open_executor", "parse_shards"]

_PIECE_ROWS = 65_536  # Ctrl-C waits for the piece that is being validated


@Parameter(name="*")
@dataclass(frozen=True)
class Working:
    """Who does the work.

    Attributes:
        workers: Threads or processes that validate; the number of processors if not given.
        executor: Who validates: threads, processes, or a cluster: dask://host:8786, ray://host:10001, and dask or ray
            for the one that is configured on this machine.
        shards: Into how many parts the input is divided, each read and written by a worker itself; auto goes by the
            executor, as clusters do if it is not given.
    """

    workers: int | None = None
    executor: str = "threads"
    shards: str = ""


def open_executor(working: Working) -> Executor:
    """Return what ``--executor`` means, to be shut down at the end.

    Args:
        working: What was asked for.

    Raises:
        BadOptionError: It means nothing, or is a cluster, which has the workers that it has.
        MissingExtraError: The cluster's library is not installed.
        ExecutorError: The cluster does not answer.

    Example:
        >>> open_executor(Working(workers=1)).max_workers
        1
    """
    name, workers = working.executor, working.workers
    if workers is not None and workers < 1:
        raise BadOptionError(f"--workers {workers} is less than 1")
    if name == "threads":
        one = SingleThreadExecutor(batch_size=_PIECE_ROWS)
        return one if workers == 1 else MultiThreadExecutor(workers, batch_size=_PIECE_ROWS)
    if name == "processes":
        from skyhold.execution.processes import MultiProcessExecutor  # noqa: PLC0415 - few ask for it

        return MultiProcessExecutor(workers, batch_size=_PIECE_ROWS)
    kind, has_address, address = name.partition("://")
    if kind not in ("dask", "ray") or (has_address and not address):
        raise BadOptionError(
            f"--executor {name!r} is none that there is",
            remedy="Write threads, processes, dask://host:8786 or ray://host:10001",
        )
    if workers is not None:
        raise BadOptionError(f"--workers {workers}: a cluster has the workers that it has", remedy="Leave it out")
    if kind == "dask":
        from skyhold.execution.dask import DaskExecutor  # noqa: PLC0415 - few ask for it

        return DaskExecutor(f"tcp://{address}" if address else None, batch_size=_PIECE_ROWS)
    from skyhold.execution.ray import RayExecutor  # noqa: PLC0415 - few ask for it

    return RayExecutor(name if address else None, batch_size=_PIECE_ROWS)


def parse_shards(text: str) -> int | Literal["auto"] | None:
    """Return what ``--shards`` means.

    Raises:
        BadOptionError: It is neither a number of parts nor ``auto``.

    Example:
        >>> parse_shards("8"), parse_shards("auto"), parse_shards("")
        (8, 'auto', None)
    """
    if not text:
        return None
    if text == "auto":
        return "auto"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise BadOptionError(f"--shards {text!r} is neither a number of parts nor auto", remedy="Write --shards 8")
