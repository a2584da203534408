"""Columns as CSV text, whole columns at a time."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from skyhold.errors import BadOptionError, SchemaError
from skyhold.records.formats.csv_dialect import check_character

__all__ = ["CSVStyle", "CSVText", "Quoting"]

Quoting = Literal["needed", "all"]
_Write = Callable[[pa.Array], pa.Array]

_TEXT = pa.large_string()
_EMPTY = pa.scalar("", _TEXT)
_SLICE_ROWS = 16 * 1024
_BOM = "\ufeff"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_SCALARS = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
_MOMENTS = (types.is_date, types.is_time)
_TEXTS = (types.is_string, types.is_large_string, types.is_string_view)
_LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list)


@dataclass(frozen=True, slots=True)
class CSVStyle:
    """How a CSV is written; the arguments of `skyhold.records.formats.csv.CSVOutputAdapter`."""

    delimiter: str = ","
    quotechar: str = '"'
    quoting: Quoting = "needed"
    header: bool = True
    line_end: str = "\n"
    null_text: str = ""
    bom: bool = False

    def __post_init__(self) -> None:
        check_character("delimiter", self.delimiter)
        check_character("quotechar", self.quotechar)
        if self.delimiter == self.quotechar:
            raise BadOptionError(
                f"delimiter and quotechar are both {self.delimiter!r}", remedy="Choose different characters"
            )
        _check_known("quoting", self.quoting, ("needed", "all"))
        _check_known("line_end", self.line_end, ("\n", "\r\n", "\r"))
        special = {self.delimiter, self.quotechar, "\r", "\n"}
        if special & set(self.null_text):
            raise BadOptionError(f"null_text={self.null_text!r} would need quotes", remedy="Give a plainer text")


def _check_known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadOptionError(f"{name}={value!r} is unknown", remedy=f"Give one of {known!r}")


class CSVText:
    r"""Turns batches into the bytes of a CSV.

    Args:
        schema: What every batch looks like.
        style: How it is written.

    Raises:
        SchemaError: A column's type has no text that would be read back as the same value.

    Example:
        >>> text = CSVText(pa.schema([("a", pa.string()), ("b", pa.float64())]), CSVStyle())
        >>> text.head()
        b'a,b\n'
        >>> batch = pa.record_batch({"a": ["x,y", ""], "b": [1.0, None]})
        >>> b"".join(bytes(part) for part in text.encode(batch))
        b'"x,y",1.0\n"",\n'
    """

    def __init__(self, schema: pa.Schema, style: CSVStyle) -> None:
        if not schema.names:
            raise SchemaError("a CSV without columns cannot hold rows", remedy="Write at least one column")
        self._style = style
        self._names = schema.names
        self._writers = [_writer_of(field.type, f"the column {field.name!r}") for field in schema]
        special = "".join(f"\\x{ord(char):02x}" for char in (style.delimiter, style.quotechar))
        # A byte-order mark would be taken for the file's where it comes first.
        self._pattern = rf"[{special}\r\n]|\A\x{{feff}}|\A\z"
        self._marks = [char.encode() for char in (style.delimiter, style.quotechar, "\r", "\n", _BOM)]
        has_plain_marks = not any(mark.isalnum() or mark in "+-.:" for mark in style.delimiter + style.quotechar)
        self._plain = [
            has_plain_marks and not style.null_text and _is_any(field.type, (*_SCALARS, *_MOMENTS)) for field in schema
        ]

    def head(self) -> bytes:
        """Return what comes before the rows."""
        mark = _BOM.encode() if self._style.bom else b""
        if not self._style.header:
            return mark
        return mark + bytes(self._lines([self._quoted(pa.array([name], _TEXT)) for name in self._names]))

    def encode(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """Yield a batch's rows, some at a time."""
        for start in range(0, batch.num_rows, _SLICE_ROWS):
            part = batch.slice(start, _SLICE_ROWS)
            columns: list[pa.Array] = []
            for column, write, is_plain in zip(part.columns, self._writers, self._plain, strict=True):
                text = write(column)
                if len(self._names) == 1 and not self._style.null_text:
                    text = pc.fill_null(text, "")  # an empty line would be no row at all
                columns.append(text if is_plain and self._style.quoting == "needed" else self._quoted(text))
            yield self._lines(columns)

    def _quoted(self, text: pa.Array) -> pa.Array:
        quote, style = self._style.quotechar, self._style
        if style.quoting == "all":
            needs = pc.is_valid(text)
        else:
            if not self._may_need_quotes(text):
                return text
            needs = pc.match_substring_regex(text, self._pattern)
            if style.null_text:
                needs = pc.or_(needs, pc.equal(text, style.null_text))
        if not pc.any(needs).as_py():
            return text
        twice = pc.replace_substring(text, quote, quote * 2)
        wrapped = pc.binary_join_element_wise(_EMPTY, twice, _EMPTY, pa.scalar(quote, _TEXT))
        return pc.if_else(needs, wrapped, text)

    def _may_need_quotes(self, text: pa.Array) -> bool:
        """Look at a whole column's bytes at once, which is much faster than at each cell."""
        null_text = self._style.null_text
        if null_text and pc.any(pc.equal(text, null_text)).as_py():
            return True
        content = bytes(_content(text))
        return any(mark in content for mark in self._marks) or pc.min(pc.binary_length(text)).as_py() == 0

    def _lines(self, columns: list[pa.Array]) -> memoryview:
        style = self._style
        last = pc.fill_null(columns[-1], style.null_text) if columns[-1].null_count else columns[-1]
        last = pc.binary_join_element_wise(last, _EMPTY, pa.scalar(style.line_end, _TEXT))
        lines = pc.binary_join_element_wise(
            *columns[:-1],
            last,
            pa.scalar(style.delimiter, _TEXT),
            null_handling="replace",
            null_replacement=style.null_text,
        )
        return _content(lines)


def _content(text: pa.Array) -> memoryview:
    """Return the bytes of all texts, one after the other; those of nulls are none, or of no account."""
    _, offsets, data = text.buffers()
    places = memoryview(offsets).cast("q")
    return memoryview(data or b"")[places[text.offset] : places[text.offset + len(text)]]


def _is_any(kind: pa.DataType, tests: tuple[Callable[[pa.DataType], bool], ...]) -> bool:
    return any(test(kind) for test in tests)


def _writer_of(kind: pa.DataType, where: str) -> _Write:  # noqa: PLR0911 - one return a kind
    """Return what turns an array of a type into text."""
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _uuid_text
        return functools.partial(_storage_text, _writer_of(kind.storage_type, where))
    if types.is_dictionary(kind):
        return functools.partial(_dictionary_text, _writer_of(kind.value_type, where))
    if types.is_floating(kind):
        return _float_text
    if types.is_decimal(kind):
        return _decimal_text
    if types.is_timestamp(kind):
        return _moment_text
    if types.is_duration(kind):
        return _duration_text
    if _is_any(kind, (*_SCALARS, *_MOMENTS, *_TEXTS)):
        return _plain_text
    if types.is_nested(kind):
        _check_json_holds(kind, where)
        return _json_text
    raise SchemaError(
        f"{where} is {kind}, which CSV cannot hold", remedy="Write Parquet or Arrow, or turn the column into text"
    )


def _check_json_holds(kind: pa.DataType, where: str) -> None:
    """Refuse what has no exact JSON below lists, structs and maps."""
    if types.is_map(kind):
        inner = [kind.key_type, kind.item_type]
    elif _is_any(kind, _LISTS):
        inner = [kind.value_type]
    elif types.is_struct(kind):
        inner = [kind.field(index).type for index in range(kind.num_fields)]
    elif _is_any(kind, (*_SCALARS, *_TEXTS, types.is_date)) or (
        _is_any(kind, (types.is_timestamp, types.is_time)) and kind.unit != "ns"
    ):
        inner = []
    else:
        raise SchemaError(
            f"{where} holds {kind}, which JSON text in CSV cannot hold exactly", remedy="Write Parquet or Arrow"
        )
    for each in inner:
        _check_json_holds(each, where)


def _plain_text(column: pa.Array) -> pa.Array:
    return column.cast(_TEXT)


def _storage_text(write: _Write, column: pa.Array) -> pa.Array:
    return write(column.storage)


def _dictionary_text(write: _Write, column: pa.Array) -> pa.Array:
    return write(column.dictionary_decode())


def _uuid_text(column: pa.Array) -> pa.Array:
    return _from_python([None if each is None else str(each) for each in column.to_pylist()])


def _from_python(values: list[str | None]) -> pa.Array:
    return pa.array(values, _TEXT)


def _float_text(column: pa.Array) -> pa.Array:
    """Return the shortest text that is read as the same number, and as a float: 1.0, not 1."""
    text = column.cast(_TEXT)
    if not pc.any(pc.equal(column, pc.trunc(column))).as_py():
        return text
    whole = pc.match_substring_regex(text, r"\A-?[0-9]+\z")
    return pc.if_else(whole, pc.binary_join_element_wise(text, pa.scalar(".0", _TEXT), _EMPTY), text)


def _decimal_text(column: pa.Array) -> pa.Array:
    text = column.cast(_TEXT)
    if pc.any(pc.match_substring(text, "E")).as_py():
        return _from_python([None if each is None else format(each, "f") for each in column.to_pylist()])
    return text


def _moment_text(column: pa.Array) -> pa.Array:
    """Return ISO 8601: with T, in UTC if it is an instant, fractions where there are any."""
    if column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    text = pc.replace_substring(column.cast(_TEXT), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(text, r"\.0+(Z?)\z", r"\1")


def _duration_text(column: pa.Array) -> pa.Array:
    """Return ISO 8601, in seconds."""
    scale = _PER_SECOND[column.type.unit]
    digits = len(str(scale)) - 1

    def text_of(value: int | None) -> str | None:
        if value is None:
            return None
        whole, part = divmod(abs(value), scale)
        fraction = f".{part:0{digits}}".rstrip("0") if part else ""
        return f"{'-' if value < 0 else ''}PT{whole}{fraction}S"

    return _from_python([text_of(value) for value in column.cast(pa.int64()).to_pylist()])


def _json_text(column: pa.Array) -> pa.Array:
    dump: Callable[[Any], str] = functools.partial(
        json.dumps, ensure_ascii=False, separators=(",", ":"), default=_plain_value
    )
    return _from_python([None if each is None else dump(each) for each in column.to_pylist()])


def _plain_value(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
