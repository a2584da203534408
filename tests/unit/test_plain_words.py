"""What objects say of themselves at a prompt: what and where, on one short line, and never a secret."""

import pytest

from skyhold.components.library import Library
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.study import Study

MODEL = {"Lights": {"Hall": {"watts": 4.0, "long": "x" * 100_000}}}


@pytest.mark.parametrize(
    ("values", "cases"),
    [
        ([1.0, 2.0, 3.0], "<3 cases: 'Lights/*/watts=1.0' … 'Lights/*/watts=3.0'>"),
        ([1.0], "<1 case: 'Lights/*/watts=1.0'>"),
    ],
    ids=["three", "one"],
)
def test_a_plan_names_its_ends_and_not_its_models(values: list[float], cases: str):
    study = Study(MODEL, None, {"Lights/*/watts": values}, name="halls")
    assert repr(study) == "Study('halls' of model; varied: Lights/*/watts)"
    plan = study.plan()
    assert repr(plan) == f"Plan('halls': {cases} of model; varied: Lights/*/watts)"
    assert repr(plan.cases[:0]) == "<0 cases>"
    assert repr(Study(MODEL, None).plan()) == "Plan('study': <1 case: 'base'> of model; varied: nothing)"


def test_what_lies_in_a_store_says_where():
    assert repr(Campaign.open("memory://words/study")) == "Campaign('memory://words/study')"
    assert repr(Library("memory://words", author="ann")) == "Library('memory://words', author='ann')"
