"""The plan of a synchronization: the tables of docs/sync.md row by row, renames, choices, the guard of deletions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import BadOptionError, DeleteGuardError
from skyhold.storage.sync import Agreed, LocalFile, RemoteFile, SyncPlan, SyncRules, plan_sync
from skyhold.storage.sync_rules import Change, decide

_PAGE = Path(__file__).parents[2] / "docs" / "sync.md"
_NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _tables(first_column: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """The tables of the page whose first column is called so: the heading before it, its columns, its rows."""
    heading, columns, rows = "", [], []
    for line in [*_PAGE.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("#"):
            heading = line
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not columns:
                columns = cells
            elif set(cells[0]) != {"-"}:
                rows.append(cells)
        elif columns:
            if columns[0] == first_column:
                yield heading, columns, rows
            columns, rows = [], []


def _direction(heading: str) -> str:
    return heading.partition('direction="')[2].partition('"')[0]


_OPTIONS = {
    "neither": (False, False),
    "`overwrite`": (True, False),
    "`delete_files`": (False, True),
    "both options": (True, True),
}

_ROWS = [
    pytest.param(row, _direction(heading), name, cell, id=f"{_direction(heading)}-{'-'.join(row[:3])}-{name}")
    for heading, columns, rows in _tables("local")
    for row in rows
    for name, cell in zip(columns[3:], row[3:], strict=True)
]

_CONFLICT_ROWS = [
    pytest.param(row[0], row[1], direction, cell, id=f"{row[0]}-{row[1]}-{direction}")
    for _, columns, rows in _tables("conflict")
    for row in rows
    for direction, cell in zip(columns[2:], row[2:], strict=True)
]


def _sides(
    local: str, remote: str, *, equal: bool
) -> tuple[dict[str, LocalFile], dict[str, RemoteFile], dict[str, Agreed]]:
    """A path whose sides have become what the words say, among others that agree."""
    contents = {"unchanged": "base", "changed": "here", "created": "here"}
    there = {"unchanged": "base", "changed": "here" if equal else "there", "created": "here" if equal else "there"}
    base = (
        {"a": Agreed("base", 4, "t-base", 1)}
        if "absent" not in (local, remote) and "created" not in (local, remote)
        else {}
    )
    return (
        {"a": LocalFile(4, contents[local])} if local in contents else {},
        {"a": RemoteFile(4, f"t-{there[remote]}", there[remote])} if remote in there else {},
        base,
    )


def _kind(plan: SyncPlan) -> str:
    assert len(plan.actions) <= 1
    return plan.actions[0].kind.replace("_", " ") if plan.actions else "nothing"


@pytest.mark.parametrize(("row", "direction", "options", "expected"), _ROWS)
def test_every_row_of_the_truth_table_is_what_the_planner_does(row: Any, direction: Any, options: str, expected: str):
    overwrite, delete_files = _OPTIONS[options]
    rules = SyncRules(direction=direction, overwrite=overwrite, delete_files=delete_files)
    plan = plan_sync(*_sides(row[0], row[1], equal=row[2] == "equal"), rules, unchanged=9)
    assert _kind(plan) == expected
    assert not plan.guard


def test_the_truth_table_has_every_pair_with_every_option():
    agreed = ["unchanged", "changed", "deleted"]
    pairs = [
        *[pair for pair in product(agreed, agreed) if pair != ("changed", "changed")],
        ("created", "absent"),
        ("absent", "created"),
    ]
    expected = {(*pair, "") for pair in pairs}
    expected |= {(word, word, contents) for word in ("changed", "created") for contents in ("equal", "different")}
    tables = {_direction(heading): (columns, rows) for heading, columns, rows in _tables("local")}
    assert set(tables) == {"both", "upload", "download"}
    for columns, rows in tables.values():
        assert columns[3:] == list(_OPTIONS)
        assert {tuple(row[:3]) for row in rows} == expected
        assert len(rows) == len(expected)
    conflicts = {(case.values[0], case.values[1], case.values[2]) for case in _CONFLICT_ROWS}
    choices = ("keep-both", "local", "remote", "newest", "ask")
    assert conflicts == set(product(choices, ("local", "remote", "not known"), ("both", "upload", "download")))


@pytest.mark.parametrize(("choice", "newer", "direction", "expected"), _CONFLICT_ROWS)
@pytest.mark.parametrize("word", ["changed", "created"])
def test_every_row_of_the_table_of_conflicts_is_what_the_planner_does(
    word: str, choice: Any, newer: str, direction: Any, expected: str
):
    local, remote, base = _sides(word, word, equal=False)
    ages = {"local": (1, 0), "remote": (0, 1), "not known": (0, 0)}[newer]
    local = {"a": LocalFile(4, "here", _NOON + timedelta(hours=ages[0]))}
    remote = {"a": RemoteFile(4, "t-there", "there", _NOON + timedelta(hours=ages[1]))}
    plan = plan_sync(local, remote, base, SyncRules(direction=direction, conflict=choice), unchanged=9)
    assert _kind(plan) == expected
    assert plan.conflicts == plan.actions
    assert plan.actions[0].replaces == (expected in {"upload", "download"})
    by_choice = plan_sync(local, remote, base, SyncRules(direction=direction), choices={"a": choice}, unchanged=9)
    assert by_choice.actions == plan.actions


def test_pairs_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="cannot be created here and unchanged there"):
        decide(Change.CREATED, Change.UNCHANGED, SyncRules())


def test_another_object_with_the_agreed_content_is_no_change():
    base = {"a": Agreed("1", 1, "old"), "b": Agreed("2", 1, "old"), "c": Agreed("3", 1, "old")}
    plan = plan_sync(
        {"a": LocalFile(1, "1"), "b": LocalFile(1, "new")},
        {path: RemoteFile(1, "new", agreed.sha256) for path, agreed in base.items()},
        base,
        SyncRules(delete_files=True),
        unchanged=9,
    )
    assert [(action.kind, action.path) for action in plan.actions] == [
        ("agree", "a"),
        ("upload", "b"),
        ("delete_remote", "c"),
    ]


def test_an_object_of_unknown_content_with_another_token_is_a_change():
    base = {"a": Agreed("1", 1, "old")}
    plan = plan_sync({}, {"a": RemoteFile(1, "new")}, base, SyncRules(delete_files=True), unchanged=9)
    assert _kind(plan) == "download"


def test_a_rename_is_the_same_content_gone_here_and_new_there_and_is_no_deletion():
    base = {f"{number}": Agreed(f"h{number}", 5, f"t{number}") for number in range(4)}
    local = {f"moved/{number}": LocalFile(5, f"h{number}") for number in range(4)}
    remote = {path: RemoteFile(5, agreed.token) for path, agreed in base.items()}
    plan = plan_sync(local, remote, base, SyncRules(delete_files=True))
    assert [(action.kind, action.path, action.to) for action in plan.actions] == [
        ("rename_remote", f"{number}", f"moved/{number}") for number in range(4)
    ]
    assert not plan.guard

    there = {f"moved/{number}": RemoteFile(5, "new", f"h{number}") for number in range(4)}
    here = {path: LocalFile(5, agreed.sha256) for path, agreed in base.items()}
    plan = plan_sync(here, there, base, SyncRules(delete_files=True))
    assert {(action.kind, action.path, action.to) for action in plan.actions} == {
        ("rename_local", f"{number}", f"moved/{number}") for number in range(4)
    }


def test_files_of_equal_content_are_renamed_each_once():
    base = {"a": Agreed("same", 5, "ta"), "b": Agreed("same", 5, "tb")}
    remote = {"a": RemoteFile(5, "ta"), "b": RemoteFile(5, "tb")}
    local = {path: LocalFile(5, "same") for path in ("x", "y", "z")}
    plan = plan_sync(local, remote, base, SyncRules(delete_files=True))
    assert [(action.kind, action.path, action.to) for action in plan.actions] == [
        ("rename_remote", "a", "x"),
        ("rename_remote", "b", "y"),
        ("upload", "z", ""),
    ]


def test_where_deletions_are_not_followed_a_rename_is_a_copy():
    plan = plan_sync({"b": LocalFile(1, "1")}, {"a": RemoteFile(1, "t")}, {"a": Agreed("1", 1, "t")}, SyncRules())
    assert [(action.kind, action.path) for action in plan.actions] == [("download", "a"), ("upload", "b")]


def test_an_edit_of_the_other_side_is_not_taken_for_the_old_end_of_a_rename():
    plan = plan_sync(
        {"b": LocalFile(1, "1")},
        {"a": RemoteFile(1, "edited", "2")},
        {"a": Agreed("1", 1, "t")},
        SyncRules(delete_files=True),
    )
    assert [(action.kind, action.path) for action in plan.actions] == [("download", "a"), ("upload", "b")]


def test_what_could_not_be_looked_at_is_neither_deleted_nor_replaced():
    base = {"a": Agreed("1", 1, "t")}
    plan = plan_sync(
        {}, {"a": RemoteFile(1, "t")}, base, SyncRules(delete_files=True), problems={"a": "cannot be read"}, unchanged=9
    )
    assert plan.actions == ()
    assert list(plan.lines()) == ["problem       a  (cannot be read)"]


@pytest.mark.parametrize(
    ("deleted", "kept", "stops"),
    [
        (1, 0, "empty"),
        (2, 1, ""),
        (2, 2, ""),
        (3, 3, "50%"),
        (3, 4, ""),
        (4, 3, "57%"),
        (11, 100, "more than 10"),
        (10, 100, ""),
    ],
)
@pytest.mark.parametrize("side", ["remote", "local"])
def test_a_plan_that_deletes_too_much_is_stopped(side: str, deleted: int, kept: int, stops: str):
    base = {f"{number}": Agreed("1", 1, "t") for number in range(deleted)}
    local = {} if side == "remote" else dict.fromkeys(base, LocalFile(1, "1"))
    remote = {} if side == "local" else dict.fromkeys(base, RemoteFile(1, "t"))
    plan = plan_sync(local, remote, base, SyncRules(delete_files=True, max_deletes=10), unchanged=kept)
    assert plan.count("delete_local", "delete_remote") == deleted
    assert (stops in plan.guard) if stops else not plan.guard
    if stops:
        with pytest.raises(DeleteGuardError, match=stops):
            plan.check_guard("memory://x")
    else:
        plan.check_guard()


def test_files_that_agree_count_for_the_share_whether_they_are_given_or_not():
    base = {f"{number}": Agreed("1", 1, "t") for number in range(7)}
    local = {path: LocalFile(1, "1") for path in list(base)[3:]}
    remote = dict.fromkeys(base, RemoteFile(1, "t"))
    plan = plan_sync(local, remote, base, SyncRules(delete_files=True))
    assert (plan.unchanged, plan.count("delete_remote"), plan.guard) == (4, 3, "")


def test_nothing_is_deleted_where_nothing_was_agreed():
    rules = SyncRules(delete_files=True)
    plan = plan_sync({"a": LocalFile(1, "1")}, {"b": RemoteFile(1, "t", "2")}, {}, rules)
    assert [(action.kind, action.path) for action in plan.actions] == [("upload", "a"), ("download", "b")]


def test_deletions_come_last():
    base = {"a": Agreed("1", 1, "t"), "z": Agreed("2", 1, "t")}
    plan = plan_sync(
        {"z": LocalFile(1, "new")}, dict.fromkeys(base, RemoteFile(1, "t")), base, SyncRules(delete_files=True)
    )
    assert [action.kind for action in plan.actions] == ["upload", "delete_remote"]


def test_a_plan_is_data_and_text():
    base = {"a": Agreed("1", 1, "t", 3)}
    local = {"a": LocalFile(7, "2", _NOON), "new.stl": LocalFile(3, "3")}
    plan = plan_sync(local, {"a": RemoteFile(6, "u", "4", _NOON)}, base, SyncRules(), unchanged=2)
    assert list(plan.lines()) == [
        "keep both     a  (differs on both sides; both are kept)",
        "upload        new.stl  (new here)",
    ]
    told = json.loads(json.dumps(plan.as_dict()))
    assert told["unchanged"] == 2
    assert told["actions"][0] == {
        "kind": "keep_both",
        "path": "a",
        "reason": "differs on both sides; both are kept",
        "conflict": True,
        "local": {"size_bytes": 7, "sha256": "2", "modified": "2026-11-21T12:00:00+00:00"},
        "remote": {"size_bytes": 6, "token": "u", "sha256": "4", "modified": "2026-11-21T12:00:00+00:00"},
        "agreed": {"sha256": "1", "size_bytes": 1, "token": "t", "version": 3},
    }
    assert [action.size_bytes for action in plan.actions] == [13, 3]


@pytest.mark.parametrize(
    "options",
    [
        {"direction": "sideways"},
        {"conflict": "mine"},
        {"max_deletes": -1},
        {"max_delete_share": 0.0},
        {"max_delete_share": 1.5},
    ],
)
def test_options_that_cannot_be_are_refused(options: Any):
    with pytest.raises(BadOptionError):
        SyncRules(**options)
