"""The recipes of docs/recipes.md: their files parse, and their lines do what they say, with a scheduler's variables."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from tiny_model import tiny_plan, tiny_simulator

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
CASES = 6
SKYHOLD = f"""#!/bin/sh
case "$1" in
work) exec {sys.executable} -m skyhold.cli "$@" --simulator tiny_simulators:tiny --json ;;
*) exec {sys.executable} -m skyhold.cli "$@" --json ;;
esac
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    place = tmp_path / f"campaign-{uuid4().hex[:8]}"
    return Campaign.create(str(place), tiny_plan(range(CASES)), simulator=tiny_simulator(), rules=Rules(workers=1))


@pytest.fixture
def environment(tmp_path: Path, campaign: Campaign) -> dict[str, str]:
    """A machine of the cluster: ``skyhold`` is on its path, and runs a simulator that takes no time."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "skyhold"
    command.write_text(SKYHOLD)
    command.chmod(0o755)
    (tmp_path / "bin" / "tiny_simulators.py").write_text(
        "from tiny_model import tiny_simulator\ntiny = tiny_simulator()\n"
    )
    paths = [str(tmp_path / "bin"), str(Path(__file__).parents[1]), *sys.path]
    own = {"CAMPAIGN": campaign.uri, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": ":".join(paths)}
    return {**os.environ, **own, "SKYHOLD_STATE": str(tmp_path / "state")}


def start(script: str, environment: dict[str, str], **variables: str) -> dict[str, Any]:
    """Run a script as a scheduler does, and return what skyhold said at the end."""
    ended = subprocess.run(
        ["bash", "-c", script], env=environment | variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])["summary"]
    return summary


def assert_done_by(summaries: list[dict[str, Any]], campaign: Campaign) -> None:
    assert sum(summary["done"] for summary in summaries) == CASES
    assert [summary["complete"] for summary in summaries] == [True] * len(summaries)
    assert campaign.status().is_complete
    assert not [info.key for info in campaign.store.list("table/")]  # which is for whoever collects


def test_the_tasks_of_a_slurm_array_do_a_campaign_together(campaign: Campaign, environment: dict[str, str]):
    script = next(block for block in blocks("bash") if "skyhold work" in block)
    told = [start(script, environment, SLURM_ARRAY_TASK_ID=str(n), SLURM_ARRAY_TASK_COUNT="2") for n in range(2)]
    assert_done_by(told, campaign)


@pytest.mark.slow
def test_a_job_of_a_batch_array_does_what_others_leave(campaign: Campaign, environment: dict[str, str]):
    definition = json.loads(blocks("json")[0])
    *shell, command = definition["containerProperties"]["command"]
    assert shell == ["sh", "-c"]
    index = {"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}
    assert_done_by([start(command, environment, **index)], campaign)  # the other one was never started


def test_a_job_of_a_github_matrix_does_what_others_leave_and_the_last_collects(
    campaign: Campaign, environment: dict[str, str]
):
    workflow = next(each for each in map(yaml.safe_load, blocks("yaml")) if "jobs" in each)
    shards = workflow["jobs"]["work"]["strategy"]["matrix"]["shard"]
    assert shards == list(range(len(shards)))
    step = workflow["jobs"]["work"]["steps"][-1]
    assert set(step["env"]) == {"SHARD", "AMONG"}
    assert_done_by([start(step["run"], environment, SHARD="7", AMONG="8")], campaign)
    collected = start(workflow["jobs"]["collect"]["steps"][-1]["run"], environment)
    assert collected["rows"] == CASES


@pytest.mark.slow
def test_a_pod_of_a_kubernetes_job_does_what_others_leave(campaign: Campaign, environment: dict[str, str]):
    job = next(each for each in map(yaml.safe_load, blocks("yaml")) if each.get("kind") == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    named = {each["name"]: each["value"] for each in container["env"]}
    assert int(named["AMONG"]) == job["spec"]["completions"]
    (script,) = container["args"]
    assert_done_by([start(script, environment, JOB_COMPLETION_INDEX="99", AMONG="100")], campaign)


def pipe_scripts() -> dict[str, str]:
    """Return how each scheduler runs a pipe, by the variable that tells a task its number."""
    slurm, pod = [block for block in blocks("bash") if "skyhold convert" in block]
    *shell, batch = next(each for each in map(json.loads, blocks("json")) if isinstance(each, list))
    assert shell == ["sh", "-c"]
    step = next(each for each in map(yaml.safe_load, blocks("yaml")) if "run" in each)
    assert set(step["env"]) == {"SHARD"}
    return {
        "SLURM_ARRAY_TASK_ID": slurm,
        "AWS_BATCH_JOB_ARRAY_INDEX": batch,
        "SHARD": step["run"],
        "JOB_COMPLETION_INDEX": pod,
    }


@pytest.mark.parametrize("variable", pipe_scripts())
def test_each_task_of_an_array_converts_a_file_of_its_own(tmp_path: Path, environment: dict[str, str], variable: str):
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / "in" / f"part-{number:05d}.csv").write_text(f"a,b\n{number},x\n")
    places = {"SOURCE": str(tmp_path / "in"), "TARGET": str(tmp_path / "out")}
    start(pipe_scripts()[variable], environment, **{variable: "12"}, **places)
    assert [path.name for path in (tmp_path / "out").glob("*.parquet")] == ["part-00012.parquet"]


def test_the_definition_of_a_batch_job_is_what_the_service_takes():
    (definition,) = [each for each in map(json.loads, blocks("json")) if isinstance(each, dict)]
    asked = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition")
    assert asked.input_shape is not None
    assert not ParamValidator().validate(definition, asked.input_shape).generate_report()


def test_the_manifests_are_what_kubernetes_reads():
    kinds = [each["kind"] for each in map(yaml.safe_load, blocks("yaml")) if "kind" in each]
    assert kinds == ["Job", "DaskCluster"]
