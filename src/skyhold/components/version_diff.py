"""What changed from one version of a component to another, as its manifests tell: pure, without any content."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from skyhold.components.manifest import FileEntry, Version
from skyhold.runs.wording import human_size

if TYPE_CHECKING:
    from skyhold.components.mesh_diff import MeshDiff

__all__ = ["EntryChange", "FileChange", "VersionDiff", "compare_versions"]

Kind = Literal["added", "removed", "changed", "renamed"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What became of a file.

    Attributes:
        kind: A renamed file has the content that it had; one that was renamed and edited is one removed and one added.
        name: Its path within the component, the new one where it was renamed; empty for the only file.
        old: What it was; None where it was added.
        new: What it is; None where it was removed.
        mesh: What changed in the mesh, where both are meshes that are read.
        note: Why there is no such thing, where there might be.
    """

    kind: Kind
    name: str
    old: FileEntry | None = None
    new: FileEntry | None = None
    mesh: "MeshDiff | None" = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What became of an entry of the metadata, or of a dependency; None where it was or is not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What changed from one version of a component to another.

    Attributes:
        component: Its id.
        old: The number of the version before; 0 where there was none.
        new: The number of the version after.
        files: Files that are not as they were, sorted by name.
        metadata: The user's entries that are not as they were.
        dependencies: What it needs otherwise than before: ``"version 3"``, or ``"newest"``.
    """

    component: str
    old: int
    new: int
    files: tuple[FileChange, ...] = ()
    metadata: tuple[EntryChange, ...] = ()
    dependencies: tuple[EntryChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether both versions have the same files, metadata and dependencies."""
        return not (self.files or self.metadata or self.dependencies)

    def to_text(self) -> str:
        """Return it in words, without a line feed at the end."""
        lines = [f"{_shown(self.component)}: version {self.old} → {self.new}"]
        for change in self.files:
            lines.append(f"  {change.kind} {self._title(change)}")
            details = change.mesh.to_lines() if change.mesh else [change.note] if change.note else []
            lines += [f"    {detail}" for detail in details]
        lines += [f"  metadata {_as_text(change)}" for change in self.metadata]
        lines += [f"  needs {_as_text(change, quoted=False)}" for change in self.dependencies]
        return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: nothing changed"])

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "component": self.component,
            "old": self.old,
            "new": self.new,
            "files": [_file_to_json(change) for change in self.files],
            "metadata": [_entry_to_json(change) for change in self.metadata],
            "dependencies": [_entry_to_json(change) for change in self.dependencies],
        }

    def _title(self, change: FileChange) -> str:
        name = _shown(change.name or self.component)
        sizes = [human_size(entry.size_bytes) for entry in (change.old, change.new) if entry is not None]
        if change.kind == "renamed":
            assert change.old is not None  # what was renamed was there
            return f"{_shown(change.old.name or self.component)} → {name}"
        return f"{name}, {' → '.join(sizes)}"


def compare_versions(old: Version | None, new: Version) -> VersionDiff:
    """Return what changed from one version to another, of files by their names and hashes.

    Args:
        old: The version before; None to tell all of ``new`` as added.
        new: The version after.
    """
    return VersionDiff(
        new.component,
        old.number if old else 0,
        new.number,
        tuple(sorted(_compare_files(old.files if old else (), new.files), key=lambda change: change.name)),
        tuple(_compare_entries(old.metadata if old else {}, new.metadata)),
        tuple(_compare_entries(_needs(old) if old else {}, _needs(new))),
    )


def _compare_files(old: tuple[FileEntry, ...], new: tuple[FileEntry, ...]) -> Iterator[FileChange]:
    was, now = ({entry.name: entry for entry in entries} for entries in (old, new))
    gone = [entry for name, entry in was.items() if name not in now]
    for name, entry in now.items():
        if name in was:
            if was[name].sha256 != entry.sha256:
                yield FileChange("changed", name, was[name], entry)
            continue
        before = next((each for each in gone if each.sha256 == entry.sha256), None)
        if before is None:
            yield FileChange("added", name, None, entry)
        else:
            gone.remove(before)
            yield FileChange("renamed", name, before, entry)
    for entry in gone:
        yield FileChange("removed", entry.name, entry, None)


def _compare_entries(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[EntryChange]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield EntryChange(name, old.get(name), new.get(name))


def _needs(version: Version) -> dict[str, str]:
    return {
        each.component: "newest" if each.version is None else f"version {each.version}" for each in version.dependencies
    }


def _as_text(change: EntryChange, *, quoted: bool = True) -> str:
    old, new = (repr(value) if quoted and value is not None else value for value in (change.old, change.new))
    name = _shown(change.name)
    if old is None:
        return f"{name}: {new} (added)"
    return f"{name}: {old} (removed)" if new is None else f"{name}: {old} → {new}"


def _shown(name: str) -> str:
    """Return a name as a terminal shows it and does not obey it; what lies in a bucket was written by anybody."""
    return name if name.isprintable() else repr(name)


def _file_to_json(change: FileChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "old": _side_to_json(change.old),
        "new": _side_to_json(change.new),
        "mesh": change.mesh.to_json() if change.mesh else None,
        "note": change.note,
    }


def _side_to_json(entry: FileEntry | None) -> dict[str, Any] | None:
    return None if entry is None else {"name": entry.name, "size_bytes": entry.size_bytes, "sha256": entry.sha256}


def _entry_to_json(change: EntryChange) -> dict[str, Any]:
    return {"name": change.name, "old": change.old, "new": change.new}
