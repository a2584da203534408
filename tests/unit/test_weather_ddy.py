"""Design days, read from the real models of the wheel and from made files."""

import gzip
import json
from pathlib import Path

import idfkit
import pytest
from pyenergyplus.dataset import ashrae_models, ref_models

from skyhold.errors import NotFoundError, WeatherError
from skyhold.weather import read_ddy, read_ddy_beside
from skyhold.weather.ddy import parse_ddy

DAY = """
! made
Version,25.2;
 SizingPeriod:DesignDay,   ! a comment; with marks, in it
  Somewhere Ann Htg 99% Condns DB,  !- Name
  1, 21, WinterDesignDay, -12.5, 0.0, , , Wetbulb, -12.5,,,,, 99000., 4.9, 270;
"""


def test_the_days_of_a_real_model_are_read():
    heating, cooling = read_ddy(ref_models["warehouse"])
    assert (heating.name, heating.dry_bulb_max_c) == ("CHICAGO Ann Htg 99.6% Condns DB", -20.6)
    assert (heating.is_heating, heating.share_percent) == (True, 99.6)
    assert (cooling.is_heating, cooling.share_percent) == (False, 0.4)
    assert cooling.fields["wetbulb_or_dewpoint_at_maximum_dry_bulb"] == 25.5
    assert cooling.fields["month"] == 7
    assert "humidity_ratio_at_maximum_dry_bulb" not in cooling.fields


def test_fields_have_the_names_and_kinds_of_the_schema():
    schema = Path(idfkit.__file__).parent / "schemas" / "V25-2-0" / "Energy+.schema.epJSON.gz"
    known = json.loads(gzip.decompress(schema.read_bytes()))["properties"]["SizingPeriod:DesignDay"]
    (kinds,) = (pattern["properties"] for pattern in known["patternProperties"].values())
    days = [day for model in [*ref_models.values(), *ashrae_models.values()] for day in read_ddy(model)]
    assert len(days) > 60
    for day in days:
        for name, value in day.fields.items():
            assert isinstance(value, str) == (kinds[name].get("type") == "string"), name
    (made,) = parse_ddy(b"SizingPeriod:DesignDay,a," + b",".join([b"1", b"2", b"x", *[b"4"] * 24]) + b";", "x.ddy")
    assert list(made.fields) == known["legacy_idd"]["fields"][1:]


def test_comments_empty_fields_and_line_ends_make_no_difference():
    for text in (DAY, DAY.replace("\n", "\r\n")):
        (day,) = parse_ddy(text.encode("cp1252"), "x.ddy")
        assert day.share_percent == 99.0
        assert day.fields["barometric_pressure"] == 99000.0
        assert day.fields["wind_direction"] == 270


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("-12.5, 0.0", "cold, 0.0"), "line 4: in the design day .* maximum_dry_bulb_temperature is 'cold'"),
        (("21, Winter", "nan, Winter"), "day_of_month is 'nan', which is no number"),
        (("-12.5, 0.0", ", 0.0"), "has no maximum_dry_bulb_temperature"),
        (("1, 21, WinterDesignDay, -12.5, 0.0, , , Wetbulb, -12.5,,,,, 99000., 4.9, 270", "1"), "has 2 fields"),
        (("270", "270" + "," * 40), "has 57 fields"),
    ],
)
def test_a_malformed_day_is_told_with_its_line(change: tuple[str, str], said: str):
    with pytest.raises(WeatherError, match=f"'x.ddy', .*{said}"):
        parse_ddy(DAY.replace(*change).encode(), "x.ddy")


def test_the_file_beside_a_weather_file_is_found_if_there_is_one(tmp_path: Path):
    assert read_ddy_beside(tmp_path / "x.epw") == ()
    (tmp_path / "x.DDY").write_text(DAY)
    assert [day.share_percent for day in read_ddy_beside(tmp_path / "x.epw")] == [99.0]
    with pytest.raises(NotFoundError):
        read_ddy(tmp_path / "y.ddy")
