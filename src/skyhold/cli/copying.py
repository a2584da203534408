"""``cp``, ``mv``: over any pair of URIs."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common, Place, locate
from skyhold.cli.output import Printer, show_error
from skyhold.errors import BadUriError, KeyNotFoundError, SkyholdError, TransferError
from skyhold.runs.bar import ProgressBar
from skyhold.runs.recording import RunRecorder
from skyhold.runs.wording import human_size
from skyhold.storage.contract import Store
from skyhold.storage.transfer import Transfer, Transferred, transfer_all

__all__ = ["cp", "mv"]

_DEFAULT = Common()


def cp(
    *uris: str,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative="")] = False,
    include: str = "*",
    verify: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _DEFAULT,
) -> int:
    """Copy objects, files and folders: SOURCE… TARGET.

    A target that ends in '/' or is a folder takes sources under their own names. With --recursive, what lies in
    SOURCE goes under TARGET.

    Args:
        uris: One source or more, and the target.
        recursive: Everything below each source.
        include: With --recursive, only keys that match this pattern.
        verify: Read every target again and compare its SHA-256.
        common: Options of every command.
    """
    _copy(uris, recursive=recursive, include=include, verify=verify, common=common, verb="cp")
    return 0


def mv(
    *uris: str,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative="")] = False,
    include: str = "*",
    common: Common = _DEFAULT,
) -> int:
    """Move objects, files and folders: SOURCE… TARGET; a source is deleted after its copy is complete.

    Args:
        uris: One source or more, and the target.
        recursive: Everything below each source.
        include: With --recursive, only keys that match this pattern.
        common: Options of every command.
    """
    moved = _copy(uris, recursive=recursive, include=include, verify=False, common=common, verb="mv")
    for each in moved:
        each.transfer.source.delete(each.transfer.source_key)
    return 0


def _copy(
    uris: tuple[str, ...], *, recursive: bool, include: str, verify: bool, common: Common, verb: str
) -> list[Transferred]:
    if len(uris) < 2:  # noqa: PLR2004 - a source and a target
        raise BadUriError(f"{verb} needs a source and a target", remedy=f"Write: skyhold {verb} SOURCE… TARGET")
    *sources, target = uris
    transfers = list(_plan(sources, target, recursive=recursive, include=include, common=common))
    printer = Printer(as_json=common.json)
    if common.dry_run:
        for each in transfers:
            _show(printer, each, "would " + verb)
        printer.summary(f"{len(transfers):,} objects; nothing was done", planned=len(transfers))
        return []
    recorder = RunRecorder(
        "transfer",
        f"{verb} {sources[0]} → {target}",
        asked={"sources": list(sources), "target": target, "recursive": recursive},
        unit="objects",
        listeners=(ProgressBar(),) if common.progress and not common.json else (),
    )
    recorder.start(len(transfers))
    moved_bytes = 0

    def on_moved(size_bytes: int, objects: int) -> None:
        nonlocal moved_bytes
        moved_bytes += size_bytes
        recorder.progress.advance(objects, bytes=size_bytes)

    try:
        moved = transfer_all(_metered(transfers, recorder), jobs=common.jobs, verify=verify, on_moved=on_moved)
    except BaseException as error:
        recorder.fail(error)
        if isinstance(error, TransferError):
            _tell_failures(error, alone=len(transfers) == 1, as_json=common.json)
        raise
    for each in moved:
        recorder.add_output(each.transfer.target.uri_of(each.transfer.target_key), each.info, sha256=each.sha256)
    recorder.finish(recorder.complete())
    for each in moved:
        _show(printer, each.transfer, verb)
    printer.summary(f"{len(moved):,} objects, {human_size(moved_bytes)}", objects=len(moved), size_bytes=moved_bytes)
    return moved


def _tell_failures(error: TransferError, *, alone: bool, as_json: bool) -> None:
    """Show every failure; where one object was asked for, its failure is the command's, with its exit code."""
    for uri, failure in error.failures.items():
        if alone and isinstance(failure, SkyholdError):
            raise failure from error
        show_error(f"{uri}: {failure}", "", code="transfer", as_json=as_json)


def _metered(transfers: list[Transfer], recorder: RunRecorder) -> Iterator[Transfer]:
    """Count requests and bytes; stores that are one and the same stay so, or they could not copy by themselves."""
    views: dict[int, Store] = {}
    for each in transfers:
        source = views.setdefault(id(each.source), recorder.metered(each.source))
        target = views.setdefault(id(each.target), recorder.metered(each.target))
        yield Transfer(source, each.source_key, target, each.target_key, each.info)


def _plan(sources: list[str], target: str, *, recursive: bool, include: str, common: Common) -> Iterator[Transfer]:
    to = locate(target, common)
    for source in sources:
        from_ = locate(source, common)
        if recursive:
            yield from _plan_below(from_, to, source, include)
        elif from_.is_folder:
            raise BadUriError(f"{source!r} is a folder", remedy="Add --recursive to copy what lies in it")
        else:
            name = from_.prefix.rpartition("/")[2]
            into = to.is_folder or len(sources) > 1
            yield Transfer(from_.store, from_.prefix, to.store, to.under() + name if into else to.prefix, None)


def _plan_below(from_: Place, to: Place, source: str, include: str) -> Iterator[Transfer]:
    found = False
    for info in from_.store.list(from_.under()):
        found = True
        inside = info.key[len(from_.under()) :]
        if fnmatchcase(inside, include) or fnmatchcase(inside.rpartition("/")[2], include):
            yield Transfer(from_.store, info.key, to.store, to.under() + inside, info)
    if not found:
        raise KeyNotFoundError("nothing is there", operation="copy", uri=source, remedy="Check the spelling")


def _show(printer: Printer, transfer: Transfer, verb: str) -> None:
    source = transfer.source.uri_of(transfer.source_key)
    target = transfer.target.uri_of(transfer.target_key)
    printer.item(f"{verb} {source} → {target}", action=verb, source=source, target=target)
