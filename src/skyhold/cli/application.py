"""The commands and where they live; errors become words and exit codes here, and nowhere else."""

import sys
from typing import Any

from cyclopts import App, CycloptsError

from skyhold._version import __version__
from skyhold.cli.output import show_error
from skyhold.errors import SkyholdError

__all__ = ["make_app", "run"]

_INTERRUPTED = 130
_USAGE = 2

_COMMANDS = {
    "ls": "skyhold.cli.listing:ls",
    "du": "skyhold.cli.listing:du",
    "find": "skyhold.cli.listing:find",
    "cat": "skyhold.cli.reading:cat",
    "stat": "skyhold.cli.reading:stat",
    "presign": "skyhold.cli.reading:presign",
    "cp": "skyhold.cli.copying:cp",
    "mv": "skyhold.cli.copying:mv",
    "rm": "skyhold.cli.removing:rm",
    "mb": "skyhold.cli.buckets:mb",
    "check": "skyhold.cli.buckets:check",
    "verify": "skyhold.cli.runs:verify",
    "demo": "skyhold.cli.demo:demo",
}


def make_app() -> App:
    """Return the application with all its commands."""
    app = App(name="skyhold", version=__version__, help="Keep engineering work in object storage and run it there.")
    for name, target in _COMMANDS.items():
        app.command(target, name=name)
    storage = App(name="storage", help="Upkeep of buckets.")
    storage.command("skyhold.cli.buckets:sweep", name="sweep")
    app.command(storage)
    runs = App(name="runs", help="What ran on this machine, and how it ended.")
    runs.command("skyhold.cli.runs:list_runs", name="ls")
    runs.command("skyhold.cli.runs:show_run", name="show")
    app.command(runs)
    return app


def run(arguments: list[str]) -> int:
    """Run a command; return the process's exit code."""
    as_json = "--json" in arguments
    try:
        result: Any = make_app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        show_error(str(error), "Run: skyhold --help", code="usage", as_json=as_json)
        return _USAGE
    except SkyholdError as error:
        show_error(str(error), error.remedy, code=error.code, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; that is no failure of ours
        return 0
    return result if isinstance(result, int) else 0
