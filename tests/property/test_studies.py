"""Whatever a study sets, its cases hold it; and what they hold needs nothing else."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skyhold.simulation.case import Case, case_key
from skyhold.simulation.model import Model
from skyhold.simulation.parameters import Parameter
from skyhold.simulation.patches import apply_patch
from skyhold.simulation.plain import canonical_bytes
from skyhold.simulation.study import Study

NUMBERS = st.integers(-1000, 1000) | st.sampled_from([2**31, -(10**15)]) | st.floats(-1e6, 1e6, allow_subnormal=False)
NAMES = st.sampled_from(["Brick", "1/2 IN", "wool~", "Ä", "*"])
MATERIALS = st.dictionaries(NAMES, st.fixed_dictionaries({"conductivity": NUMBERS}), min_size=1, max_size=4)
VALUES = st.lists(NUMBERS, min_size=1, max_size=4, unique=True)


def _model(materials: dict[str, Any]) -> Model:
    return Model({"Version": {"Version 1": {"version_identifier": "25.2"}}, "Material": materials})


@given(MATERIALS, VALUES)
def test_a_case_rebuilt_elsewhere_from_bytes_is_what_the_function_made(materials: dict[str, Any], values: list[float]):
    def swap(model: Model, value: float) -> None:
        first = next(iter(model.objects("Material")))
        model.remove("Material", first)
        model.add("Material", "new", conductivity=value)

    base = _model(materials)
    plan = Study(base, None, {"swap": Parameter(swap, values)}).plan()
    for case, value in zip(plan.cases, values, strict=True):
        record = json.loads(json.dumps(case.to_json()))
        rebuilt = apply_patch(json.loads(plan.models[case.model]), Case.from_json(record).patch)
        expected = base.copy()
        swap(expected, value)
        assert canonical_bytes(rebuilt) == expected.to_bytes()


@given(MATERIALS, VALUES, VALUES)
def test_a_path_and_a_function_that_do_the_same_make_cases_of_the_same_key(
    materials: dict[str, Any], factors: list[float], offsets: list[float]
):
    def scale(model: Model, value: float) -> None:
        for material in model.objects("Material").values():
            material["Conductivity"] *= value

    base = _model(materials)
    everywhere = [("Material", name, "conductivity") for name in base.objects("Material")]
    paths = Study(base, None, {"x": Parameter(everywhere, factors, how="multiply")}).plan()
    functions = Study(base, None, {"y": Parameter(scale, factors)}).plan()
    assert [_key(case) for case in paths.cases] == [_key(case) for case in functions.cases]
    added = Study(base, None, {"z": Parameter(everywhere, offsets, how="add")}).plan()
    for case, offset in zip(added.cases, offsets, strict=True):
        changed = Model(apply_patch(base.data, case.patch))
        for name, material in changed.objects("Material").items():
            assert material["conductivity"] == base.get("Material", name)["conductivity"] + offset


def _key(case: Case) -> str:
    return case_key("base", case.patch, None, "build", case.options, case.selection)


@given(MATERIALS)
def test_a_model_has_the_same_bytes_whichever_way_whole_numbers_are_written(materials: dict[str, Any]):
    floats = {name: {"conductivity": float(one["conductivity"])} for name, one in materials.items()}
    assert _model(materials).to_bytes() == _model(floats).to_bytes() == _model(materials).copy().to_bytes()
