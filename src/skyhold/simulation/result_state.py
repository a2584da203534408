"""What is really there of a run, by its folder alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from skyhold.errors import MalformedInputError, ResultError
from skyhold.simulation.engine_messages import EngineMessages
from skyhold.simulation.messages import Ending, parse_ending, parse_messages
from skyhold.simulation.result_folder import ResultFolder
from skyhold.simulation.result_record import BEGUN, OWN_FOLDER, RECORD, Begun, ResultRecord

__all__ = ["Found", "JudgedBy", "ResultState", "look_into", "read_begun", "read_record"]

ResultState = Literal["complete", "failed", "partial", "unfinished", "absent"]
JudgedBy = Literal["record", "engine", "nothing"]

_NO_RECORD = "there is no commit record"


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds of a run; see `SimulationResult` for the names."""

    state: ResultState
    judged_by: JudgedBy
    detail: str
    files: tuple[str, ...] = ()
    messages: EngineMessages = field(default_factory=EngineMessages)
    record: ResultRecord | None = None

    @staticmethod
    def of(record: ResultRecord) -> "Found":
        """Return what a commit record says."""
        verdict = record.verdict
        detail = verdict.detail or (f"the run failed: {verdict.failure}" if verdict.failure else "the run is complete")
        names = tuple(file.name for file in record.files)
        return Found("failed" if verdict.failure else "complete", "record", detail, names, record.messages, record)


def look_into(folder: ResultFolder) -> Found:
    """Return what is there of a run: one request where it is complete, four at most.

    Raises:
        ResultError: A record is damaged.
    """
    record = read_record(folder)
    if record is not None:
        return Found.of(record)
    there = tuple(folder.list())
    names = tuple(name for name in there if not name.startswith(OWN_FOLDER))
    if BEGUN in there and (begun := read_begun(folder)) is not None:
        return _interrupted(folder, begun, names)
    if not names:
        return Found("absent", "nothing", f"nothing is there: no run was made in {folder.uri!r}")
    return _by_engine(folder, names)


def read_record(folder: ResultFolder) -> ResultRecord | None:
    """Return the commit record, None where there is none.

    Raises:
        ResultError: It is damaged.
    """
    text = folder.read(RECORD)
    try:
        return None if text is None else ResultRecord.from_json(text)
    except MalformedInputError as error:
        raise ResultError(
            f"the commit record {RECORD!r} of {folder.uri!r} cannot be read: {error}",
            remedy="Update skyhold if a newer one wrote it; otherwise run it again with overwrite=True",
        ) from error


def read_begun(folder: ResultFolder) -> Begun | None:
    """Return what says that a run was begun, None where nothing does; errors as `read_record`."""
    text = folder.read(BEGUN)
    try:
        return None if text is None else Begun.from_json(text)
    except MalformedInputError as error:
        raise ResultError(
            f"{BEGUN!r} of {folder.uri!r} cannot be read: {error}", remedy="Run it again with overwrite=True"
        ) from error


def _interrupted(folder: ResultFolder, begun: Begun, names: tuple[str, ...]) -> Found:
    at = f"the run begun on {begun.host!r} at {begun.started:%Y-%m-%d %H:%M:%S} UTC"
    if begun.files is None:
        return Found("unfinished", "record", f"{at} has not ended: it still runs, or was killed", names)
    came = len(set(begun.files) & set(names))
    detail = f"{at} ended, and {came} of its {len(begun.files)} files are here: it was stopped while writing them"
    return Found("partial", "record", f"{detail} to {folder.uri!r}", names)


def _by_engine(folder: ResultFolder, names: tuple[str, ...]) -> Found:
    """Judge a folder that EnergyPlus or another program has made."""
    stem = _stem(names)
    if stem is None:
        detail = f"{folder.uri!r} holds {len(names)} files, and none of them is an engine's .end or .err"
        return Found("absent", "nothing", detail, names)
    said = _text(folder, f"{stem}.err", names)
    ending = parse_ending(_text(folder, f"{stem}.end", names)) or parse_ending(said)
    messages = EngineMessages(parse_messages(said), _counts(said, ending))
    by = f"{_NO_RECORD}, so this is what {stem}.end and {stem}.err say, and files may be missing"
    if ending is None:
        return Found("unfinished", "engine", f"the engine has not ended, or was killed ({by})", names, messages)
    if not ending.is_complete or messages.has_fatal:
        return Found("failed", "engine", f"the engine ended with an error ({by})", names, messages)
    if f"{stem}.err" not in names or f"{stem}.end" not in names:
        return Found("partial", "engine", f"the engine ended, and one of the two is not here ({by})", names, messages)
    return Found("complete", "engine", f"the engine completed the run ({by})", names, messages)


def _stem(names: Iterable[str]) -> str | None:
    """Return what the engine's files are called: ``eplusout``, or ``eplus`` where idfkit has run it.

    ``eplusSqlite.err`` and ``sqlite.err``, which lie beside the real one, say nothing of the run.
    """
    stems = {name[:-4] for name in names if name.endswith((".end", ".err")) and not name.lower().endswith("sqlite.err")}
    return min(stems, key=lambda stem: (stem != "eplusout", stem != "eplus", stem)) if stems else None


def _text(folder: ResultFolder, name: str, names: tuple[str, ...]) -> str:
    data = folder.read(name) if name in names else None
    if data is None:
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _counts(said: str, ending: Ending | None) -> dict[str, int] | None:
    """Return the engine's own counts where it says them: repeated messages are counted, and not all are written."""
    if ending is None:
        return None
    fatal = sum(message.count for message in parse_messages(said) if message.severity == "fatal")
    return {"warning": ending.warnings, "severe": ending.severes, "fatal": fatal}
