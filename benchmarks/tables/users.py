"""The input of the records tables: users, some of them wrong and some of them odd."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = ("user_id", "username", "email", "age", "city", "score", "note")

_BAD_AGES = ("many", "", "12.5", "1e3")
_ODD_AGES = (" 42", "+7", "1_0", "007", "4.0", "-1")


def write_users(target: Path, rows: int, *, bad_mails: bool, bad_every: int = 100) -> None:
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
        writer.writerows(_users(rows, bad_every, bad_mails=bad_mails))


def _users(rows: int, bad_every: int, *, bad_mails: bool) -> Iterator[list[str]]:
    dice = random.Random(7)
    for number in range(rows):
        name, mail, age = f"user {number}", f"user{number}@example.com", str(dice.randrange(100))
        if number % bad_every == 7:
            turn = number // bad_every
            if bad_mails and turn % 2:
                mail = ("nobody", "two@@example.com", "", "user@-example.com")[turn // 2 % 4]
            else:
                age = _BAD_AGES[turn // 2 % 4]
        elif number % 500 == 11:
            turn = number // 500
            age = _ODD_AGES[turn % len(_ODD_AGES)]
            name = ("", 'the "other", one', "Ünïcode 雪", " two  blanks ")[turn % 4]
            mail = f"User{number}@EXAMPLE.com"
        yield [f"u{number}", name, mail, age, "Berlin", f"{dice.random():.4f}", f"note {number}"]
