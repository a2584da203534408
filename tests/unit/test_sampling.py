"""Which combinations a study runs."""

import builtins
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from skyhold.errors import BadOptionError, MissingExtraError
from skyhold.simulation.sampling import Grid, LatinHypercube, Listed, Sampling, Sobol

SPACES = {"a": (10.0, 20.0), "b": ["low", "mid", "high", "top"]}


def _values(sampling: Sampling, spaces: Any = SPACES) -> list[Any]:
    return [dict(values) for _, values in sampling.draw(spaces)]


def test_a_grid_has_every_value_with_every_other():
    assert len(_values(Grid())) == 8
    assert _values(Grid(), {}) == [{}]


def test_listed_combinations_are_taken_as_they_are():
    assert _values(Listed([{"a": 1}, {"b": 2}])) == [{"a": 1}, {"b": 2}]
    assert [label for label, _ in Listed({"one": {"a": 1}}).draw({})] == ["one"]


@pytest.mark.parametrize("make", [LatinHypercube, Sobol])
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(make: Callable[..., Sampling]):
    assert _values(make(8, seed=5)) == _values(make(8, seed=5))
    assert _values(make(8, seed=5)) != _values(make(8, seed=6))


@pytest.mark.parametrize("make", [LatinHypercube, Sobol])
def test_samples_stay_in_ranges_and_take_choices_equally_often(make: Callable[..., Sampling]):
    drawn = _values(make(64, seed=1))
    assert all(10 <= values["a"] < 20 and type(values["a"]) is float for values in drawn)
    assert {name: sum(values["b"] == name for values in drawn) for name in SPACES["b"]} == dict.fromkeys(
        SPACES["b"], 16
    )


def test_a_latin_hypercube_meets_each_part_of_a_range_once():
    drawn = sorted(values["a"] for values in _values(LatinHypercube(100, seed=3), {"a": (0.0, 100.0), "b": (0, 1)}))
    assert [int(value) for value in drawn] == list(range(100))


def test_a_longer_sobol_sequence_begins_with_the_shorter_one():
    assert _values(Sobol(16, seed=2))[:8] == _values(Sobol(8, seed=2))
    assert len(_values(Sobol(5, seed=2))) == 5  # no power of two, and no warning


def test_samples_are_numbered_so_that_they_sort():
    labels = [label for label, _ in LatinHypercube(12).draw(SPACES)]
    assert labels[0] == "sample-01"
    assert all(one < other for one, other in pairwise(str(label) for label in labels))


@pytest.mark.parametrize(
    ("sampling", "spaces", "problem"),
    [
        (Grid(), {"a": None}, "the parameter 'a' has no values"),
        (Grid(), {"a": []}, "the parameter 'a' has no values"),
        (LatinHypercube(0), SPACES, r"LatinHypercube\(n=0\)"),
        (Sobol(4), {}, "no parameter to sample"),
    ],
)
def test_what_cannot_be_combined_is_refused_by_name(sampling: Sampling, spaces: Any, problem: str):
    with pytest.raises(BadOptionError, match=problem):
        list(sampling.draw(spaces))


def test_samples_without_scipy_name_the_extra(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match="Sobol samples") as caught:
        list(Sobol(4).draw(SPACES))
    assert "skyhold[simulation]" in caught.value.remedy
