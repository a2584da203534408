"""Starting the workers of one call, and adding up what they spent."""

import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from skyhold.errors import BadOptionError
from skyhold.execution.elsewhere import cancel, is_here, result_of
from skyhold.execution.waiting import completed
from skyhold.runs.receipt import Receipt
from skyhold.runs.recording import RunRecorder
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.worker import WorkReport, work
from skyhold.storage.contract import Store
from skyhold.storage.pricing import estimate_cost
from skyhold.storage.wrappers.metered import Usage

__all__ = ["add_usage", "run_workers"]


def run_workers(
    store: Store,
    executor: Executor | None,
    workers: int,
    simulator: Simulator,
    stop: threading.Event,
    run: RunRecorder,
    cache: ResultCache | bool | None = None,
) -> list[WorkReport]:
    """Start workers and wait for them; when one fails, the others are stopped.

    Args:
        store: The campaign's.
        executor: Where they run; threads of this process if not given.
        workers: How many.
        simulator: Runs the cases.
        stop: Set to end soon.
        run: Told of each case.
        cache: Results that the machines of the workers know already.

    Raises:
        BadOptionError: There are none, or they would not see the campaign's store.
        ConfigError: Secrets that were given as options would have to travel.
        ExecutorError: The executor gave one up.
    """
    if workers < 1:
        raise BadOptionError(f"workers={workers} is less than 1")
    if executor is not None:
        return _run_elsewhere(store, executor, workers, simulator, run, cache)

    def note(outcome: Outcome) -> None:
        run.progress.advance(1, **({"cases_failed": 1} if outcome.failure else {"cases_done": 1}))

    with ThreadPoolExecutor(workers, thread_name_prefix="skyhold-worker") as threads:
        try:
            futures = [
                threads.submit(
                    work,
                    store,
                    simulator=simulator,
                    shard=shard,
                    among=workers,
                    stop=stop,
                    cache=cache,
                    on_case=note,
                )
                for shard in range(workers)
            ]
            return list(_reports(futures, lambda _: None))
        except BaseException:
            stop.set()
            raise


def _run_elsewhere(
    store: Store,
    executor: Executor,
    workers: int,
    simulator: Simulator,
    run: RunRecorder,
    cache: ResultCache | bool | None,
) -> list[WorkReport]:
    if not is_here(executor) and not store.is_shared:
        raise BadOptionError(
            f"other processes do not see what lies in {store.uri!r}",
            remedy="Keep the campaign in a bucket or a folder, or let threads work on it",
        )
    if not is_here(executor):
        with suppress(pickle.PicklingError, AttributeError, TypeError):  # clusters can send more than this can
            pickle.dumps((store, simulator))  # a secret is refused here: they would say something else
    futures = [
        executor.submit(work, store, simulator=simulator, shard=shard, among=workers, cache=cache)
        for shard in range(workers)
    ]
    try:
        return list(_reports(futures, lambda report: run.progress.advance(report.done + report.failed)))
    finally:
        for future in futures:
            cancel(future)  # of those that have not begun; the others give back what they have, or lose their lease


def _reports(futures: Iterable[Future[WorkReport]], told: Callable[[WorkReport], None]) -> Iterable[WorkReport]:
    for future in completed(futures):
        report = result_of(future)
        told(report)
        yield report


def add_usage(receipts: Sequence[Receipt], own: Usage) -> dict[str, Any]:
    """Return what workers and driver were charged, together, as a receipt tells it."""
    requests: Counter[Any] = Counter(own.requests)
    for receipt in receipts:
        requests.update(receipt.requests)
    usage = Usage(
        dict(requests),
        own.bytes_in + sum(receipt.bytes_in for receipt in receipts),
        own.bytes_out + sum(receipt.bytes_out for receipt in receipts),
        own.schemes,
    )
    return {
        "requests": usage.requests,
        "bytes_in": usage.bytes_in,
        "bytes_out": usage.bytes_out,
        "cost": estimate_cost(usage).as_dict() if any(usage.requests.values()) else None,
    }
