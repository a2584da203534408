"""A model that takes no time: it reads x from JSON, writes a series as CSV and its results as JSON.

Also a program: ``python tiny_model.py MODEL``, what the simulator of these tests runs.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["InstantSimulator", "TinyPlan", "tiny_plan", "tiny_simulator"]


@dataclass
class TinyPlan:
    """What `Study.plan` returns, made by hand."""

    cases: list[Any]
    models: Mapping[str, bytes]
    weathers: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ".json"


def tiny_plan(values: Iterable[int], **more: Any) -> TinyPlan:
    """Return a plan with a case for each x; ``more`` goes into the model as it stands."""
    from skyhold.simulation.case import Case  # noqa: PLC0415 - the program does without

    model = json.dumps({"x": 0, **more}).encode()
    return TinyPlan([Case(f"x={x}", {"x": x}, "tiny", [[["x"], x]]) for x in values], {"tiny": model})


def tiny_simulator(build: str = "1") -> Any:
    """Return the simulator that runs this file."""
    from skyhold.simulation.command import CommandSimulator  # noqa: PLC0415 - the program does without

    return CommandSimulator("tiny", build, (sys.executable, "-I", "-S", __file__, "{model}"))


class InstantSimulator:
    """Gives the same results without a process, where what is tested is all around it."""

    name = "tiny"
    build = "1"

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        from skyhold.simulation.simulator import Verdict  # noqa: PLC0415 - the program does without

        content = json.loads(job.model.read_bytes())
        if content["x"] in content.get("refuse", []):
            return Verdict("engine", 1, (), 0.0, self.build, f"x = {content['x']} is refused")
        _write_results(content["x"], folder)
        return Verdict(None, 0, (), 0.001, self.build)

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Any:
        return tiny_simulator().keep(folder, target, selection)


def _main(model: str) -> None:
    content = json.loads(Path(model).read_bytes())
    x = content["x"]
    time.sleep(content.get("sleep_s", 0))
    if x in content.get("refuse", []):
        sys.exit(f"x = {x} is refused")
    if x in content.get("deadly", []):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if x in content.get("crash", []):
        marker = content.get("marker")
        if marker is None or not Path(marker).exists():
            if marker is not None:
                Path(marker).touch()
            os.kill(os.getpid(), signal.SIGSEGV)
    _write_results(x, Path())


def _write_results(x: int, folder: Path) -> None:
    (folder / "series.csv").write_text("hour,value\n" + "".join(f"{hour},{hour * x}\n" for hour in range(24)))
    (folder / "values.json").write_text(json.dumps({"sum": [276 * x, "kWh"], "square": x * x}))


if __name__ == "__main__":
    _main(sys.argv[1])
