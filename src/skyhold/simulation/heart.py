"""The heartbeat of a worker that is at work on a chunk."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from skyhold.errors import StorageError
from skyhold.simulation.claims import Claim, Claims
from skyhold.simulation.layout import CANCELLED

__all__ = ["Heart"]

_LOG = logging.getLogger("skyhold.simulation")


class Heart:
    """Beats in a thread of its own, and listens whether the campaign is cancelled.

    A store that does not answer is no reason to stop: at worst the lease ends, another worker does the same work, and
    the first to commit wins.

    Args:
        claims: Ours.
        claim: Of the chunk that we work on; None where there are no claims, and it only listens.
        beat_s: How often.
        count: Returns how many cases of the chunk have come to an end.
        on_cancel: Called when there is a wish to stop.
    """

    def __init__(
        self,
        claims: Claims,
        claim: Claim | None,
        beat_s: float,
        count: Callable[[], int],
        on_cancel: Callable[[], None],
    ) -> None:
        self._claims = claims
        self._claim = claim
        self._beat_s = beat_s
        self._count = count
        self._on_cancel = on_cancel
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skyhold-heart", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _is_due(self, claim: Claim) -> bool:
        """Return whether the claim was not just written by the worker, which does so to hear what others have taken."""
        return time.monotonic() - claim.written_s > self._beat_s / 2

    def _run(self) -> None:
        while not self._ended.wait(self._beat_s):
            try:
                if self._claim is not None and not self._claim.is_lost and self._is_due(self._claim):
                    self._claims.beat(self._claim, self._count())
                if self._claims.store.exists(CANCELLED):
                    self._on_cancel()
            except StorageError as error:
                _LOG.warning("a heartbeat was not heard: %s", error)
