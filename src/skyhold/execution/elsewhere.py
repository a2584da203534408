"""What executors on other machines share: calls that show nothing of what they carry, and failures with a name."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from skyhold.errors import ExecutorError
from skyhold.execution.threads import SingleThreadExecutor

__all__ = [
    "SealedCall",
    "call_sealed",
    "cancel",
    "is_elsewhere",
    "is_here",
    "lost_work",
    "pass_on",
    "result_of",
    "workers_of",
]

T = TypeVar("T")
Translate = Callable[[BaseException], BaseException]


class SealedCall:
    """A call on its way to another machine. Clusters show and log what they are given; of this one, its name.

    Args:
        fn: What to call.
        args: Its arguments.
        kwargs: Those by name.

    Example:
        >>> call = SealedCall(max, (2, 3), {})
        >>> call, call_sealed(call)
        (<max>, 3)
    """

    def __init__(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.name: str = getattr(fn, "__name__", type(fn).__name__)
        self._call = (fn, args, kwargs)

    def __call__(self) -> Any:
        fn, args, kwargs = self._call
        return fn(*args, **kwargs)

    def __repr__(self) -> str:
        """Show its name alone."""
        return f"<{self.name}>"


def call_sealed(call: SealedCall) -> Any:
    """Make the call; this is the function that clusters get."""
    return call()


def lost_work(found: str) -> ExecutorError:
    """Return the error of work that no worker has done."""
    return ExecutorError(
        f"the executor gave work up: {found}",
        remedy="Look at the workers and their scheduler, then run it again: what is finished is kept",
    )


def result_of(future: Future[T]) -> T:
    """Return the result of a future that is done.

    Raises:
        ExecutorError: Nobody did the work.
        Exception: What the work itself raised.

    Example:
        >>> result_of(SingleThreadExecutor().submit(max, 1, 2))
        2
    """
    try:
        return future.result()
    except CancelledError as error:
        raise lost_work(str(error) or "it was cancelled") from error
    except BrokenExecutor as error:
        raise lost_work(str(error) or type(error).__name__) from error


def cancel(future: Future[Any]) -> bool:
    """Cancel work that has not begun; return whether it will not be done.

    Futures of some libraries, Parsl's among them, cannot be cancelled and raise instead.

    Example:
        >>> cancel(SingleThreadExecutor().submit(max, 1, 2))
        False
    """
    try:
        return future.cancel()
    except NotImplementedError:
        return False


def pass_on(inner: Future[Any], translate: Translate, cancel: Callable[[], object]) -> Future[Any]:
    """Return a future that ends as another does, with its error translated.

    Args:
        inner: The cluster's own.
        translate: From an error of the cluster to ours; other errors it returns as they are.
        cancel: Tells the cluster that nobody waits any more.
    """
    outer: Future[Any] = Future()

    def settle(done: Future[Any]) -> None:
        with suppress(InvalidStateError):  # it was cancelled meanwhile
            if done.cancelled():
                outer.set_exception(lost_work("its scheduler does not know it any more"))
            elif (error := done.exception()) is not None:
                outer.set_exception(translate(error))
            else:
                outer.set_result(done.result())

    def forget(done: Future[Any]) -> None:
        if done.cancelled():
            done.set_running_or_notify_cancel()  # else those who wait for it do not hear
            cancel()

    outer.add_done_callback(forget)
    inner.add_done_callback(settle)
    return outer


def is_here(executor: Executor) -> bool:
    """Return whether its workers are threads of this process."""
    return isinstance(executor, SingleThreadExecutor | ThreadPoolExecutor)


def is_elsewhere(executor: Executor) -> bool:
    """Return whether its workers may be on other machines, so that they had better read and write themselves."""
    return bool(getattr(executor, "workers_elsewhere", False))


def workers_of(executor: Executor) -> int:
    """Return how many pieces of work it does at a time, as far as it tells.

    Example:
        >>> workers_of(SingleThreadExecutor())
        1
    """
    return getattr(executor, "max_workers", None) or getattr(executor, "_max_workers", None) or 1
