"""Whether a Python value is exactly one of a column's type, for values that no model has seen."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from skyhold.records.validation.arrow import DataType, Schema, pa
from skyhold.records.validation.outcome import FieldError, Outcome, Reject, format_path, show_input
from skyhold.records.validation.values import Convert, OverflowedError, refuse, to_float, to_number, to_plain, to_text

__all__ = ["RowFitter", "convert_exactly"]


class RowFitter:
    """Puts rows, as dicts, into columns; a value that a column cannot hold exactly rejects its row.

    A key that is absent is null; one that has no column rejects the row as ``"unexpected_key"``.

    Args:
        schema: The columns.
        misfit: The error type of a value that does not fit.

    Example:
        >>> outcome = RowFitter(pa.schema([("a", pa.int64())]), "misfit").judge([{"a": 1}, {"a": 0.5}, {"b": 1}])
        >>> outcome.accepted.to_pylist(), [reject.errors[0].type for reject in outcome.rejects]
        ([{'a': 1}], ['misfit', 'unexpected_key'])
    """

    def __init__(self, schema: Schema, misfit: str, converters: Mapping[str, Convert] | None = None) -> None:
        self._schema = schema
        self._misfit = misfit
        self._converters = converters or {field.name: convert_exactly(field.type) for field in schema}

    def judge(self, rows: Iterable[Mapping[str, object] | FieldError]) -> Outcome:
        """Judge rows; a `FieldError` stands for one that is rejected already."""
        accepted: list[int] = []
        columns: dict[str, list[object]] = {name: [] for name in self._schema.names}
        rejects: list[Reject] = []
        for number, row in enumerate(rows):
            cells, errors = ({}, [row]) if isinstance(row, FieldError) else self._fit(row)
            if errors:
                rejects.append(Reject(number, tuple(errors)))
                continue
            accepted.append(number)
            for name, column in columns.items():
                column.append(cells.get(name))
        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        return Outcome(batch, pa.array(accepted, pa.int64()), rejects)

    def _fit(self, row: Mapping[str, object]) -> tuple[dict[str, object], list[FieldError]]:
        cells: dict[str, object] = {}
        errors: list[FieldError] = []
        for name, value in row.items():
            convert = self._converters.get(name)
            if convert is None:
                message = "a key for which there is no column"
                errors.append(FieldError(format_path((name,)), "unexpected_key", message, show_input(value)))
                continue
            try:
                cells[name] = None if value is None else convert(value)
            except OverflowedError as error:
                errors.append(FieldError(format_path((name,)), self._misfit, str(error), show_input(value)))
        if not self._converters:
            errors.append(FieldError("$", "no_columns", "there is no column that the row could go into"))
        return cells, errors


def convert_exactly(kind: DataType) -> Convert:
    """Return the check that a value, None excepted, is one of an Arrow type, which Arrow then takes as it is.

    Example:
        >>> convert_exactly(pa.list_(pa.int64()))([1, None])
        [1, None]
        >>> convert_exactly(pa.int64())("1")
        Traceback (most recent call last):
        ...
        skyhold.records.validation.values.OverflowedError: str value '1' is not an int
    """
    types = pa.types
    if types.is_struct(kind):
        return _to_struct({field.name: convert_exactly(field.type) for field in kind})
    if types.is_list(kind) or types.is_large_list(kind):
        return _to_list(convert_exactly(kind.value_type))
    if types.is_map(kind):
        return _to_map(convert_exactly(kind.key_type), convert_exactly(kind.item_type))
    if types.is_dictionary(kind):
        return convert_exactly(kind.value_type)
    if types.is_null(kind):
        return _to_null
    simple: Mapping[Any, Convert] = {
        pa.int64(): to_number,
        pa.float64(): to_float,
        pa.bool_(): to_plain(bool),
        pa.string(): to_text,
        pa.large_string(): to_text,
    }
    return simple[kind] if kind in simple else _by_arrow(kind)


def _to_null(value: object) -> None:
    raise refuse(value, "in a column that only had nulls")


def _to_struct(members: Mapping[str, Convert]) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, Mapping):
            raise refuse(value, "is not an object")
        held = cast("Mapping[str, object]", value)
        unknown = sorted(held.keys() - members.keys())
        if unknown:
            raise OverflowedError(f"the object has a key {unknown[0]!r} that the column has not")
        return {name: None if held.get(name) is None else each(held[name]) for name, each in members.items()}

    return convert


def _to_list(element: Convert) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, (list, tuple)):
            raise refuse(value, "is not a list")
        return [None if each is None else element(each) for each in cast("list[object]", value)]

    return convert


def _to_map(key: Convert, item: Convert) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, Mapping):
            raise refuse(value, "is not a dict")
        pairs = cast("Mapping[object, object]", value).items()
        return [(key(name), None if each is None else item(each)) for name, each in pairs]

    return convert


def _by_arrow(kind: DataType) -> Convert:
    def convert(value: object) -> object:
        try:
            held: Any = pa.scalar(value, kind).as_py()
            # Nothing but NaN differs from itself.
            is_same = bool(held == value) or bool(held != held and value != value)  # noqa: PLR0124
        except (pa.ArrowException, ValueError, TypeError, ArithmeticError) as error:
            raise refuse(value, f"does not fit in {kind}") from error
        if not is_same:
            raise refuse(value, f"does not fit in {kind} exactly")
        return value

    return convert
