"""Writing a result so that it is there whole or not at all, and never mixed with another one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from skyhold.errors import AlreadyExistsError, ConflictError, ResultError
from skyhold.runs.receipt import this_host
from skyhold.simulation.result_folder import ResultFolder
from skyhold.simulation.result_record import BEGUN, OWN_FOLDER, RECORD, Begun, ResultRecord
from skyhold.simulation.result_state import read_begun, read_record
from skyhold.storage.transfer import Moved

__all__ = ["Claim", "claim_folder", "release_folder", "write_result"]

T = TypeVar("T")

_ENGINE_FILES = ("eplus*", "sqlite.err")
"""What runs of EnergyPlus leave, whoever made them: all that ``overwrite`` takes away besides results of our own."""

_INPUTS = (".idf", ".imf", ".epjson", ".epw", ".ddy")
"""What runs are made of is the user's own, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A folder into which one run may write its result.

    Attributes:
        folder: Where.
        begun: What was written there to say so; None in a folder that holds the result already.
        found: A result of the same inputs that is there already, complete and sound.
        old_files: What is taken away before anything is written.
    """

    folder: ResultFolder
    begun: Begun | None
    found: ResultRecord | None = None
    old_files: frozenset[str] = frozenset()


def claim_folder(folder: ResultFolder, key: str, run_id: str, *, overwrite: bool = False) -> Claim:
    """Say in a folder that a run of these inputs begins, so that a store which cannot be written is found at once.

    A result of the same inputs that is there is found; one that failed, or was never finished, is replaced. Until the
    new files come, an old result stays as it is.

    Raises:
        AlreadyExistsError: The folder holds something else, and ``overwrite`` was not asked for.
    """
    record = _read(read_record, folder, overwrite=overwrite)
    if record is not None and record.key == key and record.verdict.is_success and not overwrite:
        return Claim(folder, None, found=record)
    if record is not None and record.key != key and not overwrite:
        raise _taken(
            folder, f"the result of other inputs ({record.label or record.run_id}, {record.finished:%Y-%m-%d})"
        )
    old = {file.name for file in record.files} if record is not None else _leftovers(folder, key, overwrite=overwrite)
    begun = Begun(run_id, key, datetime.now(UTC), this_host())
    folder.write(BEGUN, begun.to_json())
    return Claim(folder, begun, old_files=frozenset(old))


def release_folder(claim: Claim) -> None:
    """Take back that a run has begun, where it ended before it wrote anything and no other has taken the folder."""
    begun = read_begun(claim.folder)
    if begun is not None and claim.begun is not None and begun.run_id == claim.begun.run_id:
        claim.folder.delete([BEGUN])


def write_result(
    claim: Claim,
    source: Path,
    record: ResultRecord,
    extra: Callable[[], None] | None = None,
    on_moved: Moved | None = None,
) -> None:
    """Write the files of a result, many at a time, and its commit record last of all.

    Args:
        claim: Where to.
        source: A folder that holds the files.
        record: What the result is.
        extra: Called when all files are there, before the record is written.
        on_moved: Told of bytes and files.

    Raises:
        ConflictError: Another run has begun in the same folder meanwhile.
        TransferError: Some files could not be written.
    """
    folder, begun = claim.folder, claim.begun
    assert begun is not None
    names = tuple(file.name for file in record.files)
    _check_still_ours(folder, begun)
    folder.write(BEGUN, replace(begun, files=names).to_json())
    folder.delete([RECORD])  # before its files, so that a record always has them
    folder.delete(sorted(claim.old_files))
    folder.upload(source, names, on_moved)
    if extra is not None:
        extra()
    _check_still_ours(folder, begun)
    folder.write(RECORD, record.to_json())


def _leftovers(folder: ResultFolder, key: str, *, overwrite: bool) -> set[str]:
    """Return the files that a run without a commit record has left."""
    there = folder.list()
    files = {name for name in there if not name.startswith(OWN_FOLDER)}
    begun = _read(read_begun, folder, overwrite=overwrite) if BEGUN in there else None
    if not overwrite and begun is None and files:
        raise _taken(folder, f"{len(files)} files that are no result of simulate()")
    if not overwrite and begun is not None and begun.key != key:
        raise _taken(folder, f"a run of other inputs, begun on {begun.host!r} at {begun.started:%Y-%m-%d %H:%M:%S} UTC")
    written = set(begun.files or ()) if begun is not None else set[str]()
    left = {name for name in files if _is_of_an_engine(name)}
    return files & (written | left)


def _is_of_an_engine(name: str) -> bool:
    return not name.lower().endswith(_INPUTS) and any(fnmatchcase(name, pattern) for pattern in _ENGINE_FILES)


def _read(read: Callable[[ResultFolder], T | None], folder: ResultFolder, *, overwrite: bool) -> T | None:
    """Read a note of ours; a damaged one is as none to a run that will replace it anyhow."""
    try:
        return read(folder)
    except ResultError:
        if not overwrite:
            raise
        return None


def _check_still_ours(folder: ResultFolder, begun: Begun) -> None:
    now = read_begun(folder)
    if now is None or now.run_id != begun.run_id:
        who = f"the run {now.run_id!r} on {now.host!r}" if now else "somebody"
        raise ConflictError(
            f"{who} has taken the folder since the run {begun.run_id!r} began there",
            operation="write",
            uri=folder.uri,
            remedy="Give each run an output_dir of its own",
        )


def _taken(folder: ResultFolder, what: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"it holds {what}",
        operation="simulate",
        uri=folder.uri,
        remedy="Choose another folder, or replace what it holds: overwrite=True, or --overwrite",
    )
