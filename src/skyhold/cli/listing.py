"""``ls``, ``du``, ``find``: what is there."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common, Place, locate
from skyhold.cli.output import Printer
from skyhold.errors import KeyNotFoundError
from skyhold.runs.wording import human_size
from skyhold.storage.objects import ObjectInfo

__all__ = ["du", "find", "ls"]

_DEFAULT = Common()


def ls(
    uri: str = ".",
    /,
    *,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative="")] = False,
    common: Common = _DEFAULT,
) -> int:
    """List what lies in a folder, bucket or prefix.

    Args:
        uri: What to list.
        recursive: Everything below it, not only one level.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    place = locate(uri, common)
    count = size_bytes = 0
    if recursive:
        objects = place.listed()
    else:
        level = place.store.list_folder(place.under())
        for prefix in level.prefixes:
            printer.item(f"{'':>25}  {'folder':>10}  {prefix}", type="prefix", key=prefix)
        count += len(level.prefixes)
        objects = iter([*place.itself(), *level.objects])
    for info in objects:
        _show(printer, info, place)
        count += 1
        size_bytes += info.size_bytes
    _refuse_nothing(count, place, uri)
    printer.summary(f"{count:,} entries, {human_size(size_bytes)}", entries=count, size_bytes=size_bytes)
    return 0


def du(uri: str = ".", /, *, common: Common = _DEFAULT) -> int:
    """Add up sizes below a folder, bucket or prefix.

    Args:
        uri: What to add up.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    place = locate(uri, common)
    totals: dict[str, list[int]] = {}
    for info in place.listed():
        head, slash, _ = info.key[len(place.under()) :].partition("/")
        total = totals.setdefault(head + slash if slash else ".", [0, 0])
        total[0] += 1
        total[1] += info.size_bytes
    count = sum(total[0] for total in totals.values())
    size_bytes = sum(total[1] for total in totals.values())
    _refuse_nothing(count, place, uri)
    for name, (objects, size) in sorted(totals.items(), key=lambda item: -item[1][1]):
        printer.item(f"{human_size(size):>10}  {objects:>8,}  {name}", key=name, objects=objects, size_bytes=size)
    printer.summary(f"{human_size(size_bytes)} in {count:,} objects", objects=count, size_bytes=size_bytes)
    return 0


def find(
    uri: str = ".",
    /,
    *,
    name: str = "*",
    larger_than: int | None = None,
    smaller_than: int | None = None,
    common: Common = _DEFAULT,
) -> int:
    """Find objects below a folder, bucket or prefix.

    Args:
        uri: Where to look.
        name: Pattern of the key or of its last part, such as '*.csv' or 'logs/2024-*'.
        larger_than: In bytes.
        smaller_than: In bytes.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    place = locate(uri, common)
    count = 0
    for info in _matching(place, name):
        if larger_than is not None and info.size_bytes <= larger_than:
            continue
        if smaller_than is not None and info.size_bytes >= smaller_than:
            continue
        count += 1
        target = place.store.uri_of(info.key)
        printer.item(target, uri=target, key=info.key, size_bytes=info.size_bytes, modified=info.modified)
    printer.summary("", found=count)
    return 0


def _matching(place: Place, pattern: str) -> Iterator[ObjectInfo]:
    for info in place.listed():
        inside = info.key[len(place.under()) :]
        if fnmatchcase(inside, pattern) or fnmatchcase(info.key.rpartition("/")[2], pattern):
            yield info


def _show(printer: Printer, info: ObjectInfo, place: Place) -> None:
    words = f"{info.modified:%Y-%m-%d %H:%M:%S %z}  {human_size(info.size_bytes):>10}  {info.key}"
    printer.item(
        words,
        type="object",
        key=info.key,
        uri=place.store.uri_of(info.key),
        size_bytes=info.size_bytes,
        modified=info.modified,
        e_tag=info.e_tag,
    )


def _refuse_nothing(count: int, place: Place, uri: str) -> None:
    """An empty bucket is empty; a prefix with nothing under it does not exist."""
    if not count and place.prefix:
        raise KeyNotFoundError("nothing is there", operation="list", uri=uri, remedy="Check the spelling one level up")
