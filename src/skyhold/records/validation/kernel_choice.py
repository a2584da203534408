"""Which fields have a kernel: only those whose core schema is understood to the last key."""

import functools
import re
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any, cast

import email_validator
from pydantic import EmailStr
from pydantic_core import PydanticCustomError

from skyhold.records.validation.arrow import pa
from skyhold.records.validation.arrow_types import decimal_type
from skyhold.records.validation.kernels import (
    EMAIL_BYTES,
    BoolKernel,
    Bounds,
    ClockKernel,
    DecimalKernel,
    EmailKernel,
    Kernel,
    MemberKernel,
    NumberKernel,
    TextKernel,
    TimeKernel,
    email_pattern,
)
from skyhold.records.validation.reading import AWARE_PATTERN, DATE_PATTERN, NAIVE_PATTERN
from skyhold.records.validation.shape import CoreDict
from skyhold.records.validation.values import is_utf8

__all__ = ["choose_kernel", "hasten_emails", "portable_pattern"]

_LATELY = 4096
_validate_email: Any = getattr(EmailStr, "_validate", None)
_WAY_DOWN = ("model", "model-field", "typed-dict-field", "nullable", "default")
_BOUNDS = ("gt", "ge", "lt", "le")
_COMMON = frozenset({"type", "ref", "metadata", "serialization"})
_KEYS: dict[str, frozenset[str]] = {
    "str": frozenset({"min_length", "max_length", "pattern", "regex_engine"}),
    "int": frozenset({*_BOUNDS, "multiple_of"}),
    "float": frozenset({*_BOUNDS, "allow_inf_nan"}),
    "bool": frozenset(),
    "date": frozenset(_BOUNDS),
    "datetime": frozenset({*_BOUNDS, "tz_constraint", "microseconds_precision"}),
    "time": frozenset({*_BOUNDS, "tz_constraint", "microseconds_precision"}),
    "decimal": frozenset({*_BOUNDS, "max_digits", "decimal_places", "allow_inf_nan"}),
    "uuid": frozenset({"version"}),
    "literal": frozenset({"expected"}),
    "enum": frozenset({"cls", "members", "sub_type"}),
    "function-after": frozenset({"function", "schema"}),
    "nullable": frozenset({"schema"}),
    "default": frozenset(
        {"schema", "default", "default_factory", "default_factory_takes_data", "validate_default", "copy_default"}
    ),
}
# Settings that change how text is judged, beyond those that the kernels know.
_FOREIGN_CONFIG = ("str_min_length", "str_max_length", "str_to_lower", "str_to_upper", "strict", "regex_engine")
_CLASS_ITEM = r"(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_ @,:;/#%=!.+*?]|\\[.\-+*?()/$^|])"
_PORTABLE = re.compile(
    r"(?:[A-Za-z0-9 _@,:;/#%=!<>\"'-]|\\[.\-+*?()\[\]{}|^$/dw]|[.^$|)]|\((?:\?:)?(?![?*+{])|[*+?]"
    r"|\{[0-9]{1,2}(?:,[0-9]{0,2})?\}"
    rf"|\[\^?-?{_CLASS_ITEM}+-?\]|\[-?(?:{_CLASS_ITEM}|\\[dw])+-?\])*"
)


def choose_kernel(schema: CoreDict, config: CoreDict) -> Kernel | str:  # noqa: PLR0911 - one return a kind
    """Return the kernel of a field's core schema, or why it has none."""
    kind = schema["type"]
    foreign = next((key for key in _FOREIGN_CONFIG if config.get(key) not in (None, False)), None)
    if foreign and config.get(foreign) != "rust-regex":
        return f"config {foreign!r}"
    if kind not in _KEYS:
        return f"no columnar equivalent of {kind!r}"
    unknown = sorted(key for key in schema if key not in _KEYS[kind] and key not in _COMMON)
    if unknown:
        return f"{kind} with {unknown[0]!r}"
    if kind in ("nullable", "default"):
        return choose_kernel(schema["schema"], config)
    if kind == "function-after":
        return _choose_email(schema, config)
    if kind in ("literal", "enum"):
        return _choose_members(schema)
    if kind == "bool":
        return BoolKernel()
    return _CHOICES[kind](schema, config)


def _choose_text(schema: CoreDict, config: CoreDict) -> Kernel | str:
    pattern: Any = schema.get("pattern")
    if schema.get("regex_engine", "rust-regex") != "rust-regex":
        return "the pattern is for another regex engine"
    if pattern is not None:
        pattern = portable_pattern(pattern)
        if pattern is None:
            return "the pattern may read differently in RE2"
    shortest, longest = schema.get("min_length") or 0, schema.get("max_length")
    if type(shortest) is not int or not (longest is None or type(longest) is int):
        return "a length that is no int"
    return TextKernel(shortest, longest, pattern, strip=bool(config.get("str_strip_whitespace")))


def portable_pattern(pattern: object) -> str | None:
    r"""Return a pattern for RE2 that matches only what Rust's regex matches, or None if unsure.

    The engines agree on a small syntax. ``\d`` and ``\w`` are narrower in RE2, which is safe outside
    a negated class; ``^`` and ``$`` are spelt as ends of the text.

    Example:
        >>> portable_pattern(r"^[A-Z]{2}-\d+$")
        '\\A[A-Z]{2}-\\d+\\z'
        >>> portable_pattern(r"(?i)abc") is None
        True
    """
    if not isinstance(pattern, str) or not _PORTABLE.fullmatch(pattern):
        return None
    spelt = re.sub(
        r"\\.|\[(?:\\.|[^\]\\])*\]|\^|\$",
        lambda found: {"^": r"\A", "$": r"\z"}.get(found.group(), found.group()),
        pattern,
    )
    try:
        TextKernel(pattern=spelt).accept(pa.array([""]))
    except pa.ArrowInvalid:
        return None
    return spelt


def _choose_number(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    is_int = schema["type"] == "int"
    bounds = [(name, schema[name]) for name in _BOUNDS if schema.get(name) is not None]
    for name, limit in bounds:
        if type(limit) not in ((int,) if is_int else (int, float)) or not -(2**53) <= limit <= 2**53:
            return f"a bound {name!r} that is not plain"
    factor: Any = schema.get("multiple_of")
    if factor is not None and (type(factor) is not int or not 0 < factor < 2**53):
        return "a factor that is not plain"
    if is_int:
        return NumberKernel(pa.int64(), bounds, factor)
    return NumberKernel(pa.float64(), [(name, float(limit)) for name, limit in bounds])


def _choose_time(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    bounds: Bounds = [(name, schema[name]) for name in _BOUNDS if schema.get(name) is not None]
    if schema["type"] == "date":
        if any(type(limit) is not date for _, limit in bounds):
            return "a bound that is no date"
        return TimeKernel(DATE_PATTERN, pa.date32(), bounds)
    zone = schema.get("tz_constraint", "naive")
    if zone not in ("naive", "aware"):
        return "a fixed offset"
    for _, limit in bounds:
        fits = type(limit.tzinfo) is timezone if zone == "aware" else limit.tzinfo is None
        if type(limit) is not datetime or not fits:
            return "a bound of the other kind of datetime"
    if zone == "aware":
        return TimeKernel(AWARE_PATTERN, pa.timestamp("us", tz="UTC"), bounds)
    return TimeKernel(NAIVE_PATTERN, pa.timestamp("us"), bounds)


def _choose_clock(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    if schema.get("tz_constraint", "naive") != "naive":
        return "a time with a time zone"
    bounds: Bounds = [(name, schema[name]) for name in _BOUNDS if schema.get(name) is not None]
    if any(type(limit) is not time or limit.tzinfo is not None for _, limit in bounds):
        return "a bound with a time zone"
    return ClockKernel(bounds)


def _choose_decimal(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    target = decimal_type(schema)
    if target is None or (schema.get("max_digits") is not None and schema.get("decimal_places") is None):
        return "a number of digits with no number of decimals"
    bounds = [(name, schema[name]) for name in _BOUNDS if schema.get(name) is not None]
    for name, limit in bounds:
        try:
            held = pa.scalar(limit, target).as_py() if type(limit) in (int, Decimal) else None
        except (pa.ArrowException, ArithmeticError):
            held = None
        if held != limit:
            return f"a bound {name!r} that is not plain"
    return DecimalKernel(target, [(name, Decimal(limit)) for name, limit in bounds])


def _choose_uuid(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    version = schema.get("version")
    third, fourth = ("[0-9a-f]", "[0-9a-f]") if version is None else (str(version), "[89ab]")
    digit = "[0-9a-f]"
    return TextKernel(pattern=rf"\A{digit}{{8}}-{digit}{{4}}-{third}{digit}{{3}}-{fourth}{digit}{{3}}-{digit}{{12}}\z")


def _choose_email(schema: CoreDict, _config: CoreDict) -> Kernel | str:
    function = cast("CoreDict", schema["function"])
    if not _is_plain_email(function) or not set(schema["schema"]) <= _COMMON or schema["schema"]["type"] != "str":
        return "a validator of its own"
    return EmailKernel(email_pattern(email_validator.SPECIAL_USE_DOMAIN_NAMES))


def _is_plain_email(function: object) -> bool:
    return function == {"type": "no-info", "function": _validate_email}


_CHOICES = {
    "str": _choose_text,
    "int": _choose_number,
    "float": _choose_number,
    "date": _choose_time,
    "datetime": _choose_time,
    "time": _choose_clock,
    "decimal": _choose_decimal,
    "uuid": _choose_uuid,
}


def hasten_emails(node: CoreDict) -> CoreDict:
    """Return a core schema whose EmailStr lets through what the email kernel accepts, or the same one.

    Python's look at one address takes ten times as long as the rest of a row. Only the way down to a
    model's own fields is rewritten: what lies deeper keeps its identity.
    """
    kind = node["type"]
    if kind == "function-after" and _is_plain_email(node["function"]):
        return {**node, "function": {"type": "no-info", "function": _QuickEmail()}}
    if kind in _WAY_DOWN and "schema" in node:
        inner = hasten_emails(node["schema"])
        return node if inner is node["schema"] else {**node, "schema": inner}
    if kind in ("model-fields", "typed-dict"):
        fields = cast("dict[str, CoreDict]", node["fields"])
        quick = {name: hasten_emails(each) for name, each in fields.items()}
        return {**node, "fields": quick} if any(quick[name] is not fields[name] for name in fields) else node
    return node


class _QuickEmail:
    """EmailStr's own function, after a look for addresses that it returns as they are, and for what it said lately."""

    def __init__(self) -> None:
        pattern = email_pattern(email_validator.SPECIAL_USE_DOMAIN_NAMES)
        self._pattern = re.compile(pattern.replace(r"\z", r"\Z"))
        self._look_lately = functools.lru_cache(maxsize=_LATELY)(_look_at_email)

    def __call__(self, text: str) -> str:
        if len(text) > EMAIL_BYTES:
            return _validate_email(text)
        if self._pattern.match(text):
            return text
        found = self._look_lately(text)
        if isinstance(found, str):
            return found
        raise PydanticCustomError(*found)


def _look_at_email(text: str) -> str | tuple[Any, Any, dict[str, Any] | None]:
    """Return the address in its normal form, or what to raise: placeholders come again and again."""
    try:
        return _validate_email(text)
    except PydanticCustomError as error:
        return error.type, error.message_template, error.context


def _choose_members(schema: CoreDict) -> Kernel | str:
    members = schema["expected"] if schema["type"] == "literal" else [each.value for each in schema["members"]]
    if not members or any(type(member) is not str for member in members):
        return f"{schema['type']} of other things than text"
    return MemberKernel(tuple(dict.fromkeys(member for member in members if is_utf8(member))))
