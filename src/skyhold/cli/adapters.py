"""From arguments to adapters: formats by name, their options as NAME=VALUE, typed as the adapters declare them."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import Parameter
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from skyhold.cli.options import Common
from skyhold.errors import BadOptionError, BadUriError
from skyhold.records.formats.adapter import InputAdapter, OutputAdapter
from skyhold.records.formats.dataset import DatasetOutputAdapter
from skyhold.records.formats.detection import Format, find_format, find_input_format
from skyhold.records.formats.limited import LimitedInputAdapter
from skyhold.storage.location import redact_uri

__all__ = ["FormatName", "Reading", "Writing", "open_inputs", "open_target", "typed_options"]

FormatName = Literal["parquet", "arrow", "csv", "tsv", "jsonl", "json", "xlsx"]

_GIVEN_BY_US = {"self", "uri"}
_SNIFFED = ("compression", "encoding", "delimiter", "quotechar")
_ESCAPES = {r"\t": "\t", r"\n": "\n", r"\0": "\0"}
_DATASET_FORMATS = ("parquet", "arrow", "csv", "jsonl")


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How to read.

    Attributes:
        input_option: An option of the input's adapter, NAME=VALUE, such as delimiter=';' or table_name=orders; may be
            given more than once.
        input_format: What the input is, where neither its name nor its content tells.
        limit: Read only so many rows.
    """

    input_option: Annotated[list[str], Parameter(name=["--input-option", "-i"], negative="")] = field(
        default_factory=list[str]
    )
    input_format: FormatName | None = None
    limit: int | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Writing:
    """How to write.

    Attributes:
        output_option: An option of the output's adapter, NAME=VALUE, such as compression=snappy or mode=replace; may
            be given more than once.
        format: Of the output, where its name does not tell; for a folder, parquet if not given.
        rows_per_file: For a folder, how many rows of input a file is made of.
        partition_by: For a folder, columns whose values become folders in it, separated by commas.
        resume: For a folder, go on with an unfinished run.
        overwrite: For a folder, replace the dataset that is there. A single file is always replaced.
    """

    output_option: Annotated[list[str], Parameter(name=["--output-option", "-O"], negative="")] = field(
        default_factory=list[str]
    )
    format: FormatName | None = None
    rows_per_file: int | None = None
    partition_by: str = ""
    resume: Annotated[bool, Parameter(negative="")] = False
    overwrite: Annotated[bool, Parameter(negative="")] = False


def open_inputs(sources: Sequence[str], reading: Reading, common: Common) -> InputAdapter:
    """Return the adapter that reads some sources as one input.

    Raises:
        BadOptionError: An option is unknown to the adapter, or its value is of another type.
        BadUriError: A database stands among several sources.
    """
    given = _split_options(reading.input_option, "-i")
    storage = _storage_options(sources, common)
    told: Mapping[str, Any]
    if reading.input_format:
        found, told = _format_named(reading.input_format)
    else:
        sniffed = {name: _unescape(given[name]) for name in _SNIFFED if name in given}
        found, told = find_input_format(sources, {**storage, **sniffed})
    if found.databases and len(sources) > 1:
        raise BadUriError(f"{redact_uri(sources[0])!r} is a database, which is read alone", remedy="Name one source")
    adapter = found.load("Input")
    options = typed_options(adapter, given, flag="-i")
    if reading.limit is not None and "limit" in _parameters(adapter):
        options.setdefault("limit", reading.limit)  # of each object; it spares requests
    uris = sources[0] if len(sources) == 1 else list(sources)
    made: InputAdapter = adapter(uris, **{**told, **storage, **options})
    return made if reading.limit is None else LimitedInputAdapter(made, reading.limit)


def open_target(target: str, writing: Writing, common: Common) -> OutputAdapter:
    """Return the adapter that writes to a file, to a folder's many files, or to a table.

    Raises:
        BadOptionError: An option is unknown to the adapter, is of another type, or is one of folders only.
        BadUriError: Nothing tells the format.
    """
    given = _split_options(writing.output_option, "-O")
    storage = _storage_options([target], common)
    if target.endswith("/") and not _is_database(target):
        return _open_dataset(target, writing, given, storage)
    for_folders = {
        "--resume": writing.resume,
        "--rows-per-file": writing.rows_per_file,
        "--partition-by": writing.partition_by,
    }
    wrong = next((flag for flag, value in for_folders.items() if value), None)
    if wrong:
        raise BadOptionError(
            f"{wrong} is for a folder of many files, and {redact_uri(target)!r} is one output, whole or not at all",
            remedy=f"Leave {wrong} out, or end the target in '/' to write a folder",
        )
    found = _format_named(writing.format)[0] if writing.format else find_format(target)
    if found is None:
        raise BadUriError(
            f"the name {redact_uri(target)!r} tells no format",
            remedy=f"Add a suffix such as .parquet, end it in '/' for a folder, or give --format ({_names()})",
        )
    adapter = found.load("Output")
    options = typed_options(adapter, given, flag="-O")
    made: OutputAdapter = adapter(target, **{**found.options, **found.output_options, **storage, **options})
    return made


def typed_options(adapter: Callable[..., Any], given: Mapping[str, str], *, flag: str) -> dict[str, Any]:
    """Return options with the types that an adapter declares.

    Args:
        adapter: Its class.
        given: As they were typed: lists are separated by commas, ``none`` is None where that is allowed, and what is
            more than a list is JSON.
        flag: Which gave them, for errors.

    Raises:
        BadOptionError: One is unknown, of another type, or needed and not given.

    Example:
        >>> from skyhold.records.formats.parquet import ParquetInputAdapter
        >>> typed_options(ParquetInputAdapter, {"columns": "a,b", "limit": "5"}, flag="-i")
        {'columns': ['a', 'b'], 'limit': 5}
    """
    known = _parameters(adapter)
    name = getattr(adapter, "__name__", str(adapter))
    for option in given:
        if option not in known:
            near = get_close_matches(option, known, n=1)
            remedy = f"Did you mean {near[0]!r}? " if near else ""
            raise BadOptionError(
                f"{name} has no option {option!r} ({flag})",
                remedy=f"{remedy}Options: {', '.join(sorted(known))}; those of storage are given by -o",
            )
    missing = [option for option, (_, needed) in known.items() if needed and option not in given]
    if missing:
        raise BadOptionError(f"{name} needs the option {missing[0]!r}", remedy=f"Add {flag} {missing[0]}=…")
    return {option: _typed(option, text, known[option][0], flag) for option, text in given.items()}


def _open_dataset(
    target: str, writing: Writing, given: Mapping[str, str], storage: Mapping[str, Any]
) -> DatasetOutputAdapter:
    name = writing.format or "parquet"
    if name not in _DATASET_FORMATS:
        raise BadOptionError(
            f"a folder holds files of {', '.join(_DATASET_FORMATS)}, not {name}",
            remedy=f"Give --format {_DATASET_FORMATS[0]}, or name a single file",
        )
    file_options = typed_options(_format_named(name)[0].load("Output"), given, flag="-O")
    sized = {} if writing.rows_per_file is None else {"rows_per_file": writing.rows_per_file}
    return DatasetOutputAdapter(
        target,
        format=name,
        partition_by=[column for column in writing.partition_by.split(",") if column],
        resume=writing.resume,
        overwrite=writing.overwrite,
        file_options=file_options,
        **sized,
        **storage,
    )


def _storage_options(uris: Sequence[str], common: Common) -> dict[str, Any]:
    stored = [uri for uri in uris if not _is_database(uri)]
    return {name: value for uri in stored for name, value in common.options_for(uri).items()}


def _is_database(uri: str) -> bool:
    """Whether it is none of a store; names that contradict themselves are told later."""
    if "://" not in uri:
        return False
    found = find_format(uri)
    return found is not None and bool(found.databases)


def _format_named(name: str) -> tuple[Format, Mapping[str, Any]]:
    found = find_format(f"any.{name}")
    assert found is not None
    return found, found.options


def _names() -> str:
    return ", ".join(FormatName.__args__)


def _split_options(texts: Sequence[str], flag: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadOptionError(f"the option {text!r} has no value", remedy=f"Write {flag} NAME=VALUE")
        given[name] = value
    return given


def _parameters(adapter: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """Return each option's type, and whether it must be given; those of the classes above it too."""
    found: dict[str, tuple[Any, bool]] = {}
    for owner in inspect.getmro(adapter) if isinstance(adapter, type) else ():
        if "__init__" not in vars(owner) or owner is object:
            continue
        hints = get_type_hints(owner.__init__)
        for name, parameter in inspect.signature(owner.__init__).parameters.items():
            if name not in _GIVEN_BY_US and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(name, (hints.get(name, Any), parameter.default is parameter.empty))
    return found


def _typed(option: str, text: str, hint: Any, flag: str) -> Any:
    try:
        adapter = TypeAdapter[Any](hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError as error:
        raise BadOptionError(f"{option!r} cannot be given on the command line", remedy="Use it in Python") from error
    for meant in _meanings(_unescape(text), hint):
        try:
            return adapter.validate_python(meant)
        except ValidationError:
            continue
    raise BadOptionError(
        f"{flag} {option}={text!r} cannot be read as {_shown(hint)}", remedy="Give a value of that type"
    )


def _meanings(text: str, hint: Any) -> list[Any]:
    """Return what a text may mean, the likeliest first; the option's type decides."""
    try:
        parsed = [json.loads(text)]
    except ValueError:
        parsed = []
    if hint is Any:
        return [*parsed, text]
    listed = [text.split(",")] if "," in text else []
    none = [None] if text.lower() == "none" else []
    return [*none, *listed, text, [text], *parsed]


def _unescape(text: str) -> str:
    return _ESCAPES.get(text, text)


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "").replace("collections.abc.", "")
