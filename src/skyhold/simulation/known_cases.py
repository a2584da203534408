"""Cases of a campaign whose results this machine knows already, from another campaign or from a single run."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from skyhold.errors import BadOptionError
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.case import case_key
from skyhold.simulation.engine_messages import EngineMessages
from skyhold.simulation.layout import blob_key
from skyhold.simulation.outcome import finite_values
from skyhold.simulation.patches import apply_patch
from skyhold.simulation.plain import hash_json
from skyhold.simulation.result_record import RECORD, ResultRecord, record_files
from skyhold.simulation.simulator import Kept, Simulator, Verdict
from skyhold.simulation.tasks import Task
from skyhold.storage.contract import Store

__all__ = ["KnownCases"]

_LOG = logging.getLogger("skyhold.simulation")


@dataclass(frozen=True, slots=True)
class KnownCases:
    """Takes results of cases out of a cache, and puts them in.

    They are known by the model as it is run, so that a variant is found whatever base it was made from, and by
    single runs too.

    Args:
        cache: Where they are.
        store: The campaign's.
        simulator: Runs the cases.
    """

    cache: ResultCache
    store: Store
    simulator: Simulator

    def take(self, task: Task, model: object, target: Path) -> ResultRecord | None:
        """Copy what was kept of a case into an empty folder; return its record, None where it is not known.

        Args:
            task: The case.
            model: The base model's document; looked at where the case changes it.
            target: Where to.
        """
        return self.cache.get(self._key(task, model)[1], target, simulator=self.simulator.name)

    def put(self, task: Task, model: object, run: str, verdict: Verdict, kept: tuple[Kept, Path]) -> None:
        """Keep a case for the next time; a cache that cannot be written costs a warning, and no case.

        Args:
            task: The case.
            model: As for `take`.
            run: Which run it was.
            verdict: How that ended.
            kept: What was kept of it, and the folder where that is.
        """
        taken, folder = kept
        model_sha256, key = self._key(task, model)
        base = {"uri": self.store.uri_of(blob_key(task.model)), "sha256": model_sha256}
        weather = task.weather and {"uri": self.store.uri_of(blob_key(task.weather)), "sha256": task.weather}
        changes = {"patch": task.patch} if task.patch else {}
        asked = {"options": dict(task.options), "selection": dict(task.selection)}
        record = ResultRecord(
            run_id=run,
            key=key,
            label="",
            finished=datetime.now(UTC),
            simulator=self.simulator.name,
            inputs={"model": base, "weather": weather, **asked, **changes},
            verdict=verdict,
            message_counts=EngineMessages(verdict.messages).counts,
            files=record_files(folder, taken.files),
            values=finite_values(taken.values),
        )
        try:
            (folder / RECORD).parent.mkdir(exist_ok=True)
            (folder / RECORD).write_bytes(record.to_json())
            self.cache.put(folder, record)
        except (BadOptionError, OSError) as error:
            _LOG.warning("the case %s is not kept for the next time: %s", task.case, error)

    def _key(self, task: Task, model: object) -> tuple[str, str]:
        """Return the hash of the model as it is run, and the key of the result."""
        if not task.patch:
            return task.model, task.case
        sha256 = hash_json(apply_patch(model, task.patch))
        build = self.simulator.build
        return sha256, case_key(sha256, [], task.weather, build, task.options, task.selection)
