"""What an output tells of the model behind it, in the metadata of its schema."""

from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

__all__ = ["JSON_SCHEMA_KEY", "MODEL_KEY", "describe_model"]

MODEL_KEY = b"skyhold.model"
JSON_SCHEMA_KEY = b"skyhold.json_schema"


class _Generator(GenerateJsonSchema):
    # A default that JSON cannot hold is left out, and nobody asked for the schema: nobody need be warned.
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Say nothing."""


def describe_model(model: object, adapter: TypeAdapter[Any]) -> dict[bytes, bytes]:
    """Return the metadata of a model's output: its name and its JSON schema, of the names that the columns have.

    The schema is that of what comes out (computed fields are there, excluded ones are not). A model that has none,
    such as one with a field of a plain Python class, has its name alone.

    Example:
        >>> from pydantic import BaseModel
        >>> class Sale(BaseModel):
        ...     revenue: float
        >>> found = describe_model(Sale, TypeAdapter(Sale))
        >>> found[b"skyhold.model"].partition(b":")[2], orjson.loads(found[b"skyhold.json_schema"])["required"]
        (b'Sale', ['revenue'])
    """
    name = f"{getattr(model, '__module__', '?')}:{getattr(model, '__qualname__', repr(model))}"
    found = {MODEL_KEY: name.encode(errors="backslashreplace")}
    try:
        schema = adapter.json_schema(by_alias=False, mode="serialization", schema_generator=_Generator)
        found[JSON_SCHEMA_KEY] = orjson.dumps(schema)
    except Exception:  # noqa: BLE001 - models may have hooks of their own here, and rows do not depend on it
        return found
    return found
