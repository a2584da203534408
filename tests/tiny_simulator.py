"""A simulator that takes no time: it writes what EnergyPlus would, and ends as its model says."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skyhold.simulation.simulator import EngineMessage, Job, Kept, Quantity, Verdict, Watch

END = "EnergyPlus Completed Successfully-- 1 Warning; 0 Severe Errors; Elapsed Time=00hr 00min  0.01sec\n"
ERR = (
    "   ** Warning ** Site is cold.\n   ************* EnergyPlus Completed Successfully-- 1 Warning; 0 Severe Errors\n"
)


class TinySimulator:
    """Reads ``{"area": 2, "end": "engine"}``; files that it leaves are all kept."""

    name = "tiny"
    build = "1.0-abc"

    def __init__(self) -> None:
        self.runs = 0
        self.reached = threading.Event()
        self._lock = threading.Lock()

    def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
        with self._lock:
            self.runs += 1
            number = self.runs
        asked: dict[str, Any] = json.loads(job.model.read_bytes())
        weather = job.weather.read_text() if job.weather else ""
        self.reached.set()
        if asked.get("end") == "wait":
            watch.stop.wait(30)
            return Verdict("cancelled", None, (), 0.1, self.build, "it was asked to stop")
        if watch.on_progress is not None:
            watch.on_progress(0.5, "07/21")
        (folder / "eplusout.err").write_text(ERR)
        if asked.get("end"):
            (folder / "big.eso").write_text("not worth keeping")
            message = EngineMessage("fatal", "Roof is missing.")
            return Verdict(asked["end"], 1, (message,), 0.1, self.build, "the engine gave up")
        (folder / "eplusout.end").write_text(END)
        (folder / "eplusout.csv").write_text(f"{asked.get('area')},{weather},{dict(job.options)}\n")
        (folder / "eplusout.eso").write_text(f"run {number}\n")
        for name in asked.get("files", []):
            (folder / name).write_text(name)
        (folder / "eplustbl.htm").write_text("<p>tables</p>")
        return Verdict(None, 0, (EngineMessage("warning", "Site is cold."),), 0.1, self.build)

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Kept:
        names = sorted(path.name for path in folder.iterdir() if path.match(selection.get("raw", "*")))
        for name in names:
            (target / name).write_bytes((folder / name).read_bytes())
        area = float((folder / "eplusout.csv").read_text().split(",")[0])
        return Kept(tuple(names), {"area": Quantity(area, "m2")})
