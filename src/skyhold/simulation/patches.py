"""What makes one JSON document into another, as JSON."""

from collections.abc import Sequence
from typing import Any

from skyhold.errors import BadOptionError, ModelError
from skyhold.simulation.plain import Key, Path, copy_json, format_path, is_list, is_object, is_same

__all__ = ["Patch", "apply_patch", "make_patch"]

Patch = list[list[Any]]
"""Changes, in the order of their paths: ``[path, value]`` sets, and ``[path]`` alone removes.

A path is a list of names, and of positions in lists whose length stays; the empty path is the whole document.
"""


def make_patch(base: Any, other: Any) -> Patch:
    """Return the changes that make ``base`` into ``other``; none where they are the same.

    Raises:
        BadOptionError: There is a key that is not text.

    Example:
        >>> base = {"Zone": {"A": {"multiplier": 1}, "B": {}}}
        >>> make_patch(base, {"Zone": {"A": {"multiplier": 2}}})
        [[['Zone', 'A', 'multiplier'], 2], [['Zone', 'B']]]
    """
    patch: Patch = []
    _gather(base, other, (), patch)
    return patch


def _gather(base: Any, other: Any, path: Path, patch: Patch) -> None:
    if base is other:  # what a patch has left alone is shared, and need not be looked through
        return
    if is_object(base) and is_object(other):
        _gather_names(base, other, path, patch)
    elif is_list(base) and is_list(other) and len(base) == len(other):
        for index, (one, two) in enumerate(zip(base, other, strict=True)):
            if one is not two:
                _gather(one, two, (*path, index), patch)
    elif not is_same(base, other):
        patch.append([list(path), copy_json(other)])


def _gather_names(base: dict[Any, Any], other: dict[Any, Any], path: Path, patch: Patch) -> None:
    names = [name for name, value in base.items() if name not in other or other[name] is not value]
    names += [name for name in other if name not in base]
    for name in sorted(names, key=str):
        if not isinstance(name, str):
            raise BadOptionError(f"{format_path(path)!r} has the key {name!r}, which is not text", remedy="Use text")
        if name not in other:
            patch.append([[*path, name]])
        elif name not in base:
            patch.append([[*path, name], copy_json(other[name])])
        else:
            _gather(base[name], other[name], (*path, name), patch)


def apply_patch(document: Any, patch: Sequence[Sequence[Any]]) -> Any:
    """Return the document with the changes made; the given one stays as it is, and parts left alone are shared.

    Args:
        document: Any JSON document; do not change the result in place where the base is still needed.
        patch: As `make_patch` returns it.

    Raises:
        ModelError: The patch is of another document: it changes what is not there.

    Example:
        >>> base = {"Zone": {"A": {"multiplier": 1}, "B": {}}}
        >>> apply_patch(base, [[["Zone", "A", "multiplier"], 2], [["Zone", "B"]]])
        {'Zone': {'A': {'multiplier': 2}}}
    """
    fresh: set[int] = set()  # of the containers that this call has copied, which it may change
    holder = [document]
    for path, *value in patch:
        _change(holder, (0, *path), value, fresh)
    return holder[0]


def _change(holder: list[Any], path: Path, value: list[Any], fresh: set[int]) -> None:
    place: Any = holder
    for depth, key in enumerate(path[:-1]):
        if not _has(place, key):
            raise _unfit(path[1 : depth + 1], "is not there")
        inner = place[key]
        if not (is_object(inner) or is_list(inner)):
            raise _unfit(path[1 : depth + 1], "holds nothing")
        if id(inner) not in fresh:
            inner = place[key] = inner.copy()
            fresh.add(id(inner))
        place = inner
    _set(place, path[-1], value, path[1:])


def _set(place: Any, key: Any, value: list[Any], path: Path) -> None:
    if value and _has_room(place, key):
        place[key] = copy_json(value[0])
    elif value:
        raise _unfit(path, "is not there")
    elif type(place) is dict and key in place:
        del place[key]
    else:
        raise _unfit(path, "is not there to be removed")


def _has_room(place: Any, key: Key) -> bool:
    return _has(place, key) if is_list(place) else isinstance(key, str)


def _has(place: Any, key: Key) -> bool:
    if is_list(place):
        return type(key) is int and 0 <= key < len(place)
    return key in place


def _unfit(path: Path, problem: str) -> ModelError:
    return ModelError(
        f"the patch does not fit the document: {format_path(path)!r} {problem}",
        remedy="Apply it to the base that it was made of",
    )
