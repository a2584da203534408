"""What carries out the plan of a synchronization, one path at a time and many at once.

Every step leaves both sides so that a kill right after it loses nothing: content takes its place only when it is
whole and verified, what is agreed is noted only when both sides have it, and the next plan finds the rest to do.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from skyhold.components.dependencies import list_needed
from skyhold.components.folder_scan import Stamp, folders_of, hash_unchanged
from skyhold.components.layout import pruned_key
from skyhold.components.library import Library
from skyhold.components.manifest import Head, Version
from skyhold.components.seen_names import SeenNames
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.sync_files import SyncFiles
from skyhold.components.sync_listing import FreePlaces
from skyhold.components.sync_locks import SeenLocks
from skyhold.components.sync_state import Remembered, SyncState
from skyhold.components.sync_view import View, ask_for, token_of
from skyhold.errors import ComponentNotFoundError, ConflictError
from skyhold.runs.recording import RunRecorder
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.sync import Agreed, RemoteFile, SyncAction
from skyhold.storage.transfer import SHA256

__all__ = ["CHANGING_STORE", "SMALL_BYTES", "SyncWork"]

SMALL_BYTES = 8 * 1024 * 1024
"""Objects up to this size are read in one piece, from their plain key."""

CHANGING_STORE = frozenset({"upload", "rename_remote", "delete_remote", "keep_both"})
"""What writes to the library where uploads are asked for."""

_LOCAL = {"agree", "forget", "download"}
_NEW = {"upload", "rename_remote", "keep_both"}

_UNKNOWN = Stamp(-1, -1, -1, -1)


class SyncWork:
    """Carries out actions of one plan; may be used from many threads.

    Args:
        library: The remote side.
        config: What is asked.
        state: Where it is noted what is agreed.
        files: The local side.
        view: What both sides looked like.
        actions: What is to be done.
        result: Where it is told what was kept aside.
        run: The run that this is part of.
    """

    def __init__(
        self,
        library: Library,
        config: SyncConfig,
        state: SyncState,
        files: SyncFiles,
        view: View,
        actions: Sequence[SyncAction],
        result: SyncResult,
        run: RunRecorder,
    ) -> None:
        self._library = library
        self._counted = library.over(run.metered(library.store))
        self._config = config
        self._state = state
        self._files = files
        self._view = view
        self._result = result
        self._run = run
        self._store = self._counted.store
        self._locks = SeenLocks(self._counted.locks, config.prefix)
        self._needed = SeenNames(lambda: list_needed(self._store, config.prefix))
        if any(action.kind not in _LOCAL for action in actions):
            self._counted.create()
        new = (action.to or action.path for action in actions if action.kind in _NEW)
        self._free = FreePlaces(self._counted, config.prefix, view.listing, new)

    def do(self, action: SyncAction) -> None:
        """Carry out an action.

        Raises:
            ConflictError: One side is no longer what the plan saw: a new plan is needed.
            SkyholdError: It cannot be done.
        """
        work = {
            "agree": self._agree,
            "forget": self._forget,
            "upload": self._upload,
            "download": self._download,
            "delete_local": self._delete_local,
            "delete_remote": self._delete_remote,
            "rename_local": self._rename_local,
            "rename_remote": self._rename_remote,
            "keep_both": self._keep_both,
        }
        work[action.kind](action)
        if action.conflict:
            self._state.choose(action.path, None)

    def _agree(self, action: SyncAction) -> None:
        assert action.remote is not None
        self._note(action.path, self._view.stamps[action.path], action.remote)

    def _forget(self, action: SyncAction) -> None:
        self._state.forget(action.path)

    def _upload(self, action: SyncAction) -> None:
        assert action.local is not None
        seen = self._view.stamps[action.path]
        self._publish(action.path, seen, action.local.sha256, action.remote, action.agreed, message=action.reason)

    def _download(self, action: SyncAction) -> None:
        assert action.remote is not None
        path, name = action.path, self._name_of(action.path)
        seen = self._view.stamps.get(path)
        part = self._files.part_of(name, action.remote.token)
        found = self._fetch(path, action.remote, part)
        if seen is not None and action.local is not None and action.local.sha256 == found.sha256:
            part.unlink()
        else:
            if seen is not None and action.replaces:
                kept, seen = self._files.keep_in_trash(name, seen)
                self._result.kept[path] = str(kept)
            seen = self._files.put(part, name, seen)
            self._run.add_output(str(self._files.at(name)), sha256=found.sha256)
        self._note(path, seen, found)

    def _delete_local(self, action: SyncAction) -> None:
        name, seen = self._name_of(action.path), self._view.stamps[action.path]
        if not self._check_deleted(action):  # old versions were let go: here is the last copy
            kept, seen = self._files.keep_in_trash(name, seen)
            self._result.kept[action.path] = str(kept)
        self._files.remove(name, seen)
        self._state.forget(action.path)

    def _delete_remote(self, action: SyncAction) -> None:
        self._delete_component(action.path, action.remote, action.agreed)
        self._state.forget(action.path)

    def _rename_local(self, action: SyncAction) -> None:
        assert action.remote is not None
        self._check_deleted(action)
        stamp = self._files.rename(self._name_of(action.path), action.to, self._view.stamps[action.path])
        self._note(action.to, stamp, action.remote)
        self._state.forget(action.path)

    def _rename_remote(self, action: SyncAction) -> None:
        assert action.local is not None
        message = f"renamed from {self._component(action.path)!r}"
        self._publish(action.to, self._view.stamps[action.to], action.local.sha256, message=message)
        self._delete_component(action.path, action.remote, action.agreed)
        self._state.forget(action.path)

    def _keep_both(self, action: SyncAction) -> None:
        """The store's content keeps the name, the folder's gets one of its own; then both are brought to both sides."""
        assert action.remote is not None
        assert action.local is not None
        path, name = action.path, self._name_of(action.path)
        seen = self._view.stamps[path]
        rules = self._config.rules
        part = self._files.part_of(name, action.remote.token)
        found = self._fetch(path, action.remote, part) if rules.downloads else action.remote
        if found.sha256 == action.local.sha256:
            part.unlink(missing_ok=True)
            self._note(path, seen, found)
            return
        self._state.forget(path)  # or a kill right after this would look like a deletion
        kept, seen = self._files.set_aside(path, name, seen)
        self._result.kept[path] = kept
        if rules.downloads:
            self._note(path, self._files.put(part, name, seen), found)
        else:
            self._files.remove(name, seen)
        if rules.uploads:
            sha256, stamp = hash_unchanged(self._files.at(kept))
            self._publish(kept, stamp, sha256, message=f"conflicts with {self._component(path)!r}")

    def _publish(
        self,
        path: str,
        seen: Stamp,
        sha256: str,
        remote: RemoteFile | None = None,
        agreed: Agreed | None = None,
        *,
        message: str,
    ) -> None:
        component_id = self._component(path)
        expected = _version_of(remote, agreed) if remote is not None else None
        if remote is not None and expected is None:
            raise self._moved_on(path)
        file = self._files.at(self._name_of(path))
        self._locks.check(component_id, size_bytes=file.stat().st_size)
        version, head = self._library.publish_listed(
            component_id,
            file,
            message=message,
            expected=expected,
            is_new=remote is None and self._free.has(path),
            run=self._run,
        )
        entry = version.files[0]
        token = self._token_of(path, version, head)
        stamp = seen if entry.sha256 == sha256 else _UNKNOWN  # it was edited since; the next look hashes it
        agreed = Agreed(entry.sha256, entry.size_bytes, token, version.number)
        self._state.remember(path, Remembered.of(stamp, agreed))

    def _token_of(self, path: str, version: Version, head: Head) -> str:
        """Return the e-tag under which a version's content lies, or nothing, which the next look asks for again.

        Raises:
            ConflictError: Another program replaced the object while the version came to be, not knowing of it.
        """
        if head.version == version.number:
            return next((plain.e_tag or "" for plain in head.plain if plain.name == ""), "")
        if self._counted.info(version.component, version.number + 1).origin == "outside":
            raise self._moved_on(path)
        return ""

    def _fetch(self, path: str, remote: RemoteFile, part: Path) -> RemoteFile:
        """Gather an object's content, verified; return what it is."""
        if remote.size_bytes <= SMALL_BYTES:
            info, content = self._store.read_with_info(self._component(path))
            if token_of(info) != remote.token:
                raise self._moved_on(path)
            sha256 = hashlib.sha256(content).hexdigest()
            found = _told_by(info, remote)
            if found.sha256 == sha256 and found.version is not None:
                self._files.gather(part, content)
                return found
        # Large, or not what it says it is: another program wrote it, or it is damaged. The history knows.
        found = ask_for(self._counted, self._component(path), replace(remote, sha256=None, version=None))
        if found.version is None or found.sha256 is None:
            raise self._moved_on(path)
        self._counted.history.fetch(found.sha256, part, size_bytes=found.size_bytes, progress=self._tell_bytes)
        return found

    def _tell_bytes(self, size_bytes: int) -> None:
        self._run.progress.advance(0, bytes=size_bytes)

    def _check_deleted(self, action: SyncAction) -> bool:
        """Make sure that a component is deleted; return whether a version still has what the folder has."""
        assert action.agreed is not None
        component_id = self._component(action.path)
        newest = self._counted.reconcile(component_id)
        if newest is not None and newest.is_deleted:
            return newest.parents == (action.agreed.version,) or self._keeps(component_id, "", action.agreed)
        kept = self._keeps_around(component_id, action.agreed) if newest is None else None
        if kept is not None:
            return kept
        if newest is None:  # its history is gone too: here is the last copy
            self._state.forget(action.path)
        raise self._moved_on(action.path)

    def _keeps_around(self, component_id: str, agreed: Agreed) -> bool | None:
        """Whether a component around a file, which has it no longer, keeps its content; None where it never had it."""
        for folder in folders_of(component_id):
            name = component_id[len(folder) + 1 :]
            try:
                newest = self._counted.info(folder)
            except ComponentNotFoundError:
                continue
            if name in {entry.name for entry in newest.files}:
                return None
            if self._keeps(folder, name, agreed):
                return True
            was_pruned = agreed.version is not None and self._store.exists(pruned_key(folder, agreed.version))
            return False if was_pruned else None
        return None

    def _keeps(self, component_id: str, name: str, agreed: Agreed) -> bool:
        """Whether a version of a component has what was agreed: that which was seen then, or any if it was pruned."""

        def has(version: Version) -> bool:
            return any((entry.name, entry.sha256) == (name, agreed.sha256) for entry in version.files)

        try:
            return has(self._counted.info(component_id, agreed.version or "latest"))
        except ComponentNotFoundError:
            return any(has(version) for version in self._counted.log(component_id))

    def _delete_component(self, path: str, remote: RemoteFile | None, agreed: Agreed | None) -> None:
        expected = _version_of(remote, agreed)
        if expected is None or self._files.has(self._name_of(path)):
            raise self._moved_on(path)
        component_id = self._component(path)
        self._locks.check(component_id)
        self._counted.delete(
            component_id,
            message="deleted in a synchronized folder",
            expected=expected,
            ignore_lock=True,
            even_if_needed=component_id not in self._needed.names(),
        )

    def _note(self, path: str, stamp: Stamp, remote: RemoteFile) -> None:
        if remote.sha256 is None:
            raise self._moved_on(path)
        agreed = Agreed(remote.sha256, stamp.size_bytes, remote.token, remote.version)
        self._state.remember(path, Remembered.of(stamp, agreed))

    def _name_of(self, path: str) -> str:
        return self._view.scan.name_of(path)

    def _component(self, path: str) -> str:
        return self._config.prefix + self._view.names.get(path, path)

    def _moved_on(self, path: str) -> ConflictError:
        return ConflictError(
            "it changed since the plan was made",
            operation="sync",
            uri=self._library.store.uri_of(self._component(path)),
            remedy="Synchronize again; nothing was lost",
        )


def _version_of(remote: RemoteFile | None, agreed: Agreed | None) -> int | None:
    if remote is not None and remote.version is not None:
        return remote.version
    return agreed.version if agreed is not None else None


def _told_by(info: ObjectInfo, remote: RemoteFile) -> RemoteFile:
    """Return what an object says of itself, where nobody has asked its head."""
    if remote.sha256 is not None or info.attributes is None:
        return remote
    metadata = info.attributes.metadata
    with suppress(ValueError):
        return replace(remote, sha256=metadata.get(SHA256), version=int(metadata.get("version", "")))
    return remote
