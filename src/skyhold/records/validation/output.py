"""The Arrow type of an output column, and how one Python value gets there."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from skyhold.records.validation.arrow import Array, DataType, pa
from skyhold.records.validation.plain_arrays import BuildPlain, members_of
from skyhold.records.validation.values import Convert, OverflowedError

__all__ = ["OutputType", "by_dictionary"]

# Python looks for garbage whenever some hundred more objects have come than gone: with thousands alive at once, that
# takes longer than all else.
_PIECE_ROWS = 128


@dataclass(frozen=True, slots=True)
class OutputType:
    """An Arrow type with the conversion of one value, None excepted.

    Attributes:
        arrow_type: What the column holds.
        convert: Gives what the column holds for a value, or raises `OverflowedError`.
        nullable: Whether None may be among the values.
        members: The texts that its values are all expected to be; empty where they may be any.
        natural: The type that the field would have, where it asked for another.
        build_plain: Builds the column from many values at once, if all of them are plain.
    """

    arrow_type: DataType
    convert: Convert
    nullable: bool = False
    members: tuple[str, ...] = field(default=(), compare=False)
    natural: DataType | None = field(default=None, compare=False)
    build_plain: BuildPlain | None = field(default=None, compare=False)

    @property
    def kernel_type(self) -> DataType:
        """The type in which columnar checks work."""
        return self.arrow_type if self.natural is None else self.natural

    @property
    def piece_rows(self) -> int | None:
        """How many values should be Python objects at a time; None if they may all be, since none holds others."""
        return _PIECE_ROWS if self.build_plain is None or pa.types.is_nested(self.arrow_type) else None

    @property
    def target(self) -> DataType | None:
        """The type that checked values must still become, if any."""
        return None if self.natural is None else self.arrow_type

    def as_column(self) -> "OutputType":
        """Return the type for a whole column, where repeated texts are stored once."""
        if self.members and self.arrow_type == pa.string() and self.natural is None:
            kind = pa.dictionary(pa.int32(), pa.string())
            return replace(self, arrow_type=kind, build_plain=members_of(self.members, kind))
        return self

    def convert_one(self, value: object) -> object:
        """Return what the column holds for a value.

        Raises:
            OverflowedError: The column cannot hold it exactly.
        """
        converted = None if value is None else self.convert(value)
        if converted is None and not self.nullable:
            raise OverflowedError("None does not fit in a column of a field that is not Optional")
        return converted

    def build(self, values: Sequence[object]) -> tuple[Array, dict[int, OverflowedError]]:
        """Return an array of values, with null for those that the column cannot hold, and why by their places."""
        if self.build_plain is not None:
            # Whatever it stumbles over, the values one by one tell.
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                return self.build_plain(values, self.nullable), {}
        converted: list[object] = []
        failed: dict[int, OverflowedError] = {}
        for place, value in enumerate(values):
            try:
                converted.append(self.convert_one(value))
            except OverflowedError as exc:
                failed[place] = exc
                converted.append(None)
        return self._build(converted), failed

    def _build(self, converted: Sequence[object]) -> Array:
        if self.members and pa.types.is_dictionary(self.arrow_type):
            return self._build_members(converted)
        return pa.array(converted, self.arrow_type)

    def _build_members(self, converted: Sequence[object]) -> Array:
        # The same dictionary in every batch, unless a validator has made up further texts.
        places: dict[object, int] = {member: place for place, member in enumerate(self.members)}
        indices = [None if each is None else places.setdefault(each, len(places)) for each in converted]
        return by_dictionary(
            pa.array(indices, self.arrow_type.index_type), pa.array([*places], self.arrow_type.value_type)
        )


def by_dictionary(indices: Array, members: Array) -> Array:
    """Return texts by their places among some members.

    Example:
        >>> by_dictionary(pa.array([1, None], pa.int32()), pa.array(["a", "b"])).to_pylist()
        ['b', None]
    """
    return pa.DictionaryArray.from_arrays(indices, members)
