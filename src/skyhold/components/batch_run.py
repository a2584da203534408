"""Many components at a time, each with a result of its own."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.errors import SkyholdError, TransferError
from skyhold.execution.threads import positive
from skyhold.execution.waiting import wait_for
from skyhold.runs.event import Listener
from skyhold.runs.recording import RunRecorder, record_run

__all__ = ["Batch", "BatchItem", "BatchResult", "Work"]

_WORKERS = 16
_WORKERS_FOR_SMALL = 64
_SMALL_BYTES = 1024 * 1024

Work = Callable[[RunRecorder], Version]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one component.

    Attributes:
        component: Its id.
        path: The file or folder on this side, where there is one.
        version: The version that was published or brought; None where it failed.
        error: Why it failed.
    """

    component: str
    path: Path | None = None
    version: Version | None = None
    error: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it was done."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of all of them, in the order in which they were asked for.

    Example:
        >>> result = BatchResult("upload", (BatchItem("a.stl"), BatchItem("b.stl", error=OSError("disk full"))))
        >>> result.all_succeeded, [item.component for item in result.failed]
        (False, ['b.stl'])
        >>> print(result)
        upload: 1 of 2 components; failed: 'b.stl' (disk full)
    """

    operation: str
    items: tuple[BatchItem, ...]

    def __iter__(self) -> Iterator[BatchItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def succeeded(self) -> tuple[BatchItem, ...]:
        """Those that were done."""
        return tuple(item for item in self.items if item.succeeded)

    @property
    def failed(self) -> tuple[BatchItem, ...]:
        """Those that were not."""
        return tuple(item for item in self.items if not item.succeeded)

    @property
    def all_succeeded(self) -> bool:
        """Whether all were done."""
        return not self.failed

    def raise_for_failures(self) -> None:
        """Raise if any failed.

        Raises:
            TransferError: With the error of each that failed, by component.
        """
        failures = {item.component: item.error for item in self.items if item.error is not None}
        if failures:
            raise TransferError(
                str(self),
                failures=failures,
                operation=self.operation,
                remedy="Correct the cause and run it again; what was done is complete",
            )

    def __str__(self) -> str:
        done = f"{self.operation}: {len(self.succeeded)} of {len(self.items)} components"
        if self.all_succeeded:
            return done
        shown = [f"{item.component!r} ({item.error})" for item in self.failed[:3]]
        more = f" and {len(self.failed) - 3} more" if len(self.failed) > 3 else ""  # noqa: PLR2004 - as many as shown
        return f"{done}; failed: {', '.join(shown)}{more}"


class Batch:
    """Does the work of many components, several at a time, as one run; all are tried.

    Args:
        operation: What is done.
        library: Whose components.
        max_workers: How many at a time; as many as suit the sizes if not given.
        largest_bytes: How much of one component is held in memory at most, where that is known.
        check: Raise at the end if any failed.
        on_progress: Told how it goes on.

    Attributes:
        library: Whose components.
        counted: The same; while the work is done, the run counts its requests.
    """

    def __init__(
        self,
        operation: str,
        library: Library,
        *,
        max_workers: int | None = None,
        largest_bytes: int | None = None,
        check: bool = True,
        on_progress: Listener | None = None,
    ) -> None:
        self.operation = operation
        self.library = self.counted = library
        # Small ones wait for answers nearly all the time; large ones fill memory.
        suitable = _WORKERS if largest_bytes is None or largest_bytes > _SMALL_BYTES else _WORKERS_FOR_SMALL
        self._max_workers = positive("max_workers", max_workers) or suitable
        self._check = check
        self._listeners = [on_progress] if on_progress else []

    def run(self, tasks: Sequence[tuple[BatchItem, Work | None]], **asked: object) -> BatchResult:
        """Do it, and return what became of each.

        Args:
            tasks: Each component, and its work; None where its item has an error already.
            **asked: What was asked for, for the receipt.

        Raises:
            TransferError: Some failed, and it was to be checked.
        """
        with record_run(
            f"components {self.operation}",
            f"{self.operation} {len(tasks)} components",
            asked={"library": self.library.uri, **asked},
            unit="components",
            total=len(tasks),
            listeners=self._listeners,
        ) as run:
            self.counted = self.library.over(run.metered(self.library.store))
            result = BatchResult(self.operation, tuple(self._do_all(tasks, run)))
            if self._check:
                result.raise_for_failures()
        return result

    def _do_all(self, tasks: Sequence[tuple[BatchItem, Work | None]], run: RunRecorder) -> Generator[BatchItem]:
        with ThreadPoolExecutor(self._max_workers, thread_name_prefix="skyhold-batch") as pool:
            try:
                waiting = [pool.submit(_attempt, item, work, run) for item, work in tasks]
                wait_for(waiting)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        yield from (future.result() for future in waiting)


def _attempt(item: BatchItem, work: Work | None, run: RunRecorder) -> BatchItem:
    if work is not None:
        try:
            item = BatchItem(item.component, item.path, work(run))
        except (SkyholdError, OSError) as error:
            item = BatchItem(item.component, item.path, error=error)
    run.progress.advance(1, **({} if item.succeeded else {"failed": 1}))
    return item
