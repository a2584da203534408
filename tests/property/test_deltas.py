"""Content as what makes it of other content: any of any, small where little has changed, refused where damaged."""

import random

import pytest
from backports.zstd import CompressionParameter, ZstdCompressor
from hypothesis import given
from hypothesis import strategies as st

from meshes import edited, grid, inserted, moved, shuffled, stl
from skyhold.components import deltas
from skyhold.components.deltas import apply_delta, make_delta
from skyhold.errors import IntegrityError

_contents = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 9), st.integers(0, 300_000)),
)


@st.composite
def _versions(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two contents, the second mostly an edit of the first."""
    base = draw(_contents)
    if draw(st.booleans()):
        return base, draw(_contents)
    content = bytearray(base)
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 100))] = draw(st.binary(max_size=100))
    return base, bytes(content)


def _delta(base: bytes, content: bytes) -> bytes:
    delta = make_delta(base, content)
    assert delta is not None
    return delta


@given(_versions())
def test_what_was_made_of_a_base_comes_back_with_it(versions: tuple[bytes, bytes]) -> None:
    base, content = versions
    assert apply_delta(base, _delta(base, content)) == content


@given(_versions(), st.data())
def test_a_damaged_delta_never_gives_more_than_it_promises_and_fails_by_name(
    versions: tuple[bytes, bytes], data: st.DataObject
) -> None:
    base, content = versions
    delta = bytearray(_delta(base, content))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(delta) - 1))
        delta[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = apply_delta(base, bytes(delta))
    except IntegrityError:
        return
    assert len(found) <= deltas.LARGEST_BYTES


@given(_versions(), st.data())
def test_a_cut_delta_fails_by_name(versions: tuple[bytes, bytes], data: st.DataObject) -> None:
    base, content = versions
    delta = _delta(base, content)
    with pytest.raises(IntegrityError):
        apply_delta(base, delta[: data.draw(st.integers(0, len(delta) - 1))])


def test_what_follows_a_delta_fails_by_name() -> None:
    delta = _delta(b"base" * 100, b"content" * 100)
    with pytest.raises(IntegrityError, match="does not end there"):
        apply_delta(b"base" * 100, delta + b"more")


def test_a_delta_that_promises_more_than_any_can_is_refused_before_memory_is_asked_for() -> None:
    compressor = ZstdCompressor(options={CompressionParameter.window_log: 10})
    compressor.set_pledged_input_size(1 << 40)
    begun = compressor.compress(b"x" * 100_000, compressor.FLUSH_BLOCK)
    with pytest.raises(IntegrityError, match="1099511627776 bytes"):
        apply_delta(b"", begun)


def test_base_and_content_that_are_too_long_together_have_no_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "LARGEST_BYTES", 1999)
    assert make_delta(b"a" * 1000, b"a" * 1000) is None
    assert make_delta(b"a" * 1000, b"a" * 999) is not None


def test_a_delta_that_is_longer_than_wanted_is_given_up_early() -> None:
    content = random.Random(1).randbytes(100_000)
    assert make_delta(b"", content, at_most_bytes=50_000) is None
    assert make_delta(content, content, at_most_bytes=50_000) is not None


def test_a_mesh_of_half_a_million_triangles_that_was_edited_or_written_in_another_order_is_small() -> None:
    points = grid(500)
    first = stl(points)
    assert len(first) == 25_000_084
    for second, most in ((stl(edited(points)), 300_000), (inserted(first), 300_000), (shuffled(first), 4_000_000)):
        delta = _delta(first, second)
        assert len(delta) <= most
        assert apply_delta(first, delta) == second


def test_a_mesh_that_was_moved_as_a_whole_has_a_delta_that_is_not_small_and_right() -> None:
    points = grid(100)
    first, second = stl(points), stl(moved(points))
    assert 0.25 * len(second) < len(_delta(first, second)) < 0.5 * len(second)
    assert apply_delta(first, _delta(first, second)) == second
