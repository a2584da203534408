"""What listings and campaigns take as they grow: each step in a process of its own, whose memory is seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from measuring.stopwatch import Stopwatch

_Told = dict[str, Any]


@dataclass
class Stub:
    """A simulator that does nothing but square a number, in this process; one case of a hundred fails the first time.

    Attributes:
        failing: Whether those do.
    """

    failing: bool = True
    name: str = "stub"
    build: str = "1"

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:  # noqa: ARG002 - a simulator's words
        import json

        from skyhold.simulation.simulator import Verdict

        x = json.loads(job.model.read_bytes())["x"]
        (folder / "x").write_text(str(x))
        return Verdict("engine" if self.failing and x % 100 == 99 else None, 0, (), 0.0, self.build)

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Any:  # noqa: ARG002
        from skyhold.simulation.simulator import Kept, Quantity

        x = float((folder / "x").read_text())
        (target / "result.csv").write_text(f"x,square\n{x},{x * x}\n")
        return Kept(("result.csv",), {"square": Quantity(x * x, "m2"), "half": Quantity(x / 2, "m")})


def make_study(start: int, end: int) -> Any:
    """Return a study with a case for each number, of a model of some size."""
    from skyhold.simulation.study import Study

    return Study({"x": 0, "walls": [0.1] * 100}, None, {"x": list(range(start, end))})


@dataclass(frozen=True)
class _Asked:
    """One step of a campaign."""

    campaign: Any
    cases: int
    workers: int


def run_step(watch: Stopwatch, *, place: str, step: str, cases: int, workers: int = 1) -> _Told:
    """Do one thing with a campaign of so many cases: ``create``, or what `_STEPS` has."""
    from skyhold.simulation.campaign import Campaign
    from skyhold.storage.opening import open_store
    from skyhold.storage.wrappers.metered import MeteredStore

    import_module("skyhold.simulation.campaign_table")  # imports are not timed
    store = MeteredStore(open_store(place))
    if step == "create":
        study = make_study(0, cases)
        with watch:
            Campaign.create(store, study, simulator=Stub())
        return _told(store, {})
    asked = _Asked(Campaign.open(store), cases, workers)
    with watch:
        done = _STEPS[step](asked)
    return _told(store, {"done": done})


_STEPS: dict[str, Callable[[_Asked], int]] = {
    "work": lambda asked: asked.campaign.run(workers=asked.workers, simulator=Stub()).done,
    "status": lambda asked: asked.campaign.status().done,
    "collect": lambda asked: asked.campaign.collect(),
    "table": lambda asked: asked.campaign.table(columns=["x", "square"]).num_rows,
    "retry": lambda asked: asked.campaign.retry(),
    "extend": lambda asked: asked.campaign.extend(make_study(asked.cases, asked.cases + asked.cases // 10)),
}


def list_keys(watch: Stopwatch, *, place: str, how: str, folder: str = "") -> _Told:
    """List what is in a store: ``all`` of it, one ``level``, a ``sync`` that finds nothing to do, or a ``library``."""
    from skyhold.storage.opening import open_store
    from skyhold.storage.wrappers.metered import MeteredStore

    store = MeteredStore(open_store(place))
    if how == "sync":
        from skyhold.components.library import Library
        from skyhold.components.sync_config import SyncConfig
        from skyhold.components.synchronizing import StorageSynchronizer

        config: Any = SyncConfig(folder)
        synchronizer = StorageSynchronizer(Library(store, author="bench"), config)
        with watch:
            count = len(synchronizer.plan().actions)
    elif how == "library":
        from skyhold.components.library import Library

        with watch:
            count = sum(1 for _ in Library(store, author="bench").list())
    elif how == "level":
        with watch:
            level = store.list_folder("")
            count = len(level.prefixes) + len(level.objects)
    else:
        with watch:
            count = sum(1 for _ in store.list())
    return _told(store, {"count": count})


def fill_library(watch: Stopwatch, *, place: str, components: int) -> _Told:
    """Publish small components, as many at a time as the store bears."""
    from concurrent.futures import ThreadPoolExecutor

    from skyhold.components.library import Library
    from skyhold.storage.opening import open_store

    library = Library(open_store(place), author="bench")
    library.create()
    contents = {f"part-{number:06d}.stl": b"solid %d" % number for number in range(components)}
    with watch, ThreadPoolExecutor(8) as pool:
        list(pool.map(library.publish, contents, contents.values()))
    return {"count": components}


def _told(store: Any, more: _Told) -> _Told:
    usage = store.meter.usage
    return {"requests": usage.requests, "bytes_in": usage.bytes_in, "bytes_out": usage.bytes_out, **more}
