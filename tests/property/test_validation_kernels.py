# ruff: noqa: RUF001 - look-alike characters are what this file is about
"""Each kernel against pydantic: it abstains, or pydantic accepts with an equal value."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pyarrow as pa
import pytest
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    UUID4,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    NaiveDatetime,
    TypeAdapter,
    ValidationError,
)

from skyhold.records.validation.kernel_choice import choose_kernel, portable_pattern


class Colour(Enum):
    RED = "red"
    BLUE = "blue "


class Shade(str, Enum):  # noqa: UP042 - the older spelling has another core schema
    LIGHT = "light"
    DARK = "1"


STRIPPED = ConfigDict(str_strip_whitespace=True)
PATTERN = r"^[A-Z]{2}-\d+$|^x.y$"

# Type, config, and texts that the kernel must accept itself, or it would prove nothing.
CASES: dict[str, tuple[Any, ConfigDict, Sequence[str]]] = {
    "str": (str, ConfigDict(), ["", "Ada", "żółw", " x "]),
    "str length": (Annotated[str, Field(min_length=2, max_length=4)], ConfigDict(), ["ab", "żółw", "😀😀"]),
    "str stripped": (str, STRIPPED, ["Ada", "Ada Lovelace", "", "a\nb"]),
    "str stripped length": (Annotated[str, Field(min_length=1, max_length=3)], STRIPPED, ["a", "a b"]),
    "str pattern": (Annotated[str, Field(pattern=PATTERN)], ConfigDict(), ["PL-12", "x-y"]),
    "int": (int, ConfigDict(), ["0", "-0", "12", "-7", "007", "999999999999999999"]),
    "int bounds": (Annotated[int, Field(ge=0, lt=150)], ConfigDict(), ["0", "149"]),
    "int multiple": (Annotated[int, Field(gt=-20, le=20, multiple_of=5)], ConfigDict(), ["-15", "0", "20"]),
    "float": (float, ConfigDict(), ["0", "-0.0", "1.5", "1e5", "123456789012345.678", "2.5E-3"]),
    "float bounds": (Annotated[float, Field(gt=0, le=1.5)], ConfigDict(), ["0.1", "1.5"]),
    "float finite": (Annotated[float, Field(allow_inf_nan=False)], ConfigDict(), ["1e99"]),
    "bool": (bool, ConfigDict(), ["true", "False", "1", "0", "YES", "off"]),
    "date": (date, ConfigDict(), ["2024-01-31", "0001-01-01", "2024-02-29", "9999-12-31"]),
    "date bounds": (Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2001, 1, 1))], ConfigDict(), ["2000-05-05"]),
    "datetime": (datetime, ConfigDict(), ["2024-01-31T23:59:59", "2024-01-31 00:00:00.123456", "9999-12-31T23:59:59"]),
    "datetime naive": (NaiveDatetime, ConfigDict(), ["2024-01-31T23:59:59.5", "2024-02-29 10:30", "2024-01-31"]),
    "datetime zulu": (
        AwareDatetime,
        ConfigDict(),
        ["2024-01-31T23:59:59Z", "2024-02-29 10:30Z", "2024-01-01T00:00:00.5Z"],
    ),
    "datetime aware": (AwareDatetime, ConfigDict(), ["2024-01-31T23:59:59Z", "2024-01-31T23:59:59.25+05:30"]),
    "datetime bounds": (
        Annotated[AwareDatetime, Field(gt=datetime(2000, 1, 1, tzinfo=UTC))],
        ConfigDict(),
        ["2000-01-01T00:30:00-01:00"],
    ),
    "decimal": (Decimal, ConfigDict(), ["0", "-1.5", "007", "12345678901234567890.123456789012345678"]),
    "decimal digits": (
        Annotated[Decimal, Field(max_digits=5, decimal_places=2)],
        ConfigDict(),
        ["0", "999.99", "-1.50", "0.01"],
    ),
    "decimal places": (Annotated[Decimal, Field(decimal_places=0)], ConfigDict(), ["0", "9" * 38]),
    "decimal long": (Annotated[Decimal, Field(max_digits=50, decimal_places=10)], ConfigDict(), ["9" * 40 + ".5"]),
    "decimal bounds": (
        Annotated[Decimal, Field(gt=Decimal("-0.5"), le=2, decimal_places=1)],
        ConfigDict(),
        ["0", "-0.4", "2.0"],
    ),
    "time": (time, ConfigDict(), ["00:00", "10:30:05", "23:59:59.999999", "10:30:05.5"]),
    "time bounds": (Annotated[time, Field(ge=time(8), lt=time(18))], ConfigDict(), ["08:00", "17:59:59"]),
    "uuid": (UUID, ConfigDict(), ["12345678-1234-5678-1234-567812345678", "00000000-0000-0000-0000-000000000000"]),
    "uuid version": (UUID4, ConfigDict(), ["12345678-1234-4678-9234-567812345678"]),
    "email": (EmailStr, ConfigDict(), ["ann@shop.com", "Ann.B+c@mail-1.example.co.uk", "a@b.tests", "a@test.com"]),
    "literal": (Literal["a", "b c"], ConfigDict(), ["a", "b c"]),
    "enum": (Colour, ConfigDict(), ["red", "blue "]),
    "str enum": (Shade, ConfigDict(), ["light", "1"]),
    "optional": (Annotated[int, Field(ge=0)] | None, ConfigDict(), ["5"]),  # pyright: ignore[reportOperatorIssue]
}
NASTY = [
    *(
        "",
        " ",
        "\t",
        "\n",
        "\0",
        "+5",
        "-5",
        "--5",
        "- 5",
        "+0",
        "-",
        "1_000",
        "_1",
        "1__0",
        "0x10",
        "0b1",
        "1e3",
        "1E400",
    ),
    *("٣", "１２", "²", "9" * 18, "9" * 19, "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *(
        "inf",
        "-inf",
        "+Infinity",
        "nan",
        "NaN",
        ".5",
        "5.",
        "-.5",
        "0.0",
        "1,5",
        "1.5.",
        "1e",
        "1e+5",
        "5e-324",
        "4.9e-325",
    ),
    *("TRUE", "tRuE", "On", "oN", "Y", "T", "f", "2", "true ", " true", "1.0", "٠", "0.", "-1"),
    *("2024-02-29", "2023-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-01-32", "0000-01-01", "0001-01-01"),
    *("10000-01-01", "24-01-01", "2024-1-1", "20240101", "2024/01/01", "1700000000", "-1", "2024-04-31", "1900-02-29"),
    *("2024-01-01T24:00:00", "2024-01-01T23:59:60", "2024-01-01T00:00", "2024-01-01t00:00:00", "2024-01-01_00:00:00"),
    *("2024-01-01T00:00:00.1234567", "2024-01-01T00:00:00.", "2024-01-01T00:00:00,5", "2024-01-01T00:00:00z"),
    *("2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00-0500", "2024-01-01T00:00:00+05", "2024-01-01T00:00:00+14:59"),
    *(
        "2024-01-01T00:00:00+24:00",
        "9999-12-31T23:59:59-01:00",
        "1000-01-01T00:00:00+14:00",
        "2024-01-01T00:00:00−01:00",
    ),
    *("ann@shop.com\n", "ann@shop.com ", "Ann <ann@shop.com>", '"a b"@shop.com', "ann@SHOP.com", "żółw@shop.com"),
    *(
        "ann@żółw.pl",
        "ann@xn--kw-fka0b.pl",
        "a@b",
        "a@b.c1",
        "a@b.test",
        "a@localhost",
        "a@x.onion",
        "a@x.arpa",
        "a@b.invalid",
    ),
    *(
        ".a@b.com",
        "a.@b.com",
        "a..b@b.com",
        "a@-b.com",
        "a@b-.com",
        "a@b..com",
        "a@ab--c.com",
        "a@[127.0.0.1]",
        "@b.com",
    ),
    *(
        "a" * 64 + "@b.com",
        "a" * 65 + "@b.com",
        "a@" + "b" * 63 + ".com",
        "a@" + "b" * 64 + ".com",
        "a@b.local",
        "a@b.c",
    ),
    *(
        "a@b@c.com",
        "a@b.com.",
        "<a@b.com>",
        "a\0@b.com",
        "PL-1٣",
        "PL-1\n",
        "pl-1",
        "x\ny",
        "x😀y",
        "😀",
        "e\u0301",
        "\ufeff1",
    ),
    *("ok", "ja", "enabled", "2024-01-01T00", "2024-01-01T00Z", "2024-01-01Z", "20240101T000000"),
    *("10:30:60", "24:00", "10:60", "1:30", "10", "10:30Z", "10:30:05+01:00", "10:30:05.1234567", "10.30", "1030"),
    *("1e2", "-.5", "1.", "123456", "1000", "999.995", "9" * 21, "0." + "1" * 19, "sNaN", "Infinity", "-0", "-0.00"),
    *(
        "12345678123456781234567812345678",
        "{12345678-1234-5678-1234-567812345678}",
        "ABCDEF78-1234-4678-9234-567812345678",
    ),
    *("urn:uuid:12345678-1234-5678-1234-567812345678", "12345678-1234-4678-7234-567812345678"),
    *("red ", "RED", "blue", "Colour.RED", "a\n", "b  c", "\u00a0Ada", "Ada\u3000", "\u200bAda", "Ada\x1f", "Ada\x85"),
]
PLAIN = sorted({text for _, _, texts in CASES.values() for text in texts} | set(NASTY))
ALPHABET = "0123456789+-_.:eETZ@ \n\t\0afinxyABtrue/'\"<>٣²\u00a0ż😀"


@st.composite
def near_misses(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(PLAIN))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:place] + draw(st.text(ALPHABET, max_size=2)) + text[place + cut :]
    return text


shaped = st.one_of(
    st.from_regex(r"\A[+-]?[0-9_]{0,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?\Z"),
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]"
        r"([T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?(Z|[+-][0-2][0-9]:[0-6][0-9])?)?\Z"
    ),
    st.from_regex(r"\A[a-zA-Z0-9._%+-]{1,6}@([a-z0-9-]{1,4}\.){0,3}(com|test|local|onion|loca|[a-z0-9-]{1,5})\Z"),
    st.datetimes().map(datetime.isoformat),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.floats().map(repr),
    st.integers().map(str),
    st.emails(),
)
texts = st.one_of(near_misses(), shaped, st.text(max_size=8), st.text(ALPHABET, max_size=12))


def core_of(kind: Any, config: ConfigDict) -> tuple[Any, TypeAdapter[Any], Any]:
    class Model(BaseModel):
        model_config = config
        field: kind  # pyright: ignore[reportInvalidTypeForm]

    core: Any = Model.__pydantic_core_schema__
    adapter = TypeAdapter(Model)
    return core["schema"]["fields"]["field"]["schema"], adapter, core["config"]


KERNELS = {name: (*core_of(kind, config), plain) for name, (kind, config, plain) in CASES.items()}


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, Enum):
        theirs = theirs.value
    if isinstance(theirs, UUID):
        theirs = str(theirs)
    if isinstance(theirs, Decimal) or (isinstance(theirs, datetime) and theirs.tzinfo is not None):
        return type(ours) is type(theirs) and ours == theirs
    return type(ours) is type(theirs) and repr(ours) == repr(theirs)


def disagreements(name: str, given_texts: Sequence[str]) -> tuple[list[str], int]:
    schema, adapter, config, _ = KERNELS[name]
    kernel = choose_kernel(schema, config)
    assert not isinstance(kernel, str), kernel
    accepted, values = kernel.accept(pa.array(given_texts, pa.string()))
    assert accepted.null_count == 0
    wrong: list[str] = []
    for text, good, ours in zip(given_texts, accepted.to_pylist(), values.to_pylist(), strict=True):
        if not good:
            continue
        try:
            theirs = adapter.validate_python({"field": text}).field
        except ValidationError as exc:
            wrong.append(f"{text!r}: pydantic refuses: {exc.errors()[0]['msg']}")
            continue
        if not same(ours, theirs):
            wrong.append(f"{text!r}: {ours!r}, and pydantic gives {theirs!r}")
    return wrong, accepted.true_count


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_abstains_or_agrees_with_pydantic_on_known_traps(name: str) -> None:
    mutated = [text + tail for text in PLAIN for tail in ("\n", " ", "\0", "0", "Z")]
    headed = [head + text for text in PLAIN for head in ("+", "-", " ", "0", "\n")]
    assert disagreements(name, [*PLAIN, *mutated, *headed])[0] == []


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30, deadline=None)
@given(given_texts=st.lists(texts, min_size=1, max_size=40))
def test_a_kernel_abstains_or_agrees_with_pydantic_on_generated_text(name: str, given_texts: list[str]) -> None:
    assert disagreements(name, given_texts)[0] == []


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_accepts_ordinary_values_itself(name: str) -> None:
    plain = KERNELS[name][3]
    assert disagreements(name, plain) == ([], len(plain))


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_abstains_or_agrees_on_a_text_alone_and_among_words(name: str) -> None:
    # A clean column, one with words in it, and one with anything in it are read in three ways.
    ordinary = KERNELS[name][3]
    for text in PLAIN:
        assert disagreements(name, [text])[0] == []
        assert disagreements(name, [*ordinary, text])[0] == []
        assert disagreements(name, ["unknown", "", text])[0] == []


@pytest.mark.parametrize("name", ["int", "float", "date", "datetime", "datetime aware", "datetime zulu"])
@pytest.mark.parametrize("dirt", ["unknown", "", "2024-13-01", "1.2.3"])
def test_a_kernel_accepts_ordinary_values_in_a_dirty_column_too(name: str, dirt: str) -> None:
    ordinary = [text for text in KERNELS[name][3] if "e" not in text.lower()]
    assert disagreements(name, [dirt, *ordinary]) == ([], len(ordinary))


@pytest.mark.parametrize("role", CASE_INSENSITIVE_MAILBOX_NAMES)
def test_a_role_in_capitals_is_left_to_email_validator_which_lowers_it(role: str) -> None:
    spelt = [f"{each}@shop.com" for each in (role, role.upper(), role.title(), role[:-1] + role[-1].upper())]
    assert disagreements("email", spelt) == ([], 1)


def test_every_day_of_many_years_agrees_with_pydantic() -> None:
    days = [
        f"{year}-{month:02}-{day:02}" for year in (1900, 2000, 2023, 2024) for month in range(14) for day in range(33)
    ]
    assert disagreements("date", days)[0] == []
    assert disagreements("datetime", [f"{day}T12:00:00" for day in days])[0] == []


PATTERNS = [
    *(
        r"^a+$",
        r"[a-c]+\d",
        r"\w{2,3}$",
        r"^(?:ab|cd)*x?$",
        r"a.c",
        r"[^a-c]",
        r"^[\w.-]+@x$",
        r"a|b|^$",
        r"[A-Z]{2}\.\d{1,2}",
    ),
    *(r"^-?[0-9 ]+$", r"a*?b", r"(a)(b)?", r"[.+*]x", r"^\$[0-9]+$"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_pattern_that_passes_as_portable_matches_nothing_that_rust_does_not(
    pattern: str, data: st.DataObject
) -> None:
    portable = portable_pattern(pattern)
    assert portable is not None
    adapter = TypeAdapter(Annotated[str, Field(pattern=pattern)])
    strings = st.lists(st.one_of(st.from_regex(pattern), st.text("abcdxA.1٣$@-\n é😀", max_size=5)), min_size=1)
    sample = data.draw(strings)
    found = pa.compute.match_substring_regex(pa.array(sample), portable).to_pylist()
    for text, matched in zip(sample, found, strict=True):
        if matched:
            adapter.validate_python(text)


@pytest.mark.parametrize(
    "pattern", [r"(?i)a", r"[^\d]", r"\bword\b", r"a\s", r"\p{L}", r"[a&&b]", r"(?P<n>a)", "ż", r"\D", r"[^\w]"]
)
def test_a_pattern_that_engines_may_read_differently_has_no_kernel(pattern: str) -> None:
    assert portable_pattern(pattern) is None
