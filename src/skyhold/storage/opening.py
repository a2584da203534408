"""From a URI to a store; one client a connection in a process."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from skyhold.errors import BadOptionError, BadUriError
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.contract import Store
from skyhold.storage.location import Location, Scheme, parse_location, split_pattern
from skyhold.storage.wrappers.cached import CachedStore
from skyhold.storage.wrappers.prefixed import PrefixedStore
from skyhold.storage.wrappers.readonly import ReadonlyStore

__all__ = [
    "COMMON_OPTIONS",
    "PART_BYTES",
    "may_hold_secret",
    "open_object",
    "open_pattern",
    "open_store",
    "pick_storage_options",
]

PART_BYTES = 16 * 1024 * 1024
"""How much goes to a service in one request, where nothing else is asked for."""

_CLIENTS: dict[tuple[Any, ...], Store] = {}
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Common:
    """Options that every scheme takes. Times are in seconds, sizes in bytes."""

    retries: int = 7
    retry_timeout_s: float = 120.0
    timeout_s: float = 60.0
    connect_timeout_s: float = 2.0
    concurrency: int = 128
    part_bytes: int = PART_BYTES
    read_only: bool = False
    cache_dir: str = ""

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy(max_attempts=self.retries + 1, total_s=self.retry_timeout_s)


COMMON_OPTIONS: tuple[str, ...] = tuple(option.name for option in fields(_Common))


def open_store(uri: str | os.PathLike[str], **options: Any) -> Store:
    """Return the store that a URI names; keys are relative to its path.

    Args:
        uri: ``s3://``, ``s3a://``, ``az://``, ``abfs(s)://``, ``wasb(s)://``, ``gs://``, ``gcs://``, ``https://``
            (reading only), ``file://``, a plain path, ``memory://name`` or ``mock://path?latency_ms=…``.
        **options: ``retries``, ``retry_timeout_s``, ``timeout_s``, ``connect_timeout_s``, ``concurrency``,
            ``part_bytes``, ``read_only``, ``cache_dir``; and per scheme credentials, region, endpoint, encryption.

    Raises:
        BadUriError: The URI cannot be read.
        BadOptionError: An option is unknown, with the one that was probably meant.
        CredentialsError: No identity, half of one, or two.

    Example:
        >>> store = open_store("memory://opening-example/folder")
        >>> store.write("a.txt", b"hello").size_bytes
        5
        >>> open_store("memory://opening-example").read("folder/a.txt")
        b'hello'
    """
    return _open(parse_location(uri), options)


def open_object(uri: str | os.PathLike[str], **options: Any) -> tuple[Store, str]:
    """Return the store of one object, and its key there.

    Args:
        uri: The object's.
        **options: As `open_store` takes them. Or ``beside=``, a store that is open already: an object of the same
            bucket is read as that store reads, with its identity, its endpoint, and all else that it was opened with.
            Where there are other options, it is not looked at.

    Raises:
        BadUriError: The URI names no object.

    Example:
        >>> results = open_store("memory://opening-example/results")
        >>> open_object("memory://opening-example/weather/chicago.epw", beside=results)
        (<ReadonlyStore 'memory://opening-example'>, 'weather/chicago.epw')
    """
    location, key = parse_location(uri).split_object()
    beside: Store | None = options.pop("beside", None)
    if beside is not None and not options and _is_root_of(beside.root, location):
        return ReadonlyStore(beside.root), key
    return _open(location, options), key


def _is_root_of(root: Store, location: Location) -> bool:
    # Stores of other people may be called by whatever they like; such a one is no root of ours.
    try:
        return parse_location(root.uri) == location
    except BadUriError:
        return False


def open_pattern(uri: str | os.PathLike[str], **options: Any) -> tuple[Store, str] | None:
    """Return the store of the folder that a pattern begins with, and the pattern inside it; None for one object.

    Raises:
        BadUriError: The URI cannot be read.

    Example:
        >>> open_pattern("memory://opening-example/logs/2024-*/")
        (<PrefixedStore 'memory://opening-example/logs'>, '2024-*/**')
    """
    split = split_pattern(uri)
    if split is None:
        return None
    location, pattern = split
    return _open(location, options), pattern


def pick_storage_options(uri: str | os.PathLike[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that the URI's store takes; the others are somebody else's.

    Example:
        >>> pick_storage_options("s3://bucket/a.csv", {"region": "eu-west-1", "retries": 2, "delimiter": ";"})
        {'region': 'eu-west-1', 'retries': 2}
    """
    scheme = parse_location(uri).scheme
    return {name: value for name, value in options.items() if name in COMMON_OPTIONS or _is_own(scheme, name)}


def may_hold_secret(uri: str | os.PathLike[str], options: Mapping[str, Any]) -> bool:
    """Return whether a secret may stand in the options themselves, and not by reference.

    Raises:
        BadOptionError: `open_store` would not take them.

    Example:
        >>> may_hold_secret("s3://bucket/a.csv", {"profile": "lake"})
        False
        >>> may_hold_secret("s3://bucket/a.csv", {"access_key_id": "me", "secret_access_key": "hunter2"})
        True
    """
    scheme = parse_location(uri).scheme
    if scheme == "file" or scheme == "memory" or scheme == "mock":  # noqa: PLR1714 - the type checker follows this
        return False
    from skyhold.storage.credentials import holds_secret  # noqa: PLC0415 - other stores do without

    return holds_secret(scheme, _take_common(options)[1])


def _is_own(scheme: Scheme, name: str) -> bool:
    if scheme == "mock":
        from skyhold.storage.backends.mock import FAULT_OPTIONS  # noqa: PLC0415

        return name in FAULT_OPTIONS
    if scheme == "file" or scheme == "memory":  # noqa: PLR1714 - the type checker follows this
        return False
    from skyhold.storage.credentials.options import is_known_option  # noqa: PLC0415

    return is_known_option(scheme, name)


def _open(location: Location, options: Mapping[str, Any]) -> Store:
    common, rest = _take_common(options)
    store = _OPENERS[location.scheme](location, common, rest)
    prefix = location.key.rstrip("/")
    if prefix:
        store = PrefixedStore(store, f"{prefix}/")
    if common.cache_dir:
        store = CachedStore(store, common.cache_dir)
    return ReadonlyStore(store) if common.read_only else store


def _take_common(options: Mapping[str, Any]) -> tuple[_Common, dict[str, Any]]:
    known = {name: value for name, value in options.items() if name in COMMON_OPTIONS}
    for option in fields(_Common):
        if option.name in known:
            known[option.name] = _coerce(option.name, option.default, known[option.name])
    return _Common(**known), {name: value for name, value in options.items() if name not in known}


def _coerce(name: str, default: Any, value: Any) -> Any:
    if isinstance(default, bool):
        if str(value).lower() in {"true", "1", "yes"}:
            return True
        if str(value).lower() in {"false", "0", "no"}:
            return False
        raise BadOptionError(f"the option {name}={value!r} is neither true nor false")
    try:
        number = type(default)(value)
    except (TypeError, ValueError) as error:
        raise BadOptionError(f"the option {name}={value!r} is not {type(default).__name__}") from error
    if not isinstance(number, str) and number < (0 if name == "retries" else 1e-3):
        raise BadOptionError(f"the option {name}={value!r} is too small")
    return number


def _refuse_options(location: Location, options: Mapping[str, Any], known: tuple[str, ...] = ()) -> None:
    for name in options:
        close = get_close_matches(name, [*COMMON_OPTIONS, *known], 1)
        raise BadOptionError(
            f"{location.scheme}:// knows no option {name!r}",
            remedy=f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join([*COMMON_OPTIONS, *known])}",
        )


def _shared(key: tuple[Any, ...], make: Callable[[], Store]) -> Store:
    with _LOCK:
        found = _CLIENTS.get(key)
        if found is None:
            found = _CLIENTS[key] = make()
        return found


def _open_cloud(location: Location, common: _Common, options: dict[str, Any]) -> Store:
    from skyhold.storage.backends.clients import CloudSettings  # noqa: PLC0415 - 25 ms
    from skyhold.storage.backends.cloud import CloudBackend  # noqa: PLC0415
    from skyhold.storage.credentials import resolve_connection  # noqa: PLC0415

    connection = resolve_connection(location, options)
    settings = CloudSettings(
        policy=common.policy,
        timeout_s=common.timeout_s,
        connect_timeout_s=common.connect_timeout_s,
        concurrency=common.concurrency,
        part_bytes=common.part_bytes,
    )
    uri = location.container_uri
    reopen = (_reopen, (uri, {**_given(common), **options})) if connection.portable else None
    key = ("cloud", uri, connection.fingerprint(), settings)
    return _shared(key, lambda: CloudBackend(uri, connection, settings, reopen))


def _open_web(location: Location, common: _Common, options: dict[str, Any]) -> Store:
    from skyhold.storage.backends.web import WebBackend  # noqa: PLC0415
    from skyhold.storage.credentials import resolve_connection  # noqa: PLC0415

    headers = resolve_connection(location, options).client.get("default_headers")
    return WebBackend(location.container, headers, common.timeout_s, common.policy)


def _given(common: _Common) -> dict[str, Any]:
    plain = _Common()
    names = [name for name in COMMON_OPTIONS if name not in {"read_only", "cache_dir"}]
    return {name: getattr(common, name) for name in names if getattr(common, name) != getattr(plain, name)}


def _reopen(uri: str, options: dict[str, Any]) -> Store:
    return open_store(uri, **options)


def _open_file(location: Location, common: _Common, options: dict[str, Any]) -> Store:  # noqa: ARG001
    from skyhold.storage.backends.file import FileBackend  # noqa: PLC0415

    _refuse_options(location, options)
    return FileBackend(location.container)


def _open_memory(location: Location, common: _Common, options: dict[str, Any]) -> Store:  # noqa: ARG001
    from skyhold.storage.backends.memory import MemoryBackend  # noqa: PLC0415

    _refuse_options(location, options)
    return MemoryBackend(location.container)


def _open_mock(location: Location, common: _Common, options: dict[str, Any]) -> Store:
    from skyhold.storage.backends.mock import FAULT_OPTIONS, MockBackend, parse_faults  # noqa: PLC0415

    faults = {**dict(location.options), **options}
    _refuse_options(
        location, {name: value for name, value in faults.items() if name not in FAULT_OPTIONS}, FAULT_OPTIONS
    )
    return MockBackend(location.container, parse_faults(faults), common.policy)


_OPENERS: dict[Scheme, Callable[[Location, _Common, dict[str, Any]], Store]] = {
    "s3": _open_cloud,
    "az": _open_cloud,
    "gs": _open_cloud,
    "http": _open_web,
    "file": _open_file,
    "memory": _open_memory,
    "mock": _open_mock,
}
