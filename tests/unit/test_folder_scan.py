"""What a synchronization sees of a folder: every file without reading it, and every name that cannot travel."""

import os
import unicodedata
from pathlib import Path

import pytest

from skyhold.components.folder_scan import (
    compile_patterns,
    hash_unchanged,
    is_case_sensitive,
    name_fault,
    scan_folder,
    stamp_of,
)
from skyhold.errors import AccessDeniedError, BadOptionError, ConflictError, KeyNotFoundError

_COMPOSED = unicodedata.normalize("NFC", "Träger.stl")
_APART = unicodedata.normalize("NFD", _COMPOSED)


def _write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_scan_finds_every_file_below_the_folder_and_nothing_of_its_own(tmp_path: Path):
    _write(
        tmp_path,
        "a.stl",
        "b/c/d.stl",
        "b/.hidden",
        ".skyhold-sync.sqlite",
        ".skyhold-sync.parts/x",
        "b/.e.skyhold-part",
    )
    found = scan_folder(tmp_path)
    assert set(found.files) == {"a.stl", "b/c/d.stl", "b/.hidden"}
    assert found.files["a.stl"] == stamp_of(tmp_path / "a.stl")
    assert not found.problems


def test_patterns_are_of_names_or_of_whole_paths(tmp_path: Path):
    _write(tmp_path, "a.stl", "b/c.stl", "b/d.txt", "e.txt")
    assert set(scan_folder(tmp_path, compile_patterns(["*.stl"])).files) == {"a.stl", "b/c.stl"}
    assert set(scan_folder(tmp_path, compile_patterns(["b/*"])).files) == {"b/c.stl", "b/d.txt"}
    assert compile_patterns(["*.stl", "*"]) is None
    with pytest.raises(BadOptionError, match="no file pattern"):
        compile_patterns([])


def test_links_and_other_things_are_told_and_not_followed(tmp_path: Path):
    outside = tmp_path / "outside"
    _write(outside, "secret")
    folder = tmp_path / "folder"
    _write(folder, "a")
    (folder / "link").symlink_to(outside / "secret")
    (folder / "linked-folder").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    found = scan_folder(folder)
    assert set(found.files) == {"a"}
    assert "symbolic link" in found.problems["link"]
    assert "symbolic link" in found.problems["linked-folder"]
    assert "neither" in found.problems["pipe"]


def test_names_are_compared_in_one_unicode_form_and_opened_in_their_own(tmp_path: Path):
    _write(tmp_path, _APART)
    found = scan_folder(tmp_path)
    assert set(found.files) == {_COMPOSED}
    assert found.name_of(_COMPOSED) == _APART


def test_files_that_differ_in_unicode_form_alone_are_left_alone(tmp_path: Path):
    _write(tmp_path, _APART, _COMPOSED, "a")
    if len(list(tmp_path.iterdir())) < 3:
        return  # this file system holds one of them only
    found = scan_folder(tmp_path)
    assert set(found.files) == {"a"}
    assert "Unicode" in found.problems[_COMPOSED]


def test_a_folder_that_cannot_be_read_is_told_for_all_that_lies_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _write(tmp_path, "a", "closed/b")
    scandir = os.scandir

    def refuse(path: str):
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan_folder(tmp_path)
    assert set(found.files) == {"a"}
    assert "Permission denied" in found.problems["closed/"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(KeyNotFoundError, match="no such folder"):
        scan_folder(tmp_path / "missing")
    _write(tmp_path, "file")
    with pytest.raises(KeyNotFoundError):
        scan_folder(tmp_path / "file")


def test_an_edit_that_keeps_size_and_modification_time_changes_the_stamp(tmp_path: Path):
    file = tmp_path / "a"
    file.write_text("one")
    sha256, before = hash_unchanged(file)
    file.write_text("two")
    os.utime(file, ns=(before.mtime_ns, before.mtime_ns))
    now = stamp_of(file)
    assert now is not None
    assert (now.size_bytes, now.mtime_ns) == (before.size_bytes, before.mtime_ns)
    assert now != before
    assert hash_unchanged(file)[0] != sha256


def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "a"
    file.write_text("one")
    fdopen = os.fdopen

    def write_first(*arguments, **options):
        file.write_text("three")
        return fdopen(*arguments, **options)

    monkeypatch.setattr(os, "fdopen", write_first)
    with pytest.raises(ConflictError, match="changed while it was read"):
        hash_unchanged(file)


def test_what_cannot_be_read_is_told_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(KeyNotFoundError, match="gone"):
        hash_unchanged(tmp_path / "missing")
    file = tmp_path / "a"
    file.write_text("one")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AccessDeniedError, match="Permission denied"):
        hash_unchanged(file)


def test_a_link_that_takes_the_place_of_a_file_is_not_read(tmp_path: Path):
    _write(tmp_path, "secret")
    (tmp_path / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(KeyNotFoundError):
        hash_unchanged(tmp_path / "a")


def test_a_link_that_takes_the_place_of_a_file_at_the_last_moment_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _write(tmp_path, "secret", "a")
    real = os.open

    def swap_first(path: Path, flags: int) -> int:
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return real(path, flags)

    monkeypatch.setattr(os, "open", swap_first)
    with pytest.raises(KeyNotFoundError, match="gone"):
        hash_unchanged(tmp_path / "a")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../etc/passwd", "means a folder"),
        ("a/../b", "means a folder"),
        ("/etc/passwd", "begins with '/'"),
        ("a//b", "'//'"),
        ("a\nb", "character"),
        ("a\udcffb", "Unicode"),
        ("ü" * 600, "bytes"),
        ("x" * 256, "256 bytes"),
        (".skyhold/heads/a/@.json", "own history"),
        ("a/@/b", "'@'"),
        (".skyhold-sync.sqlite", "own"),
        ("fine/arm ä.stl", ""),
    ],
)
def test_names_that_one_side_cannot_hold_are_told_with_the_reason(path: str, reason: str):
    found = name_fault(path)
    assert reason in found
    assert bool(reason) == bool(found)


def test_whether_a_folder_tells_capitals_apart_is_asked_of_the_folder(tmp_path: Path):
    _write(tmp_path, "known.file")
    assert is_case_sensitive(tmp_path, "known.file")
    _write(tmp_path, "KNOWN.FILE")
    assert not is_case_sensitive(tmp_path, "known.file")
