"""One contender in a process of its own: NAME SOURCE SCHEMA FOLDER; prints seconds, memory and what it took."""

import csv
import hashlib
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, EmailStr, ValidationError


class Strict(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    username: str
    email: EmailStr
    age: int


class Plain(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    username: str
    email: str
    age: int


def run_skyhold(source: str, model: Any, folder: str, threads: int) -> None:
    from skyhold import CSVInputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe, SingleThreadExecutor

    Pipe(
        input_adapter=CSVInputAdapter(source),
        output_adapter=ParquetOutputAdapter(f"{folder}/out.parquet"),
        error_output_adapter=ParquetOutputAdapter(f"{folder}/errors.parquet"),
        schema_model=model,
        executor=MultiThreadExecutor(threads) if threads > 1 else SingleThreadExecutor(),
    ).run()


def run_zoopipe(source: str, model: Any, folder: str) -> None:
    zoopipe: Any = import_module("zoopipe")
    pipe = zoopipe.Pipe(
        input_adapter=zoopipe.CSVInputAdapter(source),
        output_adapter=zoopipe.ParquetOutputAdapter(f"{folder}/out.parquet"),
        error_output_adapter=zoopipe.ParquetOutputAdapter(f"{folder}/errors.parquet"),
        schema_model=model,
        executor=zoopipe.MultiThreadExecutor(max_workers=8),
    )
    with pipe:
        pipe.wait()


def run_loop(source: str, model: Any) -> list[str]:
    accepted: list[str] = []
    with Path(source).open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                accepted.append(model.model_validate(row).model_dump_json())
            except ValidationError:
                continue
    return accepted


def accepted_by_pipe(folder: str) -> list[str]:
    import pyarrow.parquet as pq

    rows = pq.read_table(f"{folder}/out.parquet").to_pylist()
    return [Plain.model_construct(**row).model_dump_json() for row in rows]


def main() -> None:
    name, source, schema, folder = sys.argv[1:]
    model = Strict if schema == "EmailStr" else Plain
    accepted: list[str] | None = None
    import_module("zoopipe" if name.startswith("ZooPipe") else "skyhold.records.pipe")  # imports are not timed
    begun = time.perf_counter()
    if name == "pydantic loop":
        accepted = run_loop(source, model)
    elif name.startswith("ZooPipe"):
        run_zoopipe(source, model, folder)
    else:
        run_skyhold(source, model, folder, 8 if "8" in name else 1)
    seconds = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, Any] = {"seconds": seconds, "peak_mb": peak_mb}
    if Path(source).name == "small.csv":
        accepted = accepted if accepted is not None else accepted_by_pipe(folder)
        found |= {"accepted": len(accepted), "hash": hashlib.sha256("\n".join(accepted).encode()).hexdigest()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
