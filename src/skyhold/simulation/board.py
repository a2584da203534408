"""How a campaign stands: its plan, read once, and one listing of its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from skyhold.errors import KeyNotFoundError, ResultError
from skyhold.simulation.campaign_record import CampaignRecord, PartRecord
from skyhold.simulation.layout import CAMPAIGN, CANCELLED, STATE, blob_key, finished_key, part_key
from skyhold.simulation.outcome import Outcome, read_outcomes
from skyhold.simulation.pieces import Division
from skyhold.simulation.tasks import Chunk, Label, TaskList
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Board", "Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One listing of a campaign's state.

    Attributes:
        finished: Chunks, and pieces of chunks, whose cases have all come to an end.
        claims: Chunks and pieces that were claimed, with the claim's time and e-tag.
        beats: When each worker last told its own time, by the store's clock.
        parts: How many parts were added to the plan.
        is_cancelled: Whether somebody wishes the workers to stop.
    """

    finished: frozenset[str] = frozenset()
    claims: Mapping[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    beats: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    parts: int = 0
    is_cancelled: bool = False


class Board:
    """The plan of a campaign, and where it stands. One thread at a time.

    Args:
        store: The campaign's.

    Attributes:
        chunks: All chunks by name, in the order of the plan.
        labels: All labels by name.
        names: What files were called, by their hash.
        outcomes: What came of the chunks that were asked for, by chunk; this never changes, so it is read once.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.chunks: dict[str, Chunk] = {}
        self.labels: dict[str, Label] = {}
        self.names: dict[str, str] = {}
        self.outcomes: dict[str, list[Outcome]] = {}
        self._record: CampaignRecord | None = None
        self._loaded = 0

    @property
    def record(self) -> CampaignRecord:
        """What was written down at its creation.

        Raises:
            ResultError: There is no campaign here.
        """
        if self._record is None:
            try:
                data = self.store.read(CAMPAIGN)
            except KeyNotFoundError as error:
                raise ResultError(
                    f"there is no campaign at {self.store.uri!r}",
                    remedy="Check the URI, or create it: skyhold.simulation.Campaign.create(uri, study)",
                ) from error
            self._record = CampaignRecord.from_json(data, self.store.uri)
        return self._record

    def look(self) -> Standing:
        """Return how it stands now, and read what has been added to the plan."""
        finished: set[str] = set()
        claims: dict[str, ObjectInfo] = {}
        beats: dict[str, datetime] = {}
        parts, is_cancelled = 0, False
        for info in self.store.list(STATE):
            folder, _, name = info.key.removeprefix(STATE).removesuffix(".json").rpartition("/")
            if folder == "finished":
                finished.add(name)
            elif folder == "claims":
                claims[name] = info
            elif folder == "workers":
                beats[name] = info.modified
            elif folder == "parts":
                parts = max(parts, int(name))
            is_cancelled |= info.key == CANCELLED
        self.load(parts)
        return Standing(frozenset(finished), claims, beats, parts, is_cancelled)

    def load(self, parts: int) -> None:
        """Read the plan with this many added parts, as far as it was not read before."""
        if self._loaded == 0:
            self._add(0, self.record.part)
        while self._loaded <= parts:
            data = self.store.read(part_key(self._loaded))
            self._add(self._loaded, PartRecord.from_json(data))

    def unfinished(self, standing: Standing) -> list[Chunk]:
        """Return the chunks that are left, or what is left of them, in the order of the plan."""
        division = Division(standing.finished, standing.claims)
        return [part for chunk in self.chunks.values() for part in division.left_of(chunk)]

    def outcomes_of(self, chunk: str) -> list[Outcome]:
        """Return what came of a finished chunk, or of a piece of one."""
        if chunk not in self.outcomes:
            self.outcomes[chunk] = read_outcomes(self.store.read(finished_key(chunk)))
        return self.outcomes[chunk]

    def results(self, standing: Standing) -> dict[str, Outcome]:
        """Return how each case of the finished chunks ended; the last of several attempts counts."""
        found: dict[str, Outcome] = {}
        for name in sorted(standing.finished):
            found.update({outcome.case: outcome for outcome in self.outcomes_of(name)})
        return found

    def cases(self) -> set[str]:
        """Return all cases."""
        return {task.case for chunk in self.chunks.values() for task in chunk.tasks}

    def _add(self, number: int, part: PartRecord) -> None:
        tasks = TaskList.from_bytes(self.store.read(blob_key(part.tasks)))
        for chunk in tasks.chunks(number, part.chunks, is_retry=part.kind == "retry"):
            self.chunks[chunk.chunk] = chunk
        for label in tasks.labels:
            self.labels.setdefault(label.label, label)
        self.names.update(tasks.names)
        self._loaded = number + 1
