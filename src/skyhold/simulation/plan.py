"""The cases of a study, each made when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from skyhold.errors import SkyholdError
from skyhold.simulation.case import Case
from skyhold.simulation.document import Document
from skyhold.simulation.drafts import Draft, Drafts
from skyhold.simulation.parameters import Resolved
from skyhold.simulation.patches import Patch, apply_patch, make_patch
from skyhold.simulation.plain import Path
from skyhold.simulation.private_places import PlaceOptions

__all__ = ["Cases", "Plan", "Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A base model of a study, and where each parameter acts in it."""

    document: Document
    parameters: Mapping[str, Resolved]

    def make_patch(self, values: Mapping[str, Any]) -> Patch:
        """Return what the values change: first all that name places, then the functions in the study's order."""
        chosen = [(self.parameters[name], values[name]) for name in self.parameters if name in values]
        changes = [change for one, value in chosen if one.function is None for change in one.changes(value)]
        changed = self.document.with_data(apply_patch(self.document.data, changes))
        for one, value in chosen:
            if one.function is not None:
                changed = one.call(changed, value)
        # What was set is not in the base's spelling yet, and only in that is it seen where nothing has changed.
        spelt = self.document.plain(make_patch(self.document.data, changed.data), "what the parameters set")
        return make_patch(self.document.data, apply_patch(self.document.data, spelt))


class Cases(Sequence[Case]):
    """The cases of a plan: millions cost little until each is asked for, since only then its functions are called."""

    def __init__(
        self,
        drafts: Drafts,
        variants: Mapping[str, Variant],
        options: Mapping[str, Any],
        selection: Mapping[str, Any],
        chosen: range | None = None,
    ) -> None:
        self._drafts = drafts
        self._chosen = range(len(drafts)) if chosen is None else chosen
        self._variants = variants
        self._options = options
        self._selection = selection
        self._last: tuple[str, Mapping[str, Any], Patch] | None = None

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Case: ...

    @overload
    def __getitem__(self, index: slice) -> "Cases": ...

    def __getitem__(self, index: int | slice) -> "Case | Cases":
        if isinstance(index, slice):
            return Cases(self._drafts, self._variants, self._options, self._selection, self._chosen[index])
        draft = self._drafts[self._chosen[index]]
        try:
            patch = self._patch(draft)
        except SkyholdError as error:
            error.add_note(f"Case: {draft.label!r}")
            raise
        return Case(
            draft.label,
            draft.values,
            draft.model,
            patch,
            draft.weather,
            dict(self._options),
            dict(self._selection),
            draft.baseline,
        )

    def __repr__(self) -> str:
        """Name the first and the last; there may be millions."""
        ends = [repr(self._drafts[index].label) for index in dict.fromkeys((*self._chosen[:1], *self._chosen[-1:]))]
        return f"<{len(self):,} {'case' if len(self) == 1 else 'cases'}{': ' if ends else ''}{' … '.join(ends)}>"

    def document(self, case: Case) -> Document:
        """Return the model of a case, to look at or to save."""
        base = self._variants[case.model].document
        return base.with_data(apply_patch(base.data, case.patch)).copy()

    @property
    def labels(self) -> tuple[str, ...]:
        """What the cases are called, in their order."""
        return tuple(self._drafts[index].label for index in self._chosen)

    @property
    def models(self) -> tuple[str, ...]:
        """Name of each case's base model, in their order."""
        return tuple(map(self._drafts.model_of, self._chosen))

    def _patch(self, draft: Draft) -> Patch:
        # Cases that differ in their weather alone follow each other, and functions can be slow.
        if self._last is None or self._last[0] != draft.model or self._last[1] is not draft.values:
            self._last = draft.model, draft.values, self._variants[draft.model].make_patch(draft.values)
        return self._last[2]


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What a study will run.

    Attributes:
        name: Of the study.
        models: Canonical bytes of each base model, by name.
        suffix: How a file of such a model ends.
        weathers: Path or URI of each weather file, by name; none for a simulator that needs none.
        cases: What will run; each is made when it is asked for.
        parameters: Names of what is varied, in the study's order.
        places: Where each parameter acts in each model: by model, then by parameter; empty for a function.
        place_options: With which weather files are read that lie in buckets.
        origins: Where models and weather files were read from, without secrets.
    """

    name: str
    models: Mapping[str, bytes]
    suffix: str
    weathers: Mapping[str, str]
    cases: Cases
    parameters: tuple[str, ...]
    places: Mapping[str, Mapping[str, tuple[Path, ...]]]
    place_options: PlaceOptions = field(default_factory=PlaceOptions, compare=False)
    origins: tuple[str, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """Say what it is of and how much; models are long."""
        of = ", ".join([*self.models, *self.weathers])
        return f"Plan({self.name!r}: {self.cases!r} of {of}; varied: {', '.join(self.parameters) or 'nothing'})"

    def check(self, engine: Any = None) -> None:
        """Let the simulator read the first and the last case of each model, before thousands of them run.

        A field that a parameter made by mistake is found in this way: EnergyPlus would run without it.

        Args:
            engine: Which engine is asked; None for one of the model's version.

        Raises:
            ModelError: A case is wrong; the note tells which.
        """
        self.check_with(lambda document: document.check(engine))

    def check_with(self, check: Callable[[Document], None]) -> None:
        """Give the first and the last case of each model to a function that raises where one is wrong.

        Between them only values differ, and not what is set.
        """
        ends: dict[str, tuple[int, int]] = {}
        for index, model in enumerate(self.cases.models):
            ends[model] = ends.get(model, (index, index))[0], index
        for first_and_last in ends.values():
            for index in dict.fromkeys(first_and_last):
                case = self.cases[index]
                try:
                    check(self.cases.document(case))
                except SkyholdError as error:
                    error.add_note(f"Case: {case.label!r}")
                    raise
