"""A small chart of what the demo wrote."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyhold.errors import MissingExtraError

__all__ = ["draw_chart"]

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def draw_chart(flights: Path, target: Path, *, rejected: int) -> None:
    """Draw flights and their mean departure delay by month, from the Parquet that the pipe wrote.

    Args:
        flights: The Parquet file.
        target: Where the PNG goes.
        rejected: Rows in the error output, for the caption.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - the extra `demo`

        mpl.use("Agg")
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError.of("demo", "the demo's chart") from error
    table: Any = pq.read_table(flights, columns=["month", "dep_delay"])
    by_month: Any = table.group_by("month").aggregate([("dep_delay", "mean"), ("month", "count")]).sort_by("month")
    total = pc.sum(by_month["month_count"]).as_py()
    figure, bars = plt.subplots(figsize=(8, 4.2), dpi=120, layout="constrained")
    bars.bar(_MONTHS, by_month["month_count"].to_pylist(), color="#c9d7e8", label="flights")
    bars.set_ylabel("flights")
    bars.spines[["top"]].set_visible(False)
    line = bars.twinx()
    line.plot(_MONTHS, by_month["dep_delay_mean"].to_pylist(), color="#b3401f", marker="o", label="mean delay")
    line.set_ylabel("mean departure delay, minutes", color="#b3401f")
    line.set_ylim(bottom=0)
    line.spines[["top"]].set_visible(False)
    bars.set_title(f"{total:,} flights from New York, 2013; {rejected:,} damaged rows set aside", loc="left")
    figure.savefig(target)
    plt.close(figure)
