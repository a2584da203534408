"""Which format an object has: by the suffix of its name, or by its first bytes."""

import codecs
import csv
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from typing import Any, Literal

from skyhold.errors import BadUriError, MalformedInputError
from skyhold.records.formats.adapter import InputAdapter, OutputAdapter
from skyhold.records.formats.compression import (
    check_compression,
    codec_of_name,
    open_decompressed,
    without_compression_suffix,
)
from skyhold.records.formats.finding import find_objects
from skyhold.records.formats.objects import ObjectUris, list_uris
from skyhold.records.formats.utf8 import read_fully
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location, redact_uri
from skyhold.storage.opening import pick_storage_options

__all__ = ["FORMATS", "Format", "find_format", "find_input_format", "open_input", "open_output"]

_HEAD_BYTES = 64 * 1024
_FETCH_BYTES = 256 * 1024
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*[\[{"\]\-0-9tfn])')
_DATABASE = re.compile(r"([a-z0-9_]+)(\+[a-z0-9_]+)?://", re.IGNORECASE)
_DELIMITERS = ",\t;|"
_SAMPLE_ROWS = 50


def _tells_nothing(head: bytes) -> bool:
    del head
    return False


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is told by its name.

    Attributes:
        name: For people.
        home: Module under ``skyhold.records.formats`` and the beginning of its classes' names: ``"csv:CSV"`` is
            ``CSVInputAdapter`` and ``CSVOutputAdapter`` of ``csv``. It is loaded on use.
        suffixes: In lower case.
        databases: Schemes of URIs that are no store's.
        is_text: Whether it may be compressed as a whole.
        options: Of both adapters.
        output_options: Of the output adapter alone.
        is_told_by: From an object's first bytes.
    """

    name: str
    home: str
    suffixes: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    is_text: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    output_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_told_by: Callable[[bytes], bool] = _tells_nothing

    def load(self, direction: Literal["Input", "Output"]) -> Callable[..., Any]:
        """Return the adapter class of a direction."""
        module, _, prefix = self.home.partition(":")
        return getattr(import_module(f"skyhold.records.formats.{module}"), f"{prefix}{direction}Adapter")


_SQL = ("postgresql", "postgres", "sqlite", "duckdb", "mysql", "mariadb", "mssql", "oracle")

FORMATS: tuple[Format, ...] = (
    Format("Parquet", "parquet:Parquet", (".parquet", ".pq"), is_told_by=lambda head: head.startswith(b"PAR1")),
    Format("Arrow", "arrow:Arrow", (".arrow", ".feather", ".ipc"), is_told_by=lambda head: head.startswith(b"ARROW1")),
    Format(
        "Arrow stream",
        "arrow:Arrow",
        (".arrows",),
        output_options={"format": "stream"},
        is_told_by=lambda head: head.startswith(b"\xff\xff\xff\xff"),
    ),
    Format(
        "Excel",
        "excel:Excel",
        (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
        is_told_by=lambda head: head.startswith(b"PK\x03\x04") and (b"[Content_Types].xml" in head or b"xl/" in head),
    ),
    Format("JSON lines", "json:JSON", (".jsonl", ".ndjson"), is_text=True, output_options={"format": "jsonl"}),
    Format(
        "JSON",
        "json:JSON",
        (".json",),
        is_text=True,
        output_options={"format": "array"},
        is_told_by=lambda head: _JSON.match(head) is not None,
    ),
    Format("CSV", "csv:CSV", (".csv",), is_text=True),
    Format("tab-separated text", "csv:CSV", (".tsv", ".tab"), is_text=True, options={"delimiter": "\t"}),
    Format("SQL", "sql.adapters:SQL", databases=_SQL),
)
"""Every format. A new one is a row here."""


def open_input(uri: ObjectUris, **options: Any) -> InputAdapter:
    """Return the input adapter for what a URI names.

    The suffix decides, under one of compression too (``.csv.gz``); for databases the scheme. Where neither is known,
    the first object's first bytes are read: Parquet, Arrow, Excel and JSON say what they are, and text whose rows, two
    or more, all have the same number of cells, two or more, is CSV.

    Args:
        uri: As for `skyhold.records.formats.objects.ObjectInputAdapter`, or a database.
        **options: Of the adapter and of the store.

    Raises:
        MalformedInputError: Neither the name nor the content tells a known format.
        BadUriError: The URIs of a sequence tell different formats.
        KeyNotFoundError: There is nothing to look at.

    Example:
        >>> open_input("s3://logs/2024-*/**/*.csv.gz")
        CSVInputAdapter('s3://logs/2024-*/**/*.csv.gz')
    """
    found, told = find_input_format(uri, options)
    return found.load("Input")(uri, **{**told, **options})


def find_input_format(uri: ObjectUris, options: Mapping[str, Any]) -> tuple[Format, Mapping[str, Any]]:
    r"""Return the format of what URIs name, as `open_input` tells it, and the options that name and content tell.

    Args:
        uri: As for `open_input`.
        options: Of the adapter and of the store; they are asked only where the content is looked at.

    Raises:
        MalformedInputError: Neither the name nor the content tells a known format.
        BadUriError: The URIs of a sequence tell different formats.
        KeyNotFoundError: There is nothing to look at.

    Example:
        >>> found, told = find_input_format("s3://logs/2024.tsv.gz", {})
        >>> found.name, told
        ('tab-separated text', {'delimiter': '\t'})
    """
    uris = list_uris(uri)
    found: Format | None = None
    for each in uris:
        other = find_format(each)
        found = found or other
        if found and other and (found.home, found.options) != (other.home, other.options):
            raise BadUriError(
                f"{redact_uri(each)!r} is {other.name} by its name, and others are {found.name}",
                remedy="Read them by pipes of their own, or name the adapter",
            )
    more: Mapping[str, Any] = {}
    if found is None:
        found, more = _look_inside(uris, options)
    return found, {**found.options, **more}


def open_output(uri: str | os.PathLike[str], **options: Any) -> OutputAdapter:
    """Return the output adapter that a URI's suffix tells, or for databases its scheme.

    Raises:
        BadUriError: It tells none that is known.

    Example:
        >>> open_output("s3://exports/users.tsv.zst")
        CSVOutputAdapter('s3://exports/users.tsv.zst')
    """
    found = find_format(os.fspath(uri))
    if found is None:
        raise BadUriError(f"the name {redact_uri(os.fspath(uri))!r} tells no format", remedy=_known())
    return found.load("Output")(uri, **{**found.options, **found.output_options, **options})


def find_format(uri: str) -> Format | None:
    """Return the format that a URI's suffix tells, or for databases its scheme; None where neither does.

    Raises:
        BadUriError: It names a compressed file of a format that compresses its own parts.
    """
    database = _DATABASE.match(uri)
    if database:
        scheme = database.group(1).lower()
        # Only databases name a driver behind a plus sign.
        found = next((each for each in FORMATS if scheme in each.databases or (database[2] and each.databases)), None)
        if found:
            return found
    location = parse_location(uri)
    name = location.key or location.container
    return _format_of_name(name.partition("?")[0] if location.scheme == "http" else name, shown=redact_uri(uri))


def _format_of_name(name: str, *, shown: str) -> Format | None:
    inner = without_compression_suffix(name).lower()
    found = next((each for each in FORMATS if inner.endswith(each.suffixes)), None)
    if found and not found.is_text and codec_of_name(name):
        raise BadUriError(
            f"{shown!r} is {found.name} by its name, which compresses its own parts and not the whole",
            remedy=f"Take the suffix {name[len(inner) :]!r} away; decompress what is compressed",
        )
    return found


def _look_inside(uris: list[str], options: Mapping[str, Any]) -> tuple[Format, Mapping[str, Any]]:
    """Return the format of the first object, and options that its content tells."""
    store, key = _first_object(uris, options)
    found = _format_of_name(key, shown=store.uri_of(key))
    if found:
        return found, {}
    head = _read_head(store, key, options)
    found = next((each for each in FORMATS if each.is_told_by(head)), None)
    if found:
        return found, {}
    delimiter = _find_delimiter(head, options)
    if delimiter:
        return next(each for each in FORMATS if each.name == "CSV"), {"delimiter": delimiter}
    what = "is empty" if not head else f"begins with {head[:16]!r}"
    raise MalformedInputError(
        f"neither the name nor the content of {store.uri_of(key)!r} tells its format: it {what}", remedy=_known()
    )


def _first_object(uris: list[str], options: Mapping[str, Any]) -> tuple[Store, str]:
    storage_options = pick_storage_options(uris[0], options)
    found, _ = find_objects(uris[:1], glob=options.get("glob", True), wrap=lambda store: store, **storage_options)
    return found[0].store, found[0].key


def _read_head(store: Store, key: str, options: Mapping[str, Any]) -> bytes:
    compression = check_compression(options.get("compression", "auto"))
    reader = store.open_reader(key, block_bytes=_FETCH_BYTES, read_ahead=0)
    with reader:
        return read_fully(open_decompressed(reader, store.uri_of(key), compression), _HEAD_BYTES)


def _find_delimiter(head: bytes, options: Mapping[str, Any]) -> str | None:
    """Return what separates the cells of text that looks like CSV."""
    try:
        text = codecs.getincrementaldecoder(options.get("encoding", "utf-8"))().decode(head)
    except (UnicodeDecodeError, LookupError):
        return None
    if "\0" in text:
        return None
    quote = options.get("quotechar", '"')
    quoting = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    for delimiter in [options["delimiter"]] if "delimiter" in options else _DELIMITERS:
        lines = io.StringIO(text, newline="")
        rows = list(islice(csv.reader(lines, delimiter=delimiter, quotechar=quote, quoting=quoting), _SAMPLE_ROWS))
        if len(head) == _HEAD_BYTES and len(rows) < _SAMPLE_ROWS:
            rows.pop()  # it goes on past what was read
        lengths = [len(row) for row in rows if row]
        if len(lengths) > 1 and len(set(lengths)) == 1 and lengths[0] > 1:
            return delimiter
    return None


def _known() -> str:
    suffixes = ", ".join(suffix for each in FORMATS for suffix in each.suffixes)
    databases = ", ".join(f"{scheme}://" for each in FORMATS for scheme in each.databases)
    return f"Name the adapter, such as CSVInputAdapter, or use a known suffix ({suffixes}) or database ({databases})"
