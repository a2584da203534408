"""Campaigns of a simulator that takes no time and leaves what a year of EnergyPlus does: values, messages, series."""

import datetime as dt
import json
import math
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.simulation.campaign import Campaign
from skyhold.simulation.case import Case
from skyhold.simulation.kept import TABLES_NAME, format_index, series_name
from skyhold.simulation.outputs import _write_series, _write_tables
from skyhold.simulation.series import AXIS, Environment, Variable, field_of
from skyhold.simulation.simulator import EngineMessage, Job, Kept, Quantity, Verdict, Watch
from skyhold.storage.contract import Store
from tiny_model import TinyPlan

__all__ = ["ATTACK", "HOURS", "YearSimulator", "make_campaign", "year_plan"]

ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'\u202e"
HOURS = 8760

_USES = {"heating": 9.0, "cooling": 4.0, "interior_lighting": 6.0, "interior_equipment": 5.0, "fans": 2.0, "pumps": 0.4}
_TEMPERATURE = Variable(
    "Zone Mean Air Temperature", "OFFICE", "C", "hourly", False, "OFFICE:Zone Mean Air Temperature [C]"
)
_ELECTRICITY = Variable("Electricity:Facility", "", "J", "hourly", True, "Electricity:Facility [J]")
_YEAR = Environment("RUN PERIOD 1", True)


class YearSimulator:
    """Reads ``{"lights": 1.0, "insulation": 0.1}``; ``refuse`` fails, ``wait`` goes on until it is let go on."""

    name = "year"
    build = "2.0"

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.reached = threading.Event()

    def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
        asked: dict[str, Any] = json.loads(job.model.read_bytes())
        (folder / "model.json").write_bytes(job.model.read_bytes())
        if asked["lights"] == asked.get("wait"):
            self.reached.set()
            while not (self.go_on.is_set() or watch.stop.is_set()):
                watch.stop.wait(0.02)
            if watch.stop.is_set():
                return Verdict("cancelled", None, (), 0.1, self.build, "stopped")
        warning = EngineMessage("warning", f'Zone "Z{asked["lights"]}" has {asked["lights"]} lights', 3)
        if asked["lights"] == asked.get("refuse"):
            said = (
                EngineMessage("fatal", f"The roof is missing {ATTACK}"),
                EngineMessage("severe", "No floor"),
                warning,
            )
            return Verdict("engine", 1, said, 0.2, self.build, f"The roof is missing {ATTACK}")
        return Verdict(None, 0, (warning,), 1.5, self.build)

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Kept:
        asked: dict[str, Any] = json.loads((folder / "model.json").read_bytes())
        lights, insulation = asked["lights"], asked["insulation"]
        _write_year(target, lights, insulation)
        uses = {name: size * 3.6e10 * _factor(name, lights, insulation) for name, size in _USES.items()}
        values = {
            "site_energy": Quantity(sum(uses.values()), "J"),
            "fuel.electricity": Quantity(sum(uses.values()) - uses["heating"], "J"),
            "fuel.natural_gas": Quantity(uses["heating"], "J"),
            "unmet_hours.occupied_heating": Quantity(340.0 if insulation < 0.1 else 12.0, "h"),
            **{f"end_use.{name}": Quantity(size, "J") for name, size in uses.items()},
        }
        return Kept((TABLES_NAME, series_name("hourly")), values)


def _factor(name: str, lights: float, insulation: float) -> float:
    if name == "interior_lighting":
        return lights
    if name == "heating":
        return 1.0 / (1.0 + 4.0 * insulation) + 0.1 * (1.0 - lights)
    return 1.0 + (0.3 * lights if name == "cooling" else 0.0)


@cache
def _axis() -> tuple[list[Any], list[float], list[float]]:
    """Return the columns of time, and the course of a year and of its days."""
    begin = dt.datetime(2017, 1, 1)  # noqa: DTZ001 - local standard time has no zone
    columns = [
        pa.array([begin + dt.timedelta(hours=hour + 1) for hour in range(HOURS)], AXIS["timestamp"]),
        pa.array([_YEAR.name] * HOURS).dictionary_encode(),
        pa.array([60] * HOURS, AXIS["interval_min"]),
        pa.array([False] * HOURS),
        pa.array(["Monday"] * HOURS).dictionary_encode(),
    ]
    seasons = [math.cos(2 * math.pi * hour / HOURS) for hour in range(HOURS)]
    return columns, seasons, [math.cos(2 * math.pi * (hour - 15) / 24) for hour in range(HOURS)]


def _write_year(target: Path, lights: float, insulation: float) -> None:
    columns, seasons, days = _axis()
    warm = [20.0 - 2.0 * season + (2.0 - insulation) * day for season, day in zip(seasons, days, strict=True)]
    energy = [3.6e6 * (4 + 3 * lights * max(0.0, day) - season) for season, day in zip(seasons, days, strict=True)]
    fields = [pa.field(name, kind) for name, kind in AXIS.items()]
    fields += [field_of(each, pa.float64()) for each in (_TEMPERATURE, _ELECTRICITY)]
    table = pa.table([*columns, pa.array(warm), pa.array(energy)], schema=pa.schema(fields))
    _write_series(target / series_name("hourly"), table, "float32")
    _write_tables(target / TABLES_NAME, None, format_index([_TEMPERATURE, _ELECTRICITY], [_YEAR], has_tables=False))


def year_plan(lights: int = 4, insulations: int = 3, label: str = "", **model: Any) -> TinyPlan:
    """Return a plan of a grid of cases; ``label`` is added to each case's name."""
    cases: list[Case] = []
    for light in range(1, lights + 1):
        for step in range(insulations):
            insulation = round(0.05 * (step + 1), 2)
            name = f"lights={light}, insulation={insulation}{label}"
            patch = [[["lights"], light], [["insulation"], insulation]]
            baseline = None if not cases else cases[0].label
            cases.append(Case(name, {"lights": light, "insulation": insulation}, "shed", patch, baseline=baseline))
    base = json.dumps({"lights": 0, "insulation": 0, **model}).encode()
    return TinyPlan(cases, {"shed": base})


def make_campaign(place: str | Store, simulator: YearSimulator, **plan: Any) -> Campaign:
    """Create a campaign; run it, if it waits for nothing."""
    return Campaign.create(place, year_plan(**plan), simulator=simulator)
