"""From the bytes that were fetched to weather files: a plain EPW, or a zip that holds one."""

import io
import re
import zipfile
import zlib
from pathlib import PurePosixPath

from skyhold.errors import WeatherError
from skyhold.weather.header import header_size, parse_header
from skyhold.weather.timeline import check_row_count

__all__ = ["COMPANIONS", "check_epw", "file_name", "unpack"]

COMPANIONS = (".ddy", ".stat")
"""What lies beside an EPW and is kept with it: design days, and statistics."""

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_UNSAFE = re.compile(r"[^\w.+()-]")
_MOST_NAME = 120
_ENCRYPTED = 1


def unpack(data: bytes, name: str, source: str, *, most_bytes: int) -> dict[str, bytes]:
    """Return the weather files in what was fetched, by name: one EPW, and what a zip has beside it.

    Args:
        data: What was fetched.
        name: What it is called.
        source: Where it is from, for errors.
        most_bytes: How large the unpacked files may be together.

    Raises:
        WeatherError: It is no EPW file, or no zip of one; or the zip is damaged, hostile or too large.
    """
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        check_epw(data, source)
        return {_epw_name(name): data}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            chosen = _choose(archive.infolist(), PurePosixPath(name).stem, source, most_bytes)
            files = {file_name(member.filename): archive.read(member) for member in chosen}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        if isinstance(error, WeatherError):
            raise
        raise WeatherError(f"{source!r} is a damaged zip: {error}", remedy="Get it anew from where it came") from error
    for inner, content in files.items():
        if inner.lower().endswith(".epw"):
            check_epw(content, f"{source}: {inner}")
    return files


def check_epw(data: bytes, source: str) -> None:
    """See that these are the bytes of a whole EPW file, without reading its rows.

    Raises:
        WeatherError: They are not; with file, line and column.
    """
    header = parse_header(data, source)
    rows = data[header_size(data) :].rstrip(b"\x1a \t\r\n").splitlines()
    check_row_count(header, source, len(rows))


def file_name(path: str) -> str:
    """Return the last part of a path as a name that every file system takes.

    Example:
        >>> file_name("a/b/São Paulo:2.epw"), file_name("..")
        ('São_Paulo_2.epw', 'weather')
    """
    name = _UNSAFE.sub("_", path.rpartition("/")[2])
    return "weather" if not name.strip(".") else name[-_MOST_NAME:]


def _epw_name(name: str) -> str:
    name = file_name(name)
    return name if name.lower().endswith(".epw") else f"{name}.epw"


def _choose(members: list[zipfile.ZipInfo], stem: str, source: str, most_bytes: int) -> list[zipfile.ZipInfo]:
    """Return the members to take: the EPW, and its companions."""
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", member.filename):
            raise WeatherError(
                f"{source!r} has the member {member.filename!r}, which would leave its folder",
                remedy="Do not use this archive",
            )
    epw = _one_of(members, ".epw", stem, source)
    if epw is None:
        raise WeatherError(f"{source!r} is a zip without an EPW file", remedy="Name a zip that holds one")
    inner = PurePosixPath(epw.filename).stem
    found = [epw, *(_one_of(members, suffix, inner, source) for suffix in COMPANIONS)]
    chosen = [member for member in found if member is not None]
    size = sum(member.file_size for member in chosen)
    if size > most_bytes:
        raise WeatherError(
            f"{source!r} unpacks to {size} bytes, more than the {most_bytes} that are allowed",
            remedy="Allow more by most_bytes=, if it is to be trusted",
        )
    if any(member.flag_bits & _ENCRYPTED for member in chosen):
        raise WeatherError(f"{source!r} is encrypted", remedy="Unpack it, and name the EPW file")
    return chosen


def _one_of(members: list[zipfile.ZipInfo], suffix: str, stem: str, source: str) -> zipfile.ZipInfo | None:
    """Return the member of a kind; of several, the one that is named as wanted."""
    found = [member for member in members if member.filename.lower().endswith(suffix) and not _is_shadow(member)]
    if len(found) <= 1:
        return found[0] if found else None
    named = [member for member in found if PurePosixPath(member.filename).stem == stem]
    if len(named) == 1:
        return named[0]
    if suffix != ".epw":
        return None
    names = ", ".join(repr(member.filename) for member in found[:3])
    raise WeatherError(
        f"{source!r} holds {len(found)} EPW files: {names}", remedy="Unpack it, and name the one that is meant"
    )


def _is_shadow(member: zipfile.ZipInfo) -> bool:
    """Return whether a member is a folder, or what macOS adds to an archive for each file."""
    return member.is_dir() or member.filename.startswith("__MACOSX/")
