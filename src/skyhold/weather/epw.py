"""EPW files: read whole as a table, or only their headers by a range request."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import hashlib
import os
from typing import TYPE_CHECKING, Any

from skyhold.errors import InvalidRangeError
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import ByteRange, ObjectInfo
from skyhold.storage.opening import open_object
from skyhold.weather.header import EpwHeader, check_beginning, header_size, parse_header
from skyhold.weather.timeline import RowTimes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Epw", "parse_epw", "read_epw", "read_epw_header", "read_header_of"]

_FIRST_BYTES = 16 * 1024
_MOST_BYTES = 1024 * 1024


class Epw:
    """A weather file: what its header says, and its rows.

    Attributes:
        source: Where it was read, without secrets.
        header: Location, design conditions, typical weeks, ground, holidays, data periods.
        sha256: Of the file's bytes.
    """

    def __init__(self, source: str, header: EpwHeader, rows: "pa.Table", times: RowTimes, sha256: str) -> None:
        self.source = source
        self.header = header
        self.sha256 = sha256
        self._rows = rows
        self._times = times

    def to_arrow(self, *, year: int | None = None) -> "pa.Table":
        """Return the rows: ``time``, then the format's 35 columns under names that end in their units.

        Each field's metadata has its ``unit`` and the format's ``title``. What was not measured is null. ``time`` is
        the beginning of a row's interval in local standard time, so that the format's hour 1 is 00:00; the columns
        ``year`` to ``minute`` are as the file has them.

        Args:
            year: The year of the first row in ``time``. Without it, the file's own years where they go on from row to
                row; a typical year, put together from months of many, becomes the year up to 2017 that begins on the
                announced weekday.

        Raises:
            WeatherError: The file has 29 February, and the year has not.
        """
        from skyhold.weather.rows import with_times  # noqa: PLC0415 - brings pyarrow

        return with_times(self._rows, self._times.times(year), self.header)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Let any Arrow library read the table."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._rows.num_rows

    def __repr__(self) -> str:
        place = self.header.location
        return f"<Epw {self.source!r}: {place.city}, {place.country}, {len(self)} rows>"


def read_epw(uri: str | os.PathLike[str], **options: Any) -> Epw:
    """Read a weather file.

    Args:
        uri: A path or URI.
        **options: As `skyhold.open_store` takes them.

    Raises:
        WeatherError: It is no EPW file, a line is malformed, or rows are missing; with file, line and column.
        NotFoundError: There is no such file.
    """
    store, key = open_object(uri, **options)
    return parse_epw(store.read(key), redact_uri(store.uri_of(key)))


def parse_epw(data: bytes, source: str) -> Epw:
    """Return a weather file from its bytes; ``source`` is its name in errors.

    Raises:
        WeatherError: As `read_epw`.
    """
    from skyhold.weather.rows import TIME_FIELDS, read_rows  # noqa: PLC0415 - brings pyarrow

    header = parse_header(data, source)
    rows = read_rows(data[header_size(data) :], header, source)
    times = RowTimes(header, source, [rows.column(index).to_pylist() for index in range(TIME_FIELDS)])
    times.check()
    return Epw(source, header, rows, times, hashlib.sha256(data).hexdigest())


def read_epw_header(uri: str | os.PathLike[str], **options: Any) -> EpwHeader:
    """Read only what stands above the rows: one request of 16 KiB, where the header is not larger.

    Args:
        uri: A path or URI.
        **options: As `skyhold.open_store` takes them.

    Raises:
        WeatherError: It is no EPW file, or a line is malformed; with file, line and column.
        NotFoundError: There is no such file.
    """
    return read_header_of(*open_object(uri, **options))[1]


def read_header_of(store: Store, key: str) -> tuple[ObjectInfo, EpwHeader]:
    """Return an object's info, and the EPW header it begins with; errors as `read_epw_header`."""
    source = redact_uri(store.uri_of(key))
    info, data = store.read_with_info(key, ByteRange(0, _FIRST_BYTES))
    check_beginning(data, source)
    while header_size(data) is None and len(data) < min(info.size_bytes, _MOST_BYTES):
        try:
            data += store.read(key, ByteRange(len(data), 4 * len(data)), if_match=info.e_tag)
        except InvalidRangeError:
            break
    return info, parse_header(data, source)
