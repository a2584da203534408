"""Models from wherever they are: IDF and epJSON in any store, dicts, documents of idfkit."""

import json
import os
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from skyhold.errors import EngineError, MissingExtraError, ModelError
from skyhold.simulation.document import Document
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.known_fields import note_fields
from skyhold.simulation.model import Model, is_epjson
from skyhold.storage.opening import open_object

__all__ = ["as_document", "as_model", "is_idfkit", "load_epjson", "load_idf"]

_BOM = b"\xef\xbb\xbf"
_VERSION = re.compile(rb"^[ \t]*Version[ \t]*,[^;!,]*?([0-9][0-9.]*)[ \t]*;", re.IGNORECASE | re.MULTILINE)
_TO_EXPAND = re.compile(rb"^[ \t]*(HVACTemplate:[^,!]+?)[ \t]*,", re.IGNORECASE | re.MULTILINE)


def load_idf(path: str | os.PathLike[str], *, engine: Engine | None = None, **options: Any) -> Model:
    """Read an IDF, by the engine's own reader.

    Args:
        path: A path or a URI of any store.
        engine: Which engine reads it; None for one of the IDF's version.
        **options: Of the store.

    Raises:
        ModelError: The engine does not accept it; the message says what and where.
        EngineError: There is no engine of its version.
        MissingExtraError: There is no engine; or it has HVACTemplate objects, which only the extra ``idf`` reads.
        StorageError: It could not be read.

    Example:
        >>> from pyenergyplus.dataset import ref_models
        >>> model = load_idf(ref_models["warehouse"])
        >>> model.version, list(model.objects("Zone"))
        ('25.2', ['BulkStorage', 'FineStorage', 'Office'])
    """
    content = _read(path, options)
    if _is_json(content):
        raise ModelError(f"{os.fspath(path)!r} is JSON, not an IDF", remedy="Read it with load_epjson")
    return _from_idf(content, os.fspath(path), engine)


def load_epjson(path: str | os.PathLike[str], **options: Any) -> Model:
    """Read an epJSON model.

    Args:
        path: A path or a URI of any store.
        **options: Of the store.

    Raises:
        ModelError: It is not JSON, or not epJSON, or has a name twice; the message says where.
        StorageError: It could not be read.
    """
    content = _read(path, options)
    if not _is_json(content):
        raise ModelError(f"{os.fspath(path)!r} does not begin as JSON", remedy="Read an IDF with load_idf")
    return Model(_parse(content, os.fspath(path)), source=os.fspath(path))


def as_model(thing: Any, *, engine: Engine | None = None, **options: Any) -> Model:
    """Return a model of EnergyPlus from whatever is one.

    Args:
        thing: A `Model`, which is given back itself; an epJSON dict; a path or URI of an IDF or epJSON file; or a
            document of idfkit.
        engine: Which engine reads an IDF; None for one of its version.
        **options: Of the store.

    Raises:
        ModelError: It is none of these, or the model is wrong.
    """
    document = Model(thing) if isinstance(thing, dict) else as_document(thing, engine=engine, **options)
    if not isinstance(document, Model):
        raise ModelError(
            f"{document.source or 'the document'} is not a model of EnergyPlus: it has no Version and no Building",
            remedy="Give an IDF or an epJSON file",
        )
    return document


def as_document(thing: Any, *, engine: Engine | None = None, **options: Any) -> Document:
    """Return a model of any simulator: a `Model` where it is EnergyPlus's, else a `Document`.

    Args:
        thing: What `as_model` takes, or any JSON document, or the path or URI of one.
        engine: Which engine reads an IDF; None for one of its version.
        **options: Of the store.

    Raises:
        ModelError: It is none of these, or the model is wrong.

    Example:
        >>> as_document({"wall": {"u": 0.3}}).to_bytes()
        b'{"wall":{"u":0.3}}'
    """
    if isinstance(thing, Document):
        return thing
    if isinstance(thing, dict):
        return _from_json(cast("dict[str, Any]", thing), "")
    if is_idfkit(thing):
        return _from_idfkit(thing)
    if not isinstance(thing, str | os.PathLike):
        raise ModelError(
            f"a {type(thing).__name__} is not a model",
            remedy="Give a Model, a dict, the path or URI of an IDF or epJSON file, or a document of idfkit",
        )
    place = os.fspath(cast("str | os.PathLike[str]", thing))
    content = _read(place, options)
    return _from_json(_parse(content, place), place) if _is_json(content) else _from_idf(content, place, engine)


def is_idfkit(thing: Any) -> bool:
    """Return whether it is a document of idfkit, without importing that: nobody has one who has not."""
    idfkit = sys.modules.get("idfkit")
    return idfkit is not None and isinstance(thing, idfkit.IDFDocument)


def _read(path: str | os.PathLike[str], options: dict[str, Any]) -> bytes:
    store, key = open_object(path, **options)
    return bytes(store.read(key))


def _is_json(content: bytes) -> bool:
    return content.removeprefix(_BOM).lstrip()[:1] in {b"{", b"["}


def _from_json(data: Any, source: str) -> Document:
    return Model(data, source=source) if is_epjson(data) else Document(data, source=source)


def _parse(content: bytes, source: str) -> Any:
    try:
        return json.loads(
            content.removeprefix(_BOM).decode(), object_pairs_hook=_once_each, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise ModelError(
            f"{source!r} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}",
            remedy="Correct it there, or convert the IDF again",
        ) from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{source!r} is not UTF-8: {error.reason} at byte {error.start}") from error
    except _WrongJsonError as error:
        raise ModelError(f"{source!r}: {error}", remedy="Correct it in the file") from error


class _WrongJsonError(Exception):
    """What Python's reader lets pass."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _WrongJsonError(f"the name {twice!r} stands twice in one object, and one of the two would be lost")
    return found


def _refuse_constant(text: str) -> Any:
    raise _WrongJsonError(f"{text} is not a number of JSON")


def _from_idf(content: bytes, source: str, engine: Engine | None) -> Model:
    if found := _TO_EXPAND.search(content):
        return _read_by_idfkit(content, source, found[1].decode())
    with tempfile.TemporaryDirectory(prefix="skyhold-model-") as folder:
        copy = Path(folder, "model.idf")
        copy.write_bytes(content)
        try:
            reader = engine or _engine_for(content)
            converted = reader.convert(copy, Path(folder))
        except (ModelError, EngineError) as error:
            # The engine was given a copy; whoever reads the error knows the model by its own name.
            text = str(error).replace(str(copy), source)
            raise type(error)(text if source in text else f"{source!r}: {text}", remedy=error.remedy) from error
        data = _parse(converted.read_bytes(), source)
    if not data:  # a file of comments alone
        raise ModelError(f"there is no object in {source!r}", remedy="See whether the whole file is there")
    note_fields(data, reader)
    return Model(data, source=source)


def _engine_for(content: bytes) -> Engine:
    found = _VERSION.search(content)
    return find_engine(found[1].decode() if found else None)


def _read_by_idfkit(content: bytes, source: str, found: str) -> Model:
    if find_spec("idfkit") is None:
        raise MissingExtraError.of("idf", f"{source!r} has {found!r} objects, and reading these")
    import idfkit  # noqa: PLC0415 - the extra `idf`

    with tempfile.TemporaryDirectory(prefix="skyhold-model-") as folder:
        copy = Path(folder, "model.idf")
        copy.write_bytes(content)
        try:
            document = idfkit.load_idf(str(copy))
        except idfkit.IdfKitError as error:
            raise ModelError(f"{source!r} cannot be read: {error}".replace(str(copy), source)) from error
    return _from_idfkit(document, source)


def _from_idfkit(document: Any, source: str = "") -> Model:
    import idfkit  # noqa: PLC0415 - loaded already, since there is a document of it

    text = idfkit.write_epjson(document, preserve_formatting=False)
    return Model(json.loads(text), source=source or str(document.filepath or ""))
