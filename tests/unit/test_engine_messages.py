"""What is read from an engine's own words, however they are cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.simulation.messages import Ending, parse_ending, parse_messages, read_text
from skyhold.simulation.simulator import EngineMessage

_ERR = """Program Version,EnergyPlus, Version 25.2.0-cf7368216c, YMD=2026.11.21 11:51,
   ************* Beginning Zone Sizing Calculations
   ** Warning ** Site:GroundTemperature: Some values fall outside the range of 15-25C.
   **   ~~~   ** These values may be inappropriate.
   ************* Testing Individual Branch Integrity
   ** Severe  ** Line: 1 Index: 29 - "of two
lines" is not a valid Object Type.
   **  Fatal  ** Errors occurred. Preceding condition(s) cause termination.
   ...Summary of Errors that led to program termination:
   ..... Reference severe error count=1
   ..... Last severe error=Line: 1 Index: 29
   ************* ===== Recurring Error Summary =====
   ************* The following Error Messages occurred.
   *************
   ************* ** Warning ** Temperature (low) out of bounds for zone="ATTIC"
   ************* **   ~~~   **   This error occurred 48 total times;
   ************* **   ~~~   **   during Warmup 0 times;
   ************* EnergyPlus Terminated--Fatal Error Detected. 1 Warning; 1 Severe Errors; Elapsed Time=00hr
"""


def test_messages_come_with_their_severity_their_continuations_and_their_count():
    assert parse_messages(_ERR) == (
        EngineMessage(
            "warning",
            "Site:GroundTemperature: Some values fall outside the range of 15-25C.\nThese values may be inappropriate.",
        ),
        EngineMessage("severe", 'Line: 1 Index: 29 - "of two\nlines" is not a valid Object Type.'),
        EngineMessage("fatal", "Errors occurred. Preceding condition(s) cause termination."),
        EngineMessage(
            "warning",
            'Temperature (low) out of bounds for zone="ATTIC"\nThis error occurred 48 total times;\n'
            "during Warmup 0 times;",
            48,
        ),
    )


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("EnergyPlus Completed Successfully-- 5 Warning; 2 Severe Errors; Elapsed Time=00hr", Ending(True, 5, 2)),
        ("EnergyPlus Terminated--Fatal Error Detected. 0 Warning; 2 Severe Errors; Elaps", Ending(False, 0, 2)),
        ("EnergyPlus Terminated--Error(s) Detected. 3 Warning; 1 Severe Errors", Ending(False, 3, 1)),
        (_ERR, Ending(False, 1, 1)),
        ("EnergyPlus Completed Succ", None),
        ("", None),
    ],
)
def test_the_ending_is_told_with_its_counts_or_not_at_all(text: str, ending: Ending | None):
    assert parse_ending(text) == ending


@given(cut=st.integers(0, len(_ERR)))
def test_a_file_cut_anywhere_gives_the_messages_before_the_cut(cut: int):
    whole = parse_messages(_ERR)
    found = parse_messages(_ERR[:cut])
    assert len(found) <= len(whole)
    assert found[:-1] == whole[: max(len(found) - 1, 0)]


@given(text=st.text())
def test_no_text_at_all_breaks_the_reading(text: str):
    parse_messages(text)
    parse_ending(text)


def test_any_encoding_is_read_and_a_file_that_is_not_there_is_empty(tmp_path: Path):
    assert read_text(tmp_path / "absent.err") == ""
    (tmp_path / "a.err").write_bytes("** Severe  ** Bürogebäude".encode("latin-1"))
    assert "Bürogebäude" in read_text(tmp_path / "a.err")
    (tmp_path / "a.err").write_bytes("** Severe  ** Bürogebäude".encode())
    assert "Bürogebäude" in read_text(tmp_path / "a.err")
