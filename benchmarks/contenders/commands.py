"""A program from start to end."""

import subprocess

from measuring.stopwatch import Stopwatch


def run_command(watch: Stopwatch, *, command: list[str]) -> None:
    with watch:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
