"""What is added to the plan of a campaign: other cases, and those that have failed."""

from collections import Counter
from dataclasses import replace

from skyhold.errors import AlreadyExistsError
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.creation import PartPlan, extend_campaign, retry_cases
from skyhold.simulation.planning import Entry, TaskReader
from skyhold.simulation.table_head import outdate
from skyhold.simulation.tasks import PlanLike, Task

__all__ = ["extend_plan", "retry_failed"]


def extend_plan(board: Board, standing: Standing, plan: PlanLike) -> int | None:
    """Add the cases of a plan that are not there yet; return how many will run.

    Returns:
        None where somebody else has changed the plan since we looked: look again.

    Raises:
        AlreadyExistsError: A label is there that means another case.
    """
    known: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, block in board.blocks.items():
        if not block.is_retry:
            tasks = board.plan(name)
            known.update(dict.fromkeys((task.case for task in tasks.tasks), name))
            labels.update((label.label, label.case) for label in tasks.labels)
    reader = TaskReader(plan, board.record.build, known, beside=board.store)
    fresh: list[Entry] = []
    for label, task in reader.read():
        assert label is not None
        if labels.get(label.label, label.case) != label.case:
            raise AlreadyExistsError(
                f"the campaign has another case that is called {label.label!r}",
                operation="extend",
                uri=board.store.uri,
                remedy="Give the new case another label",
            )
        if label.label not in labels:
            fresh.append((label, task))
    if not fresh:
        return 0
    part = PartPlan("extension", standing.parts + 1, known)
    outdate(board.store)
    if not extend_campaign(board.store, fresh, reader, board.record.rules, part):
        return None
    outdate(board.store)  # somebody may have collected in between
    return sum(task is not None for _, task in fresh)


def retry_failed(board: Board, standing: Standing) -> int | None:
    """Let the cases that were given up be tried again; return how many.

    Returns:
        None where somebody else has changed the plan since we looked: look again.
    """
    again, classes = _find_failed(board, standing)
    if not again:
        return 0
    part = PartPlan("retry", standing.parts + 1, again=classes)
    outdate(board.store)
    if not retry_cases(board.store, again, board.names, board.record.rules, part):
        return None
    outdate(board.store)
    return len(again)


def _find_failed(board: Board, standing: Standing) -> tuple[list[Task], dict[str, int]]:
    """Return the cases that were given up and are not tried again already, and how many have failed in which way."""
    board.read_sums(standing)
    failed: dict[str, tuple[str, str]] = {}
    for name, block in board.blocks.items():
        if block.is_retry:
            for task in board.plan(name).tasks:
                failed.pop(task.case, None)
        for outcome in board.failures_of(name, standing):
            failed[outcome.case] = str(outcome.failure), name
    tasks: list[Task] = []
    for name in dict.fromkeys(block for _, block in failed.values()):
        for chunk in board.chunks(name).values():
            mine = (task for task in chunk.tasks if failed.get(task.case, ("", ""))[1] == name)
            tasks.extend(replace(task, home=chunk.home_of(task)) for task in mine)
    return tasks, dict(Counter(failure for failure, _ in failed.values()))
