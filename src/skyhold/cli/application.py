"""The commands and where they live; errors become words and exit codes here, and nowhere else."""

import errno
import sys
from importlib import import_module
from typing import Any

from cyclopts import App, CycloptsError

from skyhold._version import __version__
from skyhold.cli.output import show_error
from skyhold.errors import SkyholdError
from skyhold.runs.recording import typed_command

__all__ = ["make_app", "run"]

_INTERRUPTED = 130
_USAGE = 2
_REMEDIES = {
    errno.EACCES: "Correct the rights, or name another place",
    errno.EPERM: "Correct the rights, or name another place",
    errno.ENOSPC: "Make room on the disk, and run it again",
    errno.EROFS: "Name a place that can be written",
}

_COMMANDS = {
    "ls": ("skyhold.cli.listing:ls", "List what lies in a folder, bucket or prefix."),
    "du": ("skyhold.cli.listing:du", "Add up sizes."),
    "find": ("skyhold.cli.listing:find", "Find objects by name and size."),
    "cat": ("skyhold.cli.reading:cat", "Write objects to standard output."),
    "stat": ("skyhold.cli.reading:stat", "Show what is known of an object."),
    "presign": ("skyhold.cli.reading:presign", "Print a link that is good for a while."),
    "cp": ("skyhold.cli.copying:cp", "Copy over any pair of URIs."),
    "mv": ("skyhold.cli.copying:mv", "Move over any pair of URIs."),
    "rm": ("skyhold.cli.removing:rm", "Delete, with a guard."),
    "mb": ("skyhold.cli.buckets:mb", "Make a bucket, a container or a folder."),
    "check": ("skyhold.cli.buckets:check", "Try line by line what works in a store."),
    "convert": ("skyhold.cli.converting:convert", "Convert rows from anything to anything, through a model."),
    "explain": ("skyhold.cli.looking:explain", "Tell how each field of a model is validated, and why."),
    "head": ("skyhold.cli.looking:head", "Show the first rows of anything."),
    "schema": ("skyhold.cli.looking:schema", "Write the model that a file satisfies."),
    "work": ("skyhold.cli.simulating:work", "Work on a campaign until nothing is left to do."),
    "ui": ("skyhold.cli.dashboard:ui", "Open the dashboard in the browser."),
    "verify": ("skyhold.cli.runs:verify", "Check a receipt against the store."),
    "demo": ("skyhold.cli.demo:demo", "The whole story: components, a study, validated results."),
}

_SIMULATION = {
    "run": ("skyhold.cli.running:run_model", "Run one model, and keep its result."),
    "plan": ("skyhold.cli.simulating:plan", "List the cases of a study; with a URI, create the campaign there."),
    "work": ("skyhold.cli.simulating:work", "Work on a campaign until nothing is left to do."),
    "status": ("skyhold.cli.campaign_status:show_status", "Show how far a campaign is."),
    "table": ("skyhold.cli.campaign_table:show_table", "Print parameters and results, a row for each case."),
    "collect": ("skyhold.cli.simulating:collect", "Gather what is finished into the campaign's table."),
    "retry": ("skyhold.cli.simulating:retry", "Let failed cases be tried again, and lift a cancellation."),
    "cancel": ("skyhold.cli.simulating:cancel", "Let all workers of a campaign stop soon."),
}

_COMPONENTS = {
    "add": ("skyhold.cli.components:add", "Publish files or folders as components."),
    "ls": ("skyhold.cli.components:list_all", "List the components of a library."),
    "log": ("skyhold.cli.components:log", "Show the versions of a component: when, who, why."),
    "get": ("skyhold.cli.components:get", "Bring a component to disk, verified."),
    "diff": ("skyhold.cli.components:diff", "Show what changed between two versions."),
    "preview": ("skyhold.cli.previewing:show_preview", "Show what a component looks like, and its measures."),
    "tag": ("skyhold.cli.components:tag", "Give a version a name."),
    "restore": ("skyhold.cli.components:restore", "Publish an old version again, or bring back what was deleted."),
    "rm": ("skyhold.cli.components:delete", "Delete components; their versions stay."),
    "lock": ("skyhold.cli.library_care:lock", "Lock a component, give the lock back, or list the locks."),
    "graph": ("skyhold.cli.library_care:show_graph", "Show who needs what."),
    "adopt": ("skyhold.cli.library_care:adopt", "Make versions of what other programs wrote."),
    "gc": ("skyhold.cli.library_care:collect", "Free what no version needs."),
    "prune": ("skyhold.cli.library_care:prune", "Let old versions go, by a rule."),
    "verify": ("skyhold.cli.library_care:verify", "Read everything again and compare its SHA-256."),
    "replicate": ("skyhold.cli.library_care:copy_all", "Copy a library with its history to another store."),
    "repair": ("skyhold.cli.library_care:repair", "Make good what can be made good."),
    "lifecycle": ("skyhold.cli.lifecycle:lifecycle", "Show or set what becomes of old contents by itself."),
}

_SYNC = {
    "status": ("skyhold.cli.syncing:show_status", "Show what differs, and which conflicts wait."),
    "resolve": ("skyhold.cli.syncing:resolve", "Choose what becomes of a conflict."),
}


def make_app(command: str = "") -> App:
    """Return the application with all its commands; ``command`` is the one that is to be run."""
    app = App(
        name="skyhold",
        version=__version__,
        help="Keep engineering work in object storage and run it there.",
        suppress_keyboard_interrupt=False,  # `run` says that it was interrupted
    )
    for name, (target, words) in _COMMANDS.items():  # loaded when called, so their words stand here
        app.command(target, name=name, help=words)
    storage = App(name="storage", help="Upkeep of buckets.")
    storage.command("skyhold.cli.buckets:sweep", name="sweep", help="Take away what a kill left behind.")
    app.command(storage)
    runs = App(name="runs", help="What ran on this machine, and how it ended.")
    runs.command("skyhold.cli.runs:list_runs", name="ls", help="List the newest runs.")
    runs.command("skyhold.cli.runs:show_run", name="show", help="Show one run.")
    app.command(runs)
    simulation = App(name="sim", help="Many runs of a simulator, whose state and results lie in a store.")
    for name, (target, words) in _SIMULATION.items():
        simulation.command(target, name=name, help=words)
    app.command(simulation)
    components = App(name="comp", help="Versioned components in a library.")
    for name, (target, words) in _COMPONENTS.items():
        components.command(target, name=name, help=words)
    app.command(components)
    sync = App(name="sync", help="Keep a folder and a library equal; nothing is ever lost.")
    if command == "sync":  # a group that is a command itself cannot be loaded by its name
        sync.default(import_module("skyhold.cli.syncing").sync)
    for name, (target, words) in _SYNC.items():
        sync.command(target, name=name, help=words)
    app.command(sync)
    return app


def run(arguments: list[str]) -> int:
    """Run a command; return the process's exit code."""
    as_json = "--json" in arguments
    try:
        with typed_command(["skyhold", *arguments]):
            result: Any = make_app(arguments[0] if arguments else "")(
                arguments, exit_on_error=False, print_error=False, result_action="return_value"
            )
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
    except OSError as error:
        if error.errno is None:
            raise
        remedy = _REMEDIES.get(error.errno, "Look at the path that is named")
        show_error(str(error), remedy, code="os", as_json=as_json)
        return SkyholdError.exit_code
    return result if isinstance(result, int) else 0
