"""The rules of `skyhold.storage.contract`, as tests. Subclass, and give a fixture named ``store``."""

import io
import pickle
from array import array
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from skyhold.errors import (
    AlreadyExistsError,
    DeleteGuardError,
    InvalidKeyError,
    InvalidRangeError,
    KeyNotFoundError,
    PreconditionFailedError,
    SkyholdError,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes, ByteRange, Operation

__all__ = ["ODD_KEYS", "REFUSED_KEYS", "StoreContract"]

ODD_KEYS = (
    "plain",
    "with space",
    " lead and trail ",
    "per%cent",
    "looks%20encoded",
    "plus+sign",
    "hash#mark",
    "question?mark",
    "amper&sand=1",
    "quote'\"s",
    "colon:semi;",
    "back\\slash",
    "star*[a]{b}|^`~",
    "<angle>",
    ".hidden",
    "folder/.hidden",
    "dot.",
    "...",
    "ünïcödé/日本語",
    "combining-e\u0301",
    "emoji-🏗",
    "deep/er/and/deep/est/key.txt",
    "-dash",
    "@at$dollar!",
)
REFUSED_KEYS = (
    "",
    "/lead",
    "trail/",
    "a//b",
    "a/./b",
    "a/../b",
    "..",
    "new\nline",
    "nul\x00",
    "x" * 1025,
    "lone\ud800",
)


class StoreContract:
    """Tests of one store.

    Attributes:
        conditions_hold: False for servers that ignore conditional writes.
        keeps_attributes: False for servers that drop metadata.
        can_pickle: False for stores opened with secrets as options.
        part_bytes: How large a write must be to go in several parts there.
        unsupported_keys: Odd keys that this server refuses by itself.
    """

    conditions_hold: ClassVar[bool] = True
    keeps_attributes: ClassVar[bool] = True
    can_pickle: ClassVar[bool] = True
    part_bytes: ClassVar[int] = 5 * 1024 * 1024
    unsupported_keys: ClassVar[frozenset[str]] = frozenset()

    def test_what_was_written_is_read_back(self, store: Store) -> None:
        written = store.write("folder/a.bin", b"\x00hello\xff")
        info, data = store.read_with_info("folder/a.bin")
        assert data == b"\x00hello\xff"
        assert (info.key, info.size_bytes, info.e_tag) == ("folder/a.bin", 7, written.e_tag)
        assert store.info("folder/a.bin").size_bytes == 7
        assert next(store.list()).e_tag == store.info("folder/a.bin").e_tag == written.e_tag
        assert info.modified.tzinfo is not None

    def test_any_buffer_can_be_written(self, store: Store) -> None:
        signed = memoryview(array("b", [1, -1, 2]))
        store.write("signed", signed)
        assert store.read("signed") == b"\x01\xff\x02"
        with store.open_writer("large") as writer:
            writer.write(memoryview(array("b", bytes(self.part_bytes + 1))))
            writer.write(signed)
        assert store.read("large", ByteRange(suffix=3)) == b"\x01\xff\x02"

    def test_an_empty_object_is_empty_and_not_missing(self, store: Store) -> None:
        store.write("empty", b"")
        assert store.read("empty") == b""
        assert store.read("empty", ByteRange(0, 10)) == b""
        assert store.info("empty").size_bytes == 0
        assert [info.key for info in store.list()] == ["empty"]
        assert store.open_reader("empty").read() == b""

    def test_overwriting_replaces_bytes_and_e_tag(self, store: Store) -> None:
        first = store.write("a", b"one")
        second = store.write("a", b"three")
        assert store.read("a") == b"three"
        assert first.e_tag != second.e_tag

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_come_back_exactly(self, store: Store, key: str) -> None:
        if key in self.unsupported_keys:
            with pytest.raises(SkyholdError, match=r"."):
                store.write(key, key.encode())
            return
        store.write(key, key.encode())
        assert store.read(key) == key.encode()
        assert store.info(key).key == key
        assert [info.key for info in store.list()] == [key]
        with store.open_writer(key) as writer:
            writer.write(b"again")
        assert store.read(key) == b"again"
        store.delete(key)
        assert not list(store.list())

    @pytest.mark.parametrize("key", REFUSED_KEYS)
    def test_keys_that_cannot_round_trip_are_refused_before_anything_is_written(self, store: Store, key: str) -> None:
        for attempt in (
            lambda: store.write(key, b"x"),
            lambda: store.open_writer(key),
            lambda: store.read(key),
            lambda: store.info(key),
            lambda: store.delete([key]),
            lambda: store.copy("a", key),
        ):
            with pytest.raises(InvalidKeyError):
                attempt()
        assert not list(store.list())

    def test_a_missing_object_is_an_error_that_names_it(self, store: Store) -> None:
        store.write("there", b"x")
        for attempt in (store.read, store.info, store.open_reader):
            with pytest.raises(KeyNotFoundError, match="not-there"):
                attempt("not-there")
        assert not store.exists("not-there")
        assert store.exists("there")
        with pytest.raises(KeyNotFoundError):
            store.copy("not-there", "target")
        with pytest.raises(KeyNotFoundError):
            store.rename("not-there", "target")
        assert not store.exists("target")

    @pytest.mark.parametrize(
        ("byte_range", "expected"),
        [
            (ByteRange(0, 3), b"012"),
            (ByteRange(2, 5), b"234"),
            (ByteRange(7), b"789"),
            (ByteRange(8, 100), b"89"),
            (ByteRange(suffix=3), b"789"),
            (ByteRange(suffix=100), b"0123456789"),
        ],
    )
    def test_ranges(self, store: Store, byte_range: ByteRange, expected: bytes) -> None:
        store.write("digits", b"0123456789")
        info, data = store.read_with_info("digits", byte_range)
        assert data == expected
        assert info.size_bytes == 10

    def test_a_range_past_the_end_is_an_error(self, store: Store) -> None:
        store.write("digits", b"0123456789")
        for start in (10, 11):
            with pytest.raises(InvalidRangeError):
                store.read("digits", ByteRange(start, start + 5))

    def test_reading_insists_on_the_version_asked_for(self, store: Store) -> None:
        old = store.write("a", b"old")
        assert store.read("a", if_match=old.e_tag) == b"old"
        if self.conditions_hold:
            store.write("a", b"newer")
            with pytest.raises(PreconditionFailedError):
                store.read("a", if_match=old.e_tag)

    def test_create_only_has_one_winner(self, store: Store) -> None:
        if not self.conditions_hold:
            return
        store.write("once", b"first", if_absent=True)
        with pytest.raises(AlreadyExistsError):
            store.write("once", b"second", if_absent=True)
        assert store.read("once") == b"first"

        def claim(number: int) -> int | None:
            try:
                store.write("claim", str(number).encode(), if_absent=True)
            except AlreadyExistsError:
                return None
            return number

        with ThreadPoolExecutor(8) as pool:
            winners = [number for number in pool.map(claim, range(16)) if number is not None]
        assert winners == [int(store.read("claim"))]

    def test_if_match_has_one_winner(self, store: Store) -> None:
        if not self.conditions_hold:
            return
        first = store.write("head", b"0")
        second = store.write("head", b"1", if_match=first.e_tag)
        with pytest.raises(PreconditionFailedError):
            store.write("head", b"2", if_match=first.e_tag)
        assert store.read("head") == b"1"
        with pytest.raises(PreconditionFailedError):
            store.write("gone", b"x", if_match=second.e_tag)
        assert not store.exists("gone")

        def swap(number: int) -> int | None:
            try:
                store.write("head", str(number).encode(), if_match=second.e_tag)
            except PreconditionFailedError:
                return None
            return number

        with ThreadPoolExecutor(8) as pool:
            winners = [number for number in pool.map(swap, range(100, 116)) if number is not None]
        assert winners == [int(store.read("head"))]

    def test_attributes_come_back_with_any_text(self, store: Store) -> None:
        if not self.keeps_attributes:
            return
        metadata = {"author": "Zoë 建", "empty": "", "plain": "a=b; c", "odd": " =?x?= "}
        store.write("a", b"x", attributes=Attributes(metadata, "text/csv"), if_absent=self.conditions_hold)
        found = store.info("a").attributes
        assert found is not None
        assert (dict(found.metadata), found.content_type) == (metadata, "text/csv")
        store.copy("a", "b")
        copied = store.read_with_info("b")[0].attributes
        assert copied is not None
        assert dict(copied.metadata) == metadata
        with store.open_writer("c", attributes=Attributes(metadata)) as writer:
            writer.write(b"x" * (self.part_bytes + 1))
        large = store.info("c").attributes
        assert large is not None
        assert dict(large.metadata) == metadata

    @pytest.mark.parametrize("name", ["UPPER", "sp ace", "ünï", "", "skyhold-mine"])
    def test_metadata_names_that_would_change_are_refused(self, store: Store, name: str) -> None:
        with pytest.raises(InvalidKeyError):
            store.write("a", b"x", attributes=Attributes({name: "v"}))
        assert not store.exists("a")

    @pytest.mark.parametrize(
        "tags",
        [
            {"": "v"},
            {"n" * 129: "v"},
            {"n": "v" * 257},
            {"ünï": "v"},
            {"n": "a&b"},
            {"aws:n": "v"},
            {f"n{number}": "v" for number in range(11)},
        ],
    )
    def test_tags_that_cannot_be_stored_are_refused(self, store: Store, tags: dict[str, str]) -> None:
        attributes = Attributes(tags=tags)
        with pytest.raises(InvalidKeyError, match=r"tag"):
            store.write("a", b"x", attributes=attributes)
        with pytest.raises(InvalidKeyError, match=r"tag"):
            store.open_writer("a", attributes=attributes)
        assert not store.exists("a")

    def test_a_writer_shows_nothing_before_it_is_closed(self, store: Store) -> None:
        store.write("a", b"previous")
        chunk = bytes(range(256)) * 4096
        count = self.part_bytes // len(chunk) * 2 + 3
        with store.open_writer("a") as writer:
            for _ in range(count):
                writer.write(chunk)
            assert store.read("a") == b"previous"
        assert writer.info is not None
        assert writer.info.size_bytes == len(chunk) * count == store.info("a").size_bytes
        assert writer.info.e_tag == store.info("a").e_tag
        assert store.read("a") == chunk * count

    @pytest.mark.parametrize("parts", [0, 2])
    def test_an_exception_in_a_writer_leaves_the_previous_object(self, store: Store, parts: int) -> None:
        store.write("a", b"previous")
        with pytest.raises(ZeroDivisionError), store.open_writer("a") as writer:
            writer.write(b"x" * (self.part_bytes * parts + 10))
            raise ZeroDivisionError
        assert store.read("a") == b"previous"
        assert [info.key for info in store.list()] == ["a"]
        with pytest.raises(ValueError, match="closed"):
            writer.write(b"more")

    def test_a_reader_is_a_file(self, store: Store) -> None:
        content = bytes(range(256)) * 40
        store.write("a", content)
        with store.open_reader("a", block_bytes=1000) as reader:
            assert reader.read(10) == content[:10]
            assert reader.seek(-5, io.SEEK_END) == len(content) - 5
            assert reader.read() == content[-5:]
            assert reader.read(1) == b""
            reader.seek(3000)
            assert reader.read(2500) == content[3000:5500]
            assert io.BufferedReader(reader).readline() == content[5500 : content.index(b"\n", 5500) + 1]

    def test_a_reader_never_mixes_two_versions(self, store: Store) -> None:
        if not self.conditions_hold:
            return
        store.write("a", b"x" * 3000)
        with store.open_reader("a", block_bytes=1000, read_ahead=0) as reader:
            reader.read(1000)
            store.write("a", b"y" * 3000)
            with pytest.raises(PreconditionFailedError):
                reader.read(1000)

    def test_listing_by_prefix_start_and_level(self, store: Store) -> None:
        keys = ["a", "a-b", "a.txt", "b/1", "b/2", "b/c/3", "b0", "logs-1", "logs/2024-01", "logs/2024-02", "logs/2025"]
        for key in keys:
            store.write(key, b"x")
        assert [info.key for info in store.list()] == sorted(keys)
        for prefix in ("a", "b", "b/", "b/c", "logs", "logs/2024-", "logs/2", "nothing", "nothing/"):
            assert [info.key for info in store.list(prefix)] == sorted(k for k in keys if k.startswith(prefix)), prefix
        for after in ("", "a", "b/1", "b/c", "logs/2024-01", "zzz"):
            assert [info.key for info in store.list(start_after=after)] == sorted(k for k in keys if k > after)
        assert [info.key for info in store.list("logs/2024-", start_after="logs/2024-01")] == ["logs/2024-02"]
        top = store.list_folder()
        assert [info.key for info in top.objects] == ["a", "a-b", "a.txt", "b0", "logs-1"]
        assert list(top.prefixes) == ["b/", "logs/"]
        inner = store.list_folder("b/")
        assert ([info.key for info in inner.objects], list(inner.prefixes)) == (["b/1", "b/2"], ["b/c/"])

    def test_delete_many_passes_over_missing_ones(self, store: Store) -> None:
        for number in range(5):
            store.write(f"k/{number}", b"x")
        store.delete([*(f"k/{number}" for number in range(4)), "missing", "k/0"])
        assert [info.key for info in store.list()] == ["k/4"]
        store.delete("missing")
        store.delete([])

    def test_an_empty_prefix_never_deletes_a_store(self, store: Store) -> None:
        for key in ("a", "b/1", "b/2", "bb"):
            store.write(key, b"x")
        for prefix in ("", "/"):
            with pytest.raises(DeleteGuardError):
                store.delete_prefix(prefix)
        assert store.delete_prefix("b/") == 2
        assert [info.key for info in store.list()] == ["a", "bb"]

    def test_copy_and_rename(self, store: Store) -> None:
        store.write("a", b"content")
        store.write("b", b"old")
        store.copy("a", "b")
        store.rename("b", "folder/c d")
        store.rename("a", "a")
        assert [info.key for info in store.list()] == ["a", "folder/c d"]
        assert store.read("folder/c d") == b"content"

    def test_all_that_lies_in_one_folder_has_one_place_before_its_name(self, store: Store) -> None:
        for folder in ("", "folder/", "fol der/é/"):
            before = store.place_of(f"{folder}a").removesuffix("a")
            assert store.place_of(f"{folder}B c.é") == f"{before}B c.é"

    def test_observers_see_every_operation(self, store: Store) -> None:
        seen: list[Operation] = []
        watched = store.observed(seen.append)
        watched.write("a", b"12345")
        store.write("unwatched", b"x")
        watched.read("a", ByteRange(1, 3))
        list(watched.list())
        watched.delete("a")
        totals = {kind: sum(one.requests for one in seen if one.request_class == kind) for kind in ("write", "delete")}
        assert totals == {"write": 1, "delete": 1}
        assert sum(one.bytes_out for one in seen) == 5
        assert all("unwatched" not in one.uri for one in seen)

    def test_a_store_survives_pickling(self, store: Store) -> None:
        if not self.can_pickle:
            with pytest.raises(SkyholdError):
                pickle.dumps(store)
            return
        store.write("a", b"x")
        again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
        assert again.read("a") == b"x"
        assert again.uri == store.uri
