"""``cat``, ``stat``, ``presign``: one object."""

import shutil
import sys
from typing import Literal

from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.runs.wording import human_size
from skyhold.storage.opening import open_object

__all__ = ["cat", "presign", "stat"]

_DEFAULT = Common()


def cat(*uris: str, common: Common = _DEFAULT) -> int:
    """Write objects to standard output, one after the other.

    Args:
        uris: What to read.
        common: Options of every command.
    """
    for uri in uris:
        store, key = open_object(uri, **common.options_for(uri))
        with store.open_reader(key, read_ahead=4) as reader:
            shutil.copyfileobj(reader, sys.stdout.buffer, 1 << 20)
    sys.stdout.buffer.flush()
    return 0


def stat(uri: str, /, *, common: Common = _DEFAULT) -> int:
    """Show what is known of an object.

    Args:
        uri: Which.
        common: Options of every command.
    """
    store, key = open_object(uri, **common.options_for(uri))
    info = store.info(key)
    attributes = info.attributes
    fields = {
        "uri": store.uri_of(key),
        "size_bytes": info.size_bytes,
        "modified": info.modified.isoformat(),
        "e_tag": info.e_tag,
        "content_type": attributes.content_type if attributes else "",
        "storage_class": attributes.storage_class if attributes else "",
        "metadata": dict(attributes.metadata) if attributes else {},
        "identity": store.identity,
    }
    shown = {**fields, "size_bytes": f"{info.size_bytes:,} ({human_size(info.size_bytes)})"}
    words = "\n".join(f"{name:<14} {value}" for name, value in shown.items() if value)
    Printer(as_json=common.json).item(words, **fields)
    return 0


def presign(
    uri: str,
    /,
    *,
    method: Literal["GET", "PUT"] = "GET",
    expires: int = 3600,
    common: Common = _DEFAULT,
) -> int:
    """Print a link that lets its holder read or write one object for a while.

    Args:
        uri: Which.
        method: GET to read, PUT to write.
        expires: Seconds that it is good for.
        common: Options of every command.
    """
    store, key = open_object(uri, **common.options_for(uri))
    link = store.presign(key, method=method, expires_s=expires)
    Printer(as_json=common.json).item(link, uri=store.uri_of(key), link=link, expires_s=expires, method=method)
    return 0
