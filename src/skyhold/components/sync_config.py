"""What is asked of a synchronization, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyhold.components.folder_scan import Matches, compile_patterns
from skyhold.errors import BadOptionError
from skyhold.runs.wording import human_size, human_time, visible
from skyhold.storage.keys import check_prefix, folder_prefix
from skyhold.storage.sync import ActionKind, ConflictChoice, Direction, SyncAction, SyncPlan, SyncRules
from skyhold.storage.sync_rules import MAX_DELETE_SHARE, MAX_DELETES

__all__ = ["SyncConfig", "SyncResult"]

_PLANNED: dict[str, tuple[ActionKind, ...]] = {
    "to_upload": ("upload",),
    "to_download": ("download",),
    "to_rename": ("rename_local", "rename_remote"),
    "to_delete_local": ("delete_local",),
    "to_delete_remote": ("delete_remote",),
}


@dataclass(frozen=True, slots=True)
class SyncConfig:
    """What is asked of a synchronization.

    Args:
        local_dir: The folder. It is made where it is missing, unless it is only to be uploaded.
        direction: ``"upload"``, ``"download"`` or ``"both"``.
        delete_files: Whether a deletion on one side is followed on the other.
        overwrite: Whether a side that is what was last agreed is replaced by the other one's edit.
        file_patterns: Only files whose name or path matches one of these; all if not given.
        conflict: What becomes of a file that both sides changed: ``"keep-both"``, ``"local"``, ``"remote"``,
            ``"newest"`` or ``"ask"``.
        prefix: In which folder of the library the files are; ``robot`` is ``robot/``, and never ``robots``.
        max_deletes: More deletions than this on one side stop the plan.
        max_delete_share: So does this share of all files, or more.
        confirmed: Whether a plan that the guard would stop is carried out.
        trash_days: How long what conflicts have replaced in the folder stays in its trash; for ever if not given.

    Raises:
        BadOptionError: A value cannot be used.

    Example:
        >>> SyncConfig("agent_outputs", direction="both", file_patterns=["*.stl"]).rules.direction
        'both'
        >>> SyncConfig("agent_outputs", prefix="robot").prefix
        'robot/'
    """

    local_dir: str | Path
    direction: Direction = "both"
    delete_files: bool = False
    overwrite: bool = True
    file_patterns: Sequence[str] | None = None
    conflict: ConflictChoice = "keep-both"
    prefix: str = ""
    max_deletes: int = MAX_DELETES
    max_delete_share: float = MAX_DELETE_SHARE
    confirmed: bool = False
    trash_days: float | None = None

    def __post_init__(self) -> None:
        check_prefix(self.prefix, operation="sync", uri=self.prefix)
        object.__setattr__(self, "prefix", folder_prefix(self.prefix))
        if isinstance(self.file_patterns, str):
            raise BadOptionError(
                f"file_patterns={self.file_patterns!r} is a text", remedy=f"Give a list: [{self.file_patterns!r}]"
            )
        if self.trash_days is not None and self.trash_days < 0:
            raise BadOptionError(f"trash_days={self.trash_days} is negative", remedy="Give 0 or more, or nothing")
        _ = self.rules, self.matches

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(self.local_dir)

    @property
    def rules(self) -> SyncRules:
        """What may be done."""
        return SyncRules(
            direction=self.direction,
            delete_files=self.delete_files,
            overwrite=self.overwrite,
            conflict=self.conflict,
            max_deletes=self.max_deletes,
            max_delete_share=self.max_delete_share,
        )

    @property
    def matches(self) -> Matches | None:
        """What tells whether a path is asked for; None means all are."""
        return None if self.file_patterns is None else compile_patterns(self.file_patterns)


@dataclass(slots=True)
class SyncResult:
    """What a synchronization has done.

    Attributes:
        plan: What was planned first.
        done: What was done, in all rounds.
        unchanged: How many files agreed already.
        kept: Where the local content lies now of conflicts, and of deleted files that no version has any more; by path.
        left: What was left as it is, with the reason.
        waiting: Conflicts that were left, since nobody has chosen yet; they are in ``left`` too.
        problems: Paths that could not be synchronized, each with the reason.
        failures: The error of each path that failed.
        notes: What else is worth knowing.
        seconds: How long it took.
        dry_run: Whether nothing was to be done.
        stopped: Whether it was ended before it was complete.
    """

    plan: SyncPlan
    done: list[SyncAction] = field(default_factory=list[SyncAction])
    unchanged: int = 0
    kept: dict[str, str] = field(default_factory=dict[str, str])
    left: dict[str, str] = field(default_factory=dict[str, str])
    waiting: list[str] = field(default_factory=list[str])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    failures: dict[str, Exception] = field(default_factory=dict[str, Exception])
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    dry_run: bool = False
    stopped: bool = False

    @property
    def success(self) -> bool:
        """Whether both sides are as equal as the options allow: without failures, problems and conflicts that wait.

        Example:
            >>> SyncResult(SyncPlan(()), problems={"link": "a symbolic link, which is not followed"}).success
            False
        """
        return not (self.left_out or self.stopped)

    @property
    def left_out(self) -> int:
        """How many files failed, have a problem, or wait for a choice."""
        return len(self.failures.keys() | self.problems.keys() | set(self.waiting))

    @property
    def conflicts(self) -> list[str]:
        """The paths that both sides had changed."""
        return sorted({action.path for action in (*self.done, *self.plan.conflicts) if action.conflict})

    def paths(self, *kinds: str) -> list[str]:
        """Return the files with which this was done: ``"upload"``, ``"download"``, ``"delete_local"`` and so on."""
        return sorted(action.path for action in self.done if action.kind in kinds)

    @property
    def counts(self) -> dict[str, int]:
        """How many files of each kind."""
        found_equal = self.plan.count("agree") if self.dry_run else len(self.paths("agree"))
        return {
            "uploaded": len(self.paths("upload")),
            "downloaded": len(self.paths("download")),
            "renamed": len(self.paths("rename_local", "rename_remote")),
            "deleted_local": len(self.paths("delete_local")),
            "deleted_remote": len(self.paths("delete_remote")),
            "conflicts": len(self.conflicts),
            "unchanged": self.unchanged + found_equal,
            "left": len(self.left),
            "problems": len(self.problems),
            "waiting": len(self.waiting),
            "failed": len(self.failures),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "success": self.success,
            "dry_run": self.dry_run,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            **self.counts,
            "kept_aside": dict(self.kept),
            "left_alone": dict(self.left),
            "waiting_paths": list(self.waiting),
            "problem_paths": dict(self.problems),
            "failures": {path: str(error) for path, error in self.failures.items()},
            "notes": list(self.notes),
            "plan": self.plan.as_dict(),
        }

    def get_summary_string(self) -> str:
        """Return it for people: one line of counts, then whatever wants to be looked at.

        Example:
            >>> link = {"link": "a symbolic link, which is not followed"}
            >>> print(SyncResult(SyncPlan(()), unchanged=3, problems=link, seconds=0.5).get_summary_string())
            Synchronized all but 1 in 0.5 s: 3 unchanged, 1 problem
              problem: link: a symbolic link, which is not followed
            >>> actions = SyncAction("upload", "arm.stl", "new here"), SyncAction("delete_local", "leg.stl", "gone")
            >>> print(SyncResult(SyncPlan(actions), unchanged=3, seconds=0.5, dry_run=True).get_summary_string())
            Planned in 0.5 s: 1 to upload, 1 to delete local, 3 unchanged
              upload        arm.stl  (new here)
              delete local  leg.stl  (gone)
        """
        planned = {words: self.plan.count(*kinds) for words, kinds in _PLANNED.items()} if self.dry_run else {}
        words = [_counted(name, count) for name, count in {**planned, **self.counts}.items() if count]
        size_bytes = sum(action.size_bytes for action in (self.plan.actions if self.dry_run else self.done))
        moved = f" ({human_size(size_bytes)})" if size_bytes else ""
        lines = [f"{self._verb()} in {human_time(self.seconds)}: {', '.join(words) or 'nothing to do'}{moved}"]
        if self.dry_run:
            lines += [f"  {line}" for line in self.plan.lines()]
        conflicts = frozenset(self.conflicts)
        lines += [
            f"  {'conflict' if path in conflicts else 'deleted'}: {path}, the local content is kept as {kept}"
            for path, kept in sorted(self.kept.items())
        ]
        if not self.dry_run:
            lines += _told("left", self.left) + _told("problem", self.problems)
        lines += _told("failed", {path: str(error) for path, error in self.failures.items()})
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(visible(line) for line in lines)

    def _verb(self) -> str:
        """Return what it comes to; a synchronization that has left something out never says that it is done."""
        if self.dry_run:
            return "Planned"
        if self.stopped:
            return "Stopped"
        return f"Synchronized all but {self.left_out:,}" if self.left_out else "Synchronized"


def _counted(name: str, count: int) -> str:
    word = name.replace("_", " ")
    return f"{count:,} {word.removesuffix('s') if count == 1 else word}"


def _told(word: str, reasons: Mapping[str, str]) -> list[str]:
    return [f"  {word}: {path}: {reason}" for path, reason in sorted(reasons.items())]
