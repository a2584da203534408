"""Pictures of results: end uses, load duration, and parallel coordinates."""

# pyarrow and matplotlib are untyped or partly so:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from skyhold.errors import BadOptionError, MissingExtraError
from skyhold.simulation.scales import scale_of
from skyhold.simulation.series import TimeSeries
from skyhold.simulation.table import columns_of, numbers_of, unit_of

__all__ = ["Plot", "plot_end_uses", "plot_load_duration", "plot_parallel"]

_COLOURS = {
    "heating": "#c8553d",
    "cooling": "#3a7ca5",
    "interior_lighting": "#f2c14e",
    "exterior_lighting": "#d9a441",
    "interior_equipment": "#7a9e7e",
    "exterior_equipment": "#a3b899",
    "fans": "#8e7dbe",
    "pumps": "#5b5f97",
    "heat_rejection": "#9fc2cc",
    "humidification": "#b5d6d6",
    "heat_recovery": "#6d9dc5",
    "water_systems": "#2a6f6f",
    "refrigeration": "#9bb7d4",
    "generators": "#6b6b6b",
}

_OTHERS = ("#3a7ca5", "#c8553d", "#7a9e7e", "#8e7dbe", "#f2c14e", "#5b5f97", "#2a6f6f", "#6b6b6b")

_DOTS_PER_INCH = 120

_MOST_BARS = 500

_BESIDE_THE_AXIS: dict[str, Any] = {
    "xytext": (4, 0),
    "textcoords": "offset points",
    "va": "center",
    "fontsize": 8,
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
}


class Plot:
    """A picture: shown in notebooks, and saved by `save`.

    Attributes:
        figure: The ``matplotlib.figure.Figure``, to change what you like.
    """

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def save(self, path: str | Path) -> Path:
        """Write it as PNG; the same picture gives the same bytes."""
        target = Path(path)
        target.write_bytes(self._repr_png_())
        return target

    def _repr_png_(self) -> bytes:
        sink = io.BytesIO()
        self.figure.savefig(sink, format="png", metadata={"Software": None})
        return sink.getvalue()


def plot_end_uses(table: Any, labels: Sequence[str] | None = None, *, title: str = "Energy by end use") -> Plot:
    """Draw a bar for each case, made of its end uses of all fuels.

    Args:
        table: Of `skyhold.simulation.table.make_table`, or of a campaign.
        labels: Which cases, in this order; all without it.
        title: Above the picture.

    Raises:
        BadOptionError: There is no such case, the table has no end uses, or there are too many cases.
        MissingExtraError: matplotlib is not installed.
    """
    names = [name for name in columns_of(table, "value") if name.startswith("end_use.") and name.count(".") == 1]
    known: list[str] = table["label"].to_pylist()
    rows = [_place(known, label) for label in labels] if labels is not None else list(range(len(known)))
    if len(rows) > _MOST_BARS:
        raise BadOptionError(
            f"a picture has room for {_MOST_BARS} bars, and these are {len(rows)}",
            remedy="Name some of them: labels=[…]",
        )
    columns = {name: numbers_of(table, name) or [] for name in names}
    found = {name: [numbers[row] or 0.0 for row in rows] for name, numbers in columns.items()}
    shown = {name: numbers for name, numbers in found.items() if any(numbers)}
    if not shown:
        raise BadOptionError("the table has no end uses", remedy="Run the cases for a year, with their tables kept")
    factor, unit = scale_of(max(map(sum, zip(*shown.values(), strict=True))), unit_of(table, next(iter(shown))))
    figure, axes = _figure(8.0, 1.6 + 0.42 * len(rows))
    left = [0.0] * len(rows)
    for position, name in enumerate(sorted(shown, key=lambda each: _order(each.removeprefix("end_use.")))):
        use = name.removeprefix("end_use.")
        width = [number / factor for number in shown[name]]
        colour = _COLOURS.get(use, _OTHERS[position % len(_OTHERS)])
        axes.barh(range(len(rows)), width, left=left, color=colour, label=use.replace("_", " "), height=0.7)
        left = [start + more for start, more in zip(left, width, strict=True)]
    axes.set_yticks(range(len(rows)), [known[row] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"Energy [{unit}]")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return _finish(figure, axes, title)


def plot_load_duration(series: Mapping[str, TimeSeries], *, title: str = "Load duration") -> Plot:
    """Draw how long each load is exceeded: its values from the highest to the lowest.

    Energies of an interval (J) are shown as the power (W) that they mean.

    Args:
        series: Time series by the name in the legend, of one unit.
        title: Above the picture.

    Raises:
        BadOptionError: There are no series, or they have different units.
        MissingExtraError: matplotlib is not installed.
    """
    units = {each.units for each in series.values()}
    if len(units) != 1:
        raise BadOptionError(f"load durations need series of one unit, and these have {sorted(units) or 'none'}")
    curves = {name: _durations(each) for name, each in series.items()}
    unit = "W" if units == {"J"} else units.pop()
    highest = max((abs(load) for curve in curves.values() for load, _ in curve), default=0.0)
    factor, unit = scale_of(highest, unit)
    figure, axes = _figure(8.0, 4.5)
    for position, (name, curve) in enumerate(curves.items()):
        ends = [0.0]
        for _, hours in curve:
            ends.append(ends[-1] + hours)
        loads = [load / factor for load, _ in curve]
        axes.stairs(loads, ends, baseline=None, color=_OTHERS[position % len(_OTHERS)], label=name, linewidth=1.6)
    longest = max(sum(hours for _, hours in curve) for curve in curves.values())
    axes.set_xlim(0.0, longest)
    axes.set_xlabel("Hours in which it is exceeded")
    axes.set_ylabel(f"Load [{unit}]" if unit else "Load")
    axes.legend(frameon=False)
    return _finish(figure, axes, title)


def plot_parallel(table: Any, columns: Sequence[str], *, colour_by: str | None = None, title: str = "Cases") -> Plot:
    """Draw a line for each case across upright axes, one for each column, each from its lowest to its highest value.

    Cases that lack one of the columns, such as a baseline that sets no parameter, are left out.

    Args:
        table: Of `skyhold.simulation.table.make_table`, or of a campaign.
        columns: Parameters and values, in this order; texts have their places in the order in which they come.
        colour_by: The column of numbers that colours the lines; the last one of ``columns`` without it.
        title: Above the picture.

    Raises:
        BadOptionError: There is no such column, there are fewer than two, or no case has all of them.
        MissingExtraError: matplotlib is not installed.
    """
    if len(columns) < 2:  # noqa: PLR2004 - a line has two ends
        raise BadOptionError(f"parallel coordinates need two columns or more, and these are {list(columns)}")
    figure, axes = _figure(max(6.0, 1.9 * len(columns)), 4.5)
    found = [_axis_of(table, name)[0] for name in columns]
    whole = [row for row, heights in enumerate(zip(*found, strict=True)) if None not in heights]
    if not whole:
        raise BadOptionError(f"no case has all of {', '.join(columns)}", remedy="Leave some of these columns out")
    table = table.take(whole)  # what is not drawn stretches no axis
    scaled = [_axis_of(table, name) for name in columns]
    tint = _axis_of(table, colour_by or columns[-1])[0]
    colours = _colour_map()
    for row in range(table.num_rows):
        heights, shade = [places[row] for places, _ in scaled], tint[row]
        axes.plot(range(len(columns)), heights, color=colours(0.5 if shade is None else shade), linewidth=1.2)
    for place, (_, ticks) in enumerate(scaled):
        axes.axvline(place, color="#444444", linewidth=0.8)
        for height, text in ticks:
            axes.annotate(text, (place, height), **_BESIDE_THE_AXIS)
    axes.set_xticks(range(len(columns)), [_caption(table, name) for name in columns])
    axes.set_yticks([])
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlim(-0.15, len(columns) - 0.55)
    return _finish(figure, axes, title)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        raise MissingExtraError.of("plots", "drawing results") from error
    # Without pyplot there is no state that threads share.
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    return figure, figure.subplots()


def _colour_map() -> Any:
    from matplotlib import colormaps  # noqa: PLC0415 - as above

    return colormaps["viridis"]


def _finish(figure: Any, axes: Any, title: str) -> Plot:
    axes.set_title(title, loc="left", fontsize=11)
    for side in ("top", "right", "left") if not axes.get_ylabel() else ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # or every drawing would move things a little further
    return Plot(figure)


def _order(use: str) -> tuple[int, str]:
    known = list(_COLOURS)
    return (known.index(use) if use in known else len(known), use)


def _place(known: Sequence[str], label: str) -> int:
    if label not in known:
        raise BadOptionError(f"no case has the label {label!r}")
    return known.index(label)


def _durations(series: TimeSeries) -> list[tuple[float, float]]:
    """Return each load and its hours, the highest load first."""
    minutes: list[float] = series.to_arrow()["interval_min"].to_pylist()
    pairs = [pair for pair in zip(series.values, minutes, strict=True) if not isnan(pair[0])]
    loads = [(value / (length * 60.0) if series.units == "J" else value, length / 60.0) for value, length in pairs]
    return sorted(loads, reverse=True)


def _axis_of(table: Any, name: str) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Return the height of each row, 0 to 1, and the ticks with their texts."""
    numbers = numbers_of(table, name)
    if numbers is None:
        texts = [None if each is None else str(each) for each in table[name].to_pylist()]
        kinds = list(dict.fromkeys(each for each in texts if each is not None))
        step = 1.0 / max(len(kinds) - 1, 1)
        heights = [None if each is None else kinds.index(each) * step for each in texts]
        return heights, [(place * step, kind) for place, kind in enumerate(kinds)]
    known = [each for each in numbers if each is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = (high - low) or 1.0
    factor, _ = scale_of(max(abs(low), abs(high)), unit_of(table, name))
    ticks = [
        (place, f"{(low + place * (high - low)) / factor:.4g}") for place in ((0.0, 0.5, 1.0) if high > low else (0.0,))
    ]
    return [None if each is None else (each - low) / span for each in numbers], ticks


def _caption(table: Any, name: str) -> str:
    numbers = [abs(each) for each in numbers_of(table, name) or [] if each is not None]
    _, unit = scale_of(max(numbers, default=0.0), unit_of(table, name))
    return f"{name}\n[{unit}]" if unit else name
