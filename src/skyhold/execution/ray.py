"""Work on a Ray cluster."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from importlib import import_module
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from skyhold.errors import ExecutorError, MissingExtraError
from skyhold.execution.elsewhere import SealedCall, call_sealed, lost_work, pass_on
from skyhold.execution.threads import positive
from skyhold.execution.waiting import wait_for

__all__ = ["RayExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

_RETRIES = 3


class RayExecutor(Executor):
    """Does the work on a Ray cluster, of this machine or of many.

    When a worker or its machine dies, Ray gives its work to another one, three times at most.

    Args:
        address: Of the cluster, such as ``"ray://10.0.0.5:10001"`` or ``"auto"``. Without it, it is what Ray is
            configured to use: the variable ``RAY_ADDRESS``, else a cluster of this machine. Where this process is
            connected already, that connection is used, and stays.
        batch_size: Rows that a pipe hands over at a time, where it is the pipe that reads; None leaves it to the
            format.
        **options: Further ones of ``ray.init``.

    Raises:
        MissingExtraError: The extra ``ray`` is not installed.
        ExecutorError: Nobody answers at the address.
    """

    workers_elsewhere = True

    def __init__(self, address: str | None = None, *, batch_size: int | None = None, **options: Any) -> None:
        self.batch_size = positive("batch_size", batch_size)
        self._ray = _load()
        self._is_own = not self._ray.is_initialized()
        if self._is_own:
            self._connect(address, options)
        self._remote = self._ray.remote(max_retries=_RETRIES)(call_sealed)
        self._futures: WeakSet[Future[Any]] = WeakSet()
        self._is_shut = False

    @property
    def max_workers(self) -> int:
        """How many pieces of work the cluster does at a time now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have ``fn`` called by a worker, and return the future of its result."""
        if self._is_shut:
            raise RuntimeError("the executor was shut down, and takes no more work")
        call = SealedCall(fn, args, kwargs)
        reference = self._remote.options(name=call.name).remote(call)
        future = pass_on(reference.future(), self._translate, partial(self._ray.cancel, reference))
        self._futures.add(future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster; a cluster that was started here ends.

        Args:
            wait: Wait for the work that was submitted; else it is cancelled.
            cancel_futures: Cancel it in any case.
        """
        self._is_shut = True
        futures = list(self._futures)
        if cancel_futures or not wait:
            for future in futures:
                future.cancel()
        wait_for(futures)
        if self._is_own and self._ray.is_initialized():
            self._ray.shutdown()

    def _connect(self, address: str | None, options: dict[str, Any]) -> None:
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, OSError) as error:
            raise ExecutorError(
                f"no Ray cluster answers at {address!r}: {error}",
                remedy="Start one: ray start --head; and name its address, such as ray://host:10001",
            ) from error

    def _translate(self, error: BaseException) -> BaseException:
        exceptions = self._ray.exceptions
        cause = getattr(error, "cause", None)
        if isinstance(error, exceptions.RayTaskError) and isinstance(cause, BaseException):
            return cause
        if not isinstance(error, exceptions.RayError):
            return error
        lost = lost_work(f"{type(error).__name__}, {str(error).strip().partition(chr(10))[0]}")
        lost.__cause__ = error
        return lost


def _load() -> Any:
    try:
        return import_module("ray")
    except ImportError as error:
        raise MissingExtraError.of("ray", "RayExecutor") from error
