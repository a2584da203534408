"""The input of the records tables: users, some of them wrong and some of them odd."""

import csv
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

HEADER = ("user_id", "username", "email", "age", "city", "score", "note")

_BAD_AGES = ("many", "", "12.5", "1e3")
_BAD_JSON_AGES = ("many", None, 12.5, [])
_BAD_NUMBERS = (None, 151, -1, 999)
_ODD_AGES = (" 42", "+7", "1_0", "007", "4.0", "-1")
_ODD_JSON_AGES = ("42", 4.0, "+7")
_GROUP_ROWS = 100_000


def write_csv(target: Path, rows: int, *, bad_mails: bool = False, bad_every: int = 100) -> None:
    """Write seven columns of users as CSV, the same for the same arguments.

    Args:
        target: The file.
        rows: How many.
        bad_mails: Half of the bad rows are so by their address, the others by their age; else all by their age.
        bad_every: One row in so many is bad. One in 500 is good but not in normal form: pydantic changes it.
    """
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_users(rows, bad_every, _BAD_AGES, _ODD_AGES, bad_mails=bad_mails))


def write_jsonl(target: Path, rows: int) -> None:
    """Write the same users as lines of JSON, ages and scores as numbers."""
    with target.open("w") as file:
        for user in _users(rows, 100, _BAD_JSON_AGES, _ODD_JSON_AGES, typed=True):
            file.write(json.dumps(dict(zip(HEADER, user, strict=True)), ensure_ascii=False) + "\n")


def write_parquet(target: Path, rows: int) -> None:
    """Write the same users as Parquet with integers and floats; bad ages are missing or out of bounds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [pa.int64() if name == "age" else pa.float64() if name == "score" else pa.string() for name in HEADER]
    schema = pa.schema(list(zip(HEADER, types, strict=True)))
    users = _users(rows, 100, _BAD_NUMBERS, (0, 150), typed=True)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while group := list(islice(users, _GROUP_ROWS)):
            columns = [pa.array(cells, kind) for cells, kind in zip(zip(*group, strict=True), types, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _users(
    rows: int,
    bad_every: int,
    bad_ages: tuple[Any, ...],
    odd_ages: tuple[Any, ...],
    *,
    bad_mails: bool = False,
    typed: bool = False,
) -> Iterator[list[Any]]:
    dice = random.Random(7)
    for number in range(rows):
        years = dice.randrange(100)
        age = years if typed else str(years)
        name, mail = f"user {number}", f"user{number}@example.com"
        if number % bad_every == 7:
            turn = number // bad_every
            if bad_mails and turn % 2:
                mail = ("nobody", "two@@example.com", "", "user@-example.com")[turn // 2 % 4]
            else:
                age = bad_ages[turn // 2 % 4]
        elif number % 500 == 11:
            turn = number // 500
            age = odd_ages[turn % len(odd_ages)]
            name = ("", 'the "other", one', "Ünïcode 雪", " two  blanks ")[turn % 4]
            mail = f"User{number}@EXAMPLE.com"
        score = round(dice.random(), 4)
        yield [f"u{number}", name, mail, age, "Berlin", score if typed else f"{score:.4f}", f"note {number}"]
