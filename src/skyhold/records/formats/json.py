r"""JSON: lines of objects, or one array of them."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.records.formats.adapter import Batch, InputStream, OutputStream, Passed, Piece, PieceForm, Source
from skyhold.records.formats.compression import ByteStream, Codec, codec_of_name, is_plain
from skyhold.records.formats.json_array import elements
from skyhold.records.formats.json_text import JsonEncoder, NonFinite
from skyhold.records.formats.line_ends import find_line_ends
from skyhold.records.formats.object_shards import Division, Likeness, ObjectPart
from skyhold.records.formats.objects import ObjectOutputAdapter, ObjectPlace, ObjectSink, ObjectUris, TextInputAdapter
from skyhold.records.formats.part_reader import PartReader
from skyhold.records.formats.text_units import TextUnits
from skyhold.records.formats.utf8 import read_fully
from skyhold.records.validation.inference import infer_schema
from skyhold.storage.contract import Store

__all__ = ["JSONInputAdapter", "JSONOutputAdapter", "JsonFormat"]

JsonFormat = Literal["jsonl", "array"]
"""``jsonl``: a line for each object; ``array``: one array of them."""

_BLOCK_BYTES = 2 * 1024 * 1024
_FETCH_BYTES = 2 * 1024 * 1024
_SAMPLE_BYTES = _BLOCK_BYTES // 2
_LONGEST = 256 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\n")
_LEAST_PLACE = 2
_LINES = pa.schema([pa.field("line", pa.binary())])


class JSONCut(NamedTuple):
    """Some lines of a file, from one byte up to another."""

    start: int
    end: int


class JSONInputAdapter(TextInputAdapter):
    """Read lines of JSON objects, or one JSON array of objects; UTF-8, with or without a byte-order mark.

    With a model, pydantic's JSON mode judges each object (``model_validate_json``). Without one, the columns are those
    of a sample (`skyhold.records.validation.inference.infer_schema`), and a later object that does not fit them exactly
    is a rejected row. Blank lines are no rows.

    Args:
        uri: Where it is; a pattern, a folder or a sequence of URIs reads many.
        format: ``"auto"`` takes a file whose first character is ``[`` for an array.
        limit: Read at most so many rows.
        sample_rows: How many rows the sample has, at most; it ends with the first block of 2 MiB too.
        **options: ``compression``, ``glob`` as for `skyhold.records.formats.objects.TextInputAdapter`, and storage
            options.
    """

    def __init__(
        self,
        uri: ObjectUris,
        *,
        format: JsonFormat | Literal["auto"] = "auto",  # noqa: A002 - the name that users know
        limit: int | None = None,
        sample_rows: int = 10_000,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        if format not in ("auto", "jsonl", "array"):
            raise BadOptionError(f"format={format!r} is none of 'auto', 'jsonl', 'array'")
        self._format: JsonFormat | Literal["auto"] = format
        self._limit = limit
        self._sample_rows = sample_rows

    def _open_one(self, place: ObjectPlace) -> InputStream:
        source = place.open_bytes(_FETCH_BYTES)
        try:
            return _JsonStream(source, place.uri, self._format, self._limit, self._sample_rows)
        except BaseException:
            source.close()
            raise

    def _divide(
        self, stream: InputStream, place: ObjectPlace, part: ObjectPart, division: Division
    ) -> Sequence[JSONCut]:
        if not isinstance(stream, _JsonStream) or stream.is_array or not stream.is_plain:
            return ()
        places = [at for at in division.places() if at >= _LEAST_PLACE]
        starts = [0, *find_line_ends(place.store, part, places, _LINE_END, TextUnits("utf-8")), part.info.size_bytes]
        return [JSONCut(*span) for span in pairwise(starts)]

    def _open_cut(self, place: ObjectPlace, part: ObjectPart, like: Likeness) -> InputStream:
        cut: JSONCut = part.cut
        source = PartReader(place.store, place.key, part.info, cut.start, cut.end, _FETCH_BYTES)
        try:
            return _JsonStream(source, place.uri, "jsonl", None, self._sample_rows, like.schema, cut)
        except BaseException:
            source.close()
            raise


class _JsonStream(InputStream):
    def __init__(
        self,
        source: ByteStream,
        uri: str,
        kind: JsonFormat | Literal["auto"],
        limit: int | None,
        sample_rows: int,
        schema: pa.Schema | None = None,
        cut: JSONCut | None = None,
    ) -> None:
        self.kind = "json"
        self.sources = [Source(uri, source.info)]
        self.is_plain = is_plain(source)
        self._source = source
        self._uri = uri
        self._limit = limit
        self._lines_passed: int | None = None
        head = read_fully(source, _BLOCK_BYTES)
        if cut is None or not cut.start:
            head = head.removeprefix(_BOM)
        if cut is None and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise MalformedInputError(f"{uri!r} is UTF-16, and JSON is UTF-8", remedy="Convert it: iconv -t UTF-8")
        self.is_array = kind == "array" or (kind == "auto" and head.lstrip()[:1] == b"[")
        lines = self._elements(head) if self.is_array else self._split_lines(head)
        self._sample = self._take_sample(lines, sample_rows) if schema is None else []
        self._sample_rows = sample_rows
        self._lines = itertools.chain(self._sample, lines)
        if schema is not None:
            self.schema = schema

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the sample; of many objects, only the first is asked for them."""
        lines = (line for part in self._sample for line in part.texts.to_pylist())
        return infer_schema(itertools.islice(lines, self._sample_rows))

    @staticmethod
    def _take_sample(lines: "Iterator[_Lines]", rows: int) -> "list[_Lines]":
        taken: list[_Lines] = []
        while (
            sum(len(part.texts) for part in taken) < rows and sum(part.texts.nbytes for part in taken) < _SAMPLE_BYTES
        ):
            if (part := next(lines, None)) is None:
                break
            taken.append(part)
        return taken

    def batches(self) -> Iterator[Batch]:
        row = 1
        for lines in self._lines:
            left = len(lines.texts) if self._limit is None else self._limit - row + 1
            if left <= 0:
                return
            data = pa.RecordBatch.from_arrays([lines.texts.slice(0, left)], schema=_LINES)
            yield Batch(data, self._uri, row, lines=lines.numbers)
            row += data.num_rows

    def _elements(self, head: bytes) -> "Iterator[_Lines]":
        for found in elements(self._source, self._uri, head=head, block_bytes=_BLOCK_BYTES, longest=_LONGEST):
            yield _Lines(pa.array(found, pa.binary()), None)

    def _split_lines(self, head: bytes) -> "Iterator[_Lines]":
        block, parts, held, first = head, list[bytes](), 0, 1
        while block:
            end = block.rfind(b"\n") + 1
            if end:
                lines = _split(b"".join([*parts, block[: end - 1]]))
                yield from _without_blanks(lines, first)
                first += len(lines)
                parts, held = [block[end:]], len(block) - end
            else:
                parts.append(block)
                held += len(block)
                if held > _LONGEST:
                    raise MalformedInputError(f"{self._uri!r} has a line of more than {_LONGEST:,} bytes")
            block = self._source.read(_BLOCK_BYTES)
        rest = b"".join(parts)
        self._lines_passed = first if rest else first - 1
        yield from _without_blanks(_split(rest), first)

    def passed(self) -> Passed:
        return Passed(lines=self._lines_passed)

    def close(self) -> None:
        self._source.close()


class _Lines(NamedTuple):
    """Texts of objects, and the number of each one's line, or of the first where none is left out."""

    texts: pa.Array
    numbers: int | pa.Array | None


def _split(block: bytes) -> pa.Array:
    return pc.split_pattern(pa.array([block], pa.binary()), pattern=b"\n").flatten()


def _without_blanks(lines: pa.Array, first: int) -> "Iterator[_Lines]":
    plain = pc.starts_with(lines, b"{")
    if plain.true_count == len(lines):
        yield _Lines(lines, first)
        return
    kept = pc.invert(pc.match_substring_regex(lines, rb"\A[ \t\r]*\z"))
    if kept.true_count:
        yield _Lines(lines.filter(kept), pc.cast(pc.add(pc.indices_nonzero(kept), first), pa.int64()))


class JSONOutputAdapter(ObjectOutputAdapter):
    """Write JSON objects, a line for each or in one array.

    Dates and times are ISO 8601; decimals and bytes (base64) are texts, decimals without places are numbers.

    Args:
        uri: Where to; a suffix such as ``.gz`` compresses.
        format: Lines or an array; ``"auto"`` takes ``.json`` for an array, before the suffix of a compression too.
        indent: 2 spreads each object over lines of its own, in an array only.
        non_finite: What becomes of NaN and infinities, which JSON has not: ``"refuse"`` fails the run, ``"null"``
            writes null.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        format: JsonFormat | Literal["auto"] = "auto",  # noqa: A002 - the name that users know
        indent: Literal[2] | None = None,
        non_finite: NonFinite = "refuse",
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        if format not in ("auto", "jsonl", "array"):
            raise BadOptionError(f"format={format!r} is none of 'auto', 'jsonl', 'array'")
        if indent not in (None, 2):
            raise BadOptionError(f"indent={indent!r}: objects are indented by 2 or not at all")
        self._format = format
        self._indent = indent
        self._non_finite: NonFinite = non_finite

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        is_array = self._is_array(place.key)
        if self._indent and not is_array:
            raise BadOptionError("indent=2 needs format='array': a line of its own is what makes an object in JSONL")
        encoder = JsonEncoder(schema, self._non_finite, indent=bool(self._indent))
        return _JsonSink(place, codec_of_name(place.key), encoder, _ARRAY if is_array else _LINES_OF_JSON)

    def piece_form(self, *, beside: bool) -> PieceForm:  # noqa: ARG002 - it is copied wherever it lies
        form = _ARRAY if self._is_array(self._place(lambda store: store).key) else _LINES_OF_JSON
        bare = _Form(b"", form.between, b"", b"")
        return functools.partial(_open_piece, bare, self._non_finite, self._indent)

    def _is_array(self, key: str) -> bool:
        name = key.rpartition(".")[0] if codec_of_name(key) else key
        return self._format == "array" or (self._format == "auto" and name.lower().endswith(".json"))


class _Form(NamedTuple):
    """What stands before, between and after objects, and where there are none."""

    head: bytes
    between: bytes
    end: bytes
    empty: bytes


_LINES_OF_JSON = _Form(b"", b"\n", b"\n", b"")
_ARRAY = _Form(b"[\n", b",\n", b"\n]\n", b"[]\n")


def _open_piece(
    form: _Form, non_finite: NonFinite, indent: int | None, store: Store, key: str, schema: pa.Schema
) -> OutputStream:
    return _JsonSink(ObjectPlace(store, key), None, JsonEncoder(schema, non_finite, indent=bool(indent)), form)


class _JsonSink(ObjectSink):
    def __init__(self, place: ObjectPlace, codec: Codec | None, encoder: JsonEncoder, form: _Form) -> None:
        super().__init__(place, codec)
        self._encoder = encoder
        self._form = form
        self._is_first = True

    def append(self, piece: Piece) -> None:
        if not piece.rows:
            return
        self._writer.write(self._form.head if self._is_first else self._form.between)
        self._is_first = False
        for block in piece.blocks:
            self._writer.write(block)
        self._rows += piece.rows

    def _encode(self, batch: pa.RecordBatch) -> None:
        objects = self._encoder.encode(batch)
        if objects:
            form = self._form
            self._writer.write((form.head if self._is_first else form.between) + form.between.join(objects))
            self._is_first = False

    def _finish(self) -> None:
        self._writer.write(self._form.empty if self._is_first else self._form.end)
