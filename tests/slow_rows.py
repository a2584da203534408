"""Models and hooks that workers of other processes can import."""

import os
import time
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, field_validator

from skyhold.records.hooks import BatchHook, RowHook

__all__ = ["Person", "Shout", "SlowPerson", "WhoWorks", "double_ones"]


class Person(BaseModel):
    id: Annotated[int, Field(ge=0)]
    name: str

    @field_validator("name")
    @classmethod
    def no_digits(cls, name: str) -> str:
        if name == "7":
            raise ValueError("a digit")
        return name


class SlowPerson(Person):
    @field_validator("name")
    @classmethod
    def takes_its_time(cls, name: str) -> str:
        time.sleep(0.002)
        return name


class Shout(BatchHook):
    any_order = True

    def process(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        place = batch.schema.get_field_index("name")
        return batch.set_column(place, "name", pc.utf8_upper(batch["name"]))


class WhoWorks(RowHook):
    """Says in a column which process has had the row."""

    any_order = True
    columns = pa.schema([("id", pa.int64()), ("name", pa.string()), ("process", pa.int64())])

    def process(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "process": os.getpid()}


def double_ones(row: dict[str, Any]) -> Any:
    """Drop the name 3, double the name 1, fail at 2."""
    if row["name"] == "2":
        raise RuntimeError("two")
    if row["name"] == "3":
        return None
    return [row, row] if row["name"] == "1" else row
