"""Charts: round numbers, lines that lose no peak, and colours that those tell apart who see fewer."""

import itertools
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skyhold.dashboard
from skyhold.dashboard.charts import decimate, find_scale, polylines

_STATIC = Path(skyhold.dashboard.__file__).parent / "static"
_GROUNDS = {"light": "#ffffff", "dark": "#11151a"}
# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, at full severity, for linear RGB.
_SIGHTS = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def _linear(colour: str) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted(
        (0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (_linear(one), _linear(other))),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


def _seen(colour: str, sight: str) -> list[float]:
    """Return a colour as CIE L*a*b*, as somebody sees it."""
    rgb = [max(0.0, min(1.0, sum(a * b for a, b in zip(row, _linear(colour), strict=True)))) for row in _SIGHTS[sight]]
    xyz = (
        (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.95047,
        0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2],
        (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.08883,
    )
    x, y, z = (each ** (1 / 3) if each > 0.008856 else 7.787 * each + 16 / 116 for each in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def _palettes() -> dict[str, dict[str, str]]:
    light, dark = (_STATIC / "campaign.css").read_text().split("@media (prefers-color-scheme: dark)")
    return {
        scheme: dict(re.findall(r"--([cq]\d): (#[0-9a-f]{6})", part))
        for scheme, part in (("light", light), ("dark", dark))
    }


@pytest.mark.parametrize("scheme", _GROUNDS)
def test_lines_and_bars_stand_out_from_the_page(scheme: str):
    palette = _palettes()[scheme]
    assert len(palette) == 13
    assert not {name: each for name, each in palette.items() if _contrast(each, _GROUNDS[scheme]) < 3.0}


@pytest.mark.parametrize("sight", _SIGHTS)
@pytest.mark.parametrize("scheme", _GROUNDS)
def test_colours_are_told_apart_by_those_who_see_fewer(scheme: str, sight: str):
    palette = _palettes()[scheme]
    near = {
        (one, other): round(math.dist(_seen(palette[one], sight), _seen(palette[other], sight)))
        for one, other in itertools.combinations([f"c{number}" for number in range(8)], 2)
    }
    assert not {pair: distance for pair, distance in near.items() if distance < 10}, (
        "2 is just seen; lines have dashes too"
    )
    shades = [_seen(palette[f"q{number}"], sight)[0] for number in range(5)]
    assert shades == sorted(shades, reverse=True), "from light to dark, in every sight"


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30))
def test_every_value_is_within_a_scale_of_round_numbers(values: list[float]):
    scale = find_scale(values)
    assert all(-1e-6 <= scale.place(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(scale.ticks) <= 12
    assert (scale.ticks[0].place, scale.ticks[-1].place) == (0.0, 1.0)


def test_a_scale_of_nothing_and_of_one_value_is_a_scale():
    for values in ([], [0.0], [7.0], [-3.0], [math.nan, math.inf]):
        scale = find_scale(values)
        assert scale.high > scale.low
    assert find_scale([5.0], from_zero=True).low == 0.0


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=300), st.integers(2, 60))
def test_a_decimated_line_has_the_same_peaks_and_gaps(values: list[float | None], points: int):
    found = decimate(values, points)
    known = [value for value in values if value is not None]
    shown = [value for _, value in found if value is not None]
    assert (min(shown, default=None), max(shown, default=None)) == (min(known, default=None), max(known, default=None))
    assert all(values[place] == value for place, value in found)
    assert [place for place, _ in found] == sorted({place for place, _ in found})
    assert len(found) <= 1.5 * points + 3
    assert (None in values) == any(value is None for _, value in found)


def test_a_line_with_gaps_is_in_parts_and_a_single_point_is_seen():
    assert polylines([(0, 1.0), (1, None), (2, None), (3, 2.0), (4, 2.5)]) == ["0,1 0,1", "3,2 4,2.5"]
