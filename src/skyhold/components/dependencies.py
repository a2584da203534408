"""What components need of one another: an assembly its parts, a model its weather.

A version names what it needs: components, at one version or at the newest of any time. Whoever publishes one leaves a
mark under each component that it names, so that nobody has to read a whole library to learn who needs a component. A
mark that outlived its reason does no harm: whoever looks reads the version that counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import read_current, read_version, take_inventory
from skyhold.components.layout import NEEDED, check_component_id, dependent_of_key, needed_key, needed_prefix
from skyhold.components.manifest import Dependency, Version
from skyhold.errors import ComponentNotFoundError, DependencyError
from skyhold.storage.contract import Store

__all__ = [
    "DependencyGraph",
    "check_dependencies",
    "check_not_needed",
    "dependency_graph",
    "list_dependents",
    "list_needed",
    "mark_dependencies",
    "resolve_dependencies",
]

_JOBS = 32
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class DependencyGraph:
    """Who needs what.

    Attributes:
        versions: The version of each component that is meant; None where a component is needed and not there.
        needs: What each component needs; those that need nothing are not listed.

    Example:
        >>> graph = DependencyGraph({"robot": 3, "arm.stl": 2}, {"robot": (Dependency("arm.stl", 2),)})
        >>> print(graph.as_text())
        robot (version 3)
        └── arm.stl (version 2)
        >>> print(graph.as_mermaid())
        graph LR
            n0["robot<br>version 3"]
            n1["arm.stl<br>version 2"]
            n0 -->|"2"| n1
    """

    versions: Mapping[str, int | None]
    needs: Mapping[str, tuple[Dependency, ...]] = field(default_factory=dict[str, tuple[Dependency, ...]])

    @property
    def roots(self) -> tuple[str, ...]:
        """Components that no other needs; where all need one another, all of them."""
        needed = {each.component for needs in self.needs.values() for each in needs}
        return tuple(each for each in self.versions if each not in needed) or tuple(self.versions)

    def as_text(self) -> str:
        """Return it as trees, one for each component that no other needs; what needs more is unfolded once."""
        lines: list[str] = []
        unfolded: set[str] = set()
        for root in self.roots:
            lines += [self._shown(root), *self._branches(root, "", unfolded)]
        return "\n".join(lines)

    def as_mermaid(self) -> str:
        """Return it as a diagram that Markdown viewers draw."""
        names = {component: f"n{place}" for place, component in enumerate(self.versions)}
        lines = ["graph LR"]
        for component, name in names.items():
            lines.append(f'    {name}["{_quoted(component)}<br>{self._number(component)}"]')
        for component, needs in self.needs.items():
            for each in needs:
                words = f'|"{each.version}"|' if each.version is not None else ""
                lines.append(f"    {names[component]} -->{words} {names[each.component]}")
        return "\n".join(lines)

    def _branches(self, component: str, indent: str, unfolded: set[str]) -> Iterator[str]:
        needs = self.needs.get(component, ())
        unfolded.add(component)
        for each in needs:
            is_last = each is needs[-1]
            again = each.component in unfolded and each.component in self.needs
            yield f"{indent}{'└── ' if is_last else '├── '}{self._shown(each.component)}{', as above' if again else ''}"
            if not again:
                yield from self._branches(each.component, indent + ("    " if is_last else "│   "), unfolded)

    def _shown(self, component: str) -> str:
        return f"{component} ({self._number(component)})"

    def _number(self, component: str) -> str:
        number = self.versions[component]
        return "missing" if number is None else f"version {number}"


def check_dependencies(store: Store, component_id: str, dependencies: Iterable[Dependency]) -> None:
    """Refuse what a component cannot need: what is not there, and what needs the component itself.

    Raises:
        DependencyError: With the component that is missing, or with the circle.
    """
    dependencies = tuple(dependencies)
    for each in dependencies:
        check_component_id(each.component, operation="publish", uri=store.uri_of(component_id))
    names = [each.component for each in dependencies]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise _refusal(store, component_id, f"it names {twice!r} twice", "Name each component once")
    came_from: dict[str, str] = dict.fromkeys(names, component_id)
    left = dependencies
    while left:
        circle = next((each.component for each in left if each.component == component_id), None)
        if circle is not None:
            way = " → ".join([component_id, *reversed(_way_back(came_from, component_id))])
            raise _refusal(store, component_id, f"it would need itself: {way}", "Leave out one of them")
        following: list[Dependency] = []
        for version in _read(store, component_id, left):
            for each in version.dependencies:
                if each.component not in came_from:
                    came_from[each.component] = version.component
                    following.append(each)
        left = tuple(following)


def mark_dependencies(store: Store, component_id: str, dependencies: Iterable[Dependency]) -> None:
    """Leave a mark under each component that this one needs. To be called before the version that names them exists."""
    keys = [needed_key(each.component, component_id) for each in dependencies]
    for _ in in_parallel(lambda key: store.write(key, b""), keys, jobs=_JOBS):
        pass


def list_dependents(store: Store, component_id: str) -> list[str]:
    """Return the components whose newest version needs this one, sorted: a listing, and two requests for each mark."""
    marks = (dependent_of_key(info.key) for info in store.list(needed_prefix(component_id)))
    candidates = [mark[1] for mark in marks if mark is not None]
    found: list[str] = []
    for by, version in in_parallel(lambda by: read_current(store, by), candidates, jobs=_JOBS):
        if version is None or version.is_deleted:
            continue
        if any(each.component == component_id for each in version.dependencies):
            found.append(by)
    return sorted(found)


def list_needed(store: Store, prefix: str = "") -> Iterator[str]:
    """Yield the components whose id starts with ``prefix`` that others have named at some time: by listing alone.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://list-needed-example")
        >>> mark_dependencies(store, "robot", [Dependency("arm.stl")])
        >>> list(list_needed(store))
        ['arm.stl']
    """
    marks = (dependent_of_key(info.key) for info in store.list(NEEDED + prefix))
    return (mark[0] for mark in marks if mark is not None)


def check_not_needed(store: Store, component_id: str) -> None:
    """Do nothing unless other components need this one.

    Raises:
        DependencyError: They do; it names them.
    """
    needing = list_dependents(store, component_id)
    if needing:
        shown = ", ".join(repr(each) for each in needing[:5]) + (" and others" if len(needing) > 5 else "")  # noqa: PLR2004
        raise _refusal(
            store,
            component_id,
            f"it is needed by {shown}",
            "Delete those first, or give even_if_needed=True (--even-if-needed)",
            operation="delete",
        )


def resolve_dependencies(store: Store, component_id: str, version: int | None = None) -> list[Version]:
    """Return a version and all that it needs, the version itself first, then in the order in which they are named.

    Where one component is named with a number and elsewhere without, the number counts.

    Raises:
        DependencyError: Something is missing or was deleted, or is needed at two different versions.
        ComponentNotFoundError: There is no such version.
    """
    root = Dependency(component_id, version)
    pins: dict[str, tuple[int, str]] = {}
    for _ in range(_ROUNDS):
        walk = _Walk(store, component_id, pins)
        found = walk.go(root)
        if walk.pins == pins:
            if walk.clash:
                raise _refusal(store, component_id, walk.clash, "Publish them again with one version that suits all")
            return found
        pins = walk.pins
    raise _refusal(store, component_id, "the versions that it needs exclude one another", "Name versions by number")


def dependency_graph(store: Store, component_id: str | None = None, version: int | None = None) -> DependencyGraph:
    """Return what a component needs, or without one who needs what in the whole library.

    Raises:
        DependencyError: As `resolve_dependencies`.
    """
    if component_id is not None:
        found = resolve_dependencies(store, component_id, version)
    else:
        inventory = take_inventory(store)
        current = (inventory.current(each) for each in inventory.components)
        found = [each for each in current if each is not None and not each.is_deleted]
    needs = {each.component: each.dependencies for each in found if each.dependencies}
    versions: dict[str, int | None] = {each.component: each.number for each in found}
    for those in needs.values():
        for each in those:
            versions.setdefault(each.component)
    return DependencyGraph(versions, needs)


class _Walk:
    """One walk from a version to all that it needs, with the numbers that an earlier walk has found."""

    def __init__(self, store: Store, component_id: str, known: Mapping[str, tuple[int, str]]) -> None:
        self._store = store
        self._component_id = component_id
        self._known = known
        self.pins: dict[str, tuple[int, str]] = {}
        self.clash = ""

    def go(self, root: Dependency) -> list[Version]:
        found: dict[str, Version] = {}
        self._pin(root, "the request")
        left: list[Dependency] = [root]
        seen = {root.component}
        while left:
            wanted = [Dependency(each.component, self._number(each)) for each in left]
            left = []
            for version in _read(self._store, self._component_id, wanted):
                found[version.component] = version
                for each in version.dependencies:
                    self._pin(each, version.component)
                    if each.component not in seen:
                        seen.add(each.component)
                        left.append(each)
        return list(found.values())

    def _number(self, needed: Dependency) -> int | None:
        known = self._known.get(needed.component)
        return known[0] if known else needed.version

    def _pin(self, needed: Dependency, by: str) -> None:
        if needed.version is None:
            return
        number, before = self.pins.setdefault(needed.component, (needed.version, by))
        if number != needed.version and not self.clash:
            self.clash = (
                f"{before!r} needs version {number} of {needed.component!r}, and {by!r} needs version {needed.version}"
            )


def _read(store: Store, component_id: str, wanted: Iterable[Dependency]) -> list[Version]:
    """Return versions, in the order in which they are wanted."""

    def read(needed: Dependency) -> Version:
        try:
            if needed.version is not None:
                found = read_version(store, needed.component, needed.version)
            else:
                found = read_current(store, needed.component)
        except ComponentNotFoundError as error:
            raise _missing(needed, "has no such version") from error
        if found is None:
            raise _missing(needed, "is not there")
        if found.is_deleted:
            raise _missing(needed, "was deleted")
        return found

    def _missing(needed: Dependency, what: str) -> DependencyError | ComponentNotFoundError:
        shown = f"{needed.component!r}" + (f" (version {needed.version})" if needed.version is not None else "")
        if needed.component == component_id:
            uri = store.uri_of(component_id)
            return ComponentNotFoundError(
                f"{shown} {what}", operation="read", uri=uri, remedy=f"Run: skyhold comp ls {store.uri}"
            )
        return _refusal(store, component_id, f"it needs {shown}, which {what}", "Publish or restore that first")

    wanted = list(wanted)
    found = {place: version for (place, _), version in _numbered(read, store, wanted)}
    return [found[place] for place in range(len(wanted))]


def _numbered(
    read: Callable[[Dependency], Version], store: Store, wanted: list[Dependency]
) -> Iterator[tuple[tuple[int, Dependency], Version]]:
    jobs = min(_JOBS, store.concurrency)
    yield from in_parallel(lambda numbered: read(numbered[1]), enumerate(wanted), jobs=jobs)


def _way_back(came_from: Mapping[str, str], component_id: str) -> list[str]:
    way = [component_id]
    step = came_from[component_id]
    while step != component_id:
        way.append(step)
        step = came_from[step]
    return way


def _quoted(component: str) -> str:
    return component.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _refusal(
    store: Store, component_id: str, reason: str, remedy: str, *, operation: str = "resolve"
) -> DependencyError:
    return DependencyError(reason, operation=operation, uri=store.uri_of(component_id), remedy=remedy)
