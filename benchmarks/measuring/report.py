"""Tables as Markdown, and the page that they stand in: each between markers, so that one can be measured again."""

import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

INTRODUCTION = """# Benchmarks

`make bench` installs the peers, measures, and writes this page; `benchmarks/run.py --quick TABLE` tries one table on
little data. Each contender runs in a process of its own and in turns with the others; the figures are medians, and
ratios of medians. Memory is the highest resident memory of the process and all that it starts; CPU seconds are
those of all its threads. Imports are not timed.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the page.

    Attributes:
        title: Its heading.
        caption: What was measured and checked; a few sentences.
        header: Names of the columns.
        rows: Cells, as they are shown.
    """

    title: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """Return heading, caption and table.

        Example:
            >>> print(Table("Speed", "Of all.", ["who", "s"], [["we", "1"]]).to_markdown())
            ## Speed
            <BLANKLINE>
            Of all.
            <BLANKLINE>
            | who | s |
            |---|---|
            | we | 1 |
            <BLANKLINE>
        """
        lines = [f"| {' | '.join(row)} |" for row in (self.header, *self.rows)]
        lines.insert(1, "|" + "---|" * len(self.header))
        return "\n".join([f"## {self.title}", "", self.caption, "", *lines, ""])


TableMaker = Callable[[bool], Table]
"""Measures one table; True asks for little data and few runs."""


def put_section(page: str, name: str, text: str, order: Sequence[str]) -> str:
    """Return the page with one section replaced, or added where the order of names wants it.

    Sections whose names are not in the order are dropped: their tables are gone.

    Example:
        >>> page = put_section("", "b", "2", ["a", "b"])
        >>> page = put_section(page, "a", "1", ["a", "b"])
        >>> print(put_section(page, "b", "3", ["a", "b"]).split("ratios")[1].split("timed.")[1].strip())
        <!-- begin a -->
        1
        <!-- end a -->
        <BLANKLINE>
        <!-- begin b -->
        3
        <!-- end b -->
    """
    found = dict(re.findall(r"<!-- begin (\S+) -->\n(.*?)\n<!-- end \1 -->", page, re.DOTALL))
    found[name] = text.strip()
    sections = [f"<!-- begin {each} -->\n{found[each]}\n<!-- end {each} -->\n" for each in order if each in found]
    return "\n".join([INTRODUCTION, *sections])


def write_section(page: Path, name: str, table: Table, order: Sequence[str]) -> None:
    """Put a table, with the machine and the day that it was measured on, into the page."""
    text = f"{table.to_markdown()}\n{describe_machine()}"
    before = page.read_text() if page.exists() else ""
    page.write_text(put_section(before, name, text, order))


def describe_machine() -> str:
    """Return one line: what it has, and when it was asked."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return (
        f"{os.cpu_count()} cores, {memory_gb:.0f} GB of memory, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}."
    )


def count_runs(repeats: int) -> str:
    """Return how a caption says it.

    Example:
        >>> count_runs(3)
        'medians of 3 runs'
    """
    return "one run" if repeats == 1 else f"medians of {repeats} runs"
