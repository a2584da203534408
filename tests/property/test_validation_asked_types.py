"""Columns of a type that a field asks for: values exactly, or their rows rejected."""

import json
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, TypeAdapter, create_model, model_validator

from skyhold.errors import SchemaError
from skyhold.records.validation import Outcome, ValidationPlan
from skyhold.records.validation.column_type import ColumnType

TEXTS = pa.dictionary(pa.int32(), pa.string())
LONG = pa.dictionary(pa.int64(), pa.large_string())
STRINGS = st.sampled_from(["", "red", "x", "ż", "1"])


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def rowwise(model: Any) -> Any:
    """Return a model that takes and refuses the same, with a validator that sends whole rows to pydantic."""

    def keep(self: Any) -> Any:
        return self

    validators: dict[str, Any] = {"keep": model_validator(mode="after")(keep)}
    return create_model("Rowwise", __base__=model, __validators__=validators)


def assert_alike(ours: Outcome, theirs: Outcome) -> None:
    ours.accepted.validate(full=True)
    assert ours.accepted.schema == theirs.accepted.schema
    assert ours.accepted_rows.equals(theirs.accepted_rows)
    assert repr(ours.accepted.to_pylist()) == repr(theirs.accepted.to_pylist())
    assert ours.rejects == theirs.rejects


FLOATS = st.floats() | st.integers(-(2**25), 2**25).map(float) | st.floats(width=32)
MOMENTS = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


class Asked(NamedTuple):
    """A type, the column that it asks for, the one it might come from, values, and which of them fit."""

    kind: Any
    target: pa.DataType
    cells: pa.DataType
    values: st.SearchStrategy[Any]
    fits: Callable[[Any], bool]


def is_whole(value: int) -> bool:
    return int(float(value)) == value


def has_no_fraction(moment: datetime) -> bool:
    return moment.microsecond == 0


def is_short(value: float) -> bool:
    if not math.isfinite(value):
        return True
    return abs(value) <= 3.4028234663852886e38 and struct.unpack("f", struct.pack("f", value))[0] == value


ASKED: dict[str, Asked] = {
    "long int": Asked(
        int,
        pa.decimal128(38, 0),
        pa.int64(),
        st.integers(-(10**40), 10**40) | st.integers(-5, 5),
        lambda value: abs(value) < 10**38,
    ),
    "short int": Asked(int, pa.int8(), pa.int16(), st.integers(-300, 300), lambda value: -128 <= value < 128),
    "unsigned int": Asked(int, pa.uint64(), pa.uint64(), st.integers(-3, 2**65), lambda value: 0 <= value < 2**64),
    "int as float": Asked(int, pa.float64(), pa.int64(), st.integers(-(2**55), 2**55), is_whole),
    "short float": Asked(float, pa.float32(), pa.float64(), FLOATS, is_short),
    "large text": Asked(str, pa.large_string(), pa.string(), st.text(max_size=3), lambda _: True),
    "plain enum": Asked(Colour, pa.string(), pa.string(), st.sampled_from(["red", "blue"]), lambda _: True),
    "long enum": Asked(Colour, LONG, TEXTS, st.sampled_from(["red", "blue"]), lambda _: True),
    "seconds": Asked(
        AwareDatetime,
        pa.timestamp("s", "Europe/Paris"),
        pa.timestamp("us", "UTC"),
        MOMENTS,
        has_no_fraction,
    ),
    "nanoseconds": Asked(
        AwareDatetime,
        pa.timestamp("ns", "UTC"),
        pa.timestamp("us", "Asia/Tokyo"),
        MOMENTS,
        lambda at: 1678 <= at.year < 2262,
    ),
    "naive seconds": Asked(datetime, pa.timestamp("s"), pa.timestamp("ms"), st.datetimes(), has_no_fraction),
    "milliseconds": Asked(
        timedelta,
        pa.duration("ms"),
        pa.duration("us"),
        st.timedeltas(timedelta(days=-9), timedelta(days=9)),
        lambda value: value.microseconds % 1000 == 0,
    ),
    "long decimal": Asked(
        Decimal,
        pa.decimal256(60, 30),
        pa.decimal128(38, 20),
        st.decimals(-(10**17), 10**17, places=20) | st.decimals(-1, 1, places=35),
        lambda value: value.normalize(Context(prec=99)).as_tuple().exponent >= -30,
    ),
    "map as text": Asked(
        dict[str, int],
        pa.string(),
        pa.map_(pa.string(), pa.int64()),
        st.dictionaries(STRINGS, st.integers(0, 5)),
        lambda _: True,
    ),
}


def asking(asked: Asked) -> Any:
    marked: Any = Annotated[asked.kind, ColumnType(asked.target)]
    optional: Any = marked | None
    return create_model("M", f=(marked, ...), g=(optional, None))


def as_text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, timedelta):
        return TypeAdapter(timedelta).dump_python(value, mode="json")
    return value.isoformat() if isinstance(value, datetime) else str(value)


@pytest.mark.parametrize("name", [name for name in ASKED if name != "map as text"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_asked_for_column_holds_values_exactly_or_their_rows_are_rejected(name: str, data: st.DataObject) -> None:
    asked = ASKED[name]
    values = data.draw(st.lists(asked.values, max_size=6))
    model = asking(asked)
    batch = pa.record_batch({"f": pa.array([as_text(value) for value in values], pa.string())})
    plan = ValidationPlan.build(model, columns=["f"])
    outcome = plan.validate(batch)
    assert plan.output_schema.types == [asked.target, asked.target]
    assert_alike(outcome, ValidationPlan.build(rowwise(model), columns=["f"]).validate(batch))
    assert [reject.row for reject in outcome.rejects] == [
        row for row, each in enumerate(values) if not asked.fits(each)
    ]
    assert {error.type for reject in outcome.rejects for error in reject.errors} <= {"output_overflow"}
    microseconds = pa.timestamp("us", "UTC") if name in ("seconds", "nanoseconds") else asked.target
    held = outcome.accepted.column("f").cast(microseconds).to_pylist()
    assert repr_of(held) == repr_of([value for value in values if asked.fits(value)])


def repr_of(values: list[Any]) -> list[Any]:
    return ["nan" if isinstance(value, float) and math.isnan(value) else value for value in values]


@pytest.mark.parametrize("name", ASKED)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_typed_columns_become_an_asked_for_one_as_whole_rows_do(name: str, data: st.DataObject) -> None:
    asked = ASKED[name]
    schema = pa.schema([("f", asked.cells), ("g", asked.cells)])
    values = [value for value in data.draw(st.lists(asked.values, max_size=6)) if can_hold(asked.cells, value)]
    batch = pa.record_batch(
        [pa.array([*values, None], asked.cells), pa.array([None, *values], asked.cells)], schema=schema
    )
    model = asking(asked)
    plan = ValidationPlan.build(model, columns=schema, kind="typed")
    whole = ValidationPlan.build(rowwise(model), columns=schema, kind="typed")
    assert_alike(plan.validate(batch), whole.validate(batch))


def can_hold(kind: pa.DataType, value: Any) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, OverflowError):
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (str, pa.int64()),
        (float, pa.int64()),
        (bool, pa.int8()),
        (str, pa.dictionary(pa.int8(), pa.string())),
        (datetime, pa.date32()),
        (int, pa.list_(pa.int64())),
    ],
    ids=str,
)
def test_a_type_that_no_value_of_the_field_has_is_refused(kind: Any, target: pa.DataType) -> None:
    marked: Any = Annotated[kind, ColumnType(target)]
    model = create_model("M", f=(marked, ...))
    with pytest.raises(SchemaError, match=re.escape(str(target))):
        ValidationPlan.build(model, columns=["f"])


def test_what_is_no_arrow_type_is_refused() -> None:
    with pytest.raises(SchemaError, match="no Arrow type"):
        ColumnType("int64")
