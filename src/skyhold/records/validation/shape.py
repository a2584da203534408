"""What a plan needs to know of a model, read from its pydantic core schema."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError
from typing_extensions import is_typeddict

from skyhold.errors import SchemaError
from skyhold.records.validation.outcome import RowKind

__all__ = [
    "CoreDict",
    "FieldShape",
    "ModelShape",
    "accepts_none",
    "choices_of",
    "declared_type",
    "find_info_use",
    "find_record",
    "open_model",
    "read_fields",
    "read_shape",
]

CoreDict = dict[str, Any]
_FUNCTIONS = ("function-before", "function-after", "function-wrap")

# A key that is not listed here may change what is accepted, so its presence sends whole rows to pydantic.
_COMMON_KEYS = frozenset({"type", "ref", "metadata", "serialization"})
_MODEL_KEYS = _COMMON_KEYS | {
    *("cls", "schema", "config", "custom_init", "root_model", "post_init", "frozen"),
    *("generic_origin", "revalidate_instances", "fields", "slots"),
}
_LEAF_KEYS = _COMMON_KEYS | {
    *("fields", "computed_fields", "model_name", "dataclass_name", "extra_behavior", "collect_init_only"),
    *("cls", "cls_name", "total", "config", "from_attributes"),
}
_FIELD_KEYS = _COMMON_KEYS | {
    *("schema", "validation_alias", "serialization_alias", "serialization_exclude", "serialization_exclude_if"),
    *("frozen", "required", "name", "kw_only", "init", "init_only"),
}
_CONFIG_KEYS = frozenset(
    {
        *("title", "extra_fields_behavior", "typed_dict_total", "from_attributes", "loc_by_alias"),
        *("revalidate_instances", "validate_default", "hide_input_in_errors", "validation_error_cause"),
        *("coerce_numbers_to_str", "cache_strings", "validate_by_alias", "validate_by_name"),
        *("serialize_by_alias", "polymorphic_serialization", "ser_json_timedelta", "ser_json_temporal"),
        *("ser_json_bytes", "ser_json_inf_nan", "regex_engine", "str_strip_whitespace", "str_min_length"),
        *("str_max_length", "str_to_lower", "str_to_upper", "allow_inf_nan", "url_preserve_empty_path"),
        "val_json_bytes",
    }
)


_KINDS: dict[str, Literal["model", "dataclass", "typed-dict"]] = {
    "model-fields": "model",
    "dataclass-args": "dataclass",
    "typed-dict": "typed-dict",
}


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: its core schema, and the column that feeds it if one does.

    An excluded field is validated and has no output column.
    """

    name: str
    schema: CoreDict
    column: str | None
    required: bool
    excluded: bool


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model, taken apart.

    Attributes:
        kind: How an accepted row looks in Python.
        fields: In the model's order; without dataclass ``InitVar`` fields, which no row keeps.
        computed: Computed fields: name and core schema of what they return.
        config: The model's core config.
        extra: What happens to columns that feed no field.
        extra_takes_none: Whether an empty cell of such a column is None.
        unknown: Those columns, in input order.
        definitions: Shared core schemas by reference.
        row_reason: Why rows must go to pydantic whole; empty if they need not.
    """

    kind: Literal["model", "dataclass", "typed-dict"]
    fields: tuple[FieldShape, ...]
    computed: tuple[tuple[str, CoreDict], ...]
    config: CoreDict
    extra: Literal["ignore", "forbid", "allow"]
    extra_takes_none: bool
    unknown: tuple[str, ...]
    definitions: Mapping[str, CoreDict]
    row_reason: str


def open_model(model: object) -> TypeAdapter[Any]:
    """Return pydantic's adapter of a model.

    Raises:
        SchemaError: ``model`` is no model, dataclass or TypedDict, or pydantic cannot build it.
    """
    name = getattr(model, "__name__", repr(model))
    kind = cast("type[Any] | None", model if isinstance(model, type) else None)
    is_record = kind is not None and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))
    if not (is_record or is_typeddict(cast("Any", model))):
        raise SchemaError(
            f"{name} is not a pydantic model, a dataclass or a TypedDict",
            remedy="Pass the class itself, such as schema=Customer.",
        )
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", model))
        adapter.rebuild(raise_errors=True)
    except (PydanticUserError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as exc:
        raise SchemaError(f"pydantic cannot build {name!r}: {exc}", remedy="Correct the model's annotations.") from exc
    return adapter


def read_shape(schema: CoreDict, columns: Sequence[str], *, kind: RowKind = "text") -> ModelShape:
    """Take a core schema apart.

    Args:
        schema: The model's.
        columns: What may feed fields; lines of JSON may hold any key besides.
        kind: What the cells are.

    Raises:
        SchemaError: The schema describes no record with fields.
    """
    node, config, definitions, reasons = find_record(schema)
    record = node["type"]
    reasons += _unknown_keys(node, _LEAF_KEYS) + [f"config {key!r}" for key in config if key not in _CONFIG_KEYS]
    entries = read_fields(node)
    paths = {name: _paths(name, entry, config) for name, entry in entries.items()}
    if kind == "json":
        columns = [*dict.fromkeys([*columns, *(str(steps[0]) for each in paths.values() for steps in each)])]
    if kind != "text":
        reasons += _path_reasons(paths, columns, kind)
    fields = tuple(
        _field_shape(name, entry, config, paths[name], columns, definitions, record) for name, entry in entries.items()
    )
    fed = {field.column for field in fields}
    unknown = tuple(column for column in columns if column not in fed)
    extra = node.get("extra_behavior") or config.get("extra_fields_behavior") or "ignore"
    computed = tuple((each["property_name"], each["return_schema"]) for each in node.get("computed_fields") or ())
    reasons += _row_reasons(fields, entries, definitions)
    if computed:
        reasons.append("computed fields need the model's instance")
    if extra == "forbid" and unknown:
        reasons.append(f"extra='forbid', and no field takes column {unknown[0]!r}")
    kept = tuple(field for field in fields if not entries[field.name].get("init_only"))
    return ModelShape(
        kind=_KINDS[record],
        fields=kept,
        computed=computed,
        config=config,
        extra=extra,
        extra_takes_none=extra == "allow" and accepts_none(node.get("extras_schema", {"type": "any"}), definitions),
        unknown=unknown,
        definitions=definitions,
        row_reason=reasons[0] if reasons else "",
    )


def find_record(schema: CoreDict) -> tuple[CoreDict, CoreDict, dict[str, CoreDict], list[str]]:
    """Return the schema that holds the fields, its config, the definitions, and reasons met on the way."""
    definitions: dict[str, CoreDict] = {}
    reasons: list[str] = []
    node, config = schema, cast("CoreDict", {})
    while (kind := node["type"]) not in _KINDS:
        if kind == "definitions":
            definitions |= {each["ref"]: each for each in node["definitions"]}
            node = node["schema"]
        elif kind == "definition-ref":
            node = definitions[node["schema_ref"]]
        elif kind in _FUNCTIONS:
            reasons.append(f"the model has a validator of its own ({kind.removeprefix('function-')})")
            node = node["schema"]
        elif kind in ("model", "dataclass"):
            config = cast("CoreDict", node.get("config", {}))
            reasons += _model_reasons(node)
            node = node["schema"]
        else:
            raise SchemaError(
                f"the model's core schema is {kind!r}, which has no fields to write",
                remedy="Wrap its value in a field of a model.",
            )
    if "config" in node:
        config = cast("CoreDict", node["config"])
    return node, config, definitions, reasons


def _model_reasons(node: CoreDict) -> list[str]:
    reasons = _unknown_keys(node, _MODEL_KEYS)
    if node.get("custom_init"):
        reasons.append("the model has an __init__ of its own")
    if node.get("post_init"):
        reasons.append("the model has a post-init hook")
    return reasons


def _unknown_keys(node: CoreDict, known: frozenset[str]) -> list[str]:
    return [f"core schema key {key!r}" for key in node if key not in known]


def read_fields(node: CoreDict) -> dict[str, CoreDict]:
    """Return the fields of a record schema by name; a dataclass lists them, the others map them."""
    fields = node["fields"]
    if isinstance(fields, list):
        return {each["name"]: each for each in cast("list[CoreDict]", fields)}
    return cast("dict[str, CoreDict]", fields)


def choices_of(choices: Sequence[Any]) -> list[CoreDict]:
    """Return the core schemas of a union, some of which come with a label."""
    return [cast("CoreDict", each[0] if isinstance(each, tuple) else each) for each in choices]


def _paths(name: str, entry: CoreDict, config: CoreDict) -> list[list[str | int]]:
    """Return where a field's value may lie, the first choice first."""
    alias = entry.get("validation_alias")
    paths = _alias_paths(alias) if alias is not None and config.get("validate_by_alias", True) else []
    if alias is None or config.get("validate_by_name", False):
        paths.append([name])
    return paths


def _path_reasons(paths: Mapping[str, list[list[str | int]]], columns: Sequence[str], kind: RowKind) -> list[str]:
    reasons = [
        f"an alias of {name!r} looks inside {steps[0]!r}"
        for name, each in paths.items()
        for steps in each
        if len(steps) > 1 and steps[0] in columns
    ]
    if kind == "json":
        reasons += [f"{name!r} may come from several keys" for name, each in paths.items() if len(each) > 1]
    return reasons


def _field_shape(
    name: str,
    entry: CoreDict,
    config: CoreDict,
    paths: list[list[str | int]],
    columns: Sequence[str],
    definitions: Mapping[str, CoreDict],
    kind: str,
) -> FieldShape:
    # Pydantic never indexes into text, so a path of two steps finds nothing in a row of text.
    column = next((path[0] for path in paths if len(path) == 1 and path[0] in columns), None)
    optional = entry["schema"]["type"] == "default"
    if kind == "typed-dict":
        total = config.get("typed_dict_total", True)
        optional = optional or not entry.get("required", total)
    excluded = bool(entry.get("serialization_exclude"))
    return FieldShape(
        name,
        _without_reference(entry["schema"], definitions),
        cast("str | None", column),
        required=not optional,
        excluded=excluded,
    )


def _without_reference(schema: CoreDict, definitions: Mapping[str, CoreDict]) -> CoreDict:
    """Return a core schema without its reference to an Enum, which pydantic shares between fields.

    Kernels know what lies behind it, and it holds no references of its own.
    """
    if schema["type"] in ("default", "nullable"):
        inner = _without_reference(schema["schema"], definitions)
        return schema if inner is schema["schema"] else {**schema, "schema": inner}
    target = definitions.get(schema["schema_ref"], schema) if schema["type"] == "definition-ref" else schema
    if target["type"] != "enum" or target is schema:
        return schema
    metadata = cast("CoreDict", target.get("metadata") or {}) | cast("CoreDict", schema.get("metadata") or {})
    return {**{key: each for key, each in target.items() if key != "ref"}, "metadata": metadata}


def _alias_paths(alias: Any) -> list[list[str | int]]:
    if isinstance(alias, str):
        return [[alias]]
    items = cast("list[Any]", alias)
    if items and isinstance(items[0], list):
        return cast("list[list[str | int]]", list(items))
    return [cast("list[str | int]", items)]


def _row_reasons(
    fields: Sequence[FieldShape], entries: Mapping[str, CoreDict], definitions: Mapping[str, CoreDict]
) -> list[str]:
    reasons: list[str] = []
    for field in fields:
        entry = entries[field.name]
        reasons += _unknown_keys(entry, _FIELD_KEYS)
        if entry.get("init") is False or entry.get("init_only"):
            reasons.append(f"{field.name!r} is no ordinary dataclass field")
        if field.column is None and field.required:
            reasons.append(f"no column feeds the required field {field.name!r}")
        if field.column is None and not field.required and field.schema.get("default_factory_takes_data"):
            reasons.append(f"the default of {field.name!r} looks at the other fields")
        if find_info_use(field.schema, definitions):
            reasons.append(f"a validator of {field.name!r} may look at the other fields")
    return reasons


def find_info_use(node: object, definitions: Mapping[str, CoreDict]) -> bool:
    """Tell whether a validator anywhere in a core schema takes ``info``."""
    seen: set[str] = set()
    pending: list[object] = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            mapping = cast("dict[object, object]", each)
            if mapping.get("type") == "with-info":
                return True
            reference = mapping.get("schema_ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                pending.append(definitions.get(reference))
            pending += [value for key, value in mapping.items() if key not in ("metadata", "serialization", "default")]
        elif isinstance(each, (list, tuple)):
            pending += cast("list[object]", each)
    return False


def accepts_none(schema: CoreDict, definitions: Mapping[str, CoreDict], depth: int = 0) -> bool:  # noqa: PLR0911 - one return a kind
    """Tell whether a field's declared type includes None (validators of its own are not asked)."""
    kind = schema["type"]
    if kind in ("nullable", "none", "any"):
        return True
    if kind == "literal":
        return None in schema["expected"]
    if kind == "model":
        return bool(schema.get("root_model")) and accepts_none(schema["schema"], definitions, depth + 1)
    if depth > 50:  # noqa: PLR2004 - a type that refers to itself without end
        return False
    if kind == "definition-ref":
        target = definitions.get(schema["schema_ref"])
        return target is not None and accepts_none(target, definitions, depth + 1)
    if kind == "union":
        return any(accepts_none(each, definitions, depth + 1) for each in choices_of(schema["choices"]))
    if kind in ("default", *_FUNCTIONS):
        return accepts_none(schema["schema"], definitions, depth + 1)
    declared = declared_type(schema)
    return declared is not None and accepts_none(declared, definitions, depth + 1)


def declared_type(schema: CoreDict) -> CoreDict | None:
    """Return the type that a plain validator stands for: pydantic keeps it to serialize with, if it has one."""
    if schema["type"] != "function-plain":
        return None
    return cast("CoreDict | None", schema.get("serialization", {}).get("schema"))
