"""How runs of rows end: too many rejected, outputs that hold other rows than they were given, all or nothing."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from skyhold.errors import RejectLimitError, VerificationError
from skyhold.records.formats.adapter import OutputAdapter, OutputStream, Written
from skyhold.records.rejects import RejectCounts

__all__ = ["check_written", "too_many_rejects", "whole_or_nothing"]


def too_many_rejects(uri: str, rejects: RejectCounts, limit: str) -> RejectLimitError:
    """Return the error that says what was most often wrong.

    Args:
        uri: Of the input.
        rejects: What was rejected, at least one row.
        limit: In words.
    """
    worst = rejects.groups()[0]
    where = f" (row {worst.sample_rows[0]})" if worst.sample_rows else ""
    return RejectLimitError(
        f"{rejects.total:,} rows of {uri!r} were rejected, more than {limit}; "
        f"the most frequent: {worst.field} {worst.message}{where}",
        remedy="Correct the input or the model, or raise max_errors",
    )


def check_written(adapter: OutputAdapter | None, written: Sequence[Written], given: int) -> None:
    """Refuse an output that says it holds other rows than it was given.

    Raises:
        VerificationError: It does.
    """
    rows = sum(each.rows for each in written)
    if adapter is not None and rows != given:
        raise VerificationError(
            f"{adapter.uri!r} holds {rows:,} rows, and was given {given:,}",
            remedy="Do not use it; tell whoever made its adapter, and run the pipe again",
        )


@contextmanager
def whole_or_nothing(output: OutputStream) -> Generator[list[OutputStream]]:
    """Throw outputs away unless the block ends; more may be appended."""
    outputs = [output]
    try:
        yield outputs
    except BaseException:
        for each in outputs:
            each.abort()
        raise
