"""Who works on what: claims with a lease, judged by the store's clock alone.

Nothing that a campaign promises rests on claims. They keep two workers from doing the same work; where they fail to,
the first commit of a case wins and the other is thrown away.
"""

import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from skyhold.errors import AlreadyExistsError, KeyNotFoundError, PreconditionFailedError
from skyhold.simulation.layout import claim_key, worker_key
from skyhold.simulation.pieces import cases_to_take
from skyhold.simulation.tasks import Chunk
from skyhold.storage.contract import Store

__all__ = ["Claim", "ClaimNote", "Claims"]

ClaimState = Literal["held", "free"]

_SUSPICIOUS = 2
"""A chunk that was taken more often may have a case that kills its workers, and is not divided."""


@dataclass(frozen=True, slots=True)
class ClaimNote:
    """What a claim says.

    Attributes:
        worker: Who.
        host: On which machine.
        taken: How often the chunk was taken, this time included.
        beat: How often its owner has beaten.
        finished: Cases of the chunk that have come to an end.
        state: ``"free"`` when its owner gave it back.
        case: What its owner is at, told only where earlier owners died: it may be what kills them.
        until: Up to which place in the planned chunk it goes, where another worker has taken the rest; 0 for all.
    """

    worker: str
    host: str
    taken: int = 1
    beat: int = 0
    finished: int = 0
    state: ClaimState = "held"
    case: str = ""
    until: int = 0

    def to_json(self) -> bytes:
        """Return it for the store; no two notes of a chunk are equal, so that their e-tags differ."""
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_json(data: bytes) -> "ClaimNote":
        """Return what a claim's bytes say."""
        content: Mapping[str, Any] = json.loads(data)
        return ClaimNote(
            str(content["worker"]),
            str(content["host"]),
            int(content["taken"]),
            int(content["beat"]),
            int(content["finished"]),
            cast("ClaimState", content["state"]),
            str(content["case"]),
            int(content.get("until", 0)),
        )


@dataclass(slots=True)
class Claim:
    """A chunk that is ours, as far as we know.

    Attributes:
        chunk: Which.
        e_tag: Of our last heartbeat; a heartbeat with another one shows that the chunk was taken from us.
        note: What it said.
        is_lost: Whether it was taken from us.
        fatal: The case at which the owner before us died, where that is known.
        written_s: When we wrote it last, by `time.monotonic`.
        lock: Held while it is rewritten: worker and heart both do.
    """

    chunk: str
    e_tag: str | None
    note: ClaimNote
    is_lost: bool = False
    fatal: str = ""
    written_s: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def is_fresh(self) -> bool:
        """Whether nobody has ever worked on the chunk before us."""
        return self.note.taken == 1


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one worker.

    Args:
        store: The campaign's.
        worker: Its name, which no other worker has.
        lease_s: A claim whose last heartbeat is older may be taken.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://claims-example")
        >>> ours, theirs = Claims(store, "ours", 60.0), Claims(store, "theirs", 60.0)
        >>> claim = ours.take("0000-00000")
        >>> theirs.take("0000-00000") is None, theirs.steal("0000-00000", theirs.beat_and_look()) is None
        (True, True)
        >>> ours.give_back(claim)
        >>> theirs.steal("0000-00000", theirs.beat_and_look()).note.taken
        2
    """

    store: Store
    worker: str
    lease_s: float
    host: str = field(default_factory=socket.gethostname)

    def take(self, chunk: str) -> Claim | None:
        """Claim a chunk that nobody has claimed; None when somebody was faster."""
        note = ClaimNote(self.worker, self.host)
        try:
            written = self.store.write(claim_key(chunk), note.to_json(), if_absent=True)
        except AlreadyExistsError:
            return None
        return Claim(chunk, written.e_tag, note)

    def steal(self, chunk: str, now: datetime) -> Claim | None:
        """Take a claim that was given back, or whose lease is over; None while it is somebody's.

        Args:
            chunk: Which.
            now: The store's time, from `beat_and_look` or a listing that shows our own heartbeat.
        """
        try:
            info, data = self.store.read_with_info(claim_key(chunk))
        except KeyNotFoundError:
            return self.take(chunk)
        note = ClaimNote.from_json(data)
        if note.state != "free" and now - info.modified <= timedelta(seconds=self.lease_s):
            return None
        claim = self._replace(chunk, info.e_tag, ClaimNote(self.worker, self.host, note.taken + 1, until=note.until))
        if claim is not None and note.state != "free":
            claim.fatal = note.case
        return claim

    def divide(self, chunk: Chunk) -> Chunk | None:
        """Take some cases from the end of a chunk that somebody is at; None where there are too few, or no more.

        Its owner reads it at the next heartbeat.

        Args:
            chunk: Which, as `Board.unfinished` gives it.

        Returns:
            The cases, not claimed yet: whoever comes next may claim them too, should we die.
        """
        try:
            info, data = self.store.read_with_info(claim_key(chunk.claim))
        except KeyNotFoundError:
            return None
        note = ClaimNote.from_json(data)
        end = min(note.until or chunk.end, chunk.end)
        count = cases_to_take(end - chunk.start, note.finished)
        if note.state == "free" or note.taken > _SUSPICIOUS or count < 1:
            return None
        divided = replace(note, beat=note.beat + 1, until=end - count)
        return chunk.piece(end - count, end) if self._replace(chunk.claim, info.e_tag, divided) else None

    def beat(self, claim: Claim, finished: int = 0, *, case: str | None = None) -> bool:
        """Say that we are alive; False when the chunk is no longer ours.

        Args:
            claim: Ours.
            finished: How many of its cases have come to an end.
            case: What we begin now; as before if not given.
        """
        return self._rewrite(claim, finished=finished, case=claim.note.case if case is None else case)

    def give_back(self, claim: Claim, finished: int = 0) -> None:
        """Let others take the chunk at once."""
        self._rewrite(claim, finished=finished, state="free", case="")

    def beat_self(self) -> None:
        """Write our own heartbeat, whose time in a listing is the store's clock."""
        self.store.write(worker_key(self.worker), json.dumps({"host": self.host}).encode())

    def beat_and_look(self) -> datetime:
        """Return the store's time: that of a heartbeat of our own. Answers to writes carry no such time."""
        self.beat_self()
        return self.store.info(worker_key(self.worker)).modified

    def leave(self) -> None:
        """Take our own heartbeat away."""
        self.store.delete(worker_key(self.worker))

    def _rewrite(self, claim: Claim, **changes: Any) -> bool:
        with claim.lock:
            while not claim.is_lost:
                note = replace(claim.note, beat=claim.note.beat + 1, **changes)
                replaced = self._replace(claim.chunk, claim.e_tag, note)
                if replaced is not None:
                    claim.e_tag, claim.note, claim.written_s = replaced.e_tag, note, time.monotonic()
                    return True
                claim.is_lost = not self._learn(claim)
            return False

    def _learn(self, claim: Claim) -> bool:
        """Read our claim, which somebody has changed; return whether it is ours still, and only shorter."""
        try:
            info, data = self.store.read_with_info(claim_key(claim.chunk))
        except KeyNotFoundError:
            return False
        note = ClaimNote.from_json(data)
        if (note.worker, note.taken, note.state) != (self.worker, claim.note.taken, "held"):
            return False
        claim.e_tag, claim.note = info.e_tag, note
        return True

    def _replace(self, chunk: str, e_tag: str | None, note: ClaimNote) -> Claim | None:
        try:
            written = self.store.write(claim_key(chunk), note.to_json(), if_match=e_tag)
        except PreconditionFailedError:
            return None
        return Claim(chunk, written.e_tag, note)
