"""Whole rows through pydantic: the judge of last resort, and the only one that words errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import RootModel, ValidationError

from skyhold.records.stopping import check_stop
from skyhold.records.validation.arrow import Array, pa
from skyhold.records.validation.outcome import FieldError, Reject, format_path, read_errors
from skyhold.records.validation.output import OutputType

__all__ = ["RowJudge", "UnreadableRow"]

_CHECK_ROWS = 256
_NO_COLUMN = "an extra value that has no column in the input"


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
        self._piece_rows = min((each.piece_rows for each in outputs.values() if each.piece_rows), default=None)

    def judge(self, numbers: Sequence[int], rows: Sequence[Any]) -> tuple[list[int], dict[str, Array], list[Reject]]:
        """Judge rows.

        Returns: The numbers of the accepted rows, their columns, and the rejects; both ascending.
        """
        step = self._piece_rows or max(len(rows), 1)
        places = range(0, max(len(rows), 1), step)
        pieces = [self._judge_piece(numbers[at : at + step], rows[at : at + step]) for at in places]
        accepted = [number for piece, _, _ in pieces for number in piece]
        arrays = {name: pa.concat_arrays([piece[name] for _, piece, _ in pieces]) for name in self._outputs}
        return accepted, arrays, [reject for _, _, piece in pieces for reject in piece]

    def _judge_piece(
        self, numbers: Sequence[int], rows: Sequence[Any]
    ) -> tuple[list[int], dict[str, Array], list[Reject]]:
        accepted: list[int] = []
        rejects: list[Reject] = []
        held: list[Mapping[str, Any]] = []
        for place, (number, row) in enumerate(zip(numbers, rows, strict=True)):
            if place % _CHECK_ROWS == 0:
                check_stop()
            found = self._judge_one(row)
            if isinstance(found, tuple):
                rejects.append(Reject(number, found))
            else:
                accepted.append(number)
                held.append(found)
        arrays, errors = self._build(held)
        if not errors:
            return accepted, arrays, rejects
        rejects += [Reject(accepted[place], tuple(found)) for place, found in errors.items()]
        fits = pa.array([place not in errors for place in range(len(held))], pa.bool_())
        return (
            [number for place, number in enumerate(accepted) if place not in errors],
            {name: array.filter(fits) for name, array in arrays.items()},
            sorted(rejects, key=lambda reject: reject.row),
        )

    def _judge_one(self, row: Any) -> Mapping[str, Any] | tuple[FieldError, ...]:
        """Return the values of an accepted row, or why it was not."""
        if isinstance(row, UnreadableRow):
            return row.errors
        try:
            found = self._validate(row)
            while isinstance(found, RootModel):
                found = cast("Any", found).root
            return self._read_names(found)
        except ValidationError as exc:
            return read_errors(exc)
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - validators may raise anything, and a bad row is data
            return (FieldError("$", "validator_error", _describe(exc)),)

    def _build(self, held: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Array], dict[int, list[FieldError]]]:
        """Return the columns, and by its place every row that has a value which has none."""
        arrays: dict[str, Array] = {}
        errors: dict[int, list[FieldError]] = {}
        for name, output in self._outputs.items():
            arrays[name], failed = output.build([row.get(name) for row in held])
            for place, why in failed.items():
                errors.setdefault(place, []).append(FieldError(format_path((name,)), "output_overflow", str(why)))
        for place, row in enumerate(held):
            if not row.keys() <= self._known:
                errors.setdefault(place, []).extend(
                    FieldError(format_path((name,)), "output_overflow", _NO_COLUMN)
                    for name in row
                    if name not in self._known
                )
        return arrays, errors

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
