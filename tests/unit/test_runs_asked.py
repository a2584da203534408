"""What was asked, as plain JSON and without secrets."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.config import Secret
from skyhold.runs.asked import format_command, redact_asked, redact_text

HIDDEN = "**redacted**"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "aws_secret_access_key",
        "secretAccessKey",
        "session-token",
        "AWS_SESSION_TOKEN",
        "connection_string",
        "api_key",
        "apiKey",
        "Authorization",
        "passphrase",
    ],
)
def test_a_secret_is_known_by_its_name(name: str):
    assert redact_asked({name: "hunter2"}) == {name: HIDDEN}
    assert redact_asked({"deep": [{name: "hunter2"}]}) == {"deep": [{name: HIDDEN}]}
    assert redact_asked({name: {"value": "hunter2"}}) == {name: HIDDEN}
    assert redact_asked({name: 12345}) == {name: HIDDEN}


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_that_there_is_no_secret_is_no_secret(value: Any):
    assert redact_asked({"password": value}) == {"password": value}


@pytest.mark.parametrize(
    "value",
    [
        Secret("hunter2"),
        "AccountName=a;AccountKey=hunter2hunter2==;EndpointSuffix=core.windows.net",
        "https://a.blob.core.windows.net/c/k?sv=1&sig=hunter2",
        "postgresql://me:hunter2@host/db",
        {"header": "Bearer hunter2hunter2"},
    ],
)
def test_a_secret_is_known_by_its_type_and_its_looks(value: Any):
    assert "hunter2" not in json.dumps(redact_asked({"value": value}))


def test_options_that_are_no_secrets_keep_their_types():
    asked = {"rows": 3, "ratio": 0.5, "dry_run": True, "none": None, "keys": ["a", 1], "table": {"a": {"b": 1}}}
    assert redact_asked(asked) == asked


@dataclass
class Thing:
    name: str


def function() -> None: ...


def test_what_json_does_not_know_becomes_text_that_is_the_same_in_every_run():
    asked = redact_asked(
        {
            "path": Path("a/b"),
            "tuple": (1, 2),
            "set": {"b", "a"},
            "bytes": b"123",
            "class": Thing,
            "function": function,
            "object": Thing("x"),
            "nan": math.nan,
        }
    )
    assert asked == {
        "path": "a/b",
        "tuple": [1, 2],
        "set": ["a", "b"],
        "bytes": "3 bytes",
        "class": "Thing",
        "function": "function",
        "object": "Thing(name='x')",
        "nan": "nan",
    }


def test_options_that_hold_themselves_come_to_an_end():
    loop: list[Any] = []
    loop.append(loop)
    assert "…" in json.dumps(redact_asked({"loop": loop}), ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "word " * 100_000,
        "sig=a&" * 1000,
        "sig=a " * 1000,
        "x" * 995 + " https://me:hunter2hunter2@host/x" * 9,
    ],
)
def test_long_texts_are_cut_between_words_and_in_no_time(text: str):
    began = time.process_time()
    shown = redact_text(text)
    assert time.process_time() - began < 2
    assert len(shown) <= 1040
    assert f"({len(text):,} characters)" in shown
    assert "hunter2" not in shown
    assert redact_text(shown) == shown


def test_texts_that_fit_are_not_cut():
    text = "word " * 200
    assert redact_text(text) == text


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text() | st.binary()) | st.floats()))
def test_doing_it_twice_changes_nothing(asked: dict[str, Any]):
    once = redact_asked(asked)
    assert redact_asked(once) == once
    json.dumps(once, allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["skyhold", "ls", "s3://b/my key"], "skyhold ls 's3://b/my key'"),
        (["skyhold", "--secret-access-key", "hunter2", "ls"], f"skyhold --secret-access-key '{HIDDEN}' ls"),
        (["skyhold", "--password=hunter2"], f"skyhold '--password={HIDDEN}'"),
        (["skyhold", "--password", "--json"], "skyhold --password --json"),
        (["skyhold", "-o", "secret_access_key=hunter2"], f"skyhold -o 'secret_access_key={HIDDEN}'"),
        ([], ""),
    ],
)
def test_a_command_can_be_pasted_and_holds_no_secret(arguments: list[str], shown: str):
    assert format_command(arguments) == shown
