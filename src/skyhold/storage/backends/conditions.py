"""Rules that the backends which store things themselves (memory, files) apply alike."""

from skyhold.errors import AlreadyExistsError, InvalidRangeError, PreconditionFailedError
from skyhold.storage.objects import ByteRange, ObjectInfo

__all__ = ["check_conditions", "check_match", "fold", "quote_e_tag", "resolve_range"]


def fold(keys: list[str], prefix: str, delimiter: str | None) -> tuple[list[str], list[str]]:
    """Split sorted keys under ``prefix`` into objects and, with a delimiter, prefixes one level down."""
    if delimiter is None:
        return keys, []
    objects: list[str] = []
    prefixes: dict[str, None] = {}
    for key in keys:
        head, found, _ = key[len(prefix) :].partition(delimiter)
        if found:
            prefixes[prefix + head + delimiter] = None
        else:
            objects.append(key)
    return objects, list(prefixes)


def check_match(info: ObjectInfo, if_match: str | None, *, operation: str, uri: str) -> None:
    """Raise PreconditionFailedError when the object is not the version that was asked for."""
    if if_match is not None and info.e_tag != if_match:
        raise PreconditionFailedError(
            f"the object is another version: e-tag {info.e_tag}, not {if_match}",
            operation=operation,
            uri=uri,
            remedy="Read the object again, then decide",
        )


def check_conditions(found: ObjectInfo | None, *, if_absent: bool, if_match: str | None, uri: str) -> None:
    """Raise the conflict that a conditional write meets, given what is there now."""
    if if_absent and found is not None:
        raise AlreadyExistsError(
            "the object exists", operation="write", uri=uri, remedy="Choose another key, or delete the object first"
        )
    if if_match is None:
        return
    if found is None:
        raise PreconditionFailedError(
            "the object is gone", operation="write", uri=uri, remedy="Read the folder again, then decide"
        )
    check_match(found, if_match, operation="write", uri=uri)


def resolve_range(info: ObjectInfo, byte_range: ByteRange | None, *, uri: str) -> tuple[int, int]:
    """Return ``(start, end)`` of what was asked of an object.

    Raises:
        InvalidRangeError: It starts at or past the end.
    """
    if byte_range is None:
        return 0, info.size_bytes
    start, end = byte_range.resolve(info.size_bytes)
    if start >= info.size_bytes and start > 0:
        raise InvalidRangeError(
            f"bytes from {start} were asked for, and the object has {info.size_bytes}", operation="read", uri=uri
        )
    return start, end


def quote_e_tag(e_tag: str | None) -> str | None:
    """Return an e-tag as headers have it; Azure's listings leave out the quotes.

    Example:
        >>> quote_e_tag("0x8DE2"), quote_e_tag('"0x8DE2"'), quote_e_tag('W/"1"')
        ('"0x8DE2"', '"0x8DE2"', 'W/"1"')
    """
    return e_tag if e_tag is None or e_tag.endswith('"') else f'"{e_tag}"'
