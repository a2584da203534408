"""``comp``: versioned components in a library, one after the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from skyhold.cli.options import Common
from skyhold.cli.output import Printer, format_table
from skyhold.components.dependencies import resolve_dependencies
from skyhold.components.diffing import diff_versions
from skyhold.components.getting import inside
from skyhold.components.inventory import list_plain
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency, Version
from skyhold.components.sources import list_sources
from skyhold.errors import BadOptionError, BadUriError
from skyhold.runs.bar import ProgressBar
from skyhold.runs.wording import human_size
from skyhold.storage.keys import folder_prefix

__all__ = ["add", "delete", "diff", "get", "list_all", "log", "open_library", "restore", "tag"]

_DEFAULT = Common()
_WIDTH = 120

Pairs = Annotated[list[str], Parameter(negative="")]
Flag = Annotated[bool, Parameter(negative="")]


def open_library(uri: str, common: Common) -> Library:
    """Return the library at a URI, as the options of every command say."""
    return Library(uri, **common.options_for(uri))


def add(
    library: str,
    /,
    *paths: Path,
    name: str = "",
    message: Annotated[str, Parameter(name=["--message", "-m"])] = "",
    meta: Pairs = [],  # noqa: B006 - never changed
    needs: Pairs = [],  # noqa: B006 - never changed
    expected: int | None = None,
    ignore_lock: Flag = False,
    common: Common = _DEFAULT,
) -> int:
    """Publish files or folders as components: the first version, or the next one.

    Each becomes the component of its own name; a folder becomes one component of several files. What is there already
    with the same content stays as it is.

    Args:
        library: URI of the library.
        paths: Files or folders.
        name: The component's name, for a single path.
        message: Why.
        meta: An entry of metadata, NAME=VALUE; may be given more than once. Those of the version before stay otherwise.
        needs: A component that it needs, NAME or NAME@VERSION; may be given more than once.
        expected: Refuse unless this is the newest version; 0 means that there must be none.
        ignore_lock: Publish even if somebody else holds the lock.
        common: Options of every command.
    """
    if not paths:
        raise BadUriError("add needs a file or a folder", remedy="Write: skyhold comp add LIBRARY PATH…")
    if len(paths) > 1 and (name or expected is not None):
        raise BadOptionError("--name and --expected go with one path", remedy="Add the paths one at a time")
    printer = Printer(as_json=common.json)
    options: dict[str, Any] = {"message": message, "ignore_lock": ignore_lock}
    if meta:
        options["metadata"] = dict(_pair(each) for each in meta)
    if needs:
        options["dependencies"] = [_dependency(each) for each in needs]
    if expected is not None:
        options["expected"] = expected or None
    total = 0
    place = open_library(library, common)
    for path in paths:
        component = name or path.resolve().name
        if common.dry_run:
            list_sources(path, component, uri=place.store.uri_of(component))
            printer.item(f"would add {component} from {path}", component=component, path=str(path))
            continue
        listener = ProgressBar() if common.progress and not common.json else None
        version = place.publish(component, path, on_progress=listener, **options)
        total += version.size_bytes
        printer.item(f"{component}  version {version.number}  {human_size(version.size_bytes)}", **_as_dict(version))
    printer.summary(f"{len(paths):,} components, {human_size(total)}", components=len(paths), size_bytes=total)
    return 0


def list_all(library: str, prefix: str = "", /, *, deleted: Flag = False, common: Common = _DEFAULT) -> int:
    """List the components of a library.

    Args:
        library: URI of the library.
        prefix: Only the component of this name, and those in this folder.
        deleted: Those that were deleted too.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    under = folder_prefix(prefix)
    place = open_library(library, common)
    begins = place.list(prefix, deleted=deleted)
    found = [each for each in begins if each.component == prefix or each.component.startswith(under)]
    for each in found if common.json else ():
        printer.item("", **{name: getattr(each, name) for name in each.__slots__})
    if found and not common.json:
        rows = [
            (
                each.component,
                f"{each.version}{' deleted' if each.is_deleted else ''}",
                human_size(each.size_bytes),
                f"{each.modified:%Y-%m-%d %H:%M}",
                ", ".join(f"{tag}={number}" for tag, number in each.tags.items()),
            )
            for each in found
        ]
        _print_table(("component", "version", "size", "changed (UTC)", "tags"), rows)
    size_bytes = sum(each.size_bytes for each in found)
    is_strange = not found and next(list_plain(place.store, under), None) is not None
    hint = f"; what other programs wrote here is no version yet. Run: skyhold comp adopt {library}"
    printer.summary(
        f"{len(found):,} components, {human_size(size_bytes)}{hint if is_strange else ''}",
        components=len(found),
        size_bytes=size_bytes,
    )
    return 0


def log(library: str, component: str, /, *, common: Common = _DEFAULT) -> int:
    """Show the versions of a component, newest first: when, who, why.

    Args:
        library: URI of the library.
        component: Which.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    place = open_library(library, common)
    tags = place.head(component)[0].tags
    versions = place.log(component)
    for each in versions if common.json else ():
        printer.item("", **_as_dict(each))
    if not common.json:
        rows = [
            (
                str(each.number),
                f"{each.created:%Y-%m-%d %H:%M}",
                each.author,
                "deleted" if each.is_deleted else human_size(each.size_bytes),
                ", ".join(tag for tag, number in tags.items() if number == each.number),
                each.message or ("taken over from outside" if each.origin == "outside" else ""),
            )
            for each in versions
        ]
        _print_table(("version", "made (UTC)", "by", "size", "tags", "message"), rows)
    printer.summary(f"{len(versions):,} versions", versions=len(versions))
    return 0


def get(
    library: str,
    component: str,
    target: str = ".",
    /,
    *,
    version: str = "latest",
    with_needs: Flag = False,
    common: Common = _DEFAULT,
) -> int:
    """Bring a component to disk, verified by SHA-256, whole or not at all.

    Args:
        library: URI of the library.
        component: Which.
        target: The file that it becomes, or the folder that it goes to: one that is there, or whose name ends in /.
        version: A number or a tag.
        with_needs: Bring all that it needs too: each under its own name in the folder TARGET.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    place = open_library(library, common)
    wanted = [place.info(component, _version(version))]
    if with_needs:
        wanted = resolve_dependencies(place.store, component, wanted[0].number)
    for each in wanted:
        goes_to = inside(Path(target), each.component) if with_needs else target
        if not common.dry_run:
            if isinstance(goes_to, Path):
                goes_to.parent.mkdir(parents=True, exist_ok=True)
            listener = ProgressBar() if common.progress and not common.json else None
            place.get(each.component, goes_to, version=each.number, on_progress=listener)
        verb = "would bring" if common.dry_run else "brought"
        printer.item(f"{verb} {each.component} version {each.number} to {goes_to}", **_as_dict(each))
    size_bytes = sum(each.size_bytes for each in wanted)
    printer.summary(f"{len(wanted):,} components, {human_size(size_bytes)}", components=len(wanted))
    return 0


def diff(
    library: str,
    component: str,
    old: str | None = None,
    new: str = "latest",
    /,
    *,
    common: Common = _DEFAULT,
) -> int:
    """Show what changed between two versions: files, metadata, needs, and the measures of meshes.

    Args:
        library: URI of the library.
        component: Which.
        old: A number or a tag; the version that NEW was made from if not given.
        new: A number or a tag.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    before = None if old is None else _version(old)
    found = diff_versions(open_library(library, common), component, before, _version(new))
    printer.item(found.to_text(), **found.to_json())
    return 0


def tag(
    library: str,
    component: str,
    name: str,
    /,
    *,
    version: str = "latest",
    remove: Flag = False,
    common: Common = _DEFAULT,
) -> int:
    """Give a version a name, such as "approved"; the name leaves the version that had it before.

    Args:
        library: URI of the library.
        component: Which.
        name: The tag.
        version: A number or another tag.
        remove: Take the tag away instead.
        common: Options of every command.
    """
    place = open_library(library, common)
    printer = Printer(as_json=common.json)
    if remove:
        place.untag(component, name)
        printer.item(f"{component} has no tag {name!r} any more", component=component, tag=name, version=None)
        return 0
    found = place.tag(component, name, _version(version))
    printer.item(f"{component} {name} = version {found.number}", component=component, tag=name, version=found.number)
    return 0


def restore(
    library: str,
    component: str,
    version: str | None = None,
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"])] = "",
    common: Common = _DEFAULT,
) -> int:
    """Publish an old version again as the newest; without VERSION, bring back a component that was deleted.

    Args:
        library: URI of the library.
        component: Which.
        version: A number or a tag.
        message: Why.
        common: Options of every command.
    """
    place = open_library(library, common)
    if version is None:
        found = place.undelete(component, message=message)
    else:
        found = place.restore(component, _version(version), message=message)
    Printer(as_json=common.json).item(f"{component}  version {found.number}: {found.message}", **_as_dict(found))
    return 0


def delete(
    library: str,
    /,
    *components: str,
    message: Annotated[str, Parameter(name=["--message", "-m"])] = "",
    even_if_needed: Flag = False,
    ignore_lock: Flag = False,
    common: Common = _DEFAULT,
) -> int:
    """Delete components; their versions stay, and `restore` brings them back.

    Args:
        library: URI of the library.
        components: Which.
        message: Why.
        even_if_needed: Delete even what other components need.
        ignore_lock: Delete even what somebody else has locked.
        common: Options of every command.
    """
    if not components:
        raise BadUriError("rm needs a component", remedy="Write: skyhold comp rm LIBRARY COMPONENT…")
    place = open_library(library, common)
    printer = Printer(as_json=common.json)
    for component in components:
        if common.dry_run:
            place.head(component)
            printer.item(f"would delete {component}", component=component)
            continue
        version = place.delete(component, message=message, ignore_lock=ignore_lock, even_if_needed=even_if_needed)
        printer.item(f"deleted {component} in version {version.number}", **_as_dict(version))
    printer.summary(f"{len(components):,} components", components=len(components), dry_run=common.dry_run)
    return 0


def _version(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _dependency(text: str) -> Dependency:
    """Return what a text names.

    Example:
        >>> _dependency("arm.stl@3"), _dependency("arm.stl")
        (Dependency(component='arm.stl', version=3), Dependency(component='arm.stl', version=None))
    """
    name, _, version = text.rpartition("@")
    return Dependency(name, int(version)) if name and version.isdecimal() else Dependency(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadOptionError(f"the metadata {text!r} has no value", remedy="Write --meta NAME=VALUE")
    return name, value


def _as_dict(version: Version) -> dict[str, Any]:
    return {
        "component": version.component,
        "version": version.number,
        "size_bytes": version.size_bytes,
        "files": [{"name": each.name, "size_bytes": each.size_bytes, "sha256": each.sha256} for each in version.files],
        "created": version.created,
        "author": version.author,
        "message": version.message,
        "metadata": dict(version.metadata),
        "needs": [str(each.component) for each in version.dependencies],
        "deleted": version.is_deleted,
    }


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in format_table(names, rows, width=_WIDTH, widest=60):
        print(line)
