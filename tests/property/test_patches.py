"""A patch makes one document into another, whatever they are; and a document has one spelling."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skyhold.errors import BadOptionError, ModelError
from skyhold.simulation.patches import apply_patch, make_patch
from skyhold.simulation.plain import canonical_bytes, format_path, is_same, parse_path, to_json

NAMES = st.sampled_from(["a", "b", "A", "é", "a/b", "~", "~1", ""]) | st.text(max_size=3)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES
NUMBERS_ALIKE = st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, None, ""])
DOCUMENTS = st.recursive(
    LEAVES | NUMBERS_ALIKE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@example({"a": 1}, {"a": True})
@example({"a": 1}, {"a": 1.0})
@example([0.0], [-0.0])
@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_makes_the_base_into_the_other_and_leaves_both_as_they_were(base: Any, other: Any):
    before = canonical_bytes(base), canonical_bytes(other)
    patch = make_patch(base, other)
    assert canonical_bytes(apply_patch(base, patch)) == before[1]
    assert (canonical_bytes(base), canonical_bytes(other)) == before


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_survives_json_and_is_sorted_and_empty_only_for_equals(base: Any, other: Any):
    patch = make_patch(base, other)
    assert canonical_bytes(apply_patch(base, json.loads(json.dumps(patch)))) == canonical_bytes(other)
    assert [change[0] for change in patch] == sorted(change[0] for change in patch)
    assert (not patch) == is_same(base, other) == (canonical_bytes(base) == canonical_bytes(other))


@given(DOCUMENTS, DOCUMENTS)
def test_what_a_patch_made_does_not_change_with_the_patch(base: Any, other: Any):
    patch = make_patch(base, other)
    made = apply_patch(base, patch)
    for change in patch:
        for value in change[1:]:
            if isinstance(value, dict):
                value["spoilt"] = True
            if isinstance(value, list):
                value.append("spoilt")
    assert canonical_bytes(made) == canonical_bytes(other)


@given(DOCUMENTS)
def test_the_canonical_bytes_are_json_and_do_not_depend_on_the_order_of_names(document: Any):
    spelt = canonical_bytes(document)
    assert is_same(json.loads(spelt), document)
    assert canonical_bytes(_turned(document)) == spelt
    assert canonical_bytes(to_json(document)) == spelt


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_path_written_as_text_is_read_as_it_was(path: list[str]):
    assert parse_path(format_path(tuple(path))) == tuple(path)


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        ([[["a", "x", "y"], 1]], "'a/x' is not there"),
        ([[["a", "b", "c"], 1]], "'a/b' holds nothing"),
        ([[["a", "nothing"]]], "'a/nothing' is not there to be removed"),
        ([[["list", 2], 1]], "'list/2' is not there"),
        ([[["list", 0]]], "'list/0' is not there to be removed"),
        ([[["a", 0], 1]], "'a/0' is not there"),
    ],
)
def test_a_patch_of_another_document_is_refused_by_the_place(patch: list[Any], problem: str):
    base = {"a": {"b": 1}, "list": [1, 2]}
    with pytest.raises(ModelError, match=problem):
        apply_patch(base, patch)
    assert base == {"a": {"b": 1}, "list": [1, 2]}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, float("inf")]}, "inf at 'a/1'"),
        ({"a": {1: 2}}, "the key 1 at 'a'"),
        ({"a/b": {1, 2}}, "a set at 'a~1b'"),
        ({"a": "\ud800"}, "half a character in .* at 'a'"),
        (object(), "a object"),
    ],
)
def test_what_is_not_json_is_refused_by_the_place(value: Any, problem: str):
    with pytest.raises(BadOptionError, match=f"the parameter 'x' is not JSON: {problem}"):
        to_json(value, "the parameter 'x'")


def test_a_document_in_itself_is_refused():
    ring: list[Any] = []
    ring.append(ring)
    for spell in (to_json, canonical_bytes):
        with pytest.raises(BadOptionError, match="in itself"):
            spell(ring)


def test_numbers_of_numpy_become_plain():
    plain = to_json({"a": np.float64(0.5), "b": np.int64(2), "c": np.array([[1.0]])})
    assert plain == {"a": 0.5, "b": 2, "c": [[1.0]]}
    assert {type(plain["a"]), type(plain["b"])} == {float, int}
