"""A study: models and weathers, what is varied in them, and the cases that this makes."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as LocalPath
from pathlib import PurePosixPath
from typing import Any, cast

from skyhold.errors import BadOptionError, ModelError, NotFoundError, WeatherError
from skyhold.simulation.document import Document, suggest
from skyhold.simulation.drafts import Drafts, GridRows, Row, label_of
from skyhold.simulation.model import is_epjson
from skyhold.simulation.model_source import as_document, is_idfkit
from skyhold.simulation.parameters import Parameter
from skyhold.simulation.plain import Path, format_path, to_json
from skyhold.simulation.plan import Cases, Plan, Variant
from skyhold.simulation.private_places import PlaceOptions
from skyhold.simulation.sampling import Grid, Listed, Sampling
from skyhold.storage.location import parse_location, redact_uri
from skyhold.weather.downloader import locate_weather

__all__ = ["Study"]


class Study:
    """Models and weathers, what is varied in them, and what is kept of the results.

    Args:
        model: What `as_document` takes; or several: a list, or a dict by name of files, `Model`, `Document` or epJSON
            dicts. A dict of other dicts is one document; write a list, or `Document` around each.
        weather: Path or URI of a weather file, or a station; or several, as a list or by name; None for a simulator
            without.
        parameters: By name: a `Parameter`; or the values alone, where the name is a path in the model.
        name: What it is called.
        sampling: How values are combined: `Grid` (the default), `LatinHypercube`, `Sobol`; or the combinations
            themselves, as a list or by label.
        baseline: Whether there is a case that sets nothing, for each model and weather, with which the others are
            compared; or the values that it sets.
        annual: Run the weather file's year.
        design_day: Run the design days alone.
        outputs: What is kept: an `OutputSelection`, or what its `to_json` gives.
        options: More flags of the engine.
        storage_options: As `skyhold.open_store` takes them, for models and weathers that lie in buckets; where there
            are none, those of the campaign for what lies in its bucket, else those of the environment. They are not
            written down.

    Raises:
        ModelError: A model is not there, or is wrong.
        StorageError: The store of a model does not answer, or denies it.
        WeatherError: A local weather file is not there.
        BadOptionError: A name stands for two things, or an argument has nothing in it.

    Example:
        >>> room = {"wall": {"u": 0.3}, "window": {"u": 1.1}}
        >>> study = Study(room, None, {"wall/u": [0.2, 0.3], "glass": Parameter("window/u", [0.5], how="multiply")})
        >>> for case in study.plan().cases:
        ...     print(case.label, case.patch)
        wall/u=0.2, glass=0.5 [[['wall', 'u'], 0.2], [['window', 'u'], 0.55]]
        wall/u=0.3, glass=0.5 [[['window', 'u'], 0.55]]
    """

    def __init__(  # noqa: PLR0913 - the words of a study
        self,
        model: Any,
        weather: Any = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str = "study",
        sampling: Sampling | Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]] | None = None,
        baseline: bool | Mapping[str, Any] = False,
        annual: bool = False,
        design_day: bool = False,
        outputs: Any = None,
        options: Mapping[str, Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self._places = PlaceOptions(storage_options)
        self.models = _read_models(model, self._places)
        self.weathers = _name_weathers(weather)
        self.parameters = {key: _as_parameter(key, value) for key, value in (parameters or {}).items()}
        self.sampling = _as_sampling(sampling)
        self.baseline = baseline
        flags = {"annual": annual, "design_day": design_day}
        self.options = to_json({**{flag: True for flag, is_on in flags.items() if is_on}, **(options or {})}, "options")
        self.selection = _as_selection(outputs)

    def __repr__(self) -> str:
        """Say what it is of; `plan` says how much."""
        of = ", ".join([*self.models, *self.weathers])
        return f"Study({self.name!r} of {of}; varied: {', '.join(self.parameters) or 'nothing'})"

    def plan(self) -> Plan:
        """Return the cases without running them.

        Raises:
            ModelError: A parameter names what a model has not.
            BadOptionError: Values that are none or not JSON, or two cases of one name.
        """
        variants = {
            name: Variant(
                document, {key: parameter.resolve(key, document) for key, parameter in self.parameters.items()}
            )
            for name, document in self.models.items()
        }
        rows = self._rows()
        _refuse_overlaps(variants, _names_together(rows))
        drafts = Drafts(rows, tuple(self.models), tuple(self.weathers), self._base_values())
        return Plan(
            name=self.name,
            models={name: document.to_bytes() for name, document in self.models.items()},
            suffix=next(iter(self.models.values())).suffix,
            weathers=dict(self.weathers),
            cases=Cases(drafts, variants, self.options, self.selection),
            parameters=tuple(self.parameters),
            places={
                name: {key: tuple(one.places) for key, one in variant.parameters.items()}
                for name, variant in variants.items()
            },
            place_options=self._places,
            origins=tuple(sorted({*map(_origin, self._sources())} - {""})),
        )

    def _sources(self) -> list[str]:
        return [*(document.source for document in self.models.values()), *self.weathers.values()]

    def _rows(self) -> Sequence[Row]:
        """Return the combinations; those of a grid are made when they are asked for."""
        spaces = {name: parameter.values for name, parameter in self.parameters.items()}
        if type(self.sampling) is Grid:  # others may draw otherwise
            return () if not spaces and self.baseline else GridRows(self.sampling.fill(spaces))
        drawn = ((label, self._checked(values)) for label, values in self.sampling.draw(spaces))
        return [(label or label_of(values), values) for label, values in drawn]

    def _base_values(self) -> Mapping[str, Any] | None:
        if self.baseline is False:
            return None
        return self._checked(self.baseline) if isinstance(self.baseline, Mapping) else {}

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            if name not in self.parameters:
                raise BadOptionError(f"there is no parameter {name!r}", remedy=suggest(name, self.parameters))
        return {name: to_json(values[name], f"the parameter {name!r}") for name in self.parameters if name in values}


def _origin(source: str) -> str:
    """Return where something was read from, so that it means the same elsewhere; empty where that was no place."""
    if "://" in source:
        return redact_uri(source)
    return str(LocalPath(source).absolute()) if source and LocalPath(source).is_file() else ""


def _read_models(model: Any, options: PlaceOptions) -> dict[str, Document]:
    if isinstance(model, list | tuple):
        named = _name_models(cast("Sequence[Any]", model))
    elif _is_several(model):
        named = cast("Mapping[str, Any]", model)
    else:
        return {"model": _read_model(model, options)}
    documents = {name: _read_model(one, options) for name, one in named.items()}
    if len({document.suffix for document in documents.values()}) > 1:
        raise BadOptionError(f"the models {', '.join(map(repr, documents))} are not all of one simulator")
    return documents


def _read_model(model: Any, options: PlaceOptions) -> Document:
    if not isinstance(model, str | os.PathLike):
        return as_document(model)
    place = os.fspath(cast("str | os.PathLike[str]", model))
    try:
        return as_document(place, **options.at(place))
    except NotFoundError as error:
        raise ModelError(f"there is no model {place!r}: {error}", remedy="Correct the path, or give a URI") from error


def _name_models(models: Sequence[Any]) -> dict[str, Any]:
    """Return models by name: files by their own, others by number."""
    if not models:
        raise BadOptionError("there is no model in the list", remedy="Give one at least")
    named: dict[str, Any] = {}
    for number, one in enumerate(models, 1):
        name = PurePosixPath(os.fspath(one)).stem if isinstance(one, str | os.PathLike) else f"model {number}"
        if name in named:
            raise BadOptionError(
                f"two of the models are called {name!r}", remedy="Give them names: model={'old': …, 'new': …}"
            )
        named[name] = one
    return named


def _is_several(model: Any) -> bool:
    # A document has plain values, which no model but an epJSON is; text and paths are names of files.
    if not isinstance(model, Mapping) or isinstance(model, Document) or not model:
        return False
    return all(
        isinstance(one, Document | str | os.PathLike) or is_idfkit(one) or is_epjson(one)
        for one in cast("Mapping[Any, Any]", model).values()
    )


def _name_weathers(weather: Any) -> dict[str, str]:
    if weather is None:
        return {}
    if isinstance(weather, Mapping):
        places = {name: _locate(one) for name, one in cast("Mapping[str, Any]", weather).items()}
    else:
        several = cast("list[Any]", weather) if isinstance(weather, list | tuple) else [weather]
        located = [_locate(one) for one in several]
        places = {PurePosixPath(place).stem: place for place in located}
        if len(places) < len(located):
            raise BadOptionError(
                f"two of the weathers {', '.join(map(repr, located))} have the same name",
                remedy="Give them names: weather={'now': …, 'future': …}",
            )
    if not places:
        raise BadOptionError("there is no weather in the list", remedy="Give one at least, or None")
    return places


def _locate(weather: Any) -> str:
    place = locate_weather(weather)
    if parse_location(place).scheme != "file" or "://" in place:
        return place
    local = LocalPath(place).absolute()
    if not local.is_file():
        raise WeatherError(f"there is no weather file {place!r}", remedy="Correct the path, or give a URI")
    return str(local)


def _as_parameter(name: str, given: Any) -> Parameter:
    parameter = given if isinstance(given, Parameter) else Parameter(name, given)
    if parameter.values is not None:
        _refuse_no_list(name, parameter.values)
        to_json(list(parameter.values), f"the parameter {name!r}")
    return parameter


def _refuse_no_list(name: str, values: Any) -> None:
    if isinstance(values, str | Mapping) or not hasattr(values, "__len__"):
        raise BadOptionError(
            f"the values of the parameter {name!r} are {values!r}, not a list", remedy=f"Write [{values!r}]"
        )
    if not len(values):
        raise BadOptionError(f"the parameter {name!r} has no values", remedy="Give it a list of values")


def _as_sampling(sampling: Any) -> Sampling:
    if sampling is None:
        return Grid()
    if hasattr(sampling, "draw"):
        return cast("Sampling", sampling)
    if not len(sampling):
        raise BadOptionError("sampling has no combinations", remedy="Give one at least, or None for the grid")
    return Listed(sampling)


def _as_selection(outputs: Any) -> dict[str, Any]:
    if outputs is None:
        return {}
    return to_json(outputs.to_json() if hasattr(outputs, "to_json") else outputs, "outputs")


def _names_together(rows: Sequence[Row]) -> set[frozenset[str]]:
    """Return which parameters are set together; all combinations of a grid set the same ones."""
    return {frozenset(values) for _, values in (rows[:1] if isinstance(rows, GridRows) else rows)}


def _refuse_overlaps(variants: Mapping[str, Variant], together: Iterable[frozenset[str]]) -> None:
    for model, variant in variants.items():
        for one, other, place in _overlaps(variant):
            if any({one, other} <= names for names in together):
                raise BadOptionError(
                    f"the parameters {one!r} and {other!r} both set {format_path(place)!r} of the model {model!r}",
                    remedy="Narrow the path of one of them, or let one function do both",
                )


def _overlaps(variant: Variant) -> Iterator[tuple[str, str, Path]]:
    owners: dict[Path, str] = {}
    for name, one in variant.parameters.items():
        for place in one.places:
            owner = owners.setdefault(place, name)
            if owner != name:
                yield owner, name, place
    for place, name in owners.items():
        for length in range(len(place)):
            owner = owners.get(place[:length], name)
            if owner != name:
                yield owner, name, place
