"""From text to typed columns: by casting where a column is clean, by pattern where it is not.

Arrow's own parsers are several times faster than a regular expression, but they raise on one bad text, and
read a few forms that pydantic refuses. So blanks and words are left out, which is what dirty columns mostly
hold, a cast is tried, and what it read is checked cheaply; only if the cast fails, a pattern decides.
"""

from datetime import date

from skyhold.records.validation.arrow import Array, DataType, pa, pc

__all__ = [
    "AWARE_PATTERN",
    "DATE_PATTERN",
    "FLOAT_PATTERN",
    "NAIVE_PATTERN",
    "read_clocks",
    "read_decimals",
    "read_floats",
    "read_integers",
    "read_moments",
]

_INT_DIGITS = 18
_SIGNED_PATTERN = r"\A-[0-9]{1,18}\z"
_DAY = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
FLOAT_PATTERN = r"\A-?[0-9]{1,15}(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?\z"
DATE_PATTERN = rf"\A{_DAY}\z"
NAIVE_PATTERN = rf"\A{_DAY}(?:[T ]{_CLOCK})?\z"
AWARE_PATTERN = rf"\A{_DAY}[T ]{_CLOCK}(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])\z"

# Arrow also reads an hour without minutes, and offsets in other spellings. Given that it read the text at all,
# the length tells the form: a day; a day with minutes, with seconds, with one to six digits of a second.
_BYTES = {DATE_PATTERN: (10,), NAIVE_PATTERN: (10, 16, 19, 21, 22, 23, 24, 25, 26)}
_ZULU_BYTES = (17, 20, 22, 23, 24, 25, 26, 27)
# Python has no year 0; and an offset may move instants of the year 1 or 9999 out of its range.
_FIRST_DAY, _LAST_DAY = date(1, 1, 1), date(9999, 1, 1)


def read_integers(texts: Array) -> tuple[Array, Array]:
    """Read texts (string, without nulls) as int64.

    Returns: Which were read (bool, without nulls), and the values (null where not read).
    """
    read = pc.and_(pc.ascii_is_decimal(texts), pc.less_equal(pc.binary_length(texts), _INT_DIGITS))
    if read.true_count < len(read):
        rest = pc.invert(read)
        signed = pc.match_substring_regex(texts.filter(rest), _SIGNED_PATTERN)
        if signed.true_count:
            read = pc.replace_with_mask(read, rest, signed)
    return read, _cast_where(read, texts, pa.int64())


def read_floats(texts: Array) -> tuple[Array, Array]:
    """Read texts (string, without nulls) as float64; infinities and NaN are left out.

    Returns: Which were read (bool, without nulls), and the values (anything where not read).
    """
    values = _cast_or_none(_starting(texts, "-"), pa.float64())
    if values is None:
        read = pc.match_substring_regex(texts, FLOAT_PATTERN)
        return read, _cast_where(read, texts, pa.float64())
    return pc.fill_null(pc.is_finite(values), fill_value=False), values


def read_decimals(texts: Array, target: DataType) -> tuple[Array, Array]:
    """Read texts (string, without nulls) as decimals that need no rounding; without exponents.

    Returns: Which were read (bool, without nulls), and the values (null where not read).
    """
    whole, places = target.precision - target.scale, target.scale
    fraction = rf"(?:\.[0-9]{{1,{places}}})?" if places else ""
    read = pc.match_substring_regex(texts, rf"\A-?[0-9]{{1,{whole}}}{fraction}\z")
    return read, _cast_where(read, texts, target)


def read_clocks(texts: Array) -> tuple[Array, Array]:
    """Read texts (string, without nulls) as times of day with seconds.

    Returns: Which were read (bool, without nulls), and the values (null where not read).
    """
    read = pc.match_substring_regex(texts, rf"\A{_CLOCK}\z")
    # Arrow reads no time of day alone, but those of some day.
    moments = pc.binary_join_element_wise("1970-01-01T", texts, "")
    return read, pc.cast(_cast_where(read, moments, pa.timestamp("us")), pa.time64("us"))


def read_moments(texts: Array, pattern: str, target: DataType) -> tuple[Array, Array]:
    """Read texts (string, without nulls) as dates or date-times.

    Args:
        texts: What to read.
        pattern: Which forms to read: one of the patterns of this module.
        target: The Arrow type that it goes with.

    Returns: Which were read (bool, without nulls), and the values (null where not read).
    """
    lengths = _BYTES.get(pattern)
    has_zone = lengths is None
    if has_zone and pc.all(pc.ends_with(texts, "Z")).as_py():
        lengths = _ZULU_BYTES
    values = None if lengths is None else _cast_or_none(_starting(texts, "0"), target)
    if values is None or lengths is None:
        read = pc.match_substring_regex(texts, pattern)
        values = _cast_where(read, texts, target)
    else:
        read = pc.is_in(pc.binary_length(texts), value_set=pa.array(lengths, pa.int32()))
    in_range = pc.greater_equal(values, pa.scalar(_FIRST_DAY, pa.date32()).cast(target))
    if has_zone:
        in_range = pc.and_(in_range, pc.less(values, pa.scalar(_LAST_DAY, pa.date32()).cast(target)))
    read = pc.and_(read, pc.fill_null(in_range, fill_value=False))
    return read, values if read.true_count == len(read) else pc.if_else(read, values, None)


def _starting(texts: Array, first: str) -> Array:
    """Return the texts from ``first`` to ``"9"`` in ASCII order, and null for blanks and words."""
    start = pc.and_(pc.greater_equal(texts, first), pc.less(texts, ":"))
    return texts if start.true_count == len(start) else pc.if_else(start, texts, None)


def _cast_or_none(texts: Array, target: DataType) -> Array | None:
    try:
        return pc.cast(texts, target)
    except pa.ArrowInvalid:
        return None


def _cast_where(read: Array, texts: Array, target: DataType) -> Array:
    return pc.cast(texts if read.true_count == len(read) else pc.if_else(read, texts, None), target)
