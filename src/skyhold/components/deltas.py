"""Content as what makes it of other content: a zstd frame whose prefix is that other content.

Any zstd reads them: ``zstd -d --patch-from=BASE --long=31 DELTA -o CONTENT``.
"""

import sys
from collections.abc import Iterator

from skyhold.errors import IntegrityError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["LARGEST_BYTES", "apply_delta", "make_delta", "read_delta"]

LARGEST_BYTES = 1 << 31
"""What base and content may have together: zstd's window reaches no further."""

# Without long-distance matching zstd finds next to nothing in a prefix of 25 MB. Its usual settings want 64 bytes in
# common, and look at few places; a triangle of a binary STL has 50, and may be written in any order. Level 6 gives the
# smallest deltas of meshes, and takes as long as 3 where there is much to find.
_LEVEL = 6
_SHORTEST_MATCH = 16
_HASH_RATE_LOG = 3
_LARGEST_HASH_LOG = 22  # 32 MB of memory
_SMALLEST_WINDOW_LOG = 10
_LARGEST_WINDOW_LOG = 31
_BLOCK_BYTES = 4 * 1024 * 1024


def make_delta(base: bytes, content: bytes, *, at_most_bytes: int | None = None) -> bytes | None:
    """Return what makes ``content`` of ``base``.

    Args:
        base: What whoever applies the delta will have.
        content: What they shall get.
        at_most_bytes: From where on the delta is not worth having.

    Returns:
        The delta; None as soon as it is known to be longer than ``at_most_bytes``, or where base and content are too
        long for one.

    Example:
        >>> base = bytes(range(256)) * 100
        >>> delta = make_delta(base, base + b" and more")
        >>> delta is not None and len(delta) < 100 and apply_delta(base, delta) == base + b" and more"
        True
    """
    if len(base) + len(content) > LARGEST_BYTES:
        return None
    limit = sys.maxsize if at_most_bytes is None else at_most_bytes
    compressor = zstd.ZstdCompressor(options=_options(len(base) + len(content)), zstd_dict=_prefix(base))
    compressor.set_pledged_input_size(len(content))
    parts: list[bytes] = []
    size_bytes = 0
    view = memoryview(content)
    for start in range(0, len(content) or 1, _BLOCK_BYTES):
        block = view[start : start + _BLOCK_BYTES]
        is_last = start + _BLOCK_BYTES >= len(content)
        parts.append(compressor.compress(block, compressor.FLUSH_FRAME if is_last else compressor.CONTINUE))
        size_bytes += len(parts[-1])
        if size_bytes > limit:
            return None
    return b"".join(parts)


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Return the content that ``delta`` makes of ``base``; whether it is the right one only its hash can tell.

    Raises:
        IntegrityError: ``delta`` is damaged, or ``base`` is not what it was made of.
    """
    return b"".join(read_delta(base, delta))


def read_delta(base: bytes, delta: bytes) -> Iterator[bytes]:
    """Yield piece by piece what `apply_delta` returns; the end may show that what came before is damaged.

    Raises:
        IntegrityError: As `apply_delta`.
    """
    try:
        size_bytes = zstd.get_frame_info(delta).decompressed_size or 0  # None where a damaged frame does not tell
        if len(base) + size_bytes > LARGEST_BYTES:
            raise IntegrityError(f"the delta promises content of {size_bytes} bytes, which none can have")
        # A damaged frame must not ask for more memory than a sound one would.
        limit: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _window_log(len(base) + size_bytes)}
        decompressor = zstd.ZstdDecompressor(zstd_dict=_prefix(base), options=limit)
        given, feed = 0, delta
        while given <= size_bytes and not decompressor.eof and (feed or not decompressor.needs_input):
            piece, feed = decompressor.decompress(feed, max_length=_BLOCK_BYTES), b""
            given += len(piece)
            yield piece
    except zstd.ZstdError as error:
        raise IntegrityError(f"the delta cannot be read: {error}") from error
    if not decompressor.eof or decompressor.unused_data or given != size_bytes:
        raise IntegrityError(f"the delta promises {size_bytes} bytes, and gives {given} or does not end there")


def _options(size_bytes: int) -> dict[int, int]:
    window_log = _window_log(size_bytes)
    return {
        zstd.CompressionParameter.compression_level: _LEVEL,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
        zstd.CompressionParameter.window_log: window_log,
        zstd.CompressionParameter.ldm_min_match: _SHORTEST_MATCH,
        zstd.CompressionParameter.ldm_hash_rate_log: _HASH_RATE_LOG,
        zstd.CompressionParameter.ldm_hash_log: min(window_log - _HASH_RATE_LOG, _LARGEST_HASH_LOG),
    }


def _prefix(base: bytes) -> tuple[zstd.ZstdDict, int] | None:
    return zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= 8 else None  # noqa: PLR2004 - zstd wants 8


def _window_log(size_bytes: int) -> int:
    return min(max(size_bytes.bit_length(), _SMALLEST_WINDOW_LOG), _LARGEST_WINDOW_LOG)
