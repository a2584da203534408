"""Where the parts of a campaign lie in its store. The names are a format: they are versioned, and golden-tested.

::

    campaign.json                       what is run, with what, under which rules; never changed
    blobs/<sha256>                      plans, models, weather files; shared, written once
    state/parts/<part>.json             cases that were added later, or are to be tried again
    state/claims/<chunk>.json           who works on a chunk; replaced by its owner's heartbeat
    state/finished/<chunk>.json         what came of a chunk, with the results of its cases
    …/<chunk>.<from>-<to>.json          the same of a piece, where a chunk was divided while somebody was at it
    state/workers/<worker>.json         a worker's own heartbeat, whose time is the store's clock
    state/cancelled.json                there is a wish to stop
    out/<case>/<attempt>/<file>         what an attempt has left; never written twice
    done/<chunk>/<case>.json            the one attempt that counts; written last
    fail/<chunk>/<case>/<n>.json        an attempt that gave nothing, and why
    table/HEAD.json                     which table is the newest
    table/part-<sha256>.parquet         the results as rows
    receipts/<run>.receipt.json         what each worker did and spent

One listing of ``state/`` tells how a campaign stands. A chunk is a few cases that one worker takes at a time.
"""

from dataclasses import dataclass

__all__ = [
    "CAMPAIGN",
    "CANCELLED",
    "SCHEMA",
    "STATE",
    "TABLE_HEAD",
    "Piece",
    "blob_key",
    "chunk_id",
    "claim_key",
    "done_key",
    "done_prefix",
    "fail_key",
    "fail_prefix",
    "finished_key",
    "out_key",
    "parse_piece",
    "part_key",
    "piece_id",
    "receipt_key",
    "table_part_key",
    "worker_key",
]

SCHEMA = "skyhold.campaign/1"
CAMPAIGN = "campaign.json"
STATE = "state/"
CANCELLED = "state/cancelled.json"
TABLE_HEAD = "table/HEAD.json"


def blob_key(sha256: str) -> str:
    """Return where content lies, by its hash."""
    return f"blobs/{sha256}"


def part_key(part: int) -> str:
    """Return where a part of the plan lies; part 0 is in ``campaign.json``."""
    return f"state/parts/{part:04d}.json"


def chunk_id(part: int, number: int) -> str:
    """Return what a chunk is called.

    Example:
        >>> chunk_id(0, 12)
        '0000-00012'
    """
    return f"{part:04d}-{number:05d}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cases of a planned chunk: from one place in it up to another."""

    chunk: str
    start: int
    end: int


def piece_id(chunk: str, start: int, end: int) -> str:
    """Return what some cases of a chunk are called.

    Example:
        >>> piece_id("0000-00012", 4, 6), parse_piece("0000-00012.4-6"), parse_piece("0000-00012")
        ('0000-00012.4-6', Piece(chunk='0000-00012', start=4, end=6), None)
    """
    return f"{chunk}.{start}-{end}"


def parse_piece(name: str) -> Piece | None:
    """Return what `piece_id` was given; None for the name of a whole chunk."""
    chunk, dot, places = name.partition(".")
    if not dot:
        return None
    start, _, end = places.partition("-")
    return Piece(chunk, int(start), int(end))


def claim_key(chunk: str) -> str:
    """Return where it says who works on a chunk."""
    return f"state/claims/{chunk}.json"


def finished_key(chunk: str) -> str:
    """Return where it says what came of a chunk."""
    return f"state/finished/{chunk}.json"


def worker_key(worker: str) -> str:
    """Return where a worker beats."""
    return f"state/workers/{worker}.json"


def done_prefix(chunk: str) -> str:
    """Return under what the finished cases of a chunk lie."""
    return f"done/{chunk}/"


def done_key(chunk: str, case: str) -> str:
    """Return where it says which attempt at a case counts."""
    return f"{done_prefix(chunk)}{case}.json"


def fail_prefix(chunk: str) -> str:
    """Return under what the failed attempts of a chunk lie."""
    return f"fail/{chunk}/"


def fail_key(chunk: str, case: str, number: int) -> str:
    """Return where it says why an attempt failed."""
    return f"{fail_prefix(chunk)}{case}/{number:02d}.json"


def out_key(case: str, attempt: str, path: str) -> str:
    """Return where a file of an attempt lies."""
    return f"out/{case}/{attempt}/{path}"


def table_part_key(sha256: str) -> str:
    """Return where rows lie, by their hash."""
    return f"table/part-{sha256[:32]}.parquet"


def receipt_key(run_id: str) -> str:
    """Return where a worker's receipt lies."""
    return f"receipts/{run_id}.receipt.json"
