"""How long a command takes that does nothing."""

import sys
from pathlib import Path

from measuring.race import Contender, race
from measuring.report import Table, count_runs

_HELLO = "import argparse; parser = argparse.ArgumentParser(); parser.add_argument('--x'); parser.parse_args()"


def make_table(quick: bool) -> Table:
    """The command line beside bare Python."""
    repeats = 3 if quick else 21
    skyhold = str(Path(sys.executable).parent / "skyhold")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "argparse hello world": [sys.executable, "-c", _HELLO],
        "skyhold --version": [skyhold, "--version"],
        "skyhold ls .": [skyhold, "ls", "."],
    }
    standings = race(
        [
            Contender(name, "contenders.commands:run_command", {"command": command}, is_command=True)
            for name, command in commands.items()
        ],
        repeats,
    )
    bare, hello = standings[0].seconds, standings[1].seconds
    cells = [
        [
            f"`{each.name}`",
            f"{each.seconds * 1000:.0f}",
            f"{(each.seconds - bare) * 1000:.0f}",
            f"{each.seconds / hello:.1f}",
        ]
        for each in standings
    ]
    caption = f"The aim is that `skyhold --version` takes at most 150 ms more than bare Python; {count_runs(repeats)}."
    header = ("", "ms", "more than bare Python", "times argparse")
    return Table("Start-up", caption, header, cells)
