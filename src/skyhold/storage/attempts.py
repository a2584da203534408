"""Trying again: what is repeated, how often, how long.

Only the class of an error decides. `NetworkError` and its children are tried again with exponential back-off and full
jitter; everything else is final. While an endpoint has never answered in this process, patience is short: a mistyped
endpoint is told in three seconds, not in three minutes.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from skyhold.errors import NetworkError, StorageError, StoreTimeoutError, UnreachableError
from skyhold.storage.objects import Observer, Operation, RequestClass

__all__ = ["Attempts", "Result", "RetryPolicy", "tell"]

_LOG = logging.getLogger("skyhold.storage")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a store is.

    Attributes:
        max_attempts: Attempts at one operation, the first included.
        total_s: No new attempt is begun later than this after the first.
        first_delay_s: Upper bound of the first pause; it doubles up to ``max_delay_s``.
        max_delay_s: Longest pause.
        unreached_s: ``total_s`` while the endpoint has never answered.
    """

    max_attempts: int = 8
    total_s: float = 120.0
    first_delay_s: float = 0.1
    max_delay_s: float = 10.0
    unreached_s: float = 2.5

    def pause_s(self, attempt: int) -> float:
        """Return how long to wait after the ``attempt``-th failure: full jitter over a doubling bound."""
        bound = min(self.max_delay_s, self.first_delay_s * 2 ** (attempt - 1))
        return random.uniform(bound / 2, bound)  # noqa: S311 - jitter, not a secret


@dataclass(slots=True)
class Result:
    """What one attempt moved; the attempt fills it in before it returns or raises."""

    requests: int = 1
    bytes_in: int = 0
    bytes_out: int = 0


class Attempts:
    """Runs operations of one connection: repeats, measures, logs, tells observers.

    Shared by all views of a connection, so that one success anywhere means "the endpoint answers".

    Args:
        policy: How patient.
        charged: Whether a service counts these requests.
    """

    def __init__(self, policy: RetryPolicy, *, charged: bool = True) -> None:
        self.policy = policy
        self._charged = charged
        self._reached = False

    def run(
        self,
        verb: str,
        uri: str,
        work: Callable[[Result], T],
        *,
        request_class: RequestClass,
        observers: tuple[Observer, ...] = (),
    ) -> T:
        """Do ``work`` until it succeeds, fails for good, or patience ends; raise its last error."""
        begun = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.once(verb, uri, work, request_class=request_class, observers=observers, attempt=attempt)
            except NetworkError:
                self.pause(attempt, begun)

    def once(
        self,
        verb: str,
        uri: str,
        work: Callable[[Result], T],
        *,
        request_class: RequestClass,
        observers: tuple[Observer, ...] = (),
        attempt: int = 1,
    ) -> T:
        """Do ``work`` one time, measured, logged and told to observers."""
        result = Result()
        error_name = ""
        begun = time.perf_counter()
        try:
            value = work(result)
        except BaseException as error:
            error_name = type(error).__name__
            if isinstance(error, StorageError) and not isinstance(error, UnreachableError | StoreTimeoutError):
                self._reached = True
            raise
        else:
            self._reached = True
            return value
        finally:
            if observers or _LOG.isEnabledFor(logging.DEBUG):
                operation = Operation(
                    verb=verb,
                    uri=uri,
                    request_class=request_class,
                    requests=result.requests,
                    bytes_in=result.bytes_in,
                    bytes_out=result.bytes_out,
                    duration_ms=(time.perf_counter() - begun) * 1000,
                    attempt=attempt,
                    error=error_name,
                    charged=self._charged,
                )
                tell(operation, observers)

    def pause(self, failures: int, begun: float) -> None:
        """Wait before the next attempt, or raise the error being handled when patience has ended.

        Args:
            failures: How many attempts have failed so far.
            begun: When the first began, by ``time.monotonic()``.
        """
        pause_s = self.policy.pause_s(failures)
        if failures >= self.policy.max_attempts or time.monotonic() + pause_s - begun > self._patience_s():
            raise  # noqa: PLE0704 - called from the handler of the attempt's error
        time.sleep(pause_s)

    def _patience_s(self) -> float:
        return self.policy.total_s if self._reached else min(self.policy.unreached_s, self.policy.total_s)


def tell(operation: Operation, observers: tuple[Observer, ...]) -> None:
    """Log an operation at DEBUG, and hand it to the observers."""
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug(
            "%s %s: %d in, %d out, %.1f ms, attempt %d%s",
            operation.verb,
            operation.uri,
            operation.bytes_in,
            operation.bytes_out,
            operation.duration_ms,
            operation.attempt,
            f", {operation.error}" if operation.error else "",
        )
    for observer in observers:
        observer(operation)
