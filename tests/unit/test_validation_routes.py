"""Which field takes which route, and which output type."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pyarrow as pa
import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    IPvAnyAddress,
    Json,
    NameEmail,
    PastDatetime,
    PlainValidator,
    RootModel,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from parameter_ids import stable_id
from skyhold.errors import SchemaError
from skyhold.records.validation import FieldError, ValidationPlan
from skyhold.records.validation.column_type import ColumnType
from skyhold.records.validation.outcome import format_path

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Rate(Enum):
    HALF = 0.5


class Point(BaseModel):
    x: int
    y: float | None = None


class Boxed(BaseModel, Generic[T]):
    content: T


TEXTS = pa.dictionary(pa.int32(), pa.string())
POINT = pa.struct([("x", pa.int64()), ("y", pa.float64())])


def plan_of(kind: Any, **config: Any) -> ValidationPlan:
    return ValidationPlan.build(create_model("M", __config__=ConfigDict(**config), f=(kind, ...)), columns=["f"])


@pytest.mark.parametrize(
    ("kind", "route", "arrow_type"),
    [
        (str, "kernel", pa.string()),
        (int | None, "kernel", pa.int64()),
        (Annotated[int, Field(ge=0, multiple_of=3)], "kernel", pa.int64()),
        (Annotated[float, Field(gt=0)], "kernel", pa.float64()),
        (bool, "kernel", pa.bool_()),
        (date, "kernel", pa.date32()),
        (datetime, "kernel", pa.timestamp("us")),
        (AwareDatetime, "kernel", pa.timestamp("us", "UTC")),
        (EmailStr, "kernel", pa.string()),
        (Literal["a", "b"], "kernel", TEXTS),
        (Colour, "kernel", TEXTS),
        (Colour | None, "kernel", TEXTS),
        (Annotated[Colour, AfterValidator(lambda colour: colour)], "column", TEXTS),
        (Literal["a", "b"] | None, "kernel", TEXTS),
        (Colour | Literal["a"] | None, "column", TEXTS),
        (Colour | str, "column", pa.string()),
        (Literal[Colour.RED], "column", TEXTS),
        (Literal[1, 2], "column", pa.int64()),
        (Level, "column", pa.int64()),
        (Rate, "column", pa.float64()),
        (Literal[True], "column", pa.bool_()),
        (Literal[1, "1"], "column", pa.string()),
        (list[Colour], "column", pa.list_(pa.string())),
        (Annotated[str, Field(pattern="^[a-z]+$")], "kernel", pa.string()),
        (Annotated[str, Field(pattern="(?i)a")], "column", pa.string()),
        (Annotated[int, Field(strict=True)], "column", pa.int64()),
        (Annotated[float, Field(multiple_of=0.5)], "column", pa.float64()),
        (Annotated[int, AfterValidator(abs)], "column", pa.int64()),
        (Annotated[EmailStr, AfterValidator(str.upper)], "column", pa.string()),
        (PastDatetime, "column", pa.timestamp("us")),
        (time, "kernel", pa.time64("us")),
        (timedelta, "column", pa.duration("us")),
        (bytes, "column", pa.binary()),
        (Decimal, "kernel", pa.decimal128(38, 18)),
        (Annotated[Decimal, Field(max_digits=5, decimal_places=2)], "kernel", pa.decimal128(5, 2)),
        (Annotated[Decimal, Field(max_digits=5)], "column", pa.decimal128(38, 18)),
        (UUID, "kernel", pa.string()),
        (HttpUrl, "column", pa.string()),
        (Json[list[int]], "column", pa.list_(pa.int64())),
        (Json[Point], "column", POINT),
        (Annotated[Decimal, Field(max_digits=50, decimal_places=2)], "kernel", pa.decimal256(50, 2)),
        (dict[str, int], "column", pa.map_(pa.string(), pa.int64())),
        (dict[Colour, list[Point]], "column", pa.map_(pa.string(), pa.list_(POINT))),
        (dict[int, Decimal | None], "column", pa.map_(pa.int64(), pa.decimal128(38, 18))),
        (dict[str, Any], "column", pa.string()),
        (dict[float, int], "column", pa.string()),
        (dict, "column", pa.string()),
        (tuple[int, int], "column", pa.list_(pa.int64())),
        (tuple[int, ...], "column", pa.list_(pa.int64())),
        (tuple[int, str], "column", pa.string()),
        (RootModel[list[int]], "column", pa.list_(pa.int64())),
        (Boxed[int], "column", pa.struct([("content", pa.int64())])),
        (int | str, "column", pa.string()),
    ],
    ids=stable_id,
)
def test_a_field_takes_the_expected_route_and_type(kind: Any, route: str, arrow_type: pa.DataType) -> None:
    (found,) = plan_of(kind).explain()
    assert (found.field, found.column, found.route, found.arrow_type) == ("f", "f", route, arrow_type)
    assert found.reason


def test_only_optional_fields_are_nullable() -> None:
    assert plan_of(int | None).output_schema.field("f").nullable
    assert not plan_of(int).output_schema.field("f").nullable


@pytest.mark.parametrize(
    "config",
    [
        {"strict": True},
        {"str_to_lower": True},
        {"str_to_upper": True},
        {"str_min_length": 2},
        {"str_max_length": 4},
        {"regex_engine": "python-re"},
    ],
    ids=stable_id,
)
def test_a_setting_that_the_kernels_do_not_know_leaves_no_kernel(config: dict[str, Any]) -> None:
    assert plan_of(str, **config).explain()[0].route != "kernel"


def test_a_model_validator_sends_whole_rows() -> None:
    class Checked(BaseModel):
        a: int

        @model_validator(mode="after")
        def check(self) -> "Checked":
            return self

    (route,) = ValidationPlan.build(Checked, columns=["a"]).explain()
    assert route.route == "row"
    assert "validator" in route.reason


def test_a_validator_that_takes_info_sends_whole_rows() -> None:
    def name_it(value: str, info: ValidationInfo) -> str:
        return f"{info.field_name}={value}"

    plan = plan_of(Annotated[str, AfterValidator(name_it)])
    assert plan.explain()[0].route == "row"
    assert plan.validate(pa.record_batch({"f": ["x"]})).accepted.to_pylist() == [{"f": "f=x"}]


def test_forbidden_columns_are_named_by_pydantic() -> None:
    plan = ValidationPlan.build(
        create_model("M", __config__=ConfigDict(extra="forbid"), a=(int, ...)), columns=["a", "b"]
    )
    outcome = plan.validate(pa.record_batch({"a": ["1"], "b": ["2"]}))
    assert outcome.rejects[0].errors == (FieldError("$.b", "extra_forbidden", "Extra inputs are not permitted", "2"),)


def test_extra_columns_follow_the_fields_as_text() -> None:
    plan = ValidationPlan.build(
        create_model("M", __config__=ConfigDict(extra="allow"), b=(int, ...)), columns=["a", "b"]
    )
    outcome = plan.validate(pa.record_batch({"a": ["x", ""], "b": ["1", "+2"]}))
    assert outcome.accepted.to_pylist() == [{"b": 1, "a": "x"}, {"b": 2, "a": None}]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "9223372036854775808"),
        (Decimal, "1e-19"),
        (datetime, "2024-01-01T00:00:00Z"),
        (AwareDatetime, "0001-01-01T00:00:00+01:00"),
        (timedelta, "P999999999D"),
        (Annotated[str, AfterValidator(lambda _: "\ud800")], "x"),
        (Annotated[int, AfterValidator(str)], "1"),
        (Annotated[int, ColumnType(pa.uint64())], "-1"),
        (Annotated[Json[Point], AfterValidator(lambda _: Point.model_construct(y=1.5))], '{"x": 1}'),
        (Annotated[Json[list[int]], AfterValidator(lambda _: [None])], "[1]"),
    ],
    ids=stable_id,
)
def test_a_value_that_the_column_cannot_hold_is_rejected_and_never_changed(kind: Any, text: str) -> None:
    outcome = plan_of(kind).validate(pa.record_batch({"f": [text]}))
    assert outcome.accepted.num_rows == 0
    (error,) = outcome.rejects[0].errors
    assert (error.path, error.type) == ("$.f", "output_overflow")


def test_an_exploding_validator_rejects_its_row_only() -> None:
    def explode(value: int) -> int:
        return 1 // value

    outcome = plan_of(Annotated[int, AfterValidator(explode)]).validate(pa.record_batch({"f": ["1", "0", "-1"]}))
    assert outcome.accepted.to_pylist() == [{"f": 1}, {"f": -1}]
    assert [reject.row for reject in outcome.rejects] == [1]
    assert outcome.rejects[0].errors[0].type == "validator_error"
    assert "ZeroDivisionError" in outcome.rejects[0].errors[0].message


def test_slow_rows_judge_addresses_as_pydantic_does() -> None:
    model = create_model("M", a=(int, ...), e=(EmailStr | None, None))
    plan = ValidationPlan.build(model, columns=["a", "e"])
    emails = ["ann@shop.com", "Ann@SHOP.com", "a@b.com\n", "a@b.test", "a@b.com.", "", "ż@b.pl", "a" * 65 + "@b.com"]
    outcome = plan.validate(pa.record_batch({"a": ["+1"] * len(emails), "e": emails}))
    rejects = {each.row: each.errors[0].message for each in outcome.rejects}
    accepted: list[str | None] = []
    refused: dict[int, str] = {}
    for row, email in enumerate(emails):
        try:
            accepted.append(TypeAdapter(EmailStr | None).validate_python(email or None))
        except ValidationError as exc:
            refused[row] = exc.errors()[0]["msg"]
    assert rejects == refused
    assert outcome.accepted.column("e").to_pylist() == accepted


def test_order_is_kept_when_fast_slow_and_bad_rows_mix() -> None:
    texts = ["1", "+2", "x", "3", "+4", "x", "+5"]
    outcome = plan_of(int).validate(pa.record_batch({"f": texts}))
    assert [row["f"] for row in outcome.accepted.to_pylist()] == [1, 2, 3, 4, 5]
    assert [reject.row for reject in outcome.rejects] == [2, 5]


def test_a_default_factory_makes_a_value_for_each_row() -> None:
    numbers = iter(range(100))
    model = create_model("M", a=(int, ...), n=(int, Field(default_factory=lambda: next(numbers))))
    outcome = ValidationPlan.build(model, columns=["a"]).validate(pa.record_batch({"a": ["1", "2", "3"]}))
    assert outcome.accepted.column("n").to_pylist() == [0, 1, 2]


def test_input_that_is_not_text_goes_to_pydantic_as_it_is() -> None:
    plan = ValidationPlan.build(Point, columns=pa.schema([("x", pa.int64()), ("y", pa.float64())]), kind="typed")
    outcome = plan.validate(pa.record_batch({"x": pa.array([1, None]), "y": pa.array([None, 2.5])}))
    assert outcome.accepted.to_pylist() == [{"x": 1, "y": None}]
    assert outcome.rejects[0].errors[0].type == "int_type"


@pytest.mark.parametrize("model", [int, 3, "M", RootModel[int], Point(x=1), dict, list[int]], ids=repr)
def test_what_is_no_record_class_is_refused(model: Any) -> None:
    with pytest.raises(SchemaError):
        ValidationPlan.build(model, columns=["a"])


def test_other_columns_than_planned_are_refused() -> None:
    plan = plan_of(int)
    for batch in (pa.record_batch({"g": ["1"]}), pa.record_batch({"f": [1]})):
        with pytest.raises(SchemaError):
            plan.validate(batch)
    with pytest.raises(SchemaError, match="twice"):
        ValidationPlan.build(Point, columns=["x", "x"])


def test_threads_share_a_plan() -> None:
    plan = ValidationPlan.build(Point, columns=["x", "y"])
    batch = pa.record_batch({"x": ["1", "+2", "z"] * 500, "y": ["", "1.5", "2"] * 500})
    expected = plan.validate(batch)
    gate = threading.Barrier(4)

    def run() -> bool:
        gate.wait()
        return all(plan.validate(batch).accepted.equals(expected.accepted) for _ in range(5))

    with ThreadPoolExecutor(4) as pool:
        assert all(each.result() for each in [pool.submit(run) for _ in range(4)])


def test_paths_spell_names_and_places() -> None:
    assert format_path(("user", "tags", 2, "first name")) == '$.user.tags[2]["first name"]'
    assert format_path(()) == "$"


@pytest.mark.parametrize(
    ("kind", "text", "value", "arrow_type"),
    [
        (ByteSize, "3 kB", 3000, pa.int64()),
        (IPvAnyAddress, "::1", "::1", pa.string()),
        (NameEmail, "Ann <ann@shop.com>", "Ann <ann@shop.com>", pa.string()),
        (Annotated[int, PlainValidator(int)], "7", 7, pa.int64()),
        (Annotated[int | None, PlainValidator(lambda v: v)], "", None, pa.int64()),
        (Annotated[set[str], BeforeValidator(str.split)], "b a c", ["a", "b", "c"], pa.list_(pa.string())),
    ],
)
def test_types_that_validate_themselves_have_the_column_of_what_they_are(
    kind: Any, text: str, value: object, arrow_type: pa.DataType
) -> None:
    outcome = plan_of(kind).validate(pa.record_batch({"f": [text]}))
    assert outcome.rejects == []
    assert outcome.accepted.schema.field("f").type == arrow_type
    assert outcome.accepted.column("f").to_pylist() == [value]


def test_an_excluded_field_is_judged_and_not_written() -> None:
    model = create_model(
        "M", a=(int, ...), key=(SecretStr, Field(exclude=True, min_length=2)), n=(list[int], Field([], exclude=True))
    )
    plan = ValidationPlan.build(model, columns=["a", "key"])
    outcome = plan.validate(pa.record_batch({"a": ["1", "+2", "3"], "key": ["long", "long", "x"]}))
    assert outcome.accepted.to_pylist() == [{"a": 1}, {"a": 2}]
    assert [(each.row, each.errors[0].path) for each in outcome.rejects] == [(2, "$.key")]
    assert {each.field: each.arrow_type for each in plan.explain()} == {"a": pa.int64(), "key": None, "n": None}


def test_a_secret_has_no_column() -> None:
    with pytest.raises(SchemaError, match="SecretStr"):
        plan_of(SecretStr)


def test_an_empty_cell_of_an_extra_column_is_none_only_if_its_type_says_so() -> None:
    class Typed(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int] = {}  # pyright: ignore[reportIncompatibleVariableOverride] - pydantic reads this

    outcome = ValidationPlan.build(Typed, columns=["x"]).validate(pa.record_batch({"x": ["", "5"]}))
    assert outcome.rejects[0].errors[0].type == "int_parsing"
    assert outcome.accepted_rows.to_pylist() == [1]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_failure_that_is_not_the_rows_goes_on_up(error: type[BaseException]) -> None:
    def fail(value: str) -> str:
        raise error

    with pytest.raises(error):
        plan_of(Annotated[str, AfterValidator(fail)]).validate(pa.record_batch({"f": ["x"]}))
