"""Studies of any JSON document: what they plan, and what they refuse by name."""

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import BadOptionError, ModelError, UnsupportedError, WeatherError
from skyhold.simulation.case import Case, case_key
from skyhold.simulation.document import Document
from skyhold.simulation.drafts import GridRows, label_of
from skyhold.simulation.model import Model
from skyhold.simulation.parameters import Parameter
from skyhold.simulation.patches import apply_patch
from skyhold.simulation.plan import Plan
from skyhold.simulation.sampling import Grid, Sobol
from skyhold.simulation.study import Study
from skyhold.weather.downloader import WeatherFiles
from skyhold.weather.station import Match, Station

ROOM: dict[str, Any] = {
    "wall": {"layers": [{"thickness": 0.1}, {"thickness": 0.2}], "u": 0.5},
    "windows": {"north": {"u": 1.0, "name": "N"}, "south": {"u": 2.0}, "a/b": {}},
    "heating": "on",
}


def _models(plan: Plan) -> dict[str, Any]:
    return {case.label: apply_patch(json.loads(plan.models[case.model]), case.patch) for case in plan.cases}


def test_a_grid_of_paths_sets_what_they_name_and_leaves_the_base_alone():
    before = json.dumps(ROOM)
    plan = Study(ROOM, None, {"windows/*/u": [1.5, 3.0], "wall/layers/1/thickness": [0.3]}).plan()
    made = _models(plan)
    assert list(made) == [
        "windows/*/u=1.5, wall/layers/1/thickness=0.3",
        "windows/*/u=3.0, wall/layers/1/thickness=0.3",
    ]
    last = made["windows/*/u=3.0, wall/layers/1/thickness=0.3"]
    assert last["windows"] == {"north": {"u": 3.0, "name": "N"}, "south": {"u": 3.0}, "a/b": {}}
    assert last["wall"]["layers"] == [{"thickness": 0.1}, {"thickness": 0.3}]
    assert json.dumps(ROOM) == before
    assert plan.places["model"]["windows/*/u"] == (("windows", "north", "u"), ("windows", "south", "u"))


def test_a_parameter_multiplies_or_adds_to_what_the_base_has():
    parameters = {
        "glass": Parameter("windows/*/u", [0.5], how="multiply"),
        "wall": Parameter(["wall/u", ("wall", "layers", "0", "thickness")], [1], how="add"),
    }
    (made,) = _models(Study(ROOM, None, parameters).plan()).values()
    assert (made["windows"]["north"]["u"], made["windows"]["south"]["u"]) == (0.5, 1.0)
    assert (made["wall"]["u"], made["wall"]["layers"][0]["thickness"]) == (1.5, 1.1)


def test_a_field_that_is_not_there_yet_is_made_only_when_asked():
    (made,) = _models(Study(ROOM, None, {"x": Parameter("windows/*/frame", ["wood"], create=True)}).plan()).values()
    assert [window["frame"] for window in made["windows"].values()] == ["wood"] * 3


def test_a_function_changes_a_copy_and_sees_what_paths_have_set():
    def thicken(room: dict[str, Any], value: float) -> None:
        room["wall"]["u"] *= value
        del room["heating"]

    parameters = {"thicken": Parameter(thicken, [2]), "wall/u": [0.1, 0.2]}
    plan = Study(ROOM, None, parameters).plan()
    assert [made["wall"]["u"] for made in _models(plan).values()] == [0.2, 0.4]
    assert all("heating" not in made for made in _models(plan).values())
    pickle.dumps([case.to_json() for case in plan.cases])  # the function is not in the cases
    assert "heating" in ROOM


def test_functions_are_called_once_for_all_weathers_and_only_when_a_case_is_asked_for(tmp_path: Path):
    called: list[float] = []
    for name in ("rome", "oslo"):
        (tmp_path / f"{name}.epw").write_text("LOCATION")
    weathers = [tmp_path / "rome.epw", "s3://bucket/oslo.epw"]
    study = Study(ROOM, weathers, {"f": Parameter(lambda _, value: called.append(value), [1, 2])})
    plan = study.plan()
    assert called == []
    assert [case.weather for case in plan.cases] == ["rome", "oslo", "rome", "oslo"]
    assert called == [1, 2]
    assert plan.weathers == {"rome": str(tmp_path / "rome.epw"), "oslo": "s3://bucket/oslo.epw"}
    assert plan.cases.labels == ("rome | f=1", "oslo | f=1", "rome | f=2", "oslo | f=2")


def test_every_model_and_weather_has_its_own_baseline():
    rooms = {"small": Document(ROOM), "large": Document({**ROOM, "wall": {"u": 9.0}})}
    weathers = {"now": "s3://b/now.epw", "later": "s3://b/later.epw"}
    plan = Study(rooms, weathers, {"wall/u": [0.1]}, baseline=True).plan()
    assert len(plan.cases) == 8
    base = [case for case in plan.cases if case.label == case.baseline]
    assert [case.label for case in base] == [
        "small | now | baseline",
        "small | later | baseline",
        "large | now | baseline",
        "large | later | baseline",
    ]
    assert all(case.patch == [] and not case.parameters for case in base)
    assert {case.baseline for case in plan.cases} == {case.label for case in base}
    assert [case.baseline for case in plan.cases if case.label == "large | later | wall/u=0.1"] == [base[3].label]


def test_a_baseline_may_set_values_and_a_study_may_be_a_baseline_alone():
    plan = Study(ROOM, None, {"wall/u": [0.1]}, baseline={"wall/u": 0.7}).plan()
    assert next((case.label, case.patch) for case in plan.cases) == ("baseline", [[["wall", "u"], 0.7]])
    assert [case.label for case in Study(ROOM, baseline=True).plan().cases] == ["baseline"]
    assert [case.label for case in Study(ROOM).plan().cases] == ["base"]


def test_listed_combinations_leave_out_what_stays_as_in_the_base():
    parameters = {"wall": Parameter("wall/u"), "glass": Parameter("windows/*/u")}
    rows = {"thin": {"wall": 0.9}, "both": {"glass": 0.8, "wall": 0.2}}
    cases = list(Study(ROOM, None, parameters, sampling=rows).plan().cases)
    assert [(case.label, dict(case.parameters)) for case in cases] == [
        ("thin", {"wall": 0.9}),
        ("both", {"wall": 0.2, "glass": 0.8}),
    ]
    assert [case.label for case in Study(ROOM, None, {"wall/u": None}, sampling=[{"wall/u": 1}]).plan().cases] == [
        "wall/u=1"
    ]


def test_samples_make_a_plan_that_can_be_made_again():
    def plan() -> list[dict[str, Any]]:
        study = Study(ROOM, None, {"wall/u": (0.1, 0.9), "heating": ["on", "off"]}, sampling=Sobol(8, seed=4))
        return [case.to_json() for case in study.plan().cases]

    assert plan() == plan()
    assert len({json.dumps(case["parameters"]) for case in plan()}) == 8


def test_a_value_that_the_base_has_already_is_the_base_case():
    (case,) = Study(ROOM, None, {"wall/u": [0.5]}).plan().cases
    assert case.patch == []
    model = Model({"Building": {}, "Zone": {"A": {"multiplier": 1}}})
    (case,) = Study(model, None, {"zone/a/Multiplier": [1.0]}).plan().cases
    assert case.patch == []


def test_options_and_selection_go_to_every_case():
    class Outputs:
        def to_json(self) -> dict[str, Any]:
            return {"meters": ["Electricity:Facility"]}

    (case,) = Study(ROOM, annual=True, outputs=Outputs(), options={"readvars": True}).plan().cases
    assert (case.options, case.selection) == (
        {"annual": True, "readvars": True},
        {"meters": ["Electricity:Facility"]},
    )


def test_thousands_of_cases_are_planned_and_made_one_by_one():
    plan = Study(ROOM, None, {"wall/u": list(range(50)), "windows/*/u": list(range(3, 103))}).plan()
    assert len(plan.cases) == 5000
    assert plan.cases[4999].patch == [
        [["wall", "u"], 49],
        [["windows", "north", "u"], 102],
        [["windows", "south", "u"], 102],
    ]
    assert [case.label for case in plan.cases[-1:]] == ["wall/u=49, windows/*/u=102"]


def test_of_millions_of_cases_those_alone_are_made_that_are_asked_for():
    study = Study(ROOM, None, {"wall/u": list(range(2500)), "windows/*/u": list(range(4000))}, baseline=True)
    tracemalloc.start()
    try:
        plan = study.plan()
        assert len(plan.cases) == 10_000_001
        assert plan.cases[0].label == "baseline"
        assert plan.cases[-1].label == "wall/u=2499, windows/*/u=3999"
        assert [case.label for case in plan.cases[4001:4003]] == ["wall/u=1, windows/*/u=0", "wall/u=1, windows/*/u=1"]
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(IndexError):
        plan.cases[10_000_001]


def test_a_grid_that_is_read_at_any_place_is_the_one_that_is_drawn():
    spaces = {"a": [1, 2, 3], "b": ["x"], "c": [None, [1, 2]]}
    rows = GridRows(spaces)
    assert [dict(values) for _, values in rows] == [dict(values) for _, values in Grid().draw(spaces)]
    assert [label for label, _ in rows] == [label_of(values) for _, values in Grid().draw(spaces)]
    assert rows[-1] == list(rows)[-1]
    rows[1][1]["c"].append(3)
    assert rows[1][1]["c"] == [1, 2]


def test_labels_that_become_the_same_by_what_values_say_are_refused():
    def ignore(_model: Any, _value: Any) -> None:
        pass

    parameters = {"a": Parameter(ignore, ["1, b=2", "1"]), "b": Parameter(ignore, ["2", "2, b=2"])}
    with pytest.raises(BadOptionError, match="two cases are called 'a=1, b=2, b=2'"):
        Study(ROOM, None, parameters).plan()
    models = {"x": Document(ROOM), "x | y": Document(ROOM)}
    with pytest.raises(BadOptionError, match=r"two cases are called 'x \| y \| z'"):
        Study(models, None, sampling={"z": {}, "y | z": {}}).plan()


def _broken(_: Any, value: Any) -> None:
    raise KeyError(value)


def _not_json(room: dict[str, Any], value: Any) -> None:
    room["wall"] = {"u": {value}}


def _number_as_key(room: dict[str, Any], value: Any) -> None:
    room["wall"][value] = 1


@pytest.mark.parametrize(
    ("parameters", "more", "kind", "problem"),
    [
        ({"wal/u": [1]}, {}, ModelError, "the parameter 'wal/u': the model has no 'wal'"),
        ({"wall/w": [1]}, {}, ModelError, "no 'w' in 'wall'"),
        ({"wall/layers/2/thickness": [1]}, {}, ModelError, "no '2' in 'wall/layers'"),
        ({"x": Parameter("none/u", [1], create=True)}, {}, ModelError, "no 'none'"),
        ({"x": Parameter("heating", [2], how="add")}, {}, ModelError, "'heating' is 'on' in the base model"),
        ({"x": Parameter("wall/u", ["a"], how="multiply")}, {}, BadOptionError, "'x': 'a' is not a number"),
        ({"wall/u": []}, {}, BadOptionError, "'wall/u' has no values"),
        ({"wall/u": "thick"}, {}, BadOptionError, "are 'thick', not a list"),
        ({"wall/u": [float("nan")]}, {}, BadOptionError, "'wall/u' is not JSON: nan"),
        ({"wall/u": [{1, 2}]}, {}, BadOptionError, "'wall/u' is not JSON: a set"),
        ({"wall/u": [1, 1]}, {}, BadOptionError, "two cases are called 'wall/u=1'"),
        ({"wall/u": [1], "x": Parameter("wall/*", [2])}, {}, BadOptionError, "'wall/u' and 'x' both set 'wall/u'"),
        ({"wall/u": [1], "wall": [{}]}, {}, BadOptionError, "'wall' and 'wall/u' both set 'wall/u'"),
        ({"wall/u": None}, {}, BadOptionError, "'wall/u' has no values"),
        ({"wall/u": [1]}, {"sampling": [{"wal/u": 1}]}, BadOptionError, "no parameter 'wal/u'"),
        ({"wall/u": [1]}, {"sampling": []}, BadOptionError, "no combinations"),
        ({"wall/u": [1]}, {"baseline": {"x": 1}}, BadOptionError, "no parameter 'x'"),
        ({}, {"options": {"x": object()}}, BadOptionError, "options is not JSON: a object at 'x'"),
        ({"x": Parameter(_broken, [7])}, {}, ModelError, "the function of the parameter 'x' failed with 7: KeyError"),
        ({"x": Parameter(_not_json, [7])}, {}, BadOptionError, "a set at"),
        ({"x": Parameter(_number_as_key, [7])}, {}, BadOptionError, "'wall' has the key 7"),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(
    parameters: dict[str, Any], more: dict[str, Any], kind: type[Exception], problem: str
):
    with pytest.raises(kind, match=problem.replace("*", r"\*")):
        list(Study(ROOM, None, parameters, **more).plan().cases)


def test_an_error_of_a_function_tells_which_case_it_was():
    with pytest.raises(ModelError) as caught:
        list(Study(ROOM, None, {"x": Parameter(_broken, [7])}).plan().cases)
    assert "Case: 'x=7'" in caught.value.__notes__


@pytest.mark.parametrize(
    ("how", "problem"),
    [({"how": "divide"}, "none of 'set', 'multiply', 'add'"), ({"how": "add", "create": True}, "needs a number")],
)
def test_a_parameter_that_makes_no_sense_is_refused(how: dict[str, Any], problem: str):
    with pytest.raises(BadOptionError, match=problem):
        Parameter("wall/u", [1], **how)
    with pytest.raises(BadOptionError, match="needs a path"):
        Parameter(_broken, [1], how="add")


def test_weathers_that_are_not_there_or_have_one_name_are_refused(tmp_path: Path):
    with pytest.raises(WeatherError, match="no weather file"):
        Study(ROOM, tmp_path / "none.epw")
    with pytest.raises(BadOptionError, match="have the same name"):
        Study(ROOM, ["s3://a/rome.epw", "s3://b/rome.epw"])
    with pytest.raises(BadOptionError, match="no weather in the list"):
        Study(ROOM, [])


def test_a_station_and_what_was_downloaded_are_weathers_too(tmp_path: Path):
    (tmp_path / "rome.epw").write_text("LOCATION,Rome")
    station = Station("Oslo", "NOR", "014920", 60.2, 11.1, 204, 1, "s3://weather/oslo.epw")
    study = Study(ROOM, [station, WeatherFiles(tmp_path / "rome.epw", "s3://weather/rome.epw")])
    assert study.weathers == {"oslo": "s3://weather/oslo.epw", "rome": str(tmp_path / "rome.epw")}
    with pytest.raises(BadOptionError, match="is no weather") as refused:
        Study(ROOM, Match(station, 1.0))
    assert "[0].station" in refused.value.remedy


def test_models_of_two_simulators_are_not_one_study():
    with pytest.raises(BadOptionError, match="not all of one simulator"):
        Study({"a": Document(ROOM), "b": Model({"Building": {}})})


def test_a_model_that_is_not_there_is_named_and_a_location_without_one_too(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no model '.*nothere\.idf'"):
        Study(tmp_path / "nothere.idf")
    with pytest.raises(ModelError, match=r"no model 'memory://study-none/x\.idf'"):
        Study({"a": Document(ROOM), "b": "memory://study-none/x.idf"})


def test_several_models_are_a_list_or_epjson_by_name(tmp_path: Path):
    (tmp_path / "hall.json").write_text(json.dumps(ROOM))
    study = Study([{"x": 1}, tmp_path / "hall.json", Document({"x": 3})])
    assert [case.label for case in study.plan().cases] == ["model 1 | base", "hall | base", "model 3 | base"]
    epjson = {"Version": {"Version 1": {"version_identifier": "25.2"}}, "Building": {"Hall": {}}}
    assert list(Study({"old": epjson, "new": epjson}).models) == ["old", "new"]
    assert list(Study({"wall": {"u": 1}, "roof": {"u": 2}}).models) == ["model"]
    with pytest.raises(BadOptionError, match="two of the models are called 'hall'"):
        Study([tmp_path / "hall.json", str(tmp_path / "hall.json")])
    with pytest.raises(BadOptionError, match="no model in the list"):
        Study([])


def test_of_many_names_the_nearest_are_offered():
    many = Document({f"zone {number}": {} for number in range(50)} | {"window": {}})
    with pytest.raises(ModelError) as caught:
        many.find("widows and doors")
    assert caught.value.remedy.startswith("Nearest are 'window', ")
    assert caught.value.remedy.endswith(", of 51")


def test_options_of_stores_are_neither_shown_nor_pickled():
    study = Study(ROOM, "s3://a/rome.epw", storage_options={"secret_access_key": "hunter2"})
    plan = study.plan()
    assert "hunter2" not in f"{plan!r} {vars(study)}"
    for thing in (plan.place_options, study):
        with pytest.raises(UnsupportedError, match="may hold secrets"):
            pickle.dumps(thing)
    assert pickle.loads(pickle.dumps(Study(ROOM))).plan().cases[0].label == "base"


def test_a_star_in_a_name_is_that_name_first():
    document = Document({"*": {"u": 1}, "other": {"u": 2}})
    assert document.find("*/u") == [("*", "u")]
    assert document.find("o*/u") == [("other", "u")]


def test_the_key_of_a_case_depends_on_all_that_its_result_depends_on():
    given: list[Any] = ["m", [[["a"], 1]], "w", "25.2.0-x", {"annual": True}, {"meters": []}]
    others: list[Any] = ["n", [[["a"], 2]], None, "25.2.0-y", {}, {"meters": ["x"]}]
    keys = {case_key(*[*given[:at], others[at], *given[at + 1 :]]) for at in range(6)} | {case_key(*given)}
    assert len(keys) == 7
    # Kept forever: another key would run all that is done once more.
    assert case_key(*given) == "58ad14ce01cffbd33978d9eba40a0a4ea5fd1fdb9721ddcf0a08f507f1dee02e"


def test_a_record_that_is_no_case_is_refused():
    with pytest.raises(ModelError, match="not the record of a case"):
        Case.from_json({"label": "x", "colour": "red"})
