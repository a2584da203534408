"""``sim table``: the results of a campaign, shown or taken away."""

from typing import Annotated, Any

from cyclopts import Parameter

from skyhold.cli.options import Common
from skyhold.cli.output import Printer, format_table
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.scales import scale_of
from skyhold.storage.opening import open_object

__all__ = ["show_table"]

_DEFAULT = Common()
_WIDTH = 120

Names = Annotated[list[str], Parameter(negative="", consume_multiple=True)]


def show_table(  # noqa: PLR0913 - options of a command
    uri: str,
    /,
    *,
    columns: Names = [],  # noqa: B006 - cyclopts reads them
    cases: Names = [],  # noqa: B006
    deltas: Names = [],  # noqa: B006
    changes: Names = [],  # noqa: B006
    baseline: str = "",
    gate: bool = False,
    output: str = "",
    common: Common = _DEFAULT,
) -> int:
    """Print parameters and results, a row for each case; needs no engine.

    Args:
        uri: The campaign.
        columns: Which; all if not given.
        cases: Labels; all if not given.
        deltas: Values to compare with the baseline: what they differ by is called delta.NAME.
        changes: The same in percent, called change.NAME.
        baseline: The label of the case that all are compared with; each with its own if not given.
        gate: Say in is_sound and quality whether a result may be used: no severe messages, at most 300 unmet hours.
        output: Write it to this file or object instead, whose name ends in .csv or .parquet; in SI units.
        common: Options of every command.
    """
    from skyhold.simulation.table_files import formatter_of  # noqa: PLC0415 - pyarrow, which a wrong call needs not

    form = formatter_of(output) if output else None
    table = Campaign.open(uri, **common.options_for(uri)).table(
        columns or None, cases or None, deltas=deltas, changes=changes, baseline=baseline or None, gate=gate
    )
    printer = Printer(as_json=common.json)
    if form is not None:
        store, key = open_object(output, **common.options_for(output))
        store.write(key, form(table))
        printer.summary(f"{table.num_rows} rows in {output}", rows=table.num_rows, output=output)
        return 0
    rows: list[dict[str, Any]] = table.to_pylist()
    if common.json:
        for row in rows:
            printer.item("", **row)
    else:
        units = {field.name: field.metadata[b"unit"].decode() for field in table.schema}
        shown = [_readable(name, unit, [row[name] for row in rows]) for name, unit in units.items()]
        cells = list(zip(*(cells for _, cells in shown), strict=True))
        print("\n".join(format_table([name for name, _ in shown], cells, width=_WIDTH)))
    printer.summary("", rows=len(rows))
    return 0


def _readable(name: str, unit: str, values: list[Any]) -> tuple[str, list[str]]:
    """Return the head and the cells of a column, in a unit in which its numbers are easy to read.

    Example:
        >>> _readable("site_energy", "J", [8.64e10, 3_600_000_000, None]), _readable("label", "", ["a"])
        (('site_energy [MWh]', ['24', '1', '']), ('label', ['a']))
    """
    numbers = [abs(value) for value in values if isinstance(value, float | int)]
    factor, unit = scale_of(max(numbers, default=0.0), unit)
    head = f"{name} [{unit}]" if unit else name
    return head, ["" if value is None else _short(value, factor) for value in values]


def _short(value: Any, factor: float) -> str:
    is_scaled = factor != 1 and isinstance(value, int)
    return f"{value / factor:.6g}" if is_scaled or isinstance(value, float) else str(value)
