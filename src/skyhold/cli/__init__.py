"""The command line: one file a group of commands, loaded when it is called."""

import io
import sys

from skyhold._version import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # answered without loading anything
        print(__version__)
        return
    from skyhold.cli.application import run  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":  # a file's name may be no valid text
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
