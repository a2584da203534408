"""Attributes as HTTP headers: values are ASCII there, so other text travels as RFC 2047 words, as S3 shows it."""

from base64 import b64encode
from typing import Any

from skyhold.errors import InvalidKeyError, UnsupportedError
from skyhold.storage.objects import Attributes

__all__ = ["decode_attributes", "encode_attributes"]

_CONTENT_TYPE = "Content-Type"
_STORAGE_CLASS = "Storage-Class"
_KNOWN = {"Content-Disposition", "Content-Encoding", "Content-Language", "Cache-Control", _CONTENT_TYPE, _STORAGE_CLASS}


def encode_attributes(attributes: Attributes, *, scheme: str, uri: str) -> dict[str, Any]:
    """Return the arguments by which obstore takes attributes, and tags beside them."""
    if not attributes.say_something:
        return {"attributes": {}, "tags": {}}
    if scheme == "gs" and attributes.tags:
        raise UnsupportedError(
            f"Google Cloud Storage has no tags on objects, and {dict(attributes.tags)!r} were given",
            operation="write",
            uri=uri,
            remedy="Use metadata",
        )
    if scheme == "az":
        wrong = next((name for name in attributes.metadata if "-" in name or name[0].isdigit()), None)
        if wrong is not None:
            raise InvalidKeyError(
                f"Azure cannot hold the metadata name {wrong!r}",
                operation="write",
                uri=uri,
                remedy="Use lower-case letters, digits and '_', beginning with a letter",
            )
    encoded = {name: _encode(value) for name, value in attributes.metadata.items()}
    if attributes.content_type:
        encoded[_CONTENT_TYPE] = attributes.content_type
    if attributes.storage_class:
        encoded[_STORAGE_CLASS] = attributes.storage_class
    return {"attributes": encoded, "tags": dict(attributes.tags)}


def decode_attributes(found: dict[str, str]) -> Attributes:
    """Return attributes as they were written."""
    metadata = {name.lower(): _decode(value) for name, value in found.items() if name not in _KNOWN}
    return Attributes(metadata, found.get(_CONTENT_TYPE, ""), found.get(_STORAGE_CLASS, ""))


def _encode(value: str) -> str:
    plain = value.isascii() and value.isprintable() and value == value.strip() and value and "=?" not in value
    return value if plain else f"=?utf-8?b?{b64encode(value.encode()).decode()}?="


def _decode(value: str) -> str:
    if "=?" not in value:
        return value
    from email.header import decode_header, make_header  # noqa: PLC0415 - seldom needed, and slow to load

    return str(make_header(decode_header(value)))
