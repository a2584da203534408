"""``sim``: many runs of a simulator, whose state and results lie in a store."""

import time
from dataclasses import dataclass, replace
from typing import Any

from cyclopts import Parameter

from skyhold.cli.campaign_status import tell
from skyhold.cli.models import load_object
from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.cli.simulators import load_simulator
from skyhold.errors import BadOptionError
from skyhold.runs.bar import ProgressBar
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.forecasting import forecast
from skyhold.simulation.worker import work as work_on

__all__ = ["cancel", "collect", "plan", "retry", "work"]

_DEFAULT = Common()
_FAILED = 1


@Parameter(name="*")
@dataclass(frozen=True)
class Making:
    """How a campaign is made.

    Attributes:
        simulator: What will run it, as module:name or file.py:name; EnergyPlus if not given.
        shards: For stores that ignore conditional writes: how many workers there will be.
        lease_s: A worker that is not heard of for longer has lost its cases.
        max_attempts: How often a case is tried that fails through no fault of its own.
        timeout_s: How long a case may take.
    """

    simulator: str = ""
    shards: int = 0
    lease_s: float = 60.0
    max_attempts: int = 3
    timeout_s: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Forecasting:
    """How it is forecast what a campaign will take.

    Attributes:
        forecast: Run a few cases here and say what all will take; nothing is written, even with a URI.
        probes: How many cases are run for it.
        workers: How many are to work.
        cache: Take results that this machine knows already, and keep those of the probes for skyhold sim work --cache.
    """

    forecast: bool = False
    probes: int = 2
    workers: int = 1
    cache: bool = False


_MAKING = Making()
_FORECASTING = Forecasting()


def plan(
    study: str,
    uri: str = "",
    /,
    *,
    extend: bool = False,
    making: Making = _MAKING,
    forecasting: Forecasting = _FORECASTING,
    common: Common = _DEFAULT,
) -> int:
    """List the cases of a study, or forecast what they take; with a URI, create the campaign there.

    Args:
        study: The study, as module:name or file.py:name.
        uri: Where the campaign is to be. Without it, nothing is written.
        extend: Add to the campaign that is there.
        making: How it is made.
        forecasting: How it is forecast.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    planned = load_object(study, argument="STUDY")
    planned = planned.plan() if hasattr(planned, "plan") else planned
    if forecasting.forecast:
        return _forecast(printer, planned, uri, making, forecasting, common)
    count = 0
    for case in planned.cases:
        count += 1
        printer.item(case.label, label=case.label, parameters=dict(case.parameters), weather=case.weather)
    if not uri or common.dry_run:
        printer.summary(f"{count} cases; nothing was written", cases=count)
        return 0
    options = common.options_for(uri)
    if extend:
        added = Campaign.open(uri, **options).extend(planned)
        printer.summary(f"{added} of {count} cases are new in {uri}", cases=count, added=added, uri=uri)
        return 0
    rules = _rules(making)
    engine = load_simulator(making.simulator)
    campaign = Campaign.create(uri, planned, simulator=engine, rules=rules, shards=making.shards, **options)
    runs = campaign.status().total
    words = f"{count} cases" if runs == count else f"{count} cases, which are {runs} different runs,"
    printer.summary(f"{words} in {uri}; run: skyhold sim work {uri}", cases=count, runs=runs, uri=uri)
    return 0


def work(
    uri: str,
    /,
    *,
    workers: int = 1,
    simulator: str = "",
    shard: int | None = None,
    among: int = 1,
    wait: bool = True,
    cache: bool = False,
    common: Common = _DEFAULT,
) -> int:
    """Work on a campaign until nothing is left to do. Start it as often and wherever you like.

    Args:
        uri: The campaign.
        workers: Cases at a time on this machine.
        simulator: What runs them, as module:name or file.py:name; EnergyPlus if not given.
        shard: Which shard to work on, where the campaign has shards; all of them if not given. Elsewhere, which of the
            workers this is that were started together: each begins with a share of its own, and none collects.
        among: How many were started together, numbered from 0 by --shard.
        wait: Stay until the others have finished, to take over from those that die.
        cache: Take results that this machine knows already, and keep what is run for the next time.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    engine = load_simulator(simulator)
    listeners = (ProgressBar(),) if common.progress and not common.json else ()
    if among != 1 and shard is None:
        raise BadOptionError(
            f"--among {among} says how many there are, and not which this is", remedy="Say --shard too"
        )
    if shard is None and wait:
        campaign = Campaign.open(uri, **common.options_for(uri))
        status = campaign.run(workers=workers, simulator=engine, on_progress=listeners, cache=cache)
        return tell(printer, status, uri)
    if workers != 1:
        raise BadOptionError("--shard and --no-wait are for one worker", remedy="Leave --workers out")
    report = work_on(
        uri,
        simulator=engine,
        shard=shard or 0,
        among=among,
        wait=wait,
        cache=cache,
        on_progress=listeners,
        **common.options_for(uri),
    )
    words = f"{report.done} cases done, {report.failed} given up"
    printer.summary(words, done=report.done, failed=report.failed, lost=report.lost, complete=report.is_complete)
    return _FAILED if report.failed else 0


def collect(uri: str, /, *, common: Common = _DEFAULT) -> int:
    """Gather what is finished into the campaign's table; needs no engine.

    Args:
        uri: The campaign.
        common: Options of every command.
    """
    begun = time.monotonic()
    rows = Campaign.open(uri, **common.options_for(uri)).collect()
    Printer(as_json=common.json).summary(
        f"{rows} rows have results", rows=rows, seconds=round(time.monotonic() - begun, 3)
    )
    return 0


def retry(uri: str, /, *, common: Common = _DEFAULT) -> int:
    """Let the cases that were given up be tried again, and lift a cancellation.

    Args:
        uri: The campaign.
        common: Options of every command.
    """
    cases = Campaign.open(uri, **common.options_for(uri)).retry()
    Printer(as_json=common.json).summary(f"{cases} cases will be tried again; run: skyhold sim work {uri}", cases=cases)
    return 0


def cancel(uri: str, /, *, common: Common = _DEFAULT) -> int:
    """Let all workers of a campaign stop soon, wherever they are; what is done stays.

    Args:
        uri: The campaign.
        common: Options of every command.
    """
    Campaign.open(uri, **common.options_for(uri)).cancel()
    Printer(as_json=common.json).summary(f"cancelled; to go on: skyhold sim retry {uri}", uri=uri)
    return 0


def _rules(making: Making) -> Rules:
    return Rules(lease_s=making.lease_s, max_attempts=making.max_attempts, timeout_s=making.timeout_s)


def _forecast(
    printer: Printer, planned: Any, uri: str, making: Making, forecasting: Forecasting, common: Common
) -> int:
    found = forecast(
        planned,
        simulator=load_simulator(making.simulator),
        probes=forecasting.probes,
        workers=forecasting.workers,
        uri=uri or None,
        rules=replace(_rules(making), shards=making.shards),
        cache=forecasting.cache,
        **(common.options_for(uri) if uri else {}),
    )
    if not printer.as_json:
        print(found)
    printer.summary("nothing was written", **found.as_dict())
    return _FAILED if found.failed else 0
