"""The table of a study, and its pictures, from plain records and from real runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skyhold.errors import BadOptionError, MissingExtraError
from skyhold.simulation import plots
from skyhold.simulation.campaign_table import build_table
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.plots import plot_end_uses, plot_load_duration, plot_parallel
from skyhold.simulation.simulator import Quantity
from skyhold.simulation.sql import SqlResults
from skyhold.simulation.table import (
    QualityGate,
    add_deltas,
    add_quality,
    add_values,
    columns_of,
    make_table,
    numbers_of,
    unit_of,
)
from skyhold.simulation.tasks import Label
from skyhold.simulation.values import read_values

_CASES: list[dict[str, Any]] = [
    {
        "label": "base",
        "parameters": {"thickness": 0.1, "glass": "double"},
        "values": {
            "site_energy": Quantity(10e9, "J"),
            "end_use.heating": (6e9, "J"),
            "end_use.heating.natural_gas": (6e9, "J"),
            "weather": ("Chicago", ""),
        },
        "messages": {"warning": 3},
        "baseline": "base",
    },
    {
        "label": "better",
        "parameters": {"thickness": 0.3, "glass": "triple"},
        "values": {"site_energy": Quantity(5e9, "J"), "end_use.heating": (1e9, "J")},
        "messages": {"warning": 3, "severe": 1},
        "baseline": "base",
    },
    {"label": "broken", "parameters": {"thickness": -1}, "failure": "engine", "baseline": "base"},
]


def test_a_table_has_a_row_for_each_case_and_units_in_its_metadata():
    table = make_table(_CASES)
    assert table["label"].to_pylist() == ["base", "better", "broken"]
    assert columns_of(table, "parameter") == ["thickness", "glass"]
    assert table["thickness"].to_pylist() == [0.1, 0.3, -1.0]
    assert (unit_of(table, "site_energy"), unit_of(table, "weather")) == ("J", "")
    assert table["severe_messages"].to_pylist() == [0, 1, None]
    assert table["failure"].to_pylist() == [None, None, "engine"]
    assert make_table([]).num_rows == 0


def test_deltas_are_to_the_baseline_of_each_row_or_to_one():
    table = add_deltas(make_table(_CASES))
    assert table["delta.site_energy"].to_pylist() == [0.0, -5e9, None]
    assert unit_of(table, "delta.site_energy") == "J"
    assert "delta.weather" not in table.column_names
    change = add_deltas(make_table(_CASES), "better", names=["site_energy"], percent=True)
    assert change["change.site_energy"].to_pylist() == [100.0, 0.0, None]
    assert unit_of(change, "change.site_energy") == "%"
    with pytest.raises(BadOptionError, match="label 'bas'; did you mean 'base'"):
        add_deltas(table, "bas")
    with pytest.raises(BadOptionError, match="no column 'site_enrgy'; did you mean 'site_energy'"):
        add_deltas(table, names=["site_enrgy"])


def test_an_end_use_that_a_run_does_not_have_is_zero_and_that_of_no_run_is_unknown():
    table = make_table(_CASES)
    assert numbers_of(table, "end_use.heating.natural_gas") == [6e9, 0.0, None]
    assert add_deltas(table)["delta.end_use.heating.natural_gas"].to_pylist() == [0.0, -6e9, None]


def test_the_gate_says_what_is_wrong_with_each_result():
    cases = [*_CASES, {"label": "cold", "messages": {}, "values": {"unmet_hours.occupied_heating": (412.5, "h")}}]
    judged = add_quality(make_table(cases)).select(["label", "is_sound", "quality"]).to_pylist()
    assert judged == [
        {"label": "base", "is_sound": True, "quality": None},
        {"label": "better", "is_sound": False, "quality": "1 severe messages, 0 allowed"},
        {"label": "broken", "is_sound": False, "quality": "failed: engine"},
        {"label": "cold", "is_sound": False, "quality": "set points not met in 412.5 h, 300 h allowed"},
    ]
    mild = QualityGate(severe_messages=1, unmet_hours=None)
    assert add_quality(make_table(cases), mild)["is_sound"].to_pylist() == [True, True, False, True]


def test_a_function_of_the_user_makes_a_value_with_its_unit():
    def cost(row: Any) -> Quantity | None:
        return None if row["site_energy"] is None else Quantity(row["site_energy"] / 3.6e6 * 0.25, "EUR")

    table = add_deltas(add_values(make_table(_CASES), {"cost": cost, "site_energy": lambda _: "other"}))
    assert table["cost"].to_pylist() == [pytest.approx(694.44, abs=0.01), pytest.approx(347.22, abs=0.01), None]
    assert unit_of(table, "delta.cost") == "EUR"
    assert table["site_energy (result)"].to_pylist() == ["other"] * 3


def test_a_function_that_stumbles_over_a_case_without_result_is_told_which_case_it_was():
    table = make_table([*_CASES[:1], {"label": "lost", "failure": "engine"}])
    with pytest.raises(TypeError) as caught:
        add_values(table, {"cost": lambda row: row["site_energy"] * 2.0})
    assert caught.value.__notes__ == [
        "The function of the value 'cost', at the case 'lost', which has no result (engine)"
    ]


def test_the_table_of_a_campaign_is_compared_and_judged_alike():
    labels = [Label("base", "1", {"d": 0.1}, "base"), Label("new", "2", {"d": 0.2}, "base"), Label("later", "3", {})]
    ends = {
        "1": Outcome("1", "a", None, "", "25.2.0", "w", values={"site_energy": Quantity(4e9, "J")}),
        "2": Outcome("2", "a", "engine", "fatal", "25.2.0", "w", messages={"fatal": 1}),
    }
    table = add_quality(add_deltas(build_table(labels, ends)))
    assert table["delta.site_energy"].to_pylist() == [0.0, None, None]
    assert table["quality"].to_pylist() == [None, "failed: engine", "no result"]


def test_what_cannot_be_one_table_is_refused():
    with pytest.raises(BadOptionError, match="2 cases have the label 'a'"):
        make_table([{"label": "a"}, {"label": "a"}])
    with pytest.raises(BadOptionError, match="'x' has 2 units: J, kWh"):
        make_table([{"label": "a", "values": {"x": (1.0, "J")}}, {"label": "b", "values": {"x": (1.0, "kWh")}}])


@pytest.fixture(scope="session")
def study(warehouse_year: Path, mixed_run: Path) -> pa.Table:
    cases: list[dict[str, Any]] = []
    for label, folder in (("year", warehouse_year), ("week", mixed_run)):
        with SqlResults(folder) as results:
            values = read_values(results, {})
        cases.append({"label": label, "parameters": {"days": 365 if label == "year" else 7}, "values": values})
    return make_table([{**case, "messages": {}} for case in cases])


def test_real_results_make_bars_of_their_end_uses(study: pa.Table, tmp_path: Path):
    plot = plot_end_uses(study)
    (axes,) = plot.figure.axes
    assert axes.get_xlabel() == "Energy [MWh]"
    total = sum(bar.get_width() for container in axes.containers for bar in container.patches[:1])
    assert total == pytest.approx((study["site_energy"][0].as_py()) / 3.6e9)
    assert [text.get_text() for text in axes.get_legend().get_texts()][:2] == ["heating", "cooling"]
    picture = plot.save(tmp_path / "bars.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert plot_end_uses(study).save(tmp_path / "again.png").read_bytes() == picture
    assert plot._repr_png_() == picture


def test_a_picture_of_more_bars_than_can_be_seen_is_refused():
    table = make_table([{"label": str(n), "values": {"end_use.fans": (1e9, "J")}} for n in range(501)])
    with pytest.raises(BadOptionError, match="room for 500 bars, and these are 501"):
        plot_end_uses(table)
    (axes,) = plot_end_uses(table, ["7", "500"]).figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["7", "500"]


def test_a_load_duration_falls_and_lasts_as_long_as_the_run(warehouse_year: Path, tmp_path: Path):
    with SqlResults(warehouse_year) as results:
        power = results.get_timeseries("Electricity:Facility", frequency="hourly")
        heat = results.get_timeseries("NaturalGas:Facility", frequency="hourly")
        air = results.get_timeseries("Zone Mean Air Temperature", "OFFICE")
    plot = plot_load_duration({"electricity": power, "gas": heat})
    (axes,) = plot.figure.axes
    assert axes.get_ylabel() == "Load [kW]"
    for stairs in axes.patches:
        loads, edges, _ = stairs.get_data()
        assert list(loads) == sorted(loads, reverse=True)
        assert edges[-1] == 8760
    assert axes.patches[0].get_data().values[0] == pytest.approx(max(power.values) / 3.6e6)
    assert plot.save(tmp_path / "load.png").stat().st_size > 5000
    with pytest.raises(BadOptionError, match="one unit"):
        plot_load_duration({"electricity": power, "office": air})


def test_a_line_for_each_case_crosses_the_axes(tmp_path: Path):
    thin = {
        "label": "thin",
        "parameters": {"thickness": 0.05, "glass": "double"},
        "values": {"site_energy": (8e9, "J")},
    }
    plot = plot_parallel(make_table([*_CASES, thin]), ["thickness", "glass", "site_energy"])
    (axes,) = plot.figure.axes
    lines = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 3]
    assert [list(line) for line in lines] == [[pytest.approx(0.2), 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.6]]
    assert [text.get_text() for text in axes.get_xticklabels()][-1] == "site_energy\n[MWh]"
    assert plot.save(tmp_path / "lines.png").stat().st_size > 5000
    with pytest.raises(BadOptionError, match="two columns"):
        plot_parallel(make_table(_CASES), ["thickness"])
    with pytest.raises(BadOptionError, match="no column 'glas'"):
        plot_parallel(make_table(_CASES), ["thickness", "glas"])


def test_a_case_without_all_columns_is_left_out_and_stretches_no_axis():
    bare: dict[str, Any] = {"label": "bare", "values": {"site_energy": (9e12, "J")}}
    plot = plot_parallel(make_table([*_CASES, bare]), ["thickness", "glass", "site_energy"])
    (axes,) = plot.figure.axes
    lines = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 3]
    assert [(line[0], line[-1]) for line in lines] == [(0.0, 1.0), (1.0, 0.0)]
    with pytest.raises(BadOptionError, match="no case has all of thickness, site_energy"):
        plot_parallel(make_table([bare, {"label": "x", "parameters": {"thickness": 1}}]), ["thickness", "site_energy"])


def test_pictures_say_which_extra_they_need(monkeypatch: pytest.MonkeyPatch, study: pa.Table):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError) as caught:
        plot_end_uses(study)
    assert caught.value.remedy == "Run: pip install 'skyhold[plots]'"


def test_plots_load_matplotlib_when_they_draw():
    code = f"import {plots.__name__}, sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
