"""What a library does as a run of its own, or as part of another."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from skyhold.runs.event import Listener
from skyhold.runs.recording import RunRecorder, record_run

__all__ = ["one_run"]


@contextmanager
def one_run(
    kind: str,
    component_id: str,
    asked: Mapping[str, Any],
    total: int,
    on_progress: Listener | None,
    run: RunRecorder | None,
) -> Generator[tuple[RunRecorder, Callable[[int], None]]]:
    """Record what the block does; yield its recorder, and what is to be told of bytes that were moved.

    Args:
        kind: What is done.
        component_id: With which component.
        asked: What was asked for.
        total: Bytes to move.
        on_progress: Told how a run of its own goes on.
        run: The run that the block is part of; that counts its units itself.
    """
    if run is not None:
        yield run, lambda moved: run.progress.advance(0, bytes=moved)
        return
    listeners = [on_progress] if on_progress else []
    with record_run(kind, f"{kind} {component_id}", asked=asked, unit="bytes", total=total, listeners=listeners) as own:
        yield own, own.progress.advance
