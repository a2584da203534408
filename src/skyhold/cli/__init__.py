"""The command line: one file a group of commands, loaded when it is called."""

import sys

from skyhold._version import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # answered without loading anything
        print(__version__)
        return
    from skyhold.cli.application import run  # noqa: PLC0415

    sys.exit(run(sys.argv[1:]))
