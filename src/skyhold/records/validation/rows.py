"""Whole rows through pydantic: the judge of last resort, and the only one that words errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import RootModel, ValidationError

from skyhold.records.validation.arrow import Array
from skyhold.records.validation.outcome import FieldError, Reject, format_path, read_errors
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.values import OverflowedError

__all__ = ["RowJudge", "UnreadableRow"]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """What stands for a row that cannot be given to pydantic, and why."""

    errors: tuple[FieldError, ...]


class RowJudge:
    """Validates rows one by one and turns the accepted ones into columns.

    Args:
        validate: Gives pydantic's result for one row, or raises.
        outputs: Output type by field; extra columns after the fields, computed fields last.
        extras: Which outputs are columns that no field takes.
        kind: How an accepted row looks: ``"model"``, ``"fields"`` (of a model without hooks), ``"dataclass"`` or
            ``"typed-dict"``.
        computed: Which outputs are computed fields.
        excluded: Fields that have no output.
    """

    def __init__(
        self,
        validate: Callable[[Any], Any],
        outputs: Mapping[str, OutputType],
        *,
        kind: str,
        extras: Sequence[str],
        computed: Sequence[str],
        excluded: Sequence[str],
    ) -> None:
        self._validate = validate
        self._outputs = dict(outputs)
        self._kind = kind
        self._extras = frozenset(extras)
        self._computed = frozenset(computed)
        self._known = frozenset({*outputs, *excluded})

    def judge(self, numbers: Iterable[int], rows: Iterable[Any]) -> tuple[list[int], dict[str, Array], list[Reject]]:
        """Judge rows.

        Returns: The numbers of the accepted rows, their columns, and the rejects; both ascending.
        """
        accepted: list[int] = []
        rejects: list[Reject] = []
        held: list[list[object]] = [[] for _ in self._outputs]
        for number, row in zip(numbers, rows, strict=True):
            cells, errors = self._judge_one(row)
            if errors:
                rejects.append(Reject(number, errors))
                continue
            accepted.append(number)
            for column, cell in zip(held, cells, strict=True):
                column.append(cell)
        arrays = {
            name: output.build(column) for (name, output), column in zip(self._outputs.items(), held, strict=True)
        }
        return accepted, arrays, rejects

    def _judge_one(self, row: Any) -> tuple[list[object], tuple[FieldError, ...]]:
        if isinstance(row, UnreadableRow):
            return [], row.errors
        try:
            found = self._validate(row)
            while isinstance(found, RootModel):
                found = cast("Any", found).root
            names = self._read_names(found)
        except ValidationError as exc:
            return [], read_errors(exc)
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - validators may raise anything, and a bad row is data
            return [], (FieldError("$", "validator_error", _describe(exc)),)
        return self._convert(names)

    def _convert(self, names: Mapping[str, Any]) -> tuple[list[object], tuple[FieldError, ...]]:
        cells: list[object] = []
        errors: list[FieldError] = []
        for name, output in self._outputs.items():
            try:
                cells.append(output.convert_one(names.get(name)))
            except OverflowedError as exc:
                errors.append(FieldError(format_path((name,)), "output_overflow", str(exc)))
        return cells, tuple(errors) + tuple(
            FieldError(format_path((name,)), "output_overflow", "an extra value that has no column in the input")
            for name in names
            if name not in self._known
        )

    def _read_names(self, found: Any) -> dict[str, Any]:
        if self._kind == "typed-dict":
            return dict(found)
        if self._kind == "fields":
            fields, extra, _ = found
            return cast("dict[str, Any]", fields | (extra or {}))
        if self._kind == "model":
            # Not the whole __dict__: cached properties live beside the fields.
            held = cast("dict[str, Any]", found.__dict__)
            names = {name: held[name] for name in self._outputs if name in held}
            names |= cast("dict[str, Any]", found.__pydantic_extra__ or {})
        else:
            names = {name: getattr(found, name) for name in self._outputs if name not in self._extras}
            names |= {name: found.__dict__[name] for name in self._extras}
        return names | {name: getattr(found, name) for name in self._computed}


def _describe(error: Exception) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the exception's own text may raise anything
        text = "(its message cannot be printed)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
