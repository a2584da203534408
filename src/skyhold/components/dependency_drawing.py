"""Where the boxes and lines of a drawing of dependencies lie: what needs stands left, what is needed right of it."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skyhold.components.dependencies import DependencyGraph

__all__ = ["Box", "Drawing", "Line", "draw_dependencies"]

_LETTER = 7.3
_MARGIN = 10
_HEIGHT = 40
_ROW = 52
_GAP = 56
_MOST_LETTERS = 30
_MOST_BOXES = 60


@dataclass(frozen=True, slots=True)
class Box:
    """A component.

    Attributes:
        component: Its id.
        name: Its id, shortened in the middle where it is long.
        detail: Its version, in words.
        left: Of the box.
        top: Of the box.
        width: Of the box.
        height: Of the box.
        is_missing: Whether it is needed and not there.
    """

    component: str
    name: str
    detail: str
    left: int
    top: int
    width: int
    height: int = _HEIGHT
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """From a component to one that it needs, as a curve; both ends are on the edges of their boxes."""

    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def path(self) -> str:
        """The curve as SVG has it."""
        (left, top), (right, bottom) = self.start, self.end
        middle = (left + right) // 2
        return f"M{left} {top}C{middle} {top} {middle} {bottom} {right} {bottom}"


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it, in pixels."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def draw_dependencies(graph: DependencyGraph, component_id: str, needed_by: Iterable[str] = ()) -> Drawing | None:
    """Return a drawing of what a component needs, and of what needs it; None where it is alone, or they are too many.

    Args:
        graph: What it needs.
        component_id: Which component.
        needed_by: The components that need it.

    Example:
        >>> from skyhold.components.manifest import Dependency
        >>> graph = DependencyGraph({"robot": 3, "arm.stl": None}, {"robot": (Dependency("arm.stl"),)})
        >>> drawing = draw_dependencies(graph, "robot")
        >>> [(box.name, box.detail, box.left) for box in drawing.boxes]
        [('robot', 'version 3', 1), ('arm.stl', 'missing', 143)]
        >>> drawing.lines[0].path
        'M87 21C115 21 115 21 143 21'
    """
    needs = {component: [each.component for each in found] for component, found in graph.needs.items()}
    for each in needed_by:
        needs.setdefault(each, []).append(component_id)
    names = dict.fromkeys([component_id, *needs, *(each for found in needs.values() for each in found)])
    if not 1 < len(names) <= _MOST_BOXES:
        return None
    columns = _columns(names, needs)
    boxes = _place(columns, graph)
    lines = tuple(
        Line(
            (boxes[component].left + boxes[component].width, boxes[component].top + _HEIGHT // 2),
            (boxes[each].left, boxes[each].top + _HEIGHT // 2),
        )
        for component, found in needs.items()
        for each in dict.fromkeys(found)
    )
    width = max(box.left + box.width for box in boxes.values()) + 1
    height = max(box.top for box in boxes.values()) + _HEIGHT + 1
    return Drawing(tuple(boxes.values()), lines, width, height)


def _columns(names: Iterable[str], needs: Mapping[str, list[str]]) -> list[list[str]]:
    """Return the components in columns, each right of all that need it."""
    names = list(names)
    depth = dict.fromkeys(names, 0)
    for _ in names:  # the longest way has fewer steps than there are components
        moved = False
        for component, found in needs.items():
            for each in found:
                if depth[each] <= depth[component] < len(names):
                    depth[each] = depth[component] + 1
                    moved = True
        if not moved:
            break
    found_depths = sorted(set(depth.values()))
    return [[name for name in names if depth[name] == each] for each in found_depths]


def _place(columns: list[list[str]], graph: DependencyGraph) -> dict[str, Box]:
    tallest = max(len(column) for column in columns) * _ROW
    boxes: dict[str, Box] = {}
    left = 1
    for column in columns:
        texts = {component: (_shortened(component), _detail(graph, component)) for component in column}
        letters = max(_width(text) for pair in texts.values() for text in pair)
        width = round(letters * _LETTER) + 2 * _MARGIN
        top = 1 + (tallest - len(column) * _ROW) // 2
        for place, component in enumerate(column):
            name, detail = texts[component]
            is_missing = component in graph.versions and graph.versions[component] is None
            boxes[component] = Box(component, name, detail, left, top + place * _ROW, width, is_missing=is_missing)
        left += width + _GAP
    return boxes


def _detail(graph: DependencyGraph, component: str) -> str:
    if component not in graph.versions:
        return "needs it"
    number = graph.versions[component]
    return "missing" if number is None else f"version {number}"


def _shortened(name: str) -> str:
    half = _MOST_LETTERS // 2
    return name if len(name) <= _MOST_LETTERS else f"{name[: half - 1]}…{name[-half:]}"


def _width(text: str) -> int:
    """Return how many letters wide a text is, about."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
