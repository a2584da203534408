"""Work on a Dask cluster."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from importlib import import_module
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from skyhold.errors import BadOptionError, ExecutorError, MissingExtraError
from skyhold.execution.elsewhere import SealedCall, call_sealed, lost_work, pass_on
from skyhold.execution.threads import positive

__all__ = ["DaskExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


class DaskExecutor(Executor):
    """Does the work on a Dask cluster, of this machine or of many.

    When a worker dies, the scheduler gives its work to another one, as often as its setting
    ``distributed.scheduler.allowed-failures`` says. The keys of tasks, which Dask's dashboard shows, hold a name and a
    number, and nothing of what the work is about.

    Args:
        address: The scheduler's, such as ``"tcp://10.0.0.5:8786"``. Without it, and without a client, it is what Dask
            is configured to use: the variable ``DASK_SCHEDULER_ADDRESS``, else a cluster of processes of this machine.
        client: A ``distributed.Client`` of one's own; it stays open at the end.
        batch_size: Rows that a pipe hands over at a time, where it is the pipe that reads; None leaves it to the
            format.

    Raises:
        MissingExtraError: The extra ``dask`` is not installed.
        BadOptionError: Both an address and a client are given.
        ExecutorError: Nobody answers at the address.
    """

    workers_elsewhere = True

    def __init__(self, address: str | None = None, *, client: Any = None, batch_size: int | None = None) -> None:
        if address is not None and client is not None:
            raise BadOptionError("a client has an address already", remedy="Give address= or client=, not both")
        self.batch_size = positive("batch_size", batch_size)
        self._distributed = _load()
        self._is_own = client is None
        self._client = self._connect(address) if client is None else client
        self._executor = self._client.get_executor(pure=False)

    @property
    def max_workers(self) -> int:
        """How many pieces of work the cluster does at a time now."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have ``fn`` called by a worker, and return the future of its result."""
        call = SealedCall(fn, args, kwargs)
        inner: Future[Any] = self._executor.submit(call_sealed, call, key=f"{call.name}-{uuid4().hex}")
        return pass_on(inner, self._translate, inner.cancel)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster; a cluster that was started here ends.

        Args:
            wait: Wait for the work that was submitted; else it is cancelled.
            cancel_futures: Cancel it in any case.
        """
        self._executor.shutdown(wait=wait and not cancel_futures)
        if self._is_own:
            self._client.close()

    def _connect(self, address: str | None) -> Any:
        try:
            return self._distributed.Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"no Dask scheduler answers at {address!r}: {error}",
                remedy="Start one: dask scheduler; and name its address, such as tcp://host:8786",
            ) from error

    def _translate(self, error: BaseException) -> BaseException:
        if not isinstance(error, self._distributed.KilledWorker):
            return error
        lost = lost_work(f"its workers died again and again, the last at {_address_of(error)}")
        lost.__cause__ = error
        return lost


def _address_of(error: Any) -> str:
    return str(getattr(error.last_worker, "address", error.last_worker))


def _load() -> Any:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise MissingExtraError.of("dask", "DaskExecutor") from error
