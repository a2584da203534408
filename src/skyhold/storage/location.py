"""The only splitter of URIs: from text to scheme, container and key."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from skyhold.errors import BadUriError

__all__ = ["Location", "Scheme", "is_same_place", "parse_location", "redact_uri", "split_pattern"]

Scheme = Literal["s3", "az", "gs", "http", "file", "memory", "mock"]

_SCHEMES: dict[str, Scheme] = {
    "s3": "s3",
    "s3a": "s3",
    "az": "az",
    "azure": "az",
    "abfs": "az",
    "abfss": "az",
    "wasb": "az",
    "wasbs": "az",
    "gs": "gs",
    "gcs": "gs",
    "http": "http",
    "https": "http",
    "file": "file",
    "memory": "memory",
    "mock": "mock",
}
_NO_BUCKET = frozenset("@:?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_WILDCARD = re.compile(r"[*?]|\[!?+(?:\][^/\]]*|[^/\]]+)\]")


@dataclass(frozen=True, slots=True)
class Location:
    """A URI, taken apart.

    Attributes:
        scheme: The canonical scheme.
        container: Bucket, container, server (``https://host:port``), root folder or memory's name.
        key: What follows, exactly as written for buckets; empty for the container itself.
        options: From the query of ``mock://`` URIs.
        account: The Azure account, where the URI names it.
    """

    scheme: Scheme
    container: str
    key: str = ""
    options: tuple[tuple[str, str], ...] = ()
    account: str = ""

    @property
    def container_uri(self) -> str:
        """The URI of the container, without a key."""
        if self.scheme == "http":
            return self.container
        if self.scheme == "az" and self.account:
            return f"az://{self.container}@{self.account}"
        return f"{self.scheme}://{self.container}"

    def split_object(self) -> tuple["Location", str]:
        """Return where the object's store is, and its key there; a file's store is its folder.

        Raises:
            BadUriError: The URI names no object.
        """
        if self.scheme in {"file", "mock"}:
            folder, name = os.path.split(self.container)
            if not name:
                raise BadUriError(f"{self.container_uri!r} names a folder, not an object")
            return Location(self.scheme, folder, options=self.options), name
        if not self.key or self.key.endswith("/"):
            raise BadUriError(
                f"{self.container_uri}/{self.key} names no object", remedy="Add the object's key after the bucket"
            )
        return Location(self.scheme, self.container, account=self.account), self.key


def parse_location(uri: str | os.PathLike[str]) -> Location:
    """Take a URI or a plain path apart.

    Keys are taken as they are written: ``s3://b/a%20b`` is the key ``a%20b``. In ``file://`` URIs, which other
    programs write too, percent-encoding is undone.

    Raises:
        BadUriError: Unknown scheme, or nothing where the bucket's name should be, or credentials.

    Example:
        >>> parse_location("s3a://bucket/a b/c#1.csv")
        Location(scheme='s3', container='bucket', key='a b/c#1.csv', options=(), account='')
        >>> parse_location("abfss://models@acc.dfs.core.windows.net/x.stl").account
        'acc'
    """
    text = os.fspath(uri)
    match = _SCHEME.match(text)
    if match is None:
        if not text:
            raise BadUriError("the URI is empty")
        return Location("file", _absolute(text))
    scheme = _SCHEMES.get(match.group(1).lower())
    if scheme is None:
        raise BadUriError(
            f"unknown scheme {match.group(1)!r} in {redact_uri(text)!r}",
            remedy=f"Use one of {', '.join(sorted(_SCHEMES))}, or a plain path",
        )
    rest = text[match.end() :]
    if scheme == "file":
        return _file(text, rest)
    if scheme == "mock":
        path, _, query = rest.partition("?")
        return Location("mock", _absolute(path), options=tuple(parse_qsl(query, keep_blank_values=True)))
    container, _, key = rest.partition("/")
    if not container:
        raise BadUriError(f"{redact_uri(text)!r} names no bucket", remedy=f"Write {scheme}://bucket/key")
    if scheme == "http":
        return Location("http", f"{match.group(1).lower()}://{container}", key)
    if _carries_more(scheme, container):
        raise BadUriError(
            f"the URI {scheme}://… carries credentials or a query where the bucket's name should be",
            remedy=f"Write {scheme}://bucket/key, and give credentials as options, in a file or in the environment",
        )
    if scheme == "az":
        return _azure(text, container, key)
    return Location(scheme, container, key)


def split_pattern(uri: str | os.PathLike[str]) -> tuple[Location, str] | None:
    """Take a URI that means many objects apart: the folder above the first wildcard, and the pattern inside it.

    A URI that ends in ``/`` means all objects below: its pattern is ``**``. ``*``, ``?`` and ``[`` ask for nothing in
    ``https://`` URIs, where they are a query's.

    Returns: None where the URI means one object.

    Raises:
        BadUriError: As `parse_location`.

    Example:
        >>> folder, pattern = split_pattern("s3://logs/app/2024-*/**/*.csv")
        >>> folder.key, pattern
        ('app/', '2024-*/**/*.csv')
        >>> split_pattern("s3://logs/app/2024.csv")
    """
    text = os.fspath(uri)
    scheme = parse_location(text).scheme
    if scheme == "http":
        return None
    path, mark, query = text.partition("?") if scheme == "mock" else (text, "", "")
    if path.endswith("/"):
        path += "**"
    wildcard = _WILDCARD.search(path)
    if wildcard is None:
        return None
    # Cut as it was given, so that a bracket in the working folder's own name is no wildcard.
    start = path.rfind("/", 0, wildcard.start()) + 1
    folder, pattern = path[:start], path[start:]
    if scheme == "file" and _SCHEME.match(text):
        pattern = unquote(pattern)
    return parse_location((folder or "./") + mark + query), pattern


def redact_uri(uri: str) -> str:
    """Return the URI without passwords, signatures and tokens.

    Example:
        >>> redact_uri("postgresql://me:secret@host/db")
        'postgresql://me:**redacted**@host/db'
    """
    uri = re.sub(r"(://[^/@:\s]+):[^@/\s]*@", r"\1:**redacted**@", uri)
    return re.sub(
        r"(?i)([?&](?:sig|x-amz-[a-z-]+|x-goog-[a-z-]+|token|password|se|sv)=)[^&\s]+", r"\1**redacted**", uri
    )


def is_same_place(one: str, other: str) -> bool:
    """Return whether two places of `Store.place_of` are one: equal, or two names of one file.

    Example:
        >>> is_same_place("memory://a/k", "memory://b/k")
        False
    """
    if one == other or not (one.startswith("/") and other.startswith("/")):
        return one == other
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def _absolute(path: str) -> str:
    trailing = "/" if path.endswith("/") and path.strip("/") else ""
    return os.path.abspath(Path(path).expanduser()) + trailing  # noqa: PTH100 - Path.absolute keeps '..'


def _file(text: str, rest: str) -> Location:
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost", ".", ".."} or not slash:
        raise BadUriError(f"{text!r} names the host {host!r}", remedy="Write file:///absolute/path, or a plain path")
    return Location("file", _absolute(unquote(f"{host if host != 'localhost' else ''}/{path}")))


def _carries_more(scheme: str, container: str) -> bool:
    """Whether there is something in the place of a bucket's name that would be told with every error, and kept."""
    if scheme in {"s3", "gs"} and not container.startswith("arn:"):
        return not _NO_BUCKET.isdisjoint(container)
    return scheme == "az" and "?" in container


def _azure(text: str, container: str, key: str) -> Location:
    name, at, host = container.partition("@")
    if not name or (at and not host):
        raise BadUriError(f"{redact_uri(text)!r} names no container", remedy="Write az://container/key")
    account = (urlsplit(f"//{host}").hostname or "").partition(".")[0] if at else ""
    return Location("az", name, key, account=account)
