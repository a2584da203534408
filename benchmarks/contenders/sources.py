"""Rows of a file as a plain program reads them, and what pydantic makes of each."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

_BATCH_ROWS = 20_000


class Judged(NamedTuple):
    """One row.

    Attributes:
        number: 1 is the first.
        original: What the file has.
        cells: The same as a dictionary.
        accepted: What pydantic made of it; None for a reject.
    """

    number: int
    original: Any
    cells: dict[str, Any]
    accepted: BaseModel | None


def judge_rows(source: str, model: type[BaseModel]) -> Iterator[Judged]:
    """Yield each row of a CSV, JSONL or Parquet file, validated on its own.

    No field of the models allows None, so by the empty-cell rule an empty cell of CSV is the empty text that it already
    is. A line of JSON is judged by pydantic's JSON mode.
    """
    originals, validate = open_rows(source, model)
    for number, original in enumerate(originals, 1):
        try:
            accepted = validate(original)
        except ValidationError:
            accepted = None
        cells = json.loads(original) if isinstance(original, str) else original
        yield Judged(number, original, cells, accepted)


def open_rows(source: str, model: type[BaseModel]) -> tuple[Iterator[Any], Callable[[Any], BaseModel]]:
    """Return a file's rows, and the function of the model that judges one."""
    if source.endswith(".csv"):
        return _csv_rows(source), model.model_validate
    if source.endswith(".jsonl"):
        return _lines(source), model.model_validate_json
    return parquet_rows(source), model.model_validate


def parquet_rows(source: str) -> Iterator[dict[str, Any]]:
    """Yield rows of a Parquet file."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _csv_rows(source: str) -> Iterator[dict[str, Any]]:
    with Path(source).open(newline="") as file:
        yield from csv.DictReader(file)


def _lines(source: str) -> Iterator[str]:
    with Path(source).open() as file:
        for line in file:
            yield line.removesuffix("\n")
