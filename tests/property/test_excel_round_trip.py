"""What a sheet holds comes back as it went in, and what it cannot hold is refused before anything is there."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skyhold import ArrowStreamInputAdapter, ArrowTableOutputAdapter, ExcelInputAdapter, ExcelOutputAdapter, Pipe
from skyhold.errors import UnwritableValueError
from skyhold.storage.opening import open_store

_MS = st.integers(0, 999).map(lambda ms: ms * 1000)
_FIRST = datetime(1900, 3, 1)  # noqa: DTZ001 - sheets have no zones
_MOMENTS = st.builds(lambda moment, us: moment.replace(microsecond=us), st.datetimes(_FIRST), _MS)
_COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.integers(-(2**53), 2**53)),
    "float": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "bool": (pa.bool_(), st.booleans()),
    "text": (
        pa.string(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), min_size=1),
    ),
    "date": (pa.date32(), st.dates(date(1900, 3, 1))),
    "moment": (pa.timestamp("us"), _MOMENTS),
    "time": (pa.time64("us"), st.builds(lambda at, us: at.replace(microsecond=us), st.times(), _MS)),
    "span": (pa.duration("us"), st.integers(0, 10**12).map(lambda ms: timedelta(milliseconds=ms))),
}
_ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in _COLUMNS.items()}), max_size=5
)


def _write(table: pa.Table) -> str:
    uri = f"memory://excel-{uuid4().hex}/book.xlsx"
    Pipe(input_adapter=ArrowStreamInputAdapter(table), output_adapter=ExcelOutputAdapter(uri)).run()
    return uri


def _read(uri: str) -> list[dict[str, Any]]:
    output = ArrowTableOutputAdapter()
    Pipe(input_adapter=ExcelInputAdapter(uri), output_adapter=output).run()
    return output.table.to_pylist()


@settings(max_examples=40)
@given(_ROWS)
@example([dict.fromkeys(_COLUMNS) | {"text": text} for text in ("=1+1", "<r>a</r>", " a\r\nb\t", "_x0041_", "#N/A")])
@example([dict.fromkeys(_COLUMNS) | {"float": 0.1 + 0.2, "text": "\x00\x1f𐀀"}])
def test_what_is_written_is_read_again(rows: list[dict[str, Any]]):
    table = pa.Table.from_pylist(rows, pa.schema([(name, kind) for name, (kind, _) in _COLUMNS.items()]))
    found = _read(_write(table))
    filled = [row for row in rows if any(value is not None for value in row.values())]
    for theirs, ours in zip(filled, found, strict=True):
        assert theirs == ours


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**53 + 1, pa.int64()),
        (float("nan"), pa.float64()),
        (float("inf"), pa.float32()),
        (Decimal("0.1234567890123456789"), pa.decimal128(25, 19)),
        ("x" * 32_768, pa.string()),
        ("𐀀" * 16_384, pa.string()),
        ("\uffff", pa.string()),
        (date(1900, 2, 28), pa.date32()),
        (datetime(1899, 1, 1), pa.timestamp("s")),  # noqa: DTZ001 - without a zone
        (datetime(2024, 1, 1, 0, 0, 0, 1), pa.timestamp("us")),  # noqa: DTZ001
        (timedelta(seconds=-1), pa.duration("s")),
    ],
)
def test_a_value_that_no_cell_holds_exactly_fails_the_run_and_leaves_nothing(value: Any, kind: pa.DataType):
    uri = f"memory://excel-{uuid4().hex}/book.xlsx"
    table = pa.table({"fine": [1, 2], "odd": pa.array([None, value], kind)})
    with pytest.raises(UnwritableValueError, match="column 'odd'"):
        Pipe(input_adapter=ArrowStreamInputAdapter(table), output_adapter=ExcelOutputAdapter(uri)).run()
    assert not list(open_store(uri.rpartition("/")[0]).list())
