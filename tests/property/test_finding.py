"""A pattern means the keys that a shell would take it to mean."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from skyhold.errors import BadUriError, KeyNotFoundError
from skyhold.records.formats.finding import compile_pattern, find_listed
from skyhold.storage.location import split_pattern
from skyhold.storage.opening import open_store

nasty = st.text(alphabet="ab*?[]!-^\\.&~|_c1\n ü", min_size=1, max_size=8)


@given(pattern=nasty, key=st.text(alphabet="ab*?[]!-^\\.&~|_c1\n ü", min_size=1, max_size=4))
@example(pattern="[]a]", key="]")
@example(pattern="[a]]", key="a]")
@example(pattern="[!]", key="[!]")
@example(pattern="[!]]", key="a")
@example(pattern="[^a]", key="^")
@example(pattern="[a&&b]", key="&")
@example(pattern="[!--a]", key="b")
@example(pattern="[+--]", key=",")
@example(pattern="[a--]", key="-")
def test_within_one_part_it_is_what_the_standard_library_takes_it_for(pattern: str, key: str):
    assume(not key.startswith((".", "_")))
    try:
        matches = compile_pattern(pattern)
    except BadUriError:
        assert "[" in pattern
        assert "-" in pattern
        return
    assert bool(matches.fullmatch(key)) == fnmatchcase(key, pattern)


parts = st.lists(st.text(alphabet="ab._", min_size=1, max_size=3).filter(lambda part: part.strip(".")), max_size=4)


@given(parts, parts)
def test_two_stars_are_any_folders_that_are_not_hidden(before: list[str], between: list[str]):
    key = "/".join([*before, *between, "x.csv"])
    pattern = "/".join([*before, "**", "*.csv"])
    hidden = any(part[0] in "._" for part in between)
    assert bool(compile_pattern(pattern).fullmatch(key)) == (not hidden)


@given(parts, nasty.filter(lambda part: part.strip(".") and "\n" not in part))
def test_taken_apart_and_put_together_it_is_the_same(folders: list[str], last: str):
    key = "/".join([*folders, last])
    split = split_pattern(f"s3://bucket/{key}")
    if split is None:
        assert compile_pattern(key).fullmatch(key), "without wildcards it means itself"
        return
    folder, pattern = split
    assert folder.key + pattern == key
    assert split_pattern(f"s3://bucket/{folder.key}x") is None


def test_a_set_turned_round_is_a_bad_uri():
    with pytest.raises(BadUriError, match="z-a"):
        compile_pattern("[z-a]")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", ["a.csv", "b/c.csv", "b/d/e.csv", "f.txt"]),
        ("*", ["a.csv", "f.txt"]),
        ("**/*.csv", ["a.csv", "b/c.csv", "b/d/e.csv"]),
        ("b/**", ["b/c.csv", "b/d/e.csv"]),
        ("b/*/*", ["b/d/e.csv"]),
        ("?.txt", ["f.txt"]),
        ("_skyhold/*", ["_skyhold/x.csv"]),
        ("_*/*", ["_skyhold/x.csv"]),
        ("*/.g*", ["b/.g.csv"]),
        ("*.receipt.json", ["a.csv.receipt.json"]),
        ("[a-e].csv", ["a.csv"]),
        ("[!a].txt", ["f.txt"]),
    ],
)
def test_what_is_found(pattern: str, expected: list[str]):
    store = open_store("memory://finding")
    names = "a.csv a.csv.receipt.json b/.g.csv b/_h/i.csv b/c.csv b/d/e.csv f.txt .j _SUCCESS _skyhold/x.csv"
    for key in names.split():
        store.write(key, b"")
    assert [info.key for info in find_listed(store, pattern, shown=pattern)] == expected


def test_nothing_found_is_an_error_that_names_the_pattern():
    with pytest.raises(KeyNotFoundError, match=r"s3://b/x\*.*no object matches; looked at 0") as caught:
        find_listed(open_store("memory://finding-nothing"), "x*", shown="s3://b/x*")
    assert "glob=False" in caught.value.remedy


@pytest.mark.parametrize(
    ("uri", "folder", "pattern"),
    [
        ("s3://b/", "", "**"),
        ("s3://b/logs/", "logs/", "**"),
        ("s3://b/logs/2024-*/", "logs/", "2024-*/**"),
        ("s3://b/logs/2024-0[1-3].csv", "logs/", "2024-0[1-3].csv"),
        ("az://b/x?y", "", "x?y"),
    ],
)
def test_a_pattern_is_taken_apart_at_the_folder_before_its_first_wildcard(uri: str, folder: str, pattern: str):
    split = split_pattern(uri)
    assert split is not None
    assert (split[0].key, split[1]) == (folder, pattern)


def test_of_a_mock_uri_the_query_stays_with_the_folder():
    split = split_pattern("mock:///data/x/*.csv?latency_ms=3")
    assert split is not None
    assert (split[0].container, split[0].options, split[1]) == ("/data/x/", (("latency_ms", "3"),), "*.csv")


@pytest.mark.parametrize(
    "uri", ["s3://b", "s3://b/x[1.csv", "s3://b/x]", "https://h/x?sig=a*b", "https://h/x/", "a.csv"]
)
def test_what_has_no_wildcard_is_one_object(uri: str):
    assert split_pattern(uri) is None
