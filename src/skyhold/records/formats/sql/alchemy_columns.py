"""Which column of a database behind SQLAlchemy holds which Arrow type, and what its cells are on their way there."""

# SQLAlchemy is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import MalformedInputError, SchemaError
from skyhold.records.formats.sql.alchemy_types import arrow_type
from skyhold.records.formats.sql.cells import as_json, fits, is_list, is_nested, is_text, plain_type, to_type
from skyhold.records.formats.sql.decimals import PLAIN_NUMERIC

__all__ = ["SentColumn", "column_into", "new_column"]

_ZONED = pa.timestamp("us", "UTC")
_MOST_DIGITS = 76
_KNOWS_NAN = {"postgresql", "oracle"}


@dataclass(frozen=True, slots=True)
class SentColumn:
    """How one column travels.

    Attributes:
        name: The column's.
        dialect: Where to.
        kind: SQLAlchemy's type for a table of ours.
        type: What its cells become; nested ones become JSON text where this is text.
        within: What must hold them exactly before.
        cast_to: SQLAlchemy's type that the server makes of it at the end.
    """

    name: str
    dialect: str
    kind: Any
    type: pa.DataType
    within: pa.DataType | None = None
    cast_to: Any = None

    def encode(self, values: pa.Array) -> list[Any]:
        """Return cells as a driver takes them.

        Raises:
            MalformedInputError: A value does not fit exactly.
        """
        if is_nested(plain_type(values.type)) and is_text(self.type):
            return as_json(values).to_pylist()
        if self.within is not None:
            values = to_type(self.name, values, self.within)
        values = to_type(self.name, values, self.type)
        if pa.types.is_floating(self.type) and self.dialect not in _KNOWS_NAN and pc.any(pc.is_nan(values)).as_py():
            self._refuse("a NaN, which this database has not", "Write None instead")
        if self.dialect == "oracle" and is_text(self.type) and pc.any(pc.equal(values, "")).as_py():
            self._refuse("an empty text, which Oracle would store as NULL", "Write None or another text instead")
        return values.to_pylist()

    def _refuse(self, what: str, instead: str) -> None:
        raise MalformedInputError(
            f"column {self.name!r} has {what}", remedy=f"{instead}, or reject such rows with a schema_model"
        )


def new_column(field: pa.Field, dialect: str, sa: Any, *, in_key: bool = False) -> SentColumn:
    """Return how a column travels into a table that is made for it.

    Raises:
        SchemaError: The database has no such type.
    """
    kind, name = plain_type(field.type), field.name
    if is_list(kind) and dialect == "postgresql" and not is_nested(plain_type(kind.value_type)):
        inner = new_column(pa.field(name, kind.value_type), dialect, sa)
        return SentColumn(name, dialect, sa.ARRAY(inner.kind), pa.list_(inner.type))
    own = _types_of(dialect, sa)
    if is_nested(kind):
        return SentColumn(name, dialect, own["text"], pa.string(), cast_to=own["json"])
    if pa.types.is_decimal(kind) or pa.types.is_uint64(kind):
        exact = pa.decimal128(20, 0) if pa.types.is_uint64(kind) else _without_negative_scale(kind)
        return SentColumn(name, dialect, sa.Numeric(exact.precision, exact.scale), exact)
    if is_text(kind) or pa.types.is_null(kind):
        return SentColumn(name, dialect, own["key"] if in_key else own["text"], pa.string())
    found, sent = next((made for test, made in _families(kind, own, sa) if test(kind)), (None, kind))
    if found is None:
        raise SchemaError(
            f"column {name!r} is {kind}, which {dialect} has no exact type for",
            remedy="Give the model's field another type, such as str",
        )
    return SentColumn(name, dialect, found, sent)


def column_into(field: pa.Field, target: Any, dialect: str, sa: Any, uri: str) -> SentColumn:
    """Return how a column travels into one that exists, of SQLAlchemy's type ``target``.

    Raises:
        SchemaError: Its values are not values of that column.
    """
    kind, name = plain_type(field.type), field.name
    wanted = arrow_type(target, dialect, sa)
    nothing_known = wanted is None and not isinstance(target, sa.types.NullType)
    if is_text(kind) or pa.types.is_null(kind) or (is_nested(kind) and wanted is not None and is_text(wanted)):
        if nothing_known or (wanted is not None and (is_text(wanted) or pa.types.is_null(kind))):
            plain = isinstance(target, sa.String) and not isinstance(target, sa.Enum)
            cast = None if plain or dialect != "postgresql" else target
            return SentColumn(name, dialect, sa.Text(), pa.string(), cast_to=cast)
    elif wanted is not None and fits(kind, wanted):
        within = _within(kind, wanted, target, dialect)
        sent = new_column(pa.field(name, within), dialect, sa)
        return SentColumn(name, dialect, sent.kind, sent.type, within)
    raise SchemaError(
        f"column {name!r} is {field.type}, and {target!r} in {uri!r}",
        remedy="Give the model the column's type, or write another table",
    )


def _within(kind: pa.DataType, wanted: pa.DataType, target: Any, dialect: str) -> pa.DataType:
    """Return what a column holds exactly; it would round the rest without a word."""
    if wanted == PLAIN_NUMERIC:
        return kind
    if not (pa.types.is_timestamp(wanted) or pa.types.is_time(wanted)):
        return wanted
    name = str(target.__visit_name__).upper()
    rough = dialect == "mysql" or (dialect, name) in {
        ("mssql", "DATETIME"),
        ("mssql", "SMALLDATETIME"),
        ("oracle", "DATE"),
    }
    said = getattr(target, "fsp", None) if dialect == "mysql" else getattr(target, "precision", None)
    digits = said if said is not None else 0 if rough else 6
    unit = "us" if digits >= 6 else "ms" if digits >= 3 else "s"  # noqa: PLR2004 - digits of these units
    if pa.types.is_timestamp(wanted):
        return pa.timestamp(unit, wanted.tz)
    return pa.time64("us") if unit == "us" else pa.time32(unit)


def _without_negative_scale(kind: pa.DataType) -> pa.DataType:
    if kind.scale >= 0:
        return kind
    digits = kind.precision - kind.scale
    return pa.decimal128(digits, 0) if digits <= 38 else pa.decimal256(min(digits, _MOST_DIGITS), 0)  # noqa: PLR2004


def _families(
    kind: pa.DataType, own: dict[str, Any], sa: Any
) -> tuple[tuple[Callable[[pa.DataType], bool], tuple[Any, pa.DataType]], ...]:
    tests = pa.types
    return (
        (tests.is_boolean, (sa.Boolean(), pa.bool_())),
        (tests.is_integer, (_whole(kind, sa), pa.int64())),
        (tests.is_float64, (own["double"], pa.float64())),
        (tests.is_floating, (own["single"], pa.float32())),
        (tests.is_date, (sa.Date(), pa.date32())),
        (tests.is_time, (own["clock"], pa.time64("us"))),
        (tests.is_timestamp, (own["instant"], _ZONED) if _is_zoned(kind) else (own["moment"], pa.timestamp("us"))),
        (tests.is_duration, (own["span"], pa.duration("us"))),
        (tests.is_binary, (own["bytes"], pa.binary())),
        (tests.is_large_binary, (own["bytes"], pa.binary())),
        (tests.is_fixed_size_binary, (own["bytes"], pa.binary())),
    )


def _is_zoned(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _whole(kind: pa.DataType, sa: Any) -> Any:
    if not pa.types.is_integer(kind):
        return None
    wide = kind.bit_width + (1 if pa.types.is_unsigned_integer(kind) else 0)
    return sa.SmallInteger() if wide <= 16 else sa.Integer() if wide <= 32 else sa.BigInteger()  # noqa: PLR2004 - bits


def _types_of(dialect: str, sa: Any) -> dict[str, Any]:
    """Return a dialect's types where the usual ones would cut or round; None where it has none."""
    usual: dict[str, Any] = {
        "text": sa.Text(),
        "key": sa.Text(),
        "bytes": sa.LargeBinary(),
        "double": sa.Double(),
        "single": sa.Double() if dialect == "mysql" else sa.REAL(),
        "moment": sa.DateTime(),
        "instant": sa.DateTime(timezone=True),
        "clock": sa.Time(),
        "span": None,
        "json": None,
    }
    return usual | _OWN.get(dialect, dict)()


def _postgresql() -> dict[str, Any]:
    own = import_module("sqlalchemy.dialects.postgresql")
    return {"span": own.INTERVAL(), "json": own.JSONB()}


def _mysql() -> dict[str, Any]:
    own = import_module("sqlalchemy.dialects.mysql")
    return {
        "text": own.LONGTEXT(),
        "key": own.VARCHAR(255),
        "bytes": own.LONGBLOB(),
        "moment": own.DATETIME(fsp=6),
        "instant": None,
        "clock": own.TIME(fsp=6),
        "json": own.JSON(),
    }


def _mssql() -> dict[str, Any]:
    own = import_module("sqlalchemy.dialects.mssql")
    return {
        "text": own.NVARCHAR(None),
        "key": own.NVARCHAR(450),
        "bytes": own.VARBINARY("max"),
        "moment": own.DATETIME2(6),
        "instant": own.DATETIMEOFFSET(6),
        "clock": own.TIME(6),
    }


def _oracle() -> dict[str, Any]:
    own = import_module("sqlalchemy.dialects.oracle")
    return {
        "key": own.VARCHAR2(1000),
        "double": own.BINARY_DOUBLE(),
        "single": own.BINARY_DOUBLE(),
        "moment": own.TIMESTAMP(),
        "instant": None,  # the driver takes and gives them without their zone
        "clock": None,
        "span": own.INTERVAL(day_precision=9, second_precision=6),
    }


_OWN: dict[str, Callable[[], dict[str, Any]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mssql": _mssql,
    "oracle": _oracle,
}
