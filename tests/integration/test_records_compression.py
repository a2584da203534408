"""Compressed text is read whole, or the run fails and says which object is damaged."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any, get_args
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_bucket
from skyhold import CSVInputAdapter, CSVOutputAdapter, ParquetOutputAdapter, Pipe
from skyhold.errors import BadOptionError, BrokenBodyError, MalformedInputError
from skyhold.records.formats.compression import Codec, CompressingWriter, Compression
from skyhold.records.formats.objects import ObjectPlace
from skyhold.runs.receipt import Receipt
from skyhold.runs.verification import verify_receipt
from skyhold.storage.opening import open_object, open_store
from skyhold.testing.servers import LocalServer

SUFFIXES: dict[Codec, str] = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst", "lz4": ".lz4"}
codecs = pytest.mark.parametrize("codec", get_args(Codec))
BIG = b"a,b\n" + b"".join(b"%d,value %d\n" % (n, n * n) for n in range(60_000))


def _arrow(codec: Codec) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()

    return compress


TOOLS: dict[Codec, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": _arrow("zstd"),
    "lz4": _arrow("lz4"),
}
UNPACK: dict[Codec, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zstd": lambda data: pa.CompressedInputStream(io.BytesIO(data), "zstd").read(),
    "lz4": lambda data: pa.CompressedInputStream(io.BytesIO(data), "lz4").read(),
}


def _place(data: bytes, key: str, compression: Compression = "auto") -> ObjectPlace:
    store = open_store(f"memory://compression-{uuid4().hex}")
    store.write(key, data)
    return ObjectPlace(store, key, compression)


def _read(data: bytes, key: str, compression: Compression = "auto", *, size: int = 50_000) -> bytes:
    stream = _place(data, key, compression).open_bytes(100_000)
    try:
        return b"".join(iter(lambda: stream.read(size), b""))
    finally:
        stream.close()


@codecs
@given(parts=st.lists(st.binary(max_size=3000), min_size=1, max_size=5), size=st.integers(1, 5000))
def test_what_the_usual_tools_write_is_read_whole_however_many_members_it_has(
    codec: Codec, parts: list[bytes], size: int
):
    stored = b"".join(TOOLS[codec](part) for part in parts)
    assert _read(stored, "x" + SUFFIXES[codec], size=size) == b"".join(parts)
    assert _read(stored, "told-by-content", size=size) == b"".join(parts)
    assert _read(stored, "asked.gz", codec, size=size) == b"".join(parts)
    assert _read(stored, "x" + SUFFIXES[codec], None, size=size) == stored


@codecs
@given(parts=st.lists(st.binary(max_size=3000), max_size=5))
def test_what_is_written_is_read_by_the_usual_tools_and_is_the_same_every_time(codec: Codec, parts: list[bytes]):
    store = open_store(f"memory://compression-{uuid4().hex}")
    for key in ("one", "two"):
        with CompressingWriter(store.open_writer(key), codec) as writer:
            for part in parts:
                writer.write(part)
    assert UNPACK[codec](store.read("one")) == b"".join(parts)
    assert store.read("one") == store.read("two")
    assert _read(store.read("one"), "by-content") == b"".join(parts)


@codecs
@given(data=st.data())
def test_a_file_that_ends_too_early_is_never_a_shorter_file(codec: Codec, data: st.DataObject):
    stored = TOOLS[codec](b"first,member\n" * 50) + TOOLS[codec](b"second,member\n" * 50)
    whole = len(TOOLS[codec](b"first,member\n" * 50))
    cut = data.draw(st.integers(0, len(stored) - 1).filter(lambda cut: cut != whole))
    with pytest.raises(MalformedInputError, match=f"damaged{SUFFIXES[codec]}"):
        _read(stored[:cut], "damaged" + SUFFIXES[codec])


@codecs
@pytest.mark.parametrize("rest", [b"x", b"not another member", b"\0\0\0\0x"])
def test_what_follows_the_last_member_is_damage(codec: Codec, rest: bytes):
    with pytest.raises(MalformedInputError, match=f"trailing{SUFFIXES[codec]}"):
        _read(TOOLS[codec](b"some content") + rest, "trailing" + SUFFIXES[codec])


@codecs
def test_a_changed_byte_is_found_where_the_file_has_a_check_sum(codec: Codec):
    stored = bytearray(_tool(codec, BIG))
    stored[len(stored) // 2] ^= 0x10
    with pytest.raises(MalformedInputError, match="changed"):
        _read(bytes(stored), "changed" + SUFFIXES[codec])


def _tool(codec: Codec, data: bytes) -> bytes:
    """By the command of that name where there is one, since Arrow's own frames have no check-sums."""
    name = {"bz2": "bzip2"}.get(codec, codec)
    try:
        return subprocess.run([name, "-c"], input=data, capture_output=True, check=True).stdout
    except FileNotFoundError:
        if codec in {"zstd", "lz4"}:
            pytest.skip(f"{name} is not installed")
        return TOOLS[codec](data)


@codecs
def test_what_the_commands_write_is_read(codec: Codec):
    stored = _tool(codec, BIG)
    assert _read(stored + stored, "x" + SUFFIXES[codec]) == BIG + BIG


@pytest.mark.parametrize("codec", ["gzip", "xz"])
def test_zeros_between_and_after_members_are_padding(codec: Codec):
    stored = TOOLS[codec](b"one") + bytes(8) + TOOLS[codec](b"two") + bytes(400_000)
    assert _read(stored, "x" + SUFFIXES[codec]) == b"onetwo"


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_frames_to_be_skipped_are_skipped(codec: Codec):
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    stored = skipped + TOOLS[codec](b"one") + skipped + TOOLS[codec](b"two") + skipped
    assert _read(stored, "x" + SUFFIXES[codec]) == b"onetwo"


def test_a_plain_file_with_a_compressed_name_is_an_error_with_a_way_out():
    with pytest.raises(MalformedInputError, match=r"x\.csv\.gz.*gzip") as caught:
        _read(b"a,b\n1,2\n", "x.csv.gz")
    assert "compression=None" in caught.value.remedy
    assert _read(b"a,b\n1,2\n", "x.csv.gz", None) == b"a,b\n1,2\n"


def test_an_unknown_codec_is_an_error_that_lists_the_known():
    with pytest.raises(BadOptionError, match="brotli") as caught:
        CSVInputAdapter("memory://x/y.csv", compression="brotli")
    assert "zstd" in caught.value.remedy


@codecs
def test_a_pipe_reads_and_writes_it_on_a_real_server_and_its_receipt_holds(codec: Codec, moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    store = open_store(base, **moto.options)
    store.write("in" + SUFFIXES[codec], TOOLS[codec](BIG[:300_000]) + TOOLS[codec](BIG[300_000:]))
    report = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in{SUFFIXES[codec]}", **dict[str, Any](moto.options)),
        output_adapter=CSVOutputAdapter(f"{base}/out.csv{SUFFIXES[codec]}", **dict[str, Any](moto.options)),
    ).run()
    assert report.total_processed == 60_000
    stored = store.read("out.csv" + SUFFIXES[codec])
    assert UNPACK[codec](stored).replace(b'"', b"") == BIG
    receipt = Receipt.from_json(store.read(f"out.csv{SUFFIXES[codec]}.receipt.json"))
    assert receipt.outputs[0].size_bytes == len(stored)
    assert verify_receipt(receipt, lambda uri: open_object(uri, **moto.options)).ok


@codecs
def test_a_pipe_over_a_truncated_file_fails_and_writes_nothing(codec: Codec):
    base = f"memory://truncated-{codec}"
    store = open_store(base)
    stored = TOOLS[codec](BIG)
    store.write("in.csv" + SUFFIXES[codec], stored[:-20])
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in.csv{SUFFIXES[codec]}"),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
    )
    with pytest.raises(MalformedInputError, match=r"in\.csv"):
        pipe.run()
    assert [info.key for info in store.list()] == ["in.csv" + SUFFIXES[codec]]


@codecs
def test_a_fault_of_the_store_stays_one(codec: Codec, tmp_path):
    (tmp_path / f"x{SUFFIXES[codec]}").write_bytes(b"".join(TOOLS[codec](bytes([n % 251]) * 999) for n in range(4000)))
    store = open_store(f"mock://{tmp_path}", script="ok,cut,cut,cut,cut", retries=0)
    stream = ObjectPlace(store, f"x{SUFFIXES[codec]}").open_bytes(10_000)
    with pytest.raises(BrokenBodyError):
        list(iter(lambda: stream.read(100_000), b""))
    stream.close()


@codecs
def test_a_file_that_unpacks_to_very_much_is_read_in_little_memory(codec: Codec, tmp_path):
    row = b"1,2\n" * (1024 * 1024)
    path = tmp_path / ("bomb.csv" + SUFFIXES[codec])
    path.write_bytes(b"".join([TOOLS[codec](b"a,b\n"), *([TOOLS[codec](row)] * 100)]))
    code = """
        import resource, sys
        from skyhold.records.formats.objects import ObjectPlace
        from skyhold.storage.opening import open_object
        stream = ObjectPlace(*open_object(sys.argv[1])).open_bytes(4 * 1024 * 1024)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = sum(len(data) for data in iter(lambda: stream.read(512 * 1024), b""))
        print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], capture_output=True, text=True, check=True
    )
    size, more_kib = map(int, done.stdout.split())
    assert size == 4 + 400 * 1024 * 1024
    assert more_kib < 100 * 1024


def test_reading_columns_does_not_decompress(tmp_path):
    table = pa.table({"a": [1]})
    pq.write_table(table, tmp_path / "x.parquet", compression="gzip")
    stored = (tmp_path / "x.parquet").read_bytes()
    assert _read(stored, "x.parquet") == stored
