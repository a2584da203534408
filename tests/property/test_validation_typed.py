"""Typed columns and lines of JSON: the fast routes against pydantic on every row."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    NaiveDatetime,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from parameter_ids import stable_id
from skyhold.records.validation import Outcome, ValidationPlan

naive = datetime.fromisoformat
BERLIN = pa.timestamp("us", tz="Europe/Berlin")
NANOSECONDS = [0, 999, 1_000, -1_000, -1, 1_700_000_000_000_000_001, 2**63 - 1]
EDGES: dict[Any, list[Any]] = {
    pa.int8(): [-128, 0, 1, 127],
    pa.int64(): [-(2**63), -(2**53) - 1, 0, 1, 3, 2**53 + 1, 2**63 - 1],
    pa.uint64(): [0, 1, 2**63 - 1, 2**63, 2**64 - 1],
    pa.float32(): [0.0, -0.0, 0.1, 1.0, float("inf"), float("nan")],
    pa.float64(): [0.0, -0.0, 0.1, 3.0, -7.5, 2.0**53, 2.0**63, 1e300, float("-inf"), float("nan")],
    pa.bool_(): [True, False],
    pa.string(): ["", "1", "-2", "1.5", "a", "ab", "red", "2024-02-29", "2024-01-01T00:00:00", "a@b.com", "yes"],
    pa.large_string(): ["", "7", "green"],
    pa.dictionary(pa.int32(), pa.string()): ["red", "1", ""],
    pa.date32(): [date.min, date(1970, 1, 1), date(2024, 2, 29), date.max],
    pa.timestamp("s"): [naive("0001-01-01"), naive("2024-01-01"), naive("9999-12-31T23:00:00")],
    pa.timestamp("us"): [naive("0001-01-01"), naive("2024-01-01T00:00:00.000001"), naive("9999-12-31T23:59:59.999999")],
    pa.timestamp("ns"): NANOSECONDS,
    BERLIN: [datetime(1, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)],
    pa.timestamp("ns", tz="UTC"): NANOSECONDS,
    pa.time64("us"): [time(0), time(23, 59, 59, 999999)],
    pa.duration("ms"): [timedelta(0), timedelta(days=-1)],
    pa.decimal128(10, 2): [Decimal("0.00"), Decimal("1.50"), Decimal(3)],
    pa.binary(): [b"", b"abc", b"\xff"],
    pa.list_(pa.int64()): [[], [1, None], [1, 2]],
    pa.struct([("x", pa.int64())]): [{"x": 1}, {"x": None}],
    pa.null(): [None],
}


class Colour(Enum):
    RED = "red"
    GREEN = "green"


KINDS: list[Any] = [
    int,
    Annotated[int, Field(ge=0, lt=100, multiple_of=3)],
    float,
    Annotated[float, Field(gt=-1, le=3, allow_inf_nan=False)],
    bool,
    str,
    Annotated[str, Field(min_length=1, max_length=2)],
    EmailStr,
    Literal["1", "red"],
    Colour,
    date,
    Annotated[date, Field(ge=date(2000, 1, 1))],
    datetime,
    Annotated[datetime, Field(ge=naive("2000-01-01"))],
    AwareDatetime,
    NaiveDatetime,
    Annotated[AwareDatetime, Field(le=datetime(2025, 1, 1, tzinfo=UTC))],
    Annotated[datetime, AfterValidator(lambda value: value.replace(tzinfo=None))],
    time,
    timedelta,
    Decimal,
    bytes,
    list[int],
    int | str,
    Any,
]


def verdict(validate: Callable[[Any], Any], value: Any) -> tuple[Any, list[str]]:
    try:
        return validate(value), []
    except ValidationError as error:
        return None, [each["type"] for each in error.errors()]


def rowwise(model: Any) -> Any:
    """Return a model that takes and refuses the same, with a validator that sends whole rows to pydantic."""

    def same(self: Any) -> Any:
        return self

    validators: dict[str, Any] = {"same": model_validator(mode="after")(same)}
    return create_model("Rowwise", __base__=model, __validators__=validators)


def assert_alike(ours: Outcome, theirs: Outcome, rows: int) -> None:
    ours.accepted.validate(full=True)
    assert ours.accepted.num_rows + len(ours.rejects) == rows
    assert ours.accepted.schema == theirs.accepted.schema
    assert ours.accepted_rows.equals(theirs.accepted_rows)
    assert repr(to_rows(ours)) == repr(to_rows(theirs))
    assert ours.rejects == theirs.rejects


def to_rows(outcome: Outcome) -> list[Any]:
    return outcome.accepted.to_pylist()


@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
@pytest.mark.parametrize("kind", KINDS, ids=stable_id)
def test_typed_columns_are_judged_as_whole_rows_are(kind: Any, *, optional: bool) -> None:
    field: Any = (kind | None, None) if optional else (kind, ...)
    model = create_model("M", f=field)
    for cells, values in EDGES.items():
        schema = pa.schema([pa.field("f", cells)])
        batch = pa.record_batch([pa.array([*values, None, *values[:1]], cells)], schema=schema)
        plan = ValidationPlan.build(model, columns=schema, kind="typed")
        whole = ValidationPlan.build(rowwise(model), columns=schema, kind="typed")
        assert {route.route for route in whole.explain()} == {"row"}
        assert_alike(plan.validate(batch), whole.validate(batch), batch.num_rows)
        assert_alike(plan.validate(batch.slice(1, 2)), whole.validate(batch.slice(1, 2)), batch.slice(1, 2).num_rows)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_typed_values_are_judged_as_pydantic_does(data: st.DataObject) -> None:
    cells = data.draw(st.sampled_from([pa.int64(), pa.float64(), pa.string(), pa.timestamp("us"), pa.date32()]))
    strategy: Any = {
        pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 105),
        pa.float64(): st.floats() | st.integers(-(2**54), 2**54).map(float),
        pa.string(): st.text(max_size=4) | st.from_regex(r"-?\d{1,3}(\.\d)?", fullmatch=True),
        pa.timestamp("us"): st.datetimes(),
        pa.date32(): st.dates(),
    }[cells]
    values = data.draw(st.lists(st.none() | strategy, max_size=8))
    kind = data.draw(st.sampled_from(KINDS))
    batch = pa.record_batch({"f": pa.array(values, cells)})
    plan = ValidationPlan.build(create_model("M", f=(kind, ...)), columns=batch.schema, kind="typed")
    outcome = plan.validate(batch)
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    rejected = {reject.row: reject.errors[0].type for reject in outcome.rejects}
    accepted = iter(outcome.accepted.column("f").to_pylist())
    for row, value in enumerate(values):
        theirs, errors = verdict(adapter.validate_python, value)
        if errors:
            assert rejected[row] == errors[0]
        elif row in rejected:
            assert rejected[row] == "output_overflow"
        elif not pa.types.is_string(plan.output_schema.field("f").type):
            ours = next(accepted)
            assert ours == theirs or repr(ours) == repr(theirs) == "nan"
        else:
            next(accepted)


class Person(BaseModel):
    a: int
    b: str | None = None
    c: float | None = None
    d: Annotated[bool, Field(alias="ok")]
    e: datetime | None
    f: EmailStr | None = None
    g: Literal["x", "y"] = "x"


class Strict(Person):
    model_config = ConfigDict(extra="forbid")


class Open(Person):
    model_config = ConfigDict(extra="allow")


class Other(BaseModel):
    model_config = ConfigDict(validate_by_name=True)
    a: int = Field(alias="z")
    tags: list[str] = []


LINES = [
    b'{"a": 1, "ok": true, "e": null}',
    b'{"a":2,"b":"x","c":1.5,"ok":false,"e":"2024-01-01T00:00:00","f":"ann@example.org","g":"y"}',
    b'{"a":3,"ok":true,"e":null,"c":-0}',
    b'{"a":3,"ok":true,"e":null,"c":-0.0}',
    b'{"a":3,"ok":true,"e":null,"c":NaN}',
    b'{"a":1.0,"ok":true,"e":null}',
    b'{"a":1e2,"ok":true,"e":null}',
    b'{"a":9223372036854775808,"ok":true,"e":null}',
    b'{"a":1,"a":2,"ok":true,"e":null}',
    b'{"a":"5","ok":"yes","e":1700000000}',
    b'{"a":1,"ok":true,"e":null}{"a":1,"ok":true,"e":null}',
    b'{"a":1,"b":{}',
    b"}",
    b'{"a":1,"ok":true,"e":null,"b":"\xff"}',
    b'{"a":1,"ok":true,"e":null,"b":"\\ud800"}',
    b'{"a":1,"ok":true,"e":null,"new":[1,{"x":2}]}',
    b'{"z":1,"tags":["a"]}',
    b"[1]",
    b"null",
    b"",
    b' \t{"a": 1, "ok": true, "e": null} \r',
    b'{"a":1,\n"ok":true,"e":null}',
    b'{"a":1,"ok":true,"e":null,"b":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"a":1,"ok":true,"e":null,"b":"' + b"x" * 9_000 + b'"}',
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["2024-01-01", "ann@example.org", "x", "1", "true"]
)  # fmt: skip
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c", "ok", "e", "f", "g", "z", "tags", "k"]), VALUES, max_size=8)
GENERATED = st.tuples(OBJECTS, st.booleans()).map(lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]))


@pytest.mark.parametrize("model", [Person, Strict, Open, Other], ids=lambda model: model.__name__)
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.sampled_from(LINES) | GENERATED.map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(lines=LINES)
@example(lines=LINES[:2] * 3)
@example(lines=LINES[:2] + LINES[8:9])
@example(lines=[LINES[1], LINES[1].replace(b"1.5", b"-0")])
@example(lines=[LINES[1], LINES[1] * 2])
def test_lines_of_json_are_judged_as_whole_rows_are(model: Any, lines: list[bytes]) -> None:
    keys = pa.schema([pa.field("k", pa.string()), pa.field("new", pa.list_(pa.int64()))])
    batch = pa.record_batch({"line": pa.array(lines, pa.binary())})
    plan = ValidationPlan.build(model, columns=keys, kind="json")
    whole = ValidationPlan.build(rowwise(model), columns=keys, kind="json")
    outcome = plan.validate(batch)
    assert_alike(outcome, whole.validate(batch), len(lines))
    assert_alike(plan.validate(batch.slice(1)), whole.validate(batch.slice(1)), max(0, len(lines) - 1))
    rejected = {reject.row: reject.errors for reject in outcome.rejects}
    for row, line in enumerate(lines):
        _, errors = verdict(model.model_validate_json, line)
        if errors:
            assert [each.type for each in rejected[row]] == errors
        else:
            assert row not in rejected or {each.type for each in rejected[row]} == {"output_overflow"}


def test_plain_lines_do_not_reach_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ValidationPlan.build(Person, columns=pa.schema([]), kind="json")
    assert {route.route for route in plan.explain()} == {"kernel"}
    seen: list[int] = []
    rows = vars(plan)["_rows"]
    judge = rows.judge
    monkeypatch.setattr(rows, "judge", lambda numbers, lines: (seen.extend(numbers), judge(numbers, lines))[1])
    dirty = [LINES[1], LINES[1].replace(b"2,", b'"2",'), LINES[1], b"{", LINES[1]]
    outcome = plan.validate(pa.record_batch({"line": pa.array(dirty, pa.binary())}))
    assert seen == [1, 3]
    assert [reject.row for reject in outcome.rejects] == [3]
