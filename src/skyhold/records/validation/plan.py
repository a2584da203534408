"""The plan: a route for each field, chosen once, then used for every batch."""

from collections.abc import Sequence
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import Array, DataType, RecordBatch, Schema, pa, pc
from skyhold.records.validation.arrow_types import column_output, field_output
from skyhold.records.validation.cells import Cells, TextCells, TypedCells
from skyhold.records.validation.columns import FieldJudge, KernelJudge, absent_judge
from skyhold.records.validation.description import describe_model
from skyhold.records.validation.fitting import convert_exactly
from skyhold.records.validation.json_cells import JsonCells
from skyhold.records.validation.kernel_choice import hasten_emails
from skyhold.records.validation.outcome import FieldRoute, Outcome, RowKind
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.rows import RowJudge
from skyhold.records.validation.shape import FieldShape, ModelShape, find_record, open_model, read_shape
from skyhold.records.validation.values import to_extra, to_nothing

__all__ = ["ValidationPlan"]

_EXTRA = OutputType(pa.string(), to_extra, nullable=True)
_EXCLUDED = OutputType(pa.null(), to_nothing, nullable=True)


class ValidationPlan:
    """How batches of one layout are validated against one model; made by ``build``.

    The verdict is pydantic's, as if each row were ``{column: text}`` given to
    ``TypeAdapter(model).validate_python``, where an empty cell (or a null) is None if the fields that
    the column feeds accept None, and ``""`` if not. One exception: what pydantic accepts and the output
    column cannot hold exactly is rejected as ``"output_overflow"``. A validator that raises something
    else than pydantic expects rejects its row as ``"validator_error"``.

    Field validators are taken as functions of their value: one that counts its calls, or remembers
    values, may see a value twice, and in another order than the rows'.

    A plain ``datetime`` field becomes a column without a time zone; text with one is rejected there,
    since its instant could not be kept. Declare ``AwareDatetime`` for a column in UTC.

    A field with ``exclude=True`` is validated and has no output column. Serializers are not asked: columns
    hold the validated values.

    Example:
        >>> from typing import Annotated
        >>> import pyarrow as pa
        >>> from pydantic import BaseModel, Field
        >>> class Person(BaseModel):
        ...     name: str
        ...     age: Annotated[int, Field(ge=0)]
        >>> plan = ValidationPlan.build(Person, columns=["name", "age"])
        >>> outcome = plan.validate(pa.record_batch({"name": ["Ada", "Bob"], "age": ["36", "-1"]}))
        >>> outcome.accepted.to_pylist()
        [{'name': 'Ada', 'age': 36}]
        >>> outcome.rejects[0].row, outcome.rejects[0].errors[0].path
        (1, '$.age')
    """

    output_schema: Schema

    def __init__(self, model: object, columns: Sequence[str] | Schema, *, kind: RowKind) -> None:
        self._recipe = (model, columns, kind)
        schema: Schema = columns if kind != "text" else pa.schema([(name, pa.string()) for name in _names(columns)])
        names, types = tuple(schema.names), {} if kind == "text" else dict(zip(schema.names, schema.types, strict=True))
        adapter = open_model(model)
        shape = read_shape(cast("dict[str, Any]", adapter.core_schema), names, kind=kind)
        self._cells = _open_cells(kind, schema, shape)
        outputs = {
            field.name: field_output(field, shape, types.get(field.column or ""))
            for field in shape.fields
            if not field.excluded
        }
        self._extras = shape.unknown if shape.extra == "allow" else ()
        computed = {name: column_output(schema, shape) for name, schema in shape.computed}
        extras = {name: _extra_output(types.get(name)) for name in self._extras}
        self._outputs = _join(outputs, extras, computed, names)
        self.output_schema = pa.schema(
            [pa.field(name, each.arrow_type, nullable=each.nullable) for name, each in self._outputs.items()],
            metadata=describe_model(model, adapter),
        )
        self._judges: dict[str, tuple[str | None, FieldJudge]] = {}
        self._routes: dict[str, FieldRoute] = {}
        self._whole_rows = shape.row_reason or self._cells.row_reason
        for field in shape.fields:
            self._route(field, shape)
        for name, each in computed.items():
            self._routes[name] = FieldRoute(name, None, "row", "a computed field", each.arrow_type)
        validator, found = _row_validator(adapter, shape)
        self._rows = RowJudge(
            validator.validate_json if kind == "json" else validator.validate_python,
            self._outputs,
            kind=found,
            extras=self._extras,
            computed=[*computed],
            excluded=[field.name for field in shape.fields if field.excluded],
        )

    @classmethod
    def build(cls, model: object, *, columns: Sequence[str] | Schema, kind: RowKind = "text") -> "ValidationPlan":
        """Choose the routes.

        Args:
            model: A pydantic model, a dataclass or a TypedDict: the class itself.
            columns: The input's columns, in order: names of texts, or a schema of typed values. For lines of JSON, a
                schema of the keys that may go into extra columns (``extra="allow"``).
            kind: What the cells are.

        Raises:
            SchemaError: The model cannot be used, or column names clash.
        """
        return cls(model, columns, kind=kind)

    def __reduce__(self) -> tuple[Any, ...]:
        model, columns, kind = self._recipe
        return (_rebuild, (model, columns, kind))

    def explain(self) -> list[FieldRoute]:
        """Return each field's route, in the model's order (extra columns of the input have none)."""
        return list(self._routes.values())

    def validate(self, batch: RecordBatch) -> Outcome:
        """Judge all rows of a batch. Threads may share one plan.

        Args:
            batch: Columns as given to ``build``; one column of lines if they are JSON. It may be empty or a slice.

        Raises:
            SchemaError: The batch has other columns.
        """
        read = self._cells.read(batch)
        rows: int = batch.num_rows
        if self._whole_rows:
            numbers, arrays, rejects = self._rows.judge(range(rows), read.rows(None))
            return Outcome(self._batch(arrays), pa.array(numbers, pa.int64()), rejects)
        alive, arrays = self._judge_columns(read.columns, rows, read.readable)
        slow = pc.indices_nonzero(pc.invert(alive))
        if not len(slow):
            return Outcome(self._batch(arrays), _places(alive), [])
        numbers, slow_arrays, rejects = self._rows.judge(slow.to_pylist(), read.rows(slow))
        if numbers:
            accepted = pc.is_in(slow, value_set=pa.array(numbers, slow.type))
            order = _merge_order(alive, accepted)
            arrays = {name: pa.concat_arrays([arrays[name], slow_arrays[name]]).take(order) for name in slow_arrays}
            alive = pc.replace_with_mask(alive, pc.invert(alive), accepted)
        return Outcome(self._batch(arrays), _places(alive), rejects)

    def validate_rows(self, rows: Sequence[dict[str, Any]]) -> Outcome:
        """Judge rows that are Python dicts already, as hooks leave them, whatever keys they have."""
        numbers, arrays, rejects = self._rows.judge(range(len(rows)), self._cells.from_dicts(rows))
        return Outcome(self._batch(arrays), pa.array(numbers, pa.int64()), rejects)

    def _route(self, field: FieldShape, shape: ModelShape) -> None:
        output = _EXCLUDED if field.excluded else self._outputs[field.name]
        shown = None if field.excluded else output.arrow_type
        if self._whole_rows:
            self._routes[field.name] = FieldRoute(field.name, field.column, "row", self._whole_rows, shown)
            return
        judge: FieldJudge
        if field.column is None:
            judge, reason = absent_judge(field, shape, output)
        else:
            judge, reason = self._cells.judge(field, shape, output)
        self._judges[field.name] = (field.column, judge)
        route = "kernel" if isinstance(judge, KernelJudge) else "column"
        self._routes[field.name] = FieldRoute(field.name, field.column, route, reason, shown)

    def _judge_columns(
        self, cells: dict[str, Array], rows: int, readable: Array | None
    ) -> tuple[Array, dict[str, Array]]:
        """Return which rows every field accepts, and the output columns of those rows."""
        alive: Array = pa.repeat(True, rows) if readable is None else readable
        arrays: dict[str, Array] = {}
        for name, route in self._routes.items():
            if route.route == "kernel":
                column, judge = self._judges[name]
                accepted, arrays[name] = judge.judge(cells[cast("str", column)], rows)
                alive = pc.and_(alive, accepted)
        for name in self._extras:
            arrays[name] = self._cells.as_extra(cells[name])
        # Python validators see only rows that may still be accepted here: the others go to pydantic whole.
        arrays, still = _keep(arrays, alive), alive.true_count
        asked = {name: judged for name, judged in self._judges.items() if name not in arrays}
        picked = _keep({column: cells[column] for column, _ in asked.values() if column is not None}, alive)
        good: Array = pa.repeat(True, still)
        for name, (column, judge) in asked.items():
            accepted, arrays[name] = judge.judge(picked[column] if column is not None else None, still)
            good = pc.and_(good, accepted)
        if good.true_count == still:
            return alive, arrays
        return pc.replace_with_mask(alive, alive, good), _keep(arrays, good)

    def _batch(self, arrays: dict[str, Array]) -> RecordBatch:
        return pa.RecordBatch.from_arrays([arrays[name] for name in self._outputs], schema=self.output_schema)


def _rebuild(model: object, columns: Sequence[str] | Schema, kind: RowKind) -> ValidationPlan:
    return ValidationPlan.build(model, columns=columns, kind=kind)


def _names(columns: Any) -> Sequence[str]:
    return columns.names if isinstance(columns, pa.Schema) else columns


def _open_cells(kind: RowKind, schema: Schema, shape: ModelShape) -> Cells:
    if kind == "text":
        return TextCells(schema.names, shape)
    return TypedCells(schema) if kind == "typed" else JsonCells(shape)


def _extra_output(kind: DataType | None) -> OutputType:
    return _EXTRA if kind is None else OutputType(kind, convert_exactly(kind), nullable=True)


def _row_validator(adapter: TypeAdapter[Any], shape: ModelShape) -> tuple[SchemaValidator, str]:
    """Return what judges one row, and how its result looks.

    A model without hooks is judged by its fields alone, which spares the instance, and with plain
    addresses let through before email_validator's slow look at them.
    """
    if shape.kind != "model" or shape.row_reason:
        return cast("SchemaValidator", adapter.validator), shape.kind
    record = find_record(cast("dict[str, Any]", adapter.core_schema))[0]
    fields = cast("CoreSchema", hasten_emails(record))
    if shape.definitions:
        fields = core_schema.definitions_schema(fields, cast("list[CoreSchema]", list(shape.definitions.values())))
    return SchemaValidator(fields, cast("CoreConfig", shape.config)), "fields"


def _join(
    fields: dict[str, OutputType],
    extras: dict[str, OutputType],
    computed: dict[str, OutputType],
    columns: Sequence[str],
) -> dict[str, OutputType]:
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise SchemaError(f"column {twice!r} occurs twice", remedy="Rename the columns of the input.")
    clash = sorted(extras.keys() & (fields.keys() | computed.keys()))
    if clash:
        raise SchemaError(
            f"column {clash[0]!r} feeds no field, and a field has its name, so extra='allow' would write both",
            remedy="Rename the column, or set validate_by_name=True in the model's config.",
        )
    if not (outputs := fields | extras | computed):
        raise SchemaError("the model has no fields to write", remedy="Declare at least one field.")
    return outputs


def _keep(arrays: dict[str, Array], rows: Array) -> dict[str, Array]:
    if rows.true_count == len(rows):
        return dict(arrays)
    return {name: array.filter(rows) for name, array in arrays.items()}


def _places(accepted: Array) -> Array:
    """Return the numbers of the accepted rows."""
    return pc.cast(pc.indices_nonzero(accepted), pa.int64())


def _merge_order(alive: Array, accepted: Array) -> Array:
    """Return where each accepted row stands in the fast rows followed by the slow ones, in input order.

    Args:
        alive: Which rows are fast, by row.
        accepted: Which of the other rows were accepted.
    """
    places = pc.subtract(pc.cumulative_sum(pc.cast(alive, pa.int64())), 1)
    slow_places = pc.add(pc.cumulative_sum(pc.cast(accepted, pa.int64())), alive.true_count - 1)
    is_slow = pc.invert(alive)
    places = pc.replace_with_mask(places, is_slow, slow_places)
    return places.filter(pc.replace_with_mask(alive, is_slow, accepted))
