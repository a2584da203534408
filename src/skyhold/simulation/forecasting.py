"""What a study will take, before it is run: time, bytes, requests and money, from one or two of its cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from skyhold.errors import BadOptionError
from skyhold.execution.signals import exit_on_terminate
from skyhold.simulation.cache import ResultCache, choose_cache
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.expected_requests import Expectation, expect
from skyhold.simulation.forecast_report import Forecast, Spread
from skyhold.simulation.planning import block_sizes, list_tasks
from skyhold.simulation.probe import Probe, run_probes
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.simulator_choice import find_simulator
from skyhold.simulation.tasks import Task, TaskList
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location
from skyhold.storage.objects import RequestClass
from skyhold.storage.opening import open_store
from skyhold.storage.pricing import FREE_SCHEMES, PriceTable, prices_of

__all__ = ["forecast"]

_CLASSES: tuple[RequestClass, ...] = ("read", "write", "list", "delete")
_GB = 1e9


def forecast(  # noqa: PLR0913 - each is a choice of whoever asks
    study: Any,
    *,
    simulator: Simulator | None = None,
    probes: int = 2,
    workers: int = 1,
    cases: Sequence[str] | None = None,
    uri: str | Store | None = None,
    rules: Rules | None = None,
    cache: ResultCache | bool | None = None,
    prices: PriceTable | None = None,
    **options: Any,
) -> Forecast:
    """Run a few cases on this machine, and say what all of them will take. Nothing is written to a store.

    The spread is that of the probes: as if all cases were as the smallest, the mean, or the largest of them. Time to
    send and fetch is not in it, nor that engines slow each other down where they share memory or cores.

    Args:
        study: A study, or its plan.
        simulator: Runs the cases; EnergyPlus if not given.
        probes: How many cases are run: the first, and others evenly from there on; with two, one from the middle.
        workers: How many will work.
        cases: Labels of the cases to run instead.
        uri: Where the campaign will be, or its store; if not given, as in a bucket that charges.
        rules: Of the campaign.
        cache: Results that this machine knows already; as for `work`, which then need not run the probes again.
        prices: For stores that charge; those of the service that the URI names, if not given.
        **options: Of the store, with which also weather files in its bucket are read.

    Raises:
        BadOptionError: There is no such case, or nothing to run.
        SimulationError: This machine cannot run cases. A case that fails is told by the forecast.

    Example:
        >>> import sys
        >>> from skyhold.simulation.command import CommandSimulator
        >>> from skyhold.simulation.study import Study
        >>> code = "import json, sys; x = json.load(open(sys.argv[1]))['x']; json.dump({'y': x * x}, open('y', 'w'))"
        >>> square = CommandSimulator("square", "1", (sys.executable, "-c", code, "{model}"), values="y")
        >>> seen = forecast(Study({"x": 0}, None, {"x": [2, 3, 4]}), simulator=square, workers=2)
        >>> [probe.label for probe in seen.probes], seen.runs, seen.kept_bytes.expected
        (['x=2', 'x=3'], 3, 24.0)
    """
    if workers < 1:
        raise BadOptionError(f"workers={workers} is less than 1")
    plan = study.plan() if hasattr(study, "plan") else study
    store = _opened(uri, options)
    simulator, rules = simulator or find_simulator(), rules or Rules()
    tasks, blobs = list_tasks(plan, simulator.build, beside=store)
    chosen = _choose(tasks, probes, cases)
    with exit_on_terminate():
        seen = run_probes(chosen, blobs, tasks.names, simulator, timeout_s=rules.timeout_s, cache=choose_cache(cache))
    plain = Forecast(
        name=getattr(plan, "name", "study"),
        labels=len(tasks.labels),
        runs=len(tasks.tasks),
        chunks=sum(map(len, block_sizes(len(tasks.tasks), rules))),
        workers=rules.shards or workers,
        probes=tuple(seen),
    )
    sound = [probe for probe in seen if probe.failure is None]
    if not sound:
        return plain
    fixed_bytes = len(tasks.to_blob()[1]) + sum(map(len, blobs.values()))
    known = _extrapolate(plain, sound, rules, len(blobs), fixed_bytes)
    place = uri.uri if isinstance(uri, Store) else uri
    scheme = "" if place is None else parse_location(place).scheme
    if scheme in FREE_SCHEMES:
        return replace(known, requests={})
    return _price(known, prices or prices_of([scheme]))


def _opened(uri: str | Store | None, options: dict[str, Any]) -> Store | None:
    if isinstance(uri, Store):
        return uri
    # A price needs no identity: the store is opened only for the weather that may lie in its bucket.
    return open_store(uri, **options) if uri is not None and options else None


def _choose(tasks: TaskList, probes: int, cases: Sequence[str] | None) -> dict[str, Task]:
    by_case = {task.case: task for task in tasks.tasks}
    if cases is not None:
        of_label = {label.label: label.case for label in tasks.labels}
        if not cases:
            raise BadOptionError("cases names no case", remedy="Name one, or leave it out")
        return {name: by_case[_find(of_label, name)] for name in cases}
    if probes < 1:
        raise BadOptionError(f"probes={probes} is less than 1")
    labels: dict[str, str] = {}
    for label in tasks.labels:
        labels.setdefault(label.case, label.label)
    count = min(probes, len(tasks.tasks))
    found = [tasks.tasks[number * len(tasks.tasks) // count] for number in range(count)]
    return {labels[task.case]: task for task in found}


def _find(of_label: Mapping[str, str], name: str) -> str:
    if name not in of_label:
        near = get_close_matches(name, of_label, 1)
        raise BadOptionError(
            f"the plan has no case {name!r}",
            remedy=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(list(of_label)[:20])}",
        )
    return of_label[name]


def _extrapolate(plain: Forecast, probes: Sequence[Probe], rules: Rules, contents: int, fixed_bytes: int) -> Forecast:
    def seen(is_lucky: bool) -> list[Expectation]:
        return [expect(plain.runs, probe.shape, rules, plain.workers, contents, is_lucky=is_lucky) for probe in probes]

    def summed(read: Callable[[Probe], float]) -> Spread:
        return _spread([plain.runs * read(probe) for probe in probes])

    lucky, unlucky = seen(True), seen(False)
    requests = {kind: _spread([each.requests.get(kind, 0) for each in [*lucky, *unlucky]]) for kind in _CLASSES}
    kept = summed(lambda probe: probe.kept_bytes)
    stored = summed(lambda probe: probe.kept_bytes + 2 * probe.record_bytes)  # under done/ and in finished/
    return replace(
        plain,
        engine_s=summed(lambda probe: probe.engine_s),
        wall_s=_spread([each.wall_s for each in lucky]),
        kept_bytes=kept,
        stored_bytes=Spread(*(each + fixed_bytes for each in (stored.low, stored.expected, stored.high))),
        requests=requests,
    )


def _price(known: Forecast, prices: PriceTable) -> Forecast:
    assert known.requests is not None
    assert known.stored_bytes is not None
    requests, stored = known.requests, known.stored_bytes

    def cost(pick: Callable[[Spread], float]) -> float:
        return prices.price({kind: pick(spread) for kind, spread in requests.items()})

    def month(size: float) -> float:
        return size / _GB * prices.per_gb_month

    return replace(
        known,
        requests_cost=Spread(
            cost(lambda each: each.low), cost(lambda each: each.expected), cost(lambda each: each.high)
        ),
        month_cost=Spread(month(stored.low), month(stored.expected), month(stored.high)),
        prices=prices,
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(float(min(values)), round(sum(values) / len(values), 6), float(max(values)))
