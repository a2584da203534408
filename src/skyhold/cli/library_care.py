"""``comp``: care of a whole library: locks, garbage, verification, repair, copies, who needs what."""

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.components import Flag, open_library
from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.components.adopting import adopt_objects
from skyhold.components.dependencies import dependency_graph
from skyhold.components.findings import Finding
from skyhold.components.garbage import GRACE, collect_garbage
from skyhold.components.locks import Lock
from skyhold.components.pruning import prune_library
from skyhold.components.recovery import recover_library
from skyhold.components.replication import replicate_library
from skyhold.components.verification import verify_library
from skyhold.errors import BadOptionError
from skyhold.runs.bar import ProgressBar
from skyhold.runs.event import Listener
from skyhold.runs.wording import human_size

__all__ = ["adopt", "collect", "copy_all", "lock", "prune", "repair", "show_graph", "verify"]

_DEFAULT = Common()
_DAMAGED = 1
_HOUR_S = 3600.0


def lock(
    library: str,
    component: str = "",
    /,
    *,
    release: Flag = False,
    hours: float = 8.0,
    reason: Annotated[str, Parameter(name=["--reason", "-m"])] = "",
    force: Flag = False,
    common: Common = _DEFAULT,
) -> int:
    """Lock a component, so that nobody else publishes it meanwhile; without one, list the locks.

    Args:
        library: URI of the library.
        component: Which.
        release: Give the lock back.
        hours: How long it holds.
        reason: Why, for the others to read.
        force: Take or release somebody else's lock; needs a reason.
        common: Options of every command.
    """
    locks = open_library(library, common).locks
    printer = Printer(as_json=common.json)
    if not component:
        held = list(locks.list())
        for each in held:
            _show(printer, each)
        printer.summary(f"{len(held):,} locks", locks=len(held))
    elif release:
        locks.release(component, force=force, reason=reason)
        printer.item(f"{component} is free", component=component, owner=None)
    else:
        _show(printer, locks.take(component, lease_s=hours * _HOUR_S, reason=reason, force=force).lock)
    return 0


def adopt(library: str, prefix: str = "", /, *, common: Common = _DEFAULT) -> int:
    """Make versions of what other programs wrote into a library, or what lay there before it was one.

    Args:
        library: URI of the library.
        prefix: Only objects whose key starts with this text.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    done = adopt_objects(open_library(library, common), prefix, dry_run=common.dry_run, listeners=_bar(common))
    for key, version in done.adopted.items():
        words = f"would adopt {key}" if done.dry_run else f"{key}  version {version}"
        printer.item(words, key=key, version=version or None)
    for key, reason in sorted(done.failed.items()):
        printer.item(f"failed: {key}: {reason}", key=key, reason=reason)
    printer.summary(
        f"{len(done.adopted):,} adopted, {done.known:,} known already, {len(done.failed):,} failed",
        adopted=len(done.adopted),
        known=done.known,
        failed=len(done.failed),
        dry_run=done.dry_run,
    )
    return _DAMAGED if done.failed else 0


def collect(library: str, /, *, grace_days: float = GRACE.total_seconds() / 86400, common: Common = _DEFAULT) -> int:
    """Free what no version needs: it goes to the trash first, and from there for good after the same time again.

    Args:
        library: URI of the library.
        grace_days: Younger content is left alone: somebody may be publishing it.
        common: Options of every command.
    """
    if grace_days < 0:
        raise BadOptionError(f"--grace-days {grace_days} is negative")
    printer = Printer(as_json=common.json)
    report = collect_garbage(
        open_library(library, common),
        grace=timedelta(days=grace_days),
        dry_run=common.dry_run,
        confirmed=common.yes,
        listeners=_bar(common),
    )
    for verb, keys in (("trash", report.trashed), ("restore", report.restored), ("delete", report.deleted)):
        for key in keys:
            printer.item(f"{'would ' if report.dry_run else ''}{verb} {key}", action=verb, key=key)
    printer.summary(
        f"{report.kept:,} contents kept, {len(report.young):,} too young, {len(report.trashed):,} to the trash "
        f"({human_size(report.trashed_bytes)}), {len(report.deleted):,} deleted ({human_size(report.freed_bytes)})",
        kept=report.kept,
        young=len(report.young),
        trashed=len(report.trashed),
        deleted=len(report.deleted),
        freed_bytes=report.freed_bytes,
        dry_run=report.dry_run,
    )
    return 0


def prune(
    library: str,
    /,
    *components: str,
    keep_last: int | None = None,
    older_than_days: float | None = None,
    common: Common = _DEFAULT,
) -> int:
    """Let old versions go, so that `gc` can free their content. Only shows what would go, unless --yes is given.

    What counts, has a name, or is needed by its number stays always.

    Args:
        library: URI of the library.
        components: Only versions of these; of all otherwise.
        keep_last: How many of the newest versions of each component stay.
        older_than_days: Only versions that are older; with --keep-last, both must be true.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    report = prune_library(
        open_library(library, common),
        keep_last=keep_last,
        older_than=None if older_than_days is None else timedelta(days=older_than_days),
        components=components or None,
        dry_run=common.dry_run or not common.yes,
        listeners=_bar(common),
    )
    verb = "would prune" if report.dry_run else "pruned"
    for component, numbers in report.pruned.items():
        words = ", ".join(str(number) for number in numbers)
        printer.item(f"{verb} {component}: {words}", action=verb, component=component, versions=numbers)
    more = f"; {len(report.brought_back):,} components got a name meanwhile" if report.brought_back else ""
    remedy = "; add --yes to do it" if report.dry_run and report.count else ""
    printer.summary(
        f"{report.count:,} versions {'would go' if report.dry_run else 'went'}, {report.kept:,} stay{more}{remedy}",
        pruned=report.count,
        kept=report.kept,
        brought_back=dict(report.brought_back),
        dry_run=report.dry_run,
    )
    return 0


def verify(library: str, /, *, quick: Flag = False, common: Common = _DEFAULT) -> int:
    """Read everything again and compare its SHA-256: contents, versions, plain files.

    Args:
        library: URI of the library.
        quick: Look at names, sizes and e-tags only.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    report = verify_library(open_library(library, common), quick=quick, listeners=_bar(common))
    for finding in report.findings:
        _tell(printer, finding, finding.level)
    printer.summary(
        f"{report.components:,} components, {report.versions:,} versions; {report.contents_verified:,} of "
        f"{report.contents:,} contents and {report.plain_verified:,} of {report.plain_files:,} plain files verified "
        f"({human_size(report.bytes_read)} read); {len(report.failed):,} faults",
        **{name: value for name, value in report.as_dict().items() if name != "findings"},
    )
    return 0 if report.ok else _DAMAGED


def repair(library: str, /, *, copy: str | None = None, quick: Flag = False, common: Common = _DEFAULT) -> int:
    """Make good what can be: the catalogue from the versions, plain files from the history, what is lost from a copy.

    Args:
        library: URI of the library.
        copy: URI of a copy that `replicate` has made; may be older.
        quick: Find what is missing, and not what is damaged.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    done = recover_library(
        open_library(library, common),
        copy=open_library(copy, common) if copy else None,
        quick=quick,
        dry_run=common.dry_run,
        listeners=_bar(common),
    )
    for finding in done.mended:
        _tell(printer, finding, "would mend" if done.dry_run else "mended")
    for finding, reason in done.left:
        _tell(printer, finding, f"left ({reason})")
    printer.summary(
        f"{len(done.mended):,} mended, {len(done.left):,} left", mended=len(done.mended), left=len(done.left)
    )
    return _DAMAGED if done.left else 0


def copy_all(library: str, target: str, /, *, common: Common = _DEFAULT) -> int:
    """Copy a library with its history to another store, or bring such a copy up to date. Nothing is overwritten.

    Args:
        library: URI of the library that is read.
        target: URI of the library that is written.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    done = replicate_library(
        open_library(library, common), open_library(target, common), dry_run=common.dry_run, listeners=_bar(common)
    )
    verb = "would copy" if done.dry_run else "copied"
    for component, numbers in done.versions.items():
        words = ", ".join(str(number) for number in numbers)
        printer.item(f"{verb} {component}: {words}", action=verb, component=component, versions=numbers)
    for each in done.diverged:
        printer.item(
            f"left alone: {each.component} from version {each.version} on: {each.detail}",
            action="left",
            component=each.component,
            version=each.version,
            detail=each.detail,
        )
    for component, reason in done.failed.items():
        printer.item(f"failed: {component}: {reason}", action="failed", component=component, reason=reason)
    printer.summary(
        f"{len(done.versions):,} components, {done.contents:,} contents ({human_size(done.bytes_copied)}); "
        f"{len(done.diverged):,} contradict each other, {len(done.failed):,} failed",
        components=len(done.versions),
        contents=done.contents,
        bytes_copied=done.bytes_copied,
        ahead=done.ahead,
        diverged=[each.component for each in done.diverged],
        failed=done.failed,
    )
    return 0 if done.ok else _DAMAGED


def show_graph(
    library: str, component: str | None = None, /, *, mermaid: Flag = False, common: Common = _DEFAULT
) -> int:
    """Show who needs what, in the whole library or from one component on.

    Args:
        library: URI of the library.
        component: Where to begin.
        mermaid: Write a diagram for Markdown.
        common: Options of every command.
    """
    graph = dependency_graph(open_library(library, common).store, component)
    needs = {name: [each.component for each in those] for name, those in graph.needs.items()}
    Printer(as_json=common.json).item(
        graph.as_mermaid() if mermaid else graph.as_text(), versions=dict(graph.versions), needs=needs
    )
    return 0


def _show(printer: Printer, found: Lock) -> None:
    note = found.note
    words = f"{note.component} is locked by {note.owner} until {found.expires:%Y-%m-%d %H:%M} UTC"
    printer.item(
        f"{words}: {note.reason}" if note.reason else words,
        component=note.component,
        owner=note.owner,
        expires=found.expires,
        reason=note.reason,
    )


def _tell(printer: Printer, finding: Finding, word: str) -> None:
    remedy = f" — {finding.remedy}" if finding.remedy and not word.endswith(("mend", "mended")) else ""
    printer.item(
        f"{word}: {finding.component or finding.key}: {finding.what}: {finding.detail}{remedy}",
        outcome=word,
        component=finding.component,
        what=finding.what,
        level=finding.level,
        key=finding.key,
        detail=finding.detail,
        versions=finding.versions,
        remedy=finding.remedy,
    )


def _bar(common: Common) -> tuple[Listener, ...]:
    return (ProgressBar(),) if common.progress and not common.json else ()
