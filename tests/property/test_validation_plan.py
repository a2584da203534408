"""Whole batches against a plain pydantic loop: the same rows, values and errors."""

import dataclasses
import enum
import json
import pickle
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NotRequired, cast
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    Json,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    computed_field,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from skyhold.records.validation import ValidationPlan


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Plain(BaseModel):
    a: Annotated[int, Field(ge=0, le=10)]
    b: Annotated[str, Field(min_length=1, max_length=5)]
    c: float | None
    d: datetime


class Aliased(BaseModel):
    a: int = Field(alias="b")
    x: str = Field(validation_alias=AliasChoices("c", "d"))
    y: int = Field(7, validation_alias=AliasPath("a", 0))
    z: str | None = Field(None, validation_alias=AliasChoices(AliasPath("c", 1), "a"))


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, extra="allow")
    first: int | None = Field(alias="a")
    b: str = Field(alias="nowhere")


class NameOnly(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False, extra="forbid")
    a: int = Field(alias="z")
    b: str
    c: str | None = Field(alias="a")
    d: str = "none"


class Defaults(BaseModel):
    a: int
    other: list[int] = Field(default_factory=list)
    fixed: Decimal = Decimal("1.5")
    nothing: str = None  # pyright: ignore[reportAssignmentType]
    odd: int = "no int"  # pyright: ignore[reportAssignmentType]


class SoundDefaults(BaseModel):
    a: int
    other: list[int] = Field(default_factory=lambda: [1])
    fixed: Decimal = Decimal("1.5")
    checked: int = Field("5", validate_default=True)
    after: int = Field(default_factory=lambda data: data["a"])


class Missing(BaseModel):
    a: int
    required: str


class Choices(BaseModel):
    a: Literal["1", "x"] | None
    b: Colour
    c: Level | None
    d: Literal[1, "1"]


class Items(BaseModel):
    n: int
    tags: list[str] = []


def parse_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


class Nested(BaseModel):
    a: Annotated[Items | None, BeforeValidator(parse_json)]
    b: Json[list[int]]
    c: Annotated[list[int], BeforeValidator(lambda text: text.split("|"))]
    d: int | str


class Tree(BaseModel):
    a: Annotated["Tree | None", BeforeValidator(parse_json)] = None
    b: int


def explode(value: Any) -> Any:
    if value in {"x", 5}:
        raise RuntimeError("boom")
    return value


class Validators(BaseModel):
    a: Annotated[int, AfterValidator(lambda v: v + 1)]
    b: Annotated[str, AfterValidator(explode)]
    c: Annotated[int, BeforeValidator(str.strip)]
    d: str

    @field_validator("d", mode="wrap")
    @classmethod
    def shout(cls, value: Any, handler: Callable[[Any], str]) -> str:
        if value == "1":
            raise ValueError("not one")
        return handler(value).upper()


class Exploding(BaseModel):
    a: int
    b: Annotated[int, BeforeValidator(explode)]

    @model_validator(mode="after")
    def check(self) -> "Exploding":
        if self.a > self.b:
            raise KeyError(self.a)
        return self


class Informed(BaseModel):
    a: int
    b: str

    @field_validator("b")
    @classmethod
    def check(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("a") == 1:
            raise ValueError(f"{info.field_name} is not for one")
        return value


class Whole(BaseModel):
    a: int
    b: int

    @model_validator(mode="before")
    @classmethod
    def swap(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"a": data["b"], "b": data["a"]}


class Hooked(BaseModel):
    a: int
    _seen: int = 0

    def model_post_init(self, context: Any, /) -> None:
        if self.a == 5:
            raise ValueError("five")


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


class Allowing(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int | None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    a: str
    b: int | None


class StrictField(BaseModel):
    a: Annotated[int, Field(strict=True)] | None
    b: str


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)
    a: Annotated[str, Field(min_length=1)]
    b: EmailStr | None


class Lowered(BaseModel):
    model_config = ConfigDict(str_to_lower=True, str_max_length=3)
    a: str
    b: str | None


class Computed(BaseModel):
    a: int

    @computed_field
    @property
    def inverse(self) -> float:
        return 1 / self.a


class Typed(BaseModel):
    a: Annotated[Decimal, Field(max_digits=4, decimal_places=2)] | None
    b: bool
    c: date | None
    d: bytes


class Others(BaseModel):
    a: IPv4Address | None
    b: HttpUrl | UUID | None
    c: time | None
    d: timedelta | None


class Zoned(BaseModel):
    a: AwareDatetime | None
    b: Decimal | None
    c: int | None


@dataclasses.dataclass
class Data:
    a: int
    b: str = "x"
    c: float | None = dataclasses.field(default=None)


@dataclasses.dataclass
class DataHook:
    a: int
    b: dataclasses.InitVar[int]
    c: int = dataclasses.field(init=False, default=3)

    def __post_init__(self, b: int) -> None:
        self.a += b


class Dict(TypedDict):
    a: int
    b: Annotated[str, Field(alias="d")]
    e: NotRequired[int]


MODELS: list[Any] = [
    *(Plain, Aliased, ByName, NameOnly, SoundDefaults, Missing, Choices, Nested, Tree, Validators, Exploding, Informed),
    *(Whole, Hooked, Forbidding, Allowing, Strict, StrictField, Stripped, Lowered, Computed, Typed, Others, Zoned),
    *(Data, DataHook, Dict),
]
COLUMNS = ("a", "b", "c", "d")
GOOD = [
    "1",
    "2",
    "red",
    "true",
    "2024-01-31T10:00:00",
    "5",
    "x",
    "ann@shop.com",
    "1.25",
    "2024-01-31",
    '{"n": 1}',
    "[1, 2]",
]
ODD = [
    *(
        "",
        " ",
        "+5",
        " 7 ",
        "1_0",
        "0",
        "10",
        "11",
        "abcdef",
        "ABC",
        "[1",
        '{"n": "2", "tags": ["a"]}',
        '{"b": 1}',
        "1|2",
    ),
    *(
        "99999999999999999999",
        "1e400",
        "nan",
        "2024-01-31T10:00:00Z",
        "2024-02-29",
        "Ann@SHOP.com",
        "blue",
        "12345.678",
    ),
    *(
        "0001-01-01T00:00:00+10:00",
        "1E-30",
        "127.0.0.1",
        "http://example.com",
        "12:30",
        "P1D",
        "P999999999D",
        "ż",
        "x\n",
    ),
    "12345678-1234-5678-1234-567812345678",
]
cells = st.one_of(st.none(), st.sampled_from(GOOD), st.sampled_from(GOOD + ODD))
rows_of_cells = st.lists(st.tuples(cells, cells, cells, cells), max_size=12)


def oracle(plan: ValidationPlan, model: Any, row: dict[str, Any]) -> tuple[Any, Any]:
    """What a plain loop gives: (values, None), (None, errors), or (None, a name) where our rule differs."""
    try:
        found = TypeAdapter(model).validate_python(row)
        names = list(plan.output_schema.names)
        values = [found.get(name) if isinstance(found, dict) else getattr(found, name) for name in names]
    except ValidationError as exc:
        return None, [(each["type"], each["msg"], len(each["loc"])) for each in exc.errors(include_url=False)]
    except Exception as exc:  # noqa: BLE001 - exploding validators are part of the family
        return None, f"validator_error {type(exc).__name__}"
    return values, None


def none_columns(model: Any) -> set[str]:
    """Which columns are fed to fields that accept None: spelt out by hand, as a second opinion."""
    return {
        Plain: {"c"},
        Aliased: {"a"},
        ByName: {"a", "c", "d"},
        NameOnly: {"c"},
        Choices: {"a", "c"},
        Nested: {"a"},
        Tree: {"a"},
        Allowing: {"a", "b", "c", "d"},
        Strict: {"b"},
        StrictField: {"a"},
        Stripped: {"b"},
        Lowered: {"b"},
        Typed: {"a", "c"},
        Others: {"a", "b", "c", "d"},
        Zoned: {"a", "b", "c"},
        Data: {"c"},
    }.get(model, set())


def plain(value: Any) -> Any:
    """Spell a model's value as Arrow gives it back."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, BaseModel):
        return {name: plain(each) for name, each in value.__dict__.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, (IPv4Address, HttpUrl, UUID)) else value


def agrees(ours: Any, theirs: Any, kind: Any) -> bool:
    theirs = plain(theirs)
    if pa.types.is_string(kind) and ours is not None and not isinstance(theirs, str):
        return json.loads(ours) == theirs
    if pa.types.is_string(kind) and ours != theirs and isinstance(theirs, str):
        return json.loads(str(ours)) == theirs
    return ours == theirs or (repr(ours) == repr(theirs) == "nan")


def compare(model: Any, rows: list[tuple[str | None, ...]]) -> None:
    plan = ValidationPlan.build(model, columns=COLUMNS)
    batch = pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)] or [[]] * 4, COLUMNS)
    if not rows:
        batch = pa.record_batch([pa.array([], pa.string())] * 4, COLUMNS)
    outcome = plan.validate(batch)
    outcome.accepted.validate(full=True)
    assert outcome.accepted.schema == plan.output_schema
    assert outcome.accepted.num_rows + len(outcome.rejects) == len(rows)
    rejects = {reject.row: reject.errors for reject in outcome.rejects}
    assert list(rejects) == sorted(rejects)
    assert outcome.accepted_rows.to_pylist() == [number for number in range(len(rows)) if number not in rejects]
    accepted = iter(outcome.accepted.to_pylist())
    none = none_columns(model)
    for number, texts in enumerate(rows):
        row = {name: text or (None if name in none else "") for name, text in zip(COLUMNS, texts, strict=True)}
        values, errors = oracle(plan, model, row)
        ours = rejects.get(number)
        if ours is None:
            assert errors is None, (row, errors)
            for (name, mine), theirs in zip(next(accepted).items(), values, strict=True):
                assert agrees(mine, theirs, plan.output_schema.field(name).type), (row, name, mine, theirs)
        elif isinstance(errors, str):
            assert (ours[0].path, ours[0].type) == ("$", "validator_error")
            assert ours[0].message.startswith(errors.split()[1])
        elif errors is None:
            assert {each.type for each in ours} == {"output_overflow"}, (row, ours)
            assert overflows(values), (row, values, ours)
        else:
            assert [(each.type, each.message) for each in ours] == [each[:2] for each in errors]


def overflows(values: list[Any]) -> bool:
    """Tell whether one of the values truly has no place in the output types of the models here."""
    return any(has_no_place(value) for value in values)


def has_no_place(value: Any) -> bool:
    match value:
        case list():
            return overflows(cast("list[Any]", value))
        case BaseModel():
            return overflows([*value.__dict__.values()])
        case int():
            return not -(2**63) <= value < 2**63
        case datetime() | time():
            return value.tzinfo is not None
        case Decimal():
            exact = Context(prec=60)
            return abs(value) >= 10**20 or value != value.quantize(Decimal("1e-18"), context=exact)
        case _:
            return isinstance(value, timedelta) and value.days > 100_000_000


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=40, deadline=None)
@given(rows=rows_of_cells)
def test_a_plan_agrees_with_a_plain_pydantic_loop(model: Any, rows: list[tuple[str | None, ...]]) -> None:
    compare(model, rows)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_plan_agrees_on_every_text_in_every_column(model: Any) -> None:
    texts = GOOD + ODD
    compare(model, [tuple(texts[(i * (k + 1) + k) % len(texts)] for k in range(4)) for i in range(len(texts) * 2)])
    compare(model, [(a, b, "1", "1") for a in GOOD for b in GOOD])


@pytest.mark.parametrize("model", [Plain, Nested, Whole, Data, Dict], ids=lambda model: model.__name__)
def test_a_pickled_plan_gives_the_same(model: Any) -> None:
    plan = ValidationPlan.build(model, columns=COLUMNS)
    batch = pa.record_batch([pa.array(GOOD)] * 4, COLUMNS)
    again = pickle.loads(pickle.dumps(plan)).validate(batch)
    assert again.accepted.equals(plan.validate(batch).accepted)
    assert again.rejects == plan.validate(batch).rejects


@settings(max_examples=20, deadline=None)
@given(rows=rows_of_cells, start=st.integers(0, 5), large=st.booleans())
def test_slices_and_large_strings_give_the_same_as_a_copy(
    rows: list[tuple[str | None, ...]], start: int, *, large: bool
) -> None:
    kind = pa.large_string() if large else pa.string()
    columns = [pa.array([row[i] for row in rows], kind) for i in range(4)]
    batch = pa.record_batch(columns, COLUMNS).slice(start)
    copy = pa.record_batch([pa.array(column.to_pylist(), pa.string()) for column in batch.columns], COLUMNS)
    plan = ValidationPlan.build(Plain, columns=COLUMNS)
    ours, theirs = plan.validate(batch), plan.validate(copy)
    assert ours.accepted.equals(theirs.accepted)
    assert ours.rejects == theirs.rejects
