"""The result of one run: what is really there, and what is in it."""

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from skyhold.errors import EngineError, EngineTimeoutError, IntegrityError, ResultError
from skyhold.runs.receipt import Receipt
from skyhold.simulation.committing import claim_folder, write_result
from skyhold.simulation.engine_messages import EngineMessages
from skyhold.simulation.filesystem import AnyPath, FileSystem, StoreFileSystem
from skyhold.simulation.named_filesystems import LocalFileSystem
from skyhold.simulation.result_folder import ResultFolder, open_result_folder
from skyhold.simulation.result_record import ResultRecord, record_files
from skyhold.simulation.result_state import Found, JudgedBy, ResultState, look_into
from skyhold.simulation.simulator import FailureClass, Quantity
from skyhold.storage.location import parse_location

if TYPE_CHECKING:
    from skyhold.simulation.reading import Outputs

__all__ = ["ResultState", "SimulationResult", "place_of"]


class SimulationResult:
    """What is there of one run. Files are read when they are asked for, each once.

    Needs no engine. A result in a store may be pickled as its file system may.

    Attributes:
        fs: Where it is.
        run_dir: Its folder there.
        uri: The same, for people.
        state: ``"complete"``; ``"failed"``: it ended, and its results may not be used; ``"partial"``: its files were
            being written, and not all came; ``"unfinished"``: it was begun, and still runs or was killed;
            ``"absent"``: nothing of a run is there.
        judged_by: ``"record"``: the commit record that is written last of all; ``"engine"``: there is none, so what
            the engine itself says of the run, which cannot tell whether a file is missing.
        detail: The state in a sentence.
        label: What people call the run.
        record: The commit record, where there is one.
        errors: What the engine said.
        files: Names of what is there, sorted.
        reused: Whether `simulate` found it there, and ran nothing.
        error: What kept the run from being made, in a batch; None otherwise.
        receipt: Of the run, from `simulate`; a copy lies beside the result.

    Example:
        >>> result = SimulationResult.from_directory("memory://results-example/run-1")
        >>> result.success, result.state, result.detail
        (False, 'absent', "nothing is there: no run was made in 'memory://results-example/run-1'")
    """

    def __init__(self, fs: FileSystem, run_dir: PurePath, folder: ResultFolder, found: Found) -> None:
        self.fs = fs
        self.run_dir = run_dir
        self.uri = folder.uri
        self.state: ResultState = found.state
        self.judged_by: JudgedBy = found.judged_by
        self.detail = found.detail
        self.record: ResultRecord | None = found.record
        self.errors: EngineMessages = found.messages
        self.files: tuple[str, ...] = found.files
        self.label = self.record.label if self.record else run_dir.name
        self.reused = False
        self.error: Exception | None = None
        self.receipt: Receipt | None = None
        self._folder = folder
        self._read: dict[str, bytes] = {}
        self._copies: Path | None = None
        self._sql: Any = None

    @classmethod
    def from_directory(cls, path: AnyPath, fs: FileSystem | None = None) -> Self:
        """Return what is there of a run: one that `simulate` made, or one of EnergyPlus itself or of idfkit.

        Args:
            path: The run's folder in ``fs``; without one a local path, or the URI of a folder of any store.
            fs: Where it is.

        Raises:
            ResultError: The commit record is damaged.
            StorageError: The store does not tell what is there.
        """
        fs, run_dir = place_of(path, fs)
        folder = open_result_folder(run_dir, fs)
        return cls(fs, run_dir, folder, look_into(folder))

    @property
    def success(self) -> bool:
        """Whether the run is complete and its results may be used."""
        return self.state == "complete"

    @property
    def failure(self) -> FailureClass | None:
        """Why a run that ended gave no result."""
        if self.record is None:
            return "engine" if self.state == "failed" else None
        return self.record.verdict.failure

    @property
    def seconds(self) -> float | None:
        """How long the engine ran, where that is known."""
        return self.record.verdict.seconds if self.record else None

    @property
    def exit_code(self) -> int | None:
        """Of the engine's process, where that is known."""
        return self.record.verdict.exit_code if self.record else None

    @property
    def build(self) -> str:
        """Which engine it was, to the commit; empty where that is not known."""
        return self.record.verdict.build if self.record else ""

    @property
    def values(self) -> Mapping[str, Quantity]:
        """Results by name."""
        return self.record.values if self.record else {}

    @property
    def html(self) -> str:
        """The engine's tables as a page.

        Raises:
            ResultError: The run left none.
        """
        return self.read(self._name_of("*tbl.htm", "a page of tables")).decode("utf-8", "replace")

    @property
    def sql(self) -> "Outputs":
        """Time series and tables, from the engine's database or from what was kept of it.

        The database is fetched whole when it is first asked for; what was kept as Parquet is read by column.

        Raises:
            ResultError: The run left neither.
        """
        if self._sql is None:
            self._sql = self._open_sql()
        return self._sql

    def read(self, name: str) -> bytes:
        """Return the bytes of one of `files`.

        Raises:
            ResultError: There is no such file.
            IntegrityError: It is not the one that the run left.
        """
        if name not in self._read:
            self._check_name(name)
            data = self._folder.read(name)
            if data is None:
                raise self._lost(name)
            self._check_content(name, hashlib.sha256(data).hexdigest())
            self._read[name] = data
        return self._read[name]

    def path_of(self, name: str) -> Path:
        """Return a path of one of `files` on this machine; one in a store is fetched, once.

        Raises:
            ResultError: There is no such file.
        """
        self._check_name(name)
        if self._folder.local is not None:
            return self._folder.local / name
        if self._copies is None:
            self._copies = Path(tempfile.mkdtemp(prefix="skyhold-result-"))
            weakref.finalize(self, shutil.rmtree, self._copies, ignore_errors=True)
        copy = self._copies / name
        if not copy.exists():
            self._fetch([name], self._copies)
        return copy

    def download(self, local: AnyPath, *, pattern: str = "*") -> list[Path]:
        """Copy files to this machine, many at a time; return where they are.

        Raises:
            ResultError: No file matches, or one has gone.
            TransferError: Some could not be read.
        """
        names = [name for name in self.files if fnmatchcase(name, pattern)]
        if not names:
            raise ResultError(f"no file of {self.uri!r} matches {pattern!r}", remedy=f"There is: {self._listing()}")
        self._fetch(names, Path(local))
        return [Path(local, name) for name in names]

    def verify(self, *, deep: bool = False) -> None:
        """Check that the files are those that the run left.

        Args:
            deep: Read them all, and compare their SHA-256; otherwise their sizes are compared, in one request.

        Raises:
            ResultError: There is no commit record, or a file has gone.
            IntegrityError: A file is another one.
        """
        if self.record is None:
            raise ResultError(f"{self.uri!r} cannot be verified: {self.detail}", remedy="Run it again with simulate()")
        there = self._folder.list()
        for file in self.record.files:
            if file.name not in there:
                raise self._lost(file.name)
            if deep:
                self.read(file.name)
            found = there[file.name]
            if found is not None and found != file.size_bytes:
                raise IntegrityError(
                    f"it has {found} bytes, and the run left {file.size_bytes}",
                    operation="verify",
                    uri=f"{self.uri}/{file.name}",
                    remedy="Run it again with overwrite=True",
                )

    def raise_for_failure(self) -> Self:
        """Return this result if it is complete.

        Raises:
            EngineTimeoutError: The run took longer than it was given.
            EngineError: The run failed.
            ResultError: There is no run, or not all of it.
        """
        if self.success:
            return self
        raise self.as_error()

    def as_error(self) -> Exception:
        """Return the error that `raise_for_failure` would raise of a result that is not complete."""
        if self.error is not None:
            return self.error
        if self.state != "failed":
            return ResultError(self.detail, remedy="Run it with simulate()")
        kind = EngineTimeoutError if self.failure == "timeout" else EngineError
        said = f"; the engine said: {self.errors}" if self.errors else ""
        return kind(f"{self.label or self.uri!r}: {self.detail}{said}", remedy=f"Look into {self.uri!r}")

    def copy_to(self, path: AnyPath, fs: FileSystem | None = None, *, overwrite: bool = False) -> "SimulationResult":
        """Write this result to another folder, its commit record last, and return it there.

        Args:
            path: The folder in ``fs``; without one a local path, or the URI of a folder of any store.
            fs: Where to.
            overwrite: Replace whatever result the folder holds.

        Raises:
            ResultError: It has no commit record, or a file has gone.
            AlreadyExistsError: The folder holds something else.
        """
        if self.record is None:
            raise ResultError(f"{self.uri!r} cannot be copied as a result: {self.detail}", remedy="Copy its files")
        fs, run_dir = place_of(path, fs)
        folder = open_result_folder(run_dir, fs)
        claim = claim_folder(folder, self.record.key, self.record.run_id, overwrite=overwrite)
        if claim.found is None:
            with tempfile.TemporaryDirectory(prefix="skyhold-copy-") as copies:
                self._fetch(list(self.files), Path(copies))
                write_result(claim, Path(copies), self.record)
        return SimulationResult(fs, run_dir, folder, Found.of(claim.found or self.record))

    def close(self) -> None:
        """Forget what was read, and delete the copies that were fetched."""
        if hasattr(self._sql, "close"):
            self._sql.close()
        self._sql = None
        self._read.clear()
        if self._copies is not None:
            shutil.rmtree(self._copies, ignore_errors=True)
            self._copies = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_read": {}, "_copies": None, "_sql": None}

    def __repr__(self) -> str:
        return f"<SimulationResult {self.uri!r}: {self.state}>"

    def _open_sql(self) -> "Outputs":
        from skyhold.simulation.kept import TABLES_NAME, KeptResults  # noqa: PLC0415 - brings Arrow
        from skyhold.simulation.sql import SqlResults  # noqa: PLC0415

        has_database = any(name.endswith(".sql") for name in self.files)
        if TABLES_NAME in self.files and not (has_database and self._prefers_database()):
            return KeptResults(self._folder)
        if has_database:
            return SqlResults(self.path_of(self._name_of("*.sql", "a database")))
        raise ResultError(
            f"{self.uri!r} has neither a database nor tables: {self.detail}",
            remedy="Ask the model for Output:SQLite, or for outputs, and run it again",
        )

    def _prefers_database(self) -> bool:
        """Return whether the engine's database is nearer, or holds more than what was kept of it."""
        selection: dict[str, Any] = self.record.inputs.get("selection", {}) if self.record else {}
        is_all = all(selection.get(name) is None for name in ("variables", "meters", "tables"))
        return self._folder.local is not None or not is_all or selection.get("dtype") == "float32"

    def _name_of(self, pattern: str, what: str) -> str:
        found = [name for name in self.files if fnmatchcase(name, pattern)]
        if not found:
            raise ResultError(f"{self.uri!r} has not {what}", remedy=f"There is: {self._listing()}")
        return next((name for name in found if name.startswith("eplusout")), found[0])

    def _check_name(self, name: str) -> None:
        if name not in self.files:
            near = get_close_matches(name, self.files, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There is: {self._listing()}"
            raise ResultError(f"{self.uri!r} has no file {name!r}", remedy=hint)

    def _fetch(self, names: list[str], target: Path) -> None:
        self._folder.download(names, target)
        for name in names:
            self._check_content(name, record_files(target, [name])[0].sha256)

    def _check_content(self, name: str, sha256: str) -> None:
        promised = next((file.sha256 for file in self.record.files if file.name == name), sha256) if self.record else ""
        if promised and sha256 != promised:
            raise IntegrityError(
                f"it has the SHA-256 {sha256}, and the run left {promised}",
                operation="read",
                uri=f"{self.uri}/{name}",
                remedy="Run it again with overwrite=True",
            )

    def _lost(self, name: str) -> ResultError:
        return ResultError(
            f"the file {name!r} of {self.uri!r} has gone since the run left it",
            remedy="Run it again with overwrite=True",
        )

    def _listing(self) -> str:
        return ", ".join(self.files[:20]) or "nothing"


def place_of(path: AnyPath, fs: FileSystem | None) -> tuple[FileSystem, PurePath]:
    """Return a file system and a path in it."""
    if fs is not None:
        return fs, PurePosixPath(path)
    if parse_location(path).scheme == "file":
        return LocalFileSystem(), Path(parse_location(path).container)
    return StoreFileSystem(path), PurePosixPath()
