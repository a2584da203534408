"""``sync``: a folder and a library kept equal."""

import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from cyclopts import Parameter

from skyhold.cli.components import Flag
from skyhold.cli.options import Common
from skyhold.cli.output import Printer, show_error
from skyhold.components.layout import LIBRARY
from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.sync_watching import keep_synchronized
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.errors import BadOptionError, BadUriError, ConflictError, SkyholdError, TransferError
from skyhold.execution.signals import exit_on_terminate
from skyhold.runs.bar import ProgressBar
from skyhold.runs.wording import visible
from skyhold.storage.location import parse_location
from skyhold.storage.sync import ConflictChoice, Direction, SyncAction

__all__ = ["resolve", "show_status", "sync"]

_DEFAULT = Common()
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PARTLY = 1
_ANSWERS: dict[str, ConflictChoice] = {"l": "local", "r": "remote", "n": "newest", "b": "keep-both"}

Conflict = Literal["keep-both", "local", "remote", "newest", "ask"]


@Parameter(name="*")
@dataclass(frozen=True)
class Rules:
    """What may be done.

    Attributes:
        both: In both directions; from SOURCE to TARGET alone otherwise.
        delete: Follow deletions of what was agreed on.
        overwrite: Replace a side that is as it was agreed by the other one's edit.
        conflict: What becomes of a file that both sides changed.
        include: Only files whose name or path matches; may be given more than once.
        prefix: In which folder of the library the files are.
        max_deletes: More deletions than this need --yes.
        max_delete_share: So does this share of all files.
        trash_days: Delete what conflicts have replaced in the folder after so many days; it stays otherwise.
    """

    both: Flag = False
    delete: Flag = False
    overwrite: bool = True
    conflict: Conflict = "keep-both"
    include: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    prefix: str = ""
    max_deletes: int | None = None
    max_delete_share: float | None = None
    trash_days: float | None = None


_RULES = Rules()


def sync(
    source: str,
    target: str,
    /,
    *,
    rules: Rules = _RULES,
    watch: Flag = False,
    every: str = "",
    common: Common = _DEFAULT,
) -> int:
    """Make a folder and a library equal: one is SOURCE, the other TARGET. Nothing is ever lost.

    A file that both sides changed is a conflict: both contents are kept. Run it again after any interruption. It ends
    with 1 if some files could not be synchronized, and with 5 if conflicts wait for a choice.

    Args:
        source: The folder, or the library's URI.
        target: The other one.
        rules: What may be done.
        watch: Go on, whenever the folder changes.
        every: Go on, this often: 30s, 10m, 2h, 1d.
        common: Options of every command.
    """
    synchronizer = _synchronizer(source, target, rules, common)
    printer = Printer(as_json=common.json)
    if common.dry_run:
        _tell(printer, synchronizer.dry_run())
        return 0
    if watch or every:
        return _go_on(synchronizer, printer, watch=watch, every=every)
    listener = ProgressBar() if common.progress and not common.json else None
    try:
        with exit_on_terminate():
            result = synchronizer.synchronize(on_progress=listener)
    except TransferError:
        if synchronizer.result is not None:
            _tell(printer, synchronizer.result)
        raise
    _tell(printer, result)
    return _exit_code(result)


def show_status(source: str, target: str, /, *, rules: Rules = _RULES, common: Common = _DEFAULT) -> int:
    """Show what differs between a folder and a library, and which conflicts wait.

    Args:
        source: The folder, or the library's URI.
        target: The other one.
        rules: What would be allowed.
        common: Options of every command.
    """
    _tell(Printer(as_json=common.json), _synchronizer(source, target, rules, common).dry_run())
    return 0


def resolve(
    source: str,
    target: str,
    /,
    *paths: str,
    choose: Conflict,
    rules: Rules = _RULES,
    common: Common = _DEFAULT,
) -> int:
    """Choose what becomes of conflicts at the next sync; "ask" takes the choice back.

    Args:
        source: The folder, or the library's URI.
        target: The other one.
        paths: The files.
        choose: What becomes of them.
        rules: What is allowed.
        common: Options of every command.
    """
    if not paths:
        raise BadUriError("resolve needs a file", remedy="Write: skyhold sync resolve SOURCE TARGET PATH… --choose …")
    _synchronizer(source, target, rules, common).resolve_all(dict.fromkeys(paths, choose))
    printer = Printer(as_json=common.json)
    for path in paths:
        printer.item(f"{path}: {choose} at the next sync", path=path, choice=choose)
    return 0


def _synchronizer(source: str, target: str, rules: Rules, common: Common) -> StorageSynchronizer:
    folder, uri, direction = _sides(source, target)
    library = Library(uri, **common.options_for(uri))
    limits = {"max_deletes": rules.max_deletes, "max_delete_share": rules.max_delete_share}
    config = SyncConfig(
        folder,
        direction="both" if rules.both else direction,
        delete_files=rules.delete,
        overwrite=rules.overwrite,
        file_patterns=list(rules.include) or None,
        conflict=rules.conflict,
        prefix=rules.prefix,
        confirmed=common.yes,
        trash_days=rules.trash_days,
        **{name: cast("int", value) for name, value in limits.items() if value is not None},
    )
    return StorageSynchronizer(library, config, ask=_ask if sys.stdin.isatty() else None)


def _sides(source: str, target: str) -> tuple[Path, str, Direction]:
    """Return which is the folder, which the library, and the direction. Of two folders, the one that is a library."""
    local = [parse_location(uri).scheme == "file" for uri in (source, target)]
    if local == [False, False]:
        raise BadUriError(
            "neither side is a folder of this machine", remedy="Sync each with a folder; or copy: skyhold cp -r"
        )
    source_is_library = not local[0] or (local[1] and (Path(source) / LIBRARY).exists())
    if source_is_library and local[1]:
        return Path(parse_location(target).container), source, "download"
    return Path(parse_location(source).container), target, "upload"


def _go_on(synchronizer: StorageSynchronizer, printer: Printer, *, watch: bool, every: str) -> int:
    stop = threading.Event()
    told: set[str] = set()

    def on_result(result: SyncResult) -> None:
        nonlocal told
        left_out = {*result.problems, *result.waiting}
        if result.done or left_out != told or printer.as_json:
            _tell(printer, result)
        told = left_out

    def on_error(error: SkyholdError) -> None:
        show_error(str(error), error.remedy, code=error.code, as_json=printer.as_json)

    try:
        with exit_on_terminate():
            keep_synchronized(
                synchronizer,
                watch=watch,
                every_s=_seconds(every) if every else None,
                on_result=on_result,
                on_error=on_error,
                stop=stop,
            )
    finally:
        stop.set()
    return 0


def _seconds(text: str) -> float:
    """Return how long a text means.

    Example:
        >>> _seconds("10m"), _seconds("1.5h")
        (600.0, 5400.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or not float(found.group(1)):
        raise BadOptionError(f"--every {text!r} is not a time", remedy="Write 30s, 10m, 2h or 1d")
    return float(found.group(1)) * _UNITS_S[found.group(2)]


def _exit_code(result: SyncResult) -> int:
    """Return how a synchronization ends that raised nothing: files that were only reported are not done."""
    if result.success:
        return 0
    return _PARTLY if result.problems or result.stopped else ConflictError.exit_code


def _tell(printer: Printer, result: SyncResult) -> None:
    if printer.as_json:
        printer.summary("", **result.as_dict())
    else:
        print(result.get_summary_string(), flush=True)


def _ask(action: SyncAction) -> ConflictChoice:
    """Ask the person at the terminal about one conflict."""
    question = f"{visible(action.path, 80)}: both sides changed. [l]ocal, [r]emote, [n]ewest, keep [b]oth, or later? "
    return _ANSWERS.get(input(question).strip().lower()[:1], "ask")
