"""Running a case of a plan on this machine, to see what it takes. Nothing is written but temporary files."""

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skyhold.simulation.cache import ResultCache
from skyhold.simulation.case_run import BlobFolder, CaseRunner
from skyhold.simulation.expected_requests import CaseShape
from skyhold.simulation.known_cases import KnownCases
from skyhold.simulation.layout import blob_key
from skyhold.simulation.outcome import Outcome, write_outcomes
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.tasks import Blobs, Task
from skyhold.storage.opening import open_store

__all__ = ["Probe", "run_probes"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A case that was run to see what it takes.

    Attributes:
        label: What it is called.
        shape: What it takes of a worker.
        engine_s: How long the engine ran.
        record_bytes: What is written down of its end.
        failure: Why it gave no result; None where it did.
        detail: One sentence on the failure.
        texts: The first severe and fatal messages of the engine.
        is_reused: Whether this machine knew its result, and nothing was run: its seconds are those of the run then.
    """

    label: str
    shape: CaseShape
    engine_s: float
    record_bytes: int
    failure: str | None = None
    detail: str = ""
    texts: tuple[str, ...] = ()
    is_reused: bool = False

    @property
    def kept_bytes(self) -> int:
        """What is kept of it."""
        return sum(self.shape.files)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "label": self.label,
            "engine_s": self.engine_s,
            "run_s": round(self.shape.run_s, 4),
            "keep_s": round(self.shape.commit_s, 4),
            "kept_bytes": self.kept_bytes,
            "files": len(self.shape.files),
            "failure": self.failure,
            "detail": self.detail,
            "messages": list(self.texts),
            "is_reused": self.is_reused,
        }


def run_probes(
    chosen: Mapping[str, Task],
    blobs: Blobs,
    names: Mapping[str, str],
    simulator: Simulator,
    *,
    timeout_s: float | None = None,
    cache: ResultCache | None = None,
) -> list[Probe]:
    """Run cases one after the other, as a worker would, in a folder that is gone afterwards.

    Args:
        chosen: The cases by label.
        blobs: Models and weather files.
        names: What files are called, by their hash.
        simulator: Runs them.
        timeout_s: How long each may take.
        cache: Results that this machine knows already; what is run is kept there.
    """
    with tempfile.TemporaryDirectory(prefix="skyhold-probe-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        store = open_store(folder / "store")
        needed = {sha256 for task in chosen.values() for sha256 in (task.model, task.weather) if sha256}
        for sha256 in needed:
            store.write(blob_key(sha256), blobs[sha256])
        known = None if cache is None else KnownCases(cache, store, simulator)
        (folder / "runs").mkdir()
        runner = CaseRunner(
            store, simulator, BlobFolder(store, folder / "blobs"), names, timeout_s, "probe", folder / "runs", known
        )
        return [_run_probe(label, task, runner) for label, task in chosen.items()]


def _run_probe(label: str, task: Task, runner: CaseRunner) -> Probe:
    begun = time.monotonic()
    attempt = runner.simulate(task, threading.Event())
    ran = time.monotonic()
    outcome = runner.commit(attempt, "probe")
    committed = time.monotonic()
    return _told(label, outcome, ran - begun, committed - ran)


def _told(label: str, outcome: Outcome, run_s: float, commit_s: float) -> Probe:
    # Seconds of a result that was known are of the run that made it, and that of the copy would tell nothing.
    shape = CaseShape(max(run_s, outcome.seconds), commit_s, tuple(file.size_bytes for file in outcome.files))
    record_bytes = len(write_outcomes([replace(outcome, usage={})]))
    is_reused = bool(outcome.reused_from)
    return Probe(label, shape, outcome.seconds, record_bytes, outcome.failure, outcome.detail, outcome.texts, is_reused)
