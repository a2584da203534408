"""Where the parts of a campaign lie in its store. The names are a format: they are versioned, and golden-tested.

::

    campaign.json                              what is run, with what, under which rules; never changed
    blobs/<sha256>                             blocks of the plan, models, weather files; shared, written once
    state/campaign/parts/<part>.json           cases that were added later, or are to be tried again
    state/campaign/workers/<worker>.json       a worker's own heartbeat, whose time is the store's clock
    state/campaign/ended/<block>.json          what came of a block whose cases have all come to an end, in sums
    state/campaign/cancelled.json              there is a wish to stop
    state/blocks/<block>/claims/<chunk>.json   who works on a chunk; replaced by its owner's heartbeat
    state/blocks/<block>/finished/<chunk>.json what came of a chunk, with the results of its cases
    …/<chunk>.<from>-<to>.json                 the same of a piece, where a chunk was divided while somebody was at it
    out/<case>/<attempt>/<file>                what an attempt has left; never written twice
    done/<spread>/<chunk>/<case>.json          the one attempt that counts; written last
    fail/<chunk>/<case>/<n>.json               an attempt that gave nothing, and why
    table/HEAD.json                            which tables are the newest
    table/part-<sha256>.parquet                the results as rows
    receipts/<run>.receipt.json                what each worker did and spent

A chunk is a few cases that one worker takes at a time. A block is some hundreds of chunks: the plan is read by blocks,
and the state is too, once it fills more than a page of a listing. One listing of ``state/`` tells how a small campaign
stands, and one of ``state/campaign/`` how the ended blocks of a large one do.
"""

import hashlib
from dataclasses import dataclass

__all__ = [
    "CAMPAIGN",
    "CANCELLED",
    "ENDED",
    "OLD_SCHEMAS",
    "OVERVIEW",
    "RECEIPTS",
    "SCHEMA",
    "STATE",
    "TABLE_HEAD",
    "Piece",
    "blob_key",
    "block_id",
    "block_of",
    "block_prefix",
    "chunk_id",
    "claim_key",
    "done_key",
    "done_prefix",
    "ended_key",
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

SCHEMA = "skyhold.campaign/2"
OLD_SCHEMAS = frozenset({"skyhold.campaign/1"})
CAMPAIGN = "campaign.json"
STATE = "state/"
OVERVIEW = "state/campaign/"
ENDED = "state/campaign/ended/"
CANCELLED = "state/campaign/cancelled.json"
TABLE_HEAD = "table/HEAD.json"
RECEIPTS = "receipts/"


def blob_key(sha256: str) -> str:
    """Return where content lies, by its hash."""
    return f"blobs/{sha256}"


def part_key(part: int) -> str:
    """Return where a part of the plan lies; part 0 is in ``campaign.json``."""
    return f"{OVERVIEW}parts/{part:04d}.json"


def block_id(part: int, number: int) -> str:
    """Return what a block is called.

    Example:
        >>> block_id(0, 7)
        '0000-00007'
    """
    return f"{part:04d}-{number:05d}"


def chunk_id(block: str, number: int) -> str:
    """Return what a chunk is called.

    Example:
        >>> chunk_id("0000-00007", 12)
        '0000-00007-012'
    """
    return f"{block}-{number:03d}"


def block_of(chunk: str) -> str:
    """Return the block of a chunk, or of a piece of one.

    Example:
        >>> block_of("0000-00007-012"), block_of("0000-00007-012.4-6")
        ('0000-00007', '0000-00007')
    """
    return chunk.rpartition(".")[0].rpartition("-")[0] if "." in chunk else chunk.rpartition("-")[0]


def block_prefix(block: str) -> str:
    """Return under what the state of a block lies."""
    return f"{STATE}blocks/{block}/"


def ended_key(block: str) -> str:
    """Return where it says what came of a block."""
    return f"{ENDED}{block}.json"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cases of a planned chunk: from one place in it up to another."""

    chunk: str
    start: int
    end: int


def piece_id(chunk: str, start: int, end: int) -> str:
    """Return what some cases of a chunk are called.

    Example:
        >>> piece_id("0000-00000-012", 4, 6), parse_piece("0000-00000-012.4-6"), parse_piece("0000-00000-012")
        ('0000-00000-012.4-6', Piece(chunk='0000-00000-012', start=4, end=6), None)
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
    return f"{block_prefix(block_of(chunk))}claims/{chunk}.json"


def finished_key(chunk: str) -> str:
    """Return where it says what came of a chunk."""
    return f"{block_prefix(block_of(chunk))}finished/{chunk}.json"


def worker_key(worker: str) -> str:
    """Return where a worker beats."""
    return f"{OVERVIEW}workers/{worker}.json"


def done_prefix(chunk: str) -> str:
    """Return under what the finished cases of a chunk lie.

    Services divide what they hold by the beginnings of keys, each with a limit of its own: the chunks that are worked
    on at a time begin differently.
    """
    return f"done/{hashlib.sha256(chunk.encode()).hexdigest()[:2]}/{chunk}/"


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
    return f"{RECEIPTS}{run_id}.receipt.json"
