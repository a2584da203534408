"""Another output type for a field than the one that its annotation has."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import DataType, pa
from skyhold.records.validation.fitting import convert_exactly
from skyhold.records.validation.output import OutputType
from skyhold.records.validation.values import Convert, refuse, to_json_text

__all__ = ["ColumnType", "asked_type", "fit_output"]

_KEY = "skyhold.column_type"
_INDEX_BITS = 32


@dataclass(frozen=True, slots=True)
class ColumnType:
    """Ask for the Arrow type of a field's output column, in ``Annotated``.

    Values are held exactly or their rows are rejected: an int past the type's range, a float that float32 would
    round, a time with more digits than the unit has. Numbers may become other numbers, ints decimals, texts other
    kinds of text, times other units or zones, bytes other binaries, and whatever is nested its JSON text.

    Args:
        arrow_type: The type.

    Example:
        >>> from typing import Annotated
        >>> from pydantic import BaseModel
        >>> from skyhold.records.validation import ValidationPlan
        >>> class Account(BaseModel):
        ...     number: Annotated[int, ColumnType(pa.decimal128(38, 0))]
        >>> plan = ValidationPlan.build(Account, columns=["number"])
        >>> plan.validate(pa.record_batch({"number": ["12345678901234567890"]})).accepted.to_pylist()
        [{'number': Decimal('12345678901234567890')}]
    """

    arrow_type: DataType

    def __post_init__(self) -> None:
        if not isinstance(self.arrow_type, pa.DataType):
            raise SchemaError(
                f"ColumnType({self.arrow_type!r}) is given no Arrow type",
                remedy="Pass one, such as ColumnType(pyarrow.float32()).",
            )

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Leave the type in the core schema's metadata, where pydantic keeps it for whoever asks."""
        schema: dict[str, Any] = handler(source)
        return {**schema, "metadata": {**schema.get("metadata", {}), _KEY: self.arrow_type}}


def asked_type(schema: dict[str, Any]) -> DataType | None:
    """Return the type that a core schema asks for, if it does."""
    metadata = cast("dict[str, Any]", schema.get("metadata") or {})
    return metadata.get(_KEY)


def fit_output(base: OutputType, target: DataType) -> OutputType:
    """Return the output type that was asked for in the place of another.

    Raises:
        SchemaError: Values of the one are never of the other.
    """
    here, there = _family(base.arrow_type), _family(target)
    is_unclear = base.convert is to_json_text
    if there == "text" and here in ("text", "nested"):
        convert = base.convert if here == "text" else to_json_text
        members = base.members if pa.types.is_dictionary(target) else ()
        return OutputType(target, convert, members=members, natural=base.kernel_type)
    if there not in ("nested", "") and (is_unclear or there in _BECOMES.get(here, (here,))):
        return OutputType(target, _exactly(target), natural=base.kernel_type)
    raise SchemaError(
        f"a field whose column is {base.arrow_type} asks for {target}",
        remedy="Ask for a type of the same kind, or change the field's annotation.",
    )


_BECOMES = {"int": ("int", "float", "decimal"), "float": ("float",), "nested": ()}


def _family(kind: DataType) -> str:
    types = pa.types
    if types.is_dictionary(kind):
        # A shorter index could run out in the middle of a run.
        return "text" if _family(kind.value_type) == "text" and kind.index_type.bit_width >= _INDEX_BITS else ""
    families = {
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "int": (types.is_integer,),
        "float": (types.is_floating,),
        "decimal": (types.is_decimal,),
        "bool": (types.is_boolean,),
        "bytes": (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary),
        "timestamp": (types.is_timestamp,),
        "date": (types.is_date,),
        "time": (types.is_time,),
        "duration": (types.is_duration,),
        "nested": (types.is_nested,),
    }
    return next((name for name, tests in families.items() if any(test(kind) for test in tests)), "")


def _exactly(target: DataType) -> Convert:
    fit = convert_exactly(target)
    is_number = not pa.types.is_boolean(target)

    def convert(value: object) -> object:
        plain = value.value if isinstance(value, Enum) else value
        if is_number and isinstance(plain, bool):
            raise refuse(value, f"is not one of {target}")
        return fit(_as_float(plain) if type(plain) is int and pa.types.is_floating(target) else plain)

    return convert


def _as_float(number: int) -> float:
    try:
        found = float(number)
    except OverflowError as exc:
        raise refuse(number, "is past the largest float") from exc
    if found != number:
        raise refuse(number, "does not fit in a float exactly")
    return found
