"""Studies on S3: what they cost over the engine's own time, and what is kept of them, beside idfkit."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from math import isclose
from pathlib import Path
from typing import Any

from contenders.warehouse import LIGHTS_W_M2
from measuring.proxy import Traffic, counting_proxy
from measuring.race import Contender, Standing, measure_once, race
from measuring.report import Table, count_runs
from skyhold.testing.servers import LocalServer, start_moto
from tables.servers import BUCKET, environment_of

_ALONE, _STUDY = "the engine alone, {} at a time", "skyhold, {}"
_WORKERS = {1: "one worker", 2: "two workers"}
_CASES = len(LIGHTS_W_M2)
_ROUNDING = 1e-4
"""How far numbers may differ: idfkit's are of the engine's tables, which round energies to 0.01 GJ."""


def make_study_table(quick: bool) -> Table:
    """Years of a box of one zone, by the engine alone and as a campaign, by one and by two."""
    cases, repeats = (4, 1) if quick else (24, 5)
    with _moto_bucket() as server:
        environment = environment_of(server.options)
        standings = race(_study_contenders(cases, environment), repeats)
    for each in standings:
        if each.told["cases"] != cases:
            raise SystemExit(f"{each.name} did {each.told['cases']} of {cases} cases")
    cells = [_study_cells(each, standings, cases) for each in standings]
    caption = (
        "The aims are at most 50 ms a case over the engine's own time, at most 5 requests a case, and two workers 1.9 "
        f"times as fast as one where the engine itself is. {cases} years of a building of one zone in steps of ten "
        "minutes, which are the engine's own choice, hourly temperatures and loads kept; "
        f"{count_runs(repeats)}. Timed from the plan in the bucket to the collected table; making the campaign and "
        "loading the engine are not. The overhead is what the workers' seconds are more than the "
        "engine's; the engine alone, two at a time, has some too: they wait for cores, and end one after the other. "
        "Requests are all that the campaign sends, claims and heartbeats too, by its meter. The S3 server "
        "(moto, which keeps to conditional writes) shares the machine's cores with the engines."
    )
    header = ("", "seconds", "engine's own s", "overhead, ms a case", "requests a case", "times as fast as one")
    return Table("A study of many short cases", caption, header, cells)


def _study_contenders(cases: int, environment: dict[str, str]) -> list[Contender]:
    module = "contenders.simulation"
    found: list[Contender] = []
    for workers, words in _WORKERS.items():
        alone = {"cases": cases, "at_a_time": workers}
        found.append(Contender(_ALONE.format(words.split()[0]), f"{module}:run_engine", alone, is_sampled=False))
        study = {"cases": cases, "workers": workers, "place": f"s3://{BUCKET}/study-{workers}-{{run}}"}
        found.append(Contender(_STUDY.format(words), f"{module}:run_campaign", study, environment, is_sampled=False))
    return found


def _study_cells(standing: Standing, all_: list[Standing], cases: int) -> list[str]:
    place = all_.index(standing)
    one, workers = all_[place % 2], 1 + place // 2
    engine_s = standing.median(lambda run: run.told["engine_s"])
    overhead_s = standing.median(lambda run: workers * run.seconds - run.told["engine_s"]) / cases
    requests = standing.median(lambda run: run.told.get("requests", 0)) / cases
    return [
        standing.name,
        f"{standing.seconds:.2f}",
        f"{engine_s:.2f}",
        f"{overhead_s * 1000:.0f}",
        f"{requests:.1f}" if requests else "",
        f"{one.seconds / standing.seconds:.2f}",
    ]


def make_results_table(quick: bool) -> Table:
    """Years of the reference warehouse, kept and read."""
    del quick  # fewer than four cases would be another question
    cells: list[list[str]] = []
    numbers: list[list[list[float]]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _moto_bucket() as server,
        counting_proxy(server.endpoint) as (endpoint, traffic),
    ):
        environment = environment_of({**server.options, "endpoint": endpoint})
        for who, more in (("skyhold", {}), ("idfkit", {"folder": folder})):
            row, found = _keep_and_read(who, more, environment, traffic)
            cells.append(row)
            numbers.append(found)
    _compare(*numbers)
    caption = (
        "The aims are 0.6 MB kept of a year, and four numbers of four cases by 2 requests and 0.1 MB. Four years of "
        "the DOE's reference warehouse; one run. Requests and bytes are those that a server in "
        "between counted, the plan, model and weather file included. skyhold keeps all time series, bit for bit, and "
        "all tables, as Parquet; idfkit, with its `S3FileSystem`, all of the engine's files and the weather file. The "
        "numbers (site and source energy, floor area, hours too cold) are read by a new process, from the campaign's "
        "table or from the cases' databases; both found the same, as far as the engine's tables are rounded. idfkit "
        "ran the same engine, by a program of a few lines that calls the wheel's. S3 is moto."
    )
    header = (
        "",
        "kept of a year, MB",
        "requests for 4 runs",
        "MB up",
        "requests to read four numbers of each",
        "MB down",
        "s",
    )
    return Table("What is kept of a study", caption, header, cells)


@contextmanager
def _moto_bucket() -> Generator[LocalServer]:
    import boto3

    with tempfile.TemporaryDirectory() as folder, start_moto(Path(folder)) as server:
        client: Any = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            aws_access_key_id=server.options["access_key_id"],
            aws_secret_access_key=server.options["secret_access_key"],
            region_name=server.options["region"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield server


def _keep_and_read(
    who: str, more: dict[str, str], environment: dict[str, str], traffic: Traffic
) -> tuple[list[str], list[list[float]]]:
    """Run the four cases, read the numbers in another process, and return the row and the numbers."""
    run = Contender(who, f"contenders.warehouse:run_with_{who}", {"name": who, **more}, environment)
    read = Contender(who, f"contenders.warehouse:read_with_{who}", {"name": who}, environment)
    traffic.take()
    told = measure_once(run).told
    puts, up, _ = traffic.take()
    if told["cases"] != _CASES:
        raise SystemExit(f"{who} did {told['cases']} of {_CASES} cases")
    reading = measure_once(read)
    gets, _, down = traffic.take()
    kept = told.get("kept_bytes", up / _CASES)
    name = f"idfkit {version('idfkit')}" if who == "idfkit" else who
    sizes = [f"{each / 1e6:.2f}" for each in (kept, up, down)]
    return [name, sizes[0], str(puts), sizes[1], str(gets), sizes[2], f"{reading.seconds:.3f}"], reading.told["numbers"]


def _compare(ours: list[list[float]], peers: list[list[float]]) -> None:
    pairs = [pair for rows in zip(ours, peers, strict=True) for pair in zip(*rows, strict=True)]
    if not all(isclose(*pair, rel_tol=_ROUNDING) for pair in pairs):
        raise SystemExit(f"skyhold and idfkit read different numbers: {ours} and {peers}")
