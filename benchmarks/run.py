"""Measure skyhold beside its peers, in one call on one machine, and write docs/benchmarks.md."""

import argparse
import sys
import time
from pathlib import Path

from measuring.report import write_section
from tables import ONLY_BY_NAME, TABLES

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = [name for name in TABLES if name not in ONLY_BY_NAME]
    parser.add_argument(
        "tables",
        nargs="*",
        metavar="TABLE",
        help=f"all if none is named: {', '.join(usual)}; or {', '.join(sorted(ONLY_BY_NAME))}",
    )
    parser.add_argument("--quick", action="store_true", help="little data, few runs, and the page stays as it is")
    asked = parser.parse_args()
    unknown = sorted(set(asked.tables) - set(TABLES))
    if unknown:
        parser.error(f"no table is called {unknown[0]!r}; there are {', '.join(TABLES)}")
    for name in asked.tables or usual:
        begun = time.monotonic()
        table = TABLES[name](asked.quick)
        print(table.to_markdown(), flush=True)
        print(f"({name}: {time.monotonic() - begun:.0f} s)\n", file=sys.stderr, flush=True)
        if not asked.quick:
            write_section(PAGE, name, table, list(TABLES))


if __name__ == "__main__":
    main()
