"""Compressed text: told by suffix or by first bytes, read whole or not at all, written the same way every time.

gzip, bzip2 and xz are the standard library's, zstd and lz4 are Arrow's. The standard library's own file objects take
whatever follows the first member and is not another for the end of the file; here it is damage.
"""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Literal, Protocol, cast, get_args

import pyarrow as pa

from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Buffer, ObjectInfo
from skyhold.storage.reader import ObjectReader

__all__ = [
    "ByteStream",
    "Codec",
    "CompressingWriter",
    "Compression",
    "check_compression",
    "codec_of_name",
    "is_plain",
    "open_decompressed",
    "without_compression_suffix",
]

Codec = Literal["gzip", "bz2", "xz", "zstd", "lz4"]
Compression = Codec | Literal["auto"] | None
"""``auto`` looks at the first bytes and at the name's suffix; None takes the bytes as they are."""

_SUFFIXES: dict[str, Codec] = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd", ".lz4": "lz4"}
_MAGIC: tuple[tuple[bytes, Codec], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    *((b"BZh%d1AY&SY" % level, "bz2") for level in range(1, 10)),
    *((b"BZh%d\x17\x72\x45\x38\x50\x90" % level, "bz2") for level in range(1, 10)),  # of nothing
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
_MAGIC_BYTES = 10
_CHUNK_BYTES = 256 * 1024
_GZIP = zlib.MAX_WBITS | 16  # a gzip header and check-sum around the stream; it has no time and no name
_GZIP_LEVEL = 5  # twice as fast as 6, and 1 % larger
_XZ_MEMORY_BYTES = 256 * 1024 * 1024  # `xz -9` needs 65 MiB; a forged header may ask for 4 GiB
_ZERO_PADDED: frozenset[Codec] = frozenset({"gzip", "xz"})


class ByteStream(Protocol):
    """An object's content, read forwards."""

    @property
    def info(self) -> ObjectInfo:
        """The object as it is stored."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end only."""
        ...

    def close(self) -> None:
        """Let go of the object."""
        ...


def check_compression(compression: str | None) -> Compression:
    """Return it if it can be used.

    Raises:
        BadOptionError: It is not known.

    Example:
        >>> check_compression("zstd")
        'zstd'
    """
    if compression is None or compression == "auto" or compression in get_args(Codec):
        return cast("Compression", compression)
    raise BadOptionError(
        f"the option compression={compression!r} is unknown",
        remedy=f"Use 'auto', None, or one of {', '.join(get_args(Codec))}",
    )


def codec_of_name(name: str) -> Codec | None:
    """Return the codec that a name's suffix tells.

    Example:
        >>> codec_of_name("logs/a.csv.GZ"), codec_of_name("a.csv")
        ('gzip', None)
    """
    return next((codec for suffix, codec in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


def without_compression_suffix(name: str) -> str:
    """Return the name as it would be without compression.

    Example:
        >>> without_compression_suffix("logs/a.csv.gz")
        'logs/a.csv'
    """
    return name.rpartition(".")[0] if codec_of_name(name) else name


def open_decompressed(reader: ObjectReader, uri: str, compression: Compression) -> ByteStream:
    """Return the content of an object that may be compressed; what is returned closes the reader.

    Raises:
        MalformedInputError: By its name or by what was asked it is compressed, and its first bytes are not.
    """
    if compression is None:
        return reader
    head = reader.read(_MAGIC_BYTES)
    reader.seek(0)
    codec = _codec_of_content(head) or codec_of_name(reader.info.key) if compression == "auto" else compression
    if codec is None:
        return reader
    if not head:
        raise MalformedInputError(f"{uri!r} is empty, which no {codec} file is", remedy="Write it again")
    if codec == "zstd" or codec == "lz4":  # noqa: PLR1714 - the type checker follows this
        return _ArrowStream(reader, uri, codec)
    return _MemberStream(reader, uri, codec)


def is_plain(stream: ByteStream) -> bool:
    """Return whether `open_decompressed` has found nothing to decompress."""
    return isinstance(stream, ObjectReader)


def _codec_of_content(head: bytes) -> Codec | None:
    return next((codec for magic, codec in _MAGIC if head.startswith(magic)), None)


def _damaged(uri: str, codec: Codec, found: object) -> MalformedInputError:
    return MalformedInputError(
        f"{uri!r} cannot be read as {codec}: {found}",
        remedy="Write it again; give compression=None if it is not compressed, whatever its name says",
    )


class _Decoder(Protocol):
    """One member of a file, as the standard library's incremental decompressors are."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _GzipDecoder:
    """zlib's decompressor, made to look like those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.eof and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _new_decoder(codec: Codec) -> _Decoder:
    if codec == "gzip":
        return _GzipDecoder()
    if codec == "bz2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


class _MemberStream:
    """gzip, bzip2 or xz: one member after the other, to the object's last byte."""

    def __init__(self, reader: ObjectReader, uri: str, codec: Codec) -> None:
        self._reader = reader
        self._uri = uri
        self._codec: Codec = codec
        self._decoder = _new_decoder(codec)
        self._waiting = b""

    @property
    def info(self) -> ObjectInfo:
        return self._reader.info

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK_BYTES), b""))
        while size:
            if self._decoder.eof and not self._begin_next():
                return b""
            if self._decoder.needs_input and not self._waiting:
                self._waiting = self._reader.read(_CHUNK_BYTES)
                if not self._waiting:
                    raise _damaged(self._uri, self._codec, "it ends too early")
            given, self._waiting = self._waiting, b""
            try:
                data = self._decoder.decompress(given, size)
            except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError) as error:
                raise _damaged(self._uri, self._codec, error) from error
            if data:
                return data
        return b""

    def _begin_next(self) -> bool:
        """Begin the next member; False at the end."""
        self._waiting = self._decoder.unused_data
        while True:
            if self._codec in _ZERO_PADDED:
                self._waiting = self._waiting.lstrip(b"\0")
            if self._waiting:
                break
            self._waiting = self._reader.read(_CHUNK_BYTES)
            if not self._waiting:
                return False
        self._decoder = _new_decoder(self._codec)
        return True

    def close(self) -> None:
        self._reader.close()


class _ArrowStream:
    """zstd or lz4: frame after frame, those to be skipped too."""

    def __init__(self, reader: ObjectReader, uri: str, codec: Codec) -> None:
        self._source = _RememberingSource(reader)
        self._reader = reader
        self._uri = uri
        self._codec: Codec = codec
        self._stream = pa.CompressedInputStream(pa.PythonFile(self._source, mode="r"), codec)

    @property
    def info(self) -> ObjectInfo:
        return self._reader.info

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(None if size < 0 else size)
        except (OSError, pa.ArrowException) as error:
            if self._source.error is not None:
                raise self._source.error from None
            raise _damaged(self._uri, self._codec, error) from error

    def close(self) -> None:
        self._reader.close()


class _RememberingSource:
    """What Arrow reads from; an error of the store stays apart from one of the codec, both being OSErrors."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self.error: Exception | None = None
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._reader.read(size)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        self.closed = True


class _Encoder(Protocol):
    def compress(self, data: Buffer, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _ArrowEncoder:
    """Arrow's compressor, made to look like those of the standard library."""

    def __init__(self, codec: Codec) -> None:
        self._parts = _Parts()
        self._stream = pa.CompressedOutputStream(pa.PythonFile(self._parts, mode="w"), codec)

    def compress(self, data: Buffer, /) -> bytes:
        self._stream.write(data)
        return self._parts.take()

    def flush(self) -> bytes:
        self._stream.close()
        return self._parts.take()


class _Parts:
    """A file that holds what was written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.closed = False

    def write(self, data: Buffer, /) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Do nothing: it is all here."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


_ENCODERS: dict[Codec, Callable[[], _Encoder]] = {
    "gzip": lambda: zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP),
    "bz2": bz2.BZ2Compressor,
    "xz": lambda: lzma.LZMACompressor(lzma.FORMAT_XZ),
    "zstd": lambda: _ArrowEncoder("zstd"),
    "lz4": lambda: _ArrowEncoder("lz4"),
}


class CompressingWriter(ObjectWriter):
    """Compresses what it is given; equal content gives equal bytes.

    Args:
        inner: What really writes; it is closed and aborted with this one.
        codec: How.
    """

    def __init__(self, inner: ObjectWriter, codec: Codec) -> None:
        super().__init__(inner.key)
        self._inner = inner
        self._encoder = _ENCODERS[codec]()

    def _write(self, data: Buffer) -> None:
        compressed = self._encoder.compress(data)
        if compressed:
            self._inner.write(compressed)

    def _publish(self) -> ObjectInfo:
        try:
            self._inner.write(self._encoder.flush())
        except BaseException:
            self._inner.abort()
            raise
        self._inner.close()
        assert self._inner.info is not None
        return self._inner.info

    def _discard(self) -> None:
        self._inner.abort()
