"""Columns of what is more than text and numbers: exactly pydantic's values, in the model's types."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    computed_field,
    create_model,
)
from typing_extensions import TypedDict

from skyhold.records.validation import ValidationPlan
from skyhold.records.validation.column_type import ColumnType

T = TypeVar("T")
TEXTS = pa.dictionary(pa.int32(), pa.string())
SHORT = pa.dictionary(pa.int8(), pa.string())


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Point(NamedTuple):
    x: int
    y: str | None = None


class Item(BaseModel):
    name: str
    colour: Colour = Colour.RED
    secret: int = Field(0, exclude=True)

    @computed_field
    @property
    def length(self) -> int:
        return len(self.name)


@dataclasses.dataclass
class Pair(Generic[T]):
    left: T
    right: T | None = None


class Row(TypedDict, total=False):
    a: int
    b: list[str]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog", "wolf"]
    name: str | None


class Bare(BaseModel):
    kind: Literal["bare"]
    lives: str


class Names(RootModel[list[str]]):
    pass


class Maybe(RootModel[int | None]):
    pass


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = []


STRINGS = st.sampled_from(["", "red", "x", "ż", "1"])
INTS = st.integers(-5, 5) | st.sampled_from([2**63, -(2**63)])
CATS = st.fixed_dictionaries({"kind": st.just("cat"), "lives": INTS})
DOGS = st.fixed_dictionaries({"kind": st.sampled_from(["dog", "wolf"]), "name": STRINGS | st.none()})
ITEMS = st.fixed_dictionaries({"name": STRINGS}, optional={"colour": st.sampled_from(["red", "blue", "green"])})
ODD = st.sampled_from([None, 5, "x", [], {}, [1], {"a": 1}, True, 1.5])
Animal = Annotated[Cat | Dog, Field(discriminator="kind")]

# Type, the column that it has, and JSON values of which most are good.
KINDS: dict[str, tuple[Any, pa.DataType, st.SearchStrategy[Any]]] = {
    "enum": (Colour, TEXTS, st.sampled_from(["red", "blue", "green"])),
    "int enum": (Level, pa.int64(), st.sampled_from([1, 2, 3])),
    "mixed enum": (Mixed, pa.string(), st.sampled_from([1, "two"])),
    "literal": (Literal["a", Colour.RED], TEXTS, st.sampled_from(["a", "red"])),
    "literal of ints": (Literal[1, 2], pa.int64(), st.sampled_from([1, 2, 3])),
    "made-up member": (
        Annotated[Colour, AfterValidator(lambda colour: f"light {colour.value}")],
        TEXTS,
        st.sampled_from(["red", "blue"]),
    ),
    "map": (dict[str, int], pa.map_(pa.string(), pa.int64()), st.dictionaries(STRINGS, INTS, max_size=3)),
    "map of models": (
        dict[Colour, Pair[int]],
        pa.map_(pa.string(), pa.struct([("left", pa.int64()), ("right", pa.int64())])),
        st.dictionaries(st.sampled_from(["red", "blue"]), st.fixed_dictionaries({"left": INTS}), max_size=2),
    ),
    "map of anything": (dict[str, Any], pa.string(), st.dictionaries(STRINGS, INTS, max_size=2)),
    "list": (
        list[Colour | None],
        pa.list_(pa.string()),
        st.lists(st.sampled_from(["red", "blue", None, "green"]), max_size=3),
    ),
    "lists": (
        list[list[int] | None] | None,
        pa.list_(pa.list_(pa.int64())),
        st.none() | st.lists(st.none() | st.lists(INTS, max_size=2), max_size=3),
    ),
    "set": (set[int], pa.list_(pa.int64()), st.lists(INTS, max_size=3)),
    "pair": (tuple[int, int], pa.list_(pa.int64()), st.lists(INTS, min_size=1, max_size=3)),
    "mixed tuple": (tuple[int, str], pa.string(), st.tuples(INTS, STRINGS).map(list)),
    "model": (
        Item,
        pa.struct([("name", pa.string()), ("colour", pa.string()), ("length", pa.int64())]),
        ITEMS,
    ),
    "models": (
        list[Pair[Item]],
        pa.list_(
            pa.struct(
                [
                    (side, pa.struct([("name", pa.string()), ("colour", pa.string()), ("length", pa.int64())]))
                    for side in ("left", "right")
                ]
            )
        ),
        st.lists(st.fixed_dictionaries({"left": ITEMS}, optional={"right": ITEMS | st.none()}), max_size=2),
    ),
    "typed dict": (
        Row,
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries({}, optional={"a": INTS, "b": st.lists(STRINGS, max_size=2)}),
    ),
    "named tuple": (
        Point,
        pa.struct([("x", pa.int64()), ("y", pa.string())]),
        st.fixed_dictionaries({"x": INTS}, optional={"y": STRINGS}),
    ),
    "tagged": (
        Animal,
        pa.struct([("kind", pa.string()), ("lives", pa.int64()), ("name", pa.string())]),
        CATS | DOGS,
    ),
    "tagged, at odds": (
        Annotated[Cat | Bare, Field(discriminator="kind")],
        pa.string(),
        CATS,
    ),
    "untagged": (Cat | Dog, pa.string(), CATS | DOGS),
    "root": (Names, pa.list_(pa.string()), st.lists(STRINGS, max_size=2)),
    "root of none": (Maybe, pa.int64(), INTS | st.none()),
    "roots": (list[Maybe], pa.list_(pa.int64()), st.lists(INTS | st.none(), max_size=2)),
    "tree": (Tree, pa.struct([("value", pa.int64()), ("children", pa.list_(pa.string()))]), ODD),
    "url": (AnyUrl, pa.string(), st.sampled_from(["http://example.com", "x:y", "no"])),
    "uuid": (UUID, pa.string(), st.uuids().map(str) | st.uuids().map(lambda uuid: uuid.hex)),
    "decimal": (
        Annotated[Decimal, Field(max_digits=5, decimal_places=2)],
        pa.decimal128(5, 2),
        st.decimals(-1000, 1000, places=2).map(str),
    ),
}


def model_of(name: str) -> Any:
    return create_model("M", __config__=ConfigDict(arbitrary_types_allowed=True), f=(KINDS[name][0], ...))


def spelt(value: Any) -> Any:
    """Return a model's value as its column gives it back."""
    if isinstance(value, (list, tuple)) and not isinstance(value, Point):
        return [spelt(each) for each in value]
    if isinstance(value, dict):
        return {spelt(name): spelt(each) for name, each in value.items()}
    how = next((how for kind, how in SPELT.items() if isinstance(value, kind)), None)
    return how(value) if how else value


def members(value: Any) -> dict[str, Any]:
    return {name: spelt(each) for name, each in vars(value).items()}


SPELT: dict[type, Callable[[Any], Any]] = {
    Enum: lambda value: value.value,
    RootModel: lambda value: spelt(value.root),
    Item: lambda value: {"name": value.name, "colour": value.colour.value, "length": len(value.name)},
    BaseModel: members,
    Pair: members,
    Point: lambda value: {"x": value.x, "y": value.y},
    set: lambda value: sorted(value, key=repr),
    AnyUrl: str,
    UUID: str,
}


def read_back(value: Any, kind: pa.DataType) -> Any:
    """Return what a column gave: maps as dicts, and without the nulls of a struct that says which are its fields."""
    if pa.types.is_map(kind) and value is not None:
        return {name: read_back(each, kind.item_type) for name, each in value}
    if pa.types.is_list(kind) and value is not None:
        return [read_back(each, kind.value_type) for each in value]
    if pa.types.is_struct(kind) and value is not None:
        return {field.name: read_back(value[field.name], field.type) for field in kind}
    return value


def same(ours: Any, theirs: Any, kind: pa.DataType, *, is_json: bool) -> bool:
    if is_json:
        return bool(json.loads(ours) == theirs)
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        absent = {name for name in ours if name not in theirs}
        return all(ours[name] is None for name in absent) and all(
            same(ours[name], theirs[name], kind, is_json=False) for name in theirs
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(
            same(mine, other, kind, is_json=isinstance(mine, str) and isinstance(other, dict))
            for mine, other in zip(ours, theirs, strict=True)
        )
    return ours == theirs and type(ours) is type(theirs)


@pytest.mark.parametrize("name", KINDS)
def test_the_column_of_a_type_is_the_expected_one(name: str) -> None:
    plan = ValidationPlan.build(model_of(name), columns=pa.schema([]), kind="json")
    assert plan.output_schema.field("f").type == KINDS[name][1]
    assert [route.arrow_type for route in plan.explain()] == [KINDS[name][1]]


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_lines_give_the_values_of_pydantic(name: str, data: st.DataObject) -> None:
    model, (_, kind, strategy) = model_of(name), KINDS[name]
    values = data.draw(st.lists(strategy | ODD, max_size=6))
    lines = pa.array([json.dumps({"f": value}).encode() for value in values], pa.binary())
    plan = ValidationPlan.build(model, columns=pa.schema([]), kind="json")
    outcome = plan.validate(pa.record_batch({"line": lines}))
    outcome.accepted.validate(full=True)
    assert outcome.accepted.num_rows + len(outcome.rejects) == len(values)
    rejected = {reject.row: {each.type for each in reject.errors} for reject in outcome.rejects}
    accepted = iter(outcome.accepted.column("f").to_pylist())
    for row, value in enumerate(values):
        try:
            theirs = spelt(model.model_validate_json(json.dumps({"f": value})).f)
        except ValidationError:
            assert "output_overflow" not in rejected[row]
            continue
        if row in rejected:
            assert rejected[row] == {"output_overflow"}
            assert "9223372036854775808" in repr(theirs)
        else:
            ours = read_back(next(accepted), kind)
            is_json = pa.types.is_string(kind) and name not in ("url", "uuid")
            assert same(ours, theirs, kind, is_json=is_json), (ours, theirs)


# What cannot be read back: JSON text, a member that no enum has, and null for a key that was absent.
ONE_WAY = {"tree", "made-up member", "typed dict", *(name for name in KINDS if pa.types.is_string(KINDS[name][1]))}
ROUND_TRIPS = sorted(KINDS.keys() - ONE_WAY)


@pytest.mark.parametrize("name", ROUND_TRIPS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_model_reads_what_it_has_written(name: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(KINDS[name][2], max_size=5))
    lines = pa.array([json.dumps({"f": value}).encode() for value in values], pa.binary())
    written = ValidationPlan.build(model_of(name), columns=pa.schema([]), kind="json").validate(
        pa.record_batch({"line": lines})
    )
    again = ValidationPlan.build(model_of(name), columns=written.accepted.schema, kind="typed").validate(
        written.accepted
    )
    assert again.rejects == []
    assert again.accepted.to_pylist() == written.accepted.to_pylist()
    assert again.accepted.schema.equals(written.accepted.schema, check_metadata=True)


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from(["red", "blue", "", "green", " red"]), max_size=5), max_size=3))
def test_every_batch_of_an_enum_has_the_same_dictionary(batches: list[list[str]]) -> None:
    plan = ValidationPlan.build(create_model("M", f=(Colour | None, ...), g=(Colour | None, None)), columns=["f"])
    assert [route.route for route in plan.explain()] == ["kernel", "column"]
    for texts in batches:
        outcome = plan.validate(pa.record_batch({"f": pa.array(texts, pa.string())}))
        assert outcome.accepted.column("f").dictionary.to_pylist() == ["red", "blue"]
        assert outcome.accepted.column("f").to_pylist() == [
            text or None for text in texts if text in ("", "red", "blue")
        ]


def test_an_enum_of_two_fields_has_a_kernel_in_both() -> None:
    model = create_model(
        "M", a=(Colour, ...), b=(Colour | None, None), c=(Annotated[Colour, ColumnType(pa.string())], ...)
    )
    plan = ValidationPlan.build(model, columns=["a", "b", "c"])
    assert [route.route for route in plan.explain()] == ["kernel"] * 3
    assert plan.output_schema.types == [TEXTS, TEXTS, pa.string()]
