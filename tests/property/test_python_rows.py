"""Python rows of any kind are taken exactly as they are, or rejected; none is lost and none is changed."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skyhold import PythonInputAdapter

_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=4),
    st.binary(max_size=3),
    st.decimals(places=2, min_value=-1000, max_value=1000),
    st.decimals(),
    st.dates(),
    st.datetimes(timezones=st.none() | _ZONES),
    st.times(),
    st.timedeltas(),
    st.builds(object),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
_ONE_KIND = st.sampled_from(
    [st.integers(-9, 9), st.text(max_size=3), st.floats(width=32), st.dates(), st.lists(st.integers(-9, 9))]
)


@st.composite
def _rows(draw: st.DrawFn) -> list[Any]:
    """Rows whose columns mostly are of one kind."""
    usual = {name: draw(_ONE_KIND) for name in "ab"}
    rows: list[Any] = []
    for sort in draw(st.lists(st.integers(0, 9), max_size=12)):  # weights: alternatives of one_of are all as likely
        if sort == 0:
            rows.append(draw(_SCALARS))
        elif sort == 1:
            rows.append(draw(st.dictionaries(st.sampled_from("abc"), _VALUES)))
        else:
            odd = "ab"[sort - 2] if sort < 4 else None
            rows.append({name: draw(_VALUES if name == odd else values) for name, values in usual.items()})
    return rows


@given(rows=_rows(), batch_size=st.integers(1, 5))
def test_every_row_is_there_as_it_was_or_is_rejected(rows: list[Any], batch_size: int):
    accepted: dict[int, dict[str, Any]] = {}
    rejected: set[int] = set()
    with PythonInputAdapter(rows, batch_size=batch_size).open(lambda store: store) as stream:
        for batch in stream.batches():
            assert batch.data.schema == stream.schema
            batch.data.validate(full=True)
            for index, row in enumerate(batch.data.to_pylist()):
                accepted[batch.row_number(index)] = row
            rejected |= {row.row for row in batch.malformed}
    assert sorted([*accepted, *rejected]) == list(range(1, len(rows) + 1))
    for number, row in accepted.items():
        given_row = rows[number - 1]
        assert given_row.keys() <= row.keys()
        assert all(_same(given_row.get(name), value) for name, value in row.items()), (given_row, row)


def _same(given_value: Any, held: Any) -> bool:
    """Whether a column holds what was given: of one kind and equal; an int may be a float or a Decimal of its value."""
    if isinstance(given_value, dict):
        return all(_same(given_value.get(name), each) for name, each in held.items()) and not given_value.keys() - held
    if isinstance(given_value, list):
        return len(given_value) == len(held) and all(map(_same, given_value, held))
    if isinstance(given_value, float) and math.isnan(given_value):
        return math.isnan(held)
    if isinstance(given_value, int) and not isinstance(given_value, bool):
        return type(held) in (int, float, Decimal) and held == given_value
    if isinstance(given_value, datetime):
        return type(held) is datetime and held == given_value and (held.tzinfo is None) == (given_value.tzinfo is None)
    return type(held) is type(given_value) and held == given_value


@given(st.lists(st.fixed_dictionaries({"a": st.integers(-(2**63), 2**63 - 1), "b": st.text(), "c": st.dates()})))
def test_rows_of_one_kind_are_all_taken(rows: list[dict[str, Any]]):
    found = PythonInputAdapter(rows).to_reader().read_all().to_pylist()
    assert found == rows
    assert all(type(row["c"]) is date for row in found)
