"""Components under rough hands: files that are none, names that clash, targets that are odd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.cli.application import run
from skyhold.components import getting
from skyhold.components.library import Library
from skyhold.errors import AlreadyExistsError, BadOptionError, InvalidKeyError, KeyNotFoundError, MalformedInputError


@pytest.fixture(params=["memory", "file"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    return Library(f"memory://rough-{uuid4().hex}" if request.param == "memory" else str(tmp_path / "library"))


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    folder = tmp_path / "robot"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "arm.stl").write_text("solid arm")
    (folder / "plan.txt").write_text("plan")
    return folder


@pytest.mark.parametrize("names", [("arm", "arm/left"), ("a/b/c", "a"), ("x" * 256,), ("folder/" + "ä" * 128,)])
def test_files_that_no_folder_could_hold_together_are_refused_before_a_version_names_them(
    library: Library, robot: Path, names: tuple[str, ...]
):
    with pytest.raises(InvalidKeyError, match="'robot' cannot have these files"):
        library.publish("robot", dict.fromkeys(names, robot / "plan.txt"))
    assert library.publish("robot", robot).number == 1
    assert library.read("robot", "plan.txt") == b"plan"


def test_a_file_whose_whole_key_is_too_long_is_refused_before_a_version_names_it(library: Library, robot: Path):
    name = "/".join(["x" * 200] * 4)
    with pytest.raises(InvalidKeyError, match="more than 1024"):
        library.publish("r" * 230, {name: robot / "plan.txt"})
    assert library.publish("r" * 230, robot).number == 1


def test_a_folder_with_a_link_to_a_folder_is_refused_since_part_of_it_would_be_missing(
    tmp_path: Path, library: Library, robot: Path
):
    (robot / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(BadOptionError, match="link to a folder"):
        library.publish("robot", robot)


def test_a_link_to_nothing_and_a_pipe_are_named(library: Library, robot: Path):
    (robot / "gone").symlink_to("nothing")
    with pytest.raises(BadOptionError, match="gone' is a link to nothing"):
        library.publish("robot", robot)
    (robot / "gone").unlink()
    os.mkfifo(robot / "pipe")
    for content in (robot, robot / "pipe", {"pipe": robot / "pipe"}):
        with pytest.raises(BadOptionError, match="pipe' is neither a file nor a folder"):
            library.publish("robot", content)


def test_a_link_to_a_file_is_published_as_the_file(tmp_path: Path, library: Library, robot: Path):
    (tmp_path / "bolt").write_text("bolt")
    (robot / "bolt").symlink_to(tmp_path / "bolt")
    library.publish("robot", robot)
    assert library.read("robot", "bolt") == b"bolt"


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever runs this must be able to become nobody")
def test_a_folder_that_cannot_be_read_is_told_and_not_left_out(robot: Path, tmp_path: Path):
    hidden = tmp_path / "hidden"
    shutil.copytree(robot, hidden / "robot")
    hidden.chmod(0o700)
    (robot / "parts").chmod(0o700)
    for folder in [robot, *robot.parents]:
        if folder.stat().st_mode & 0o5 != 0o5:
            folder.chmod(0o755)
    code = (
        "import sys, os; from pathlib import Path; from skyhold.components.sources import list_sources\n"
        "os.setuid(65534)\n"
        "try: list_sources(Path(sys.argv[1]), 'robot', uri='memory://x')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    for place, named in ((robot, "parts"), (hidden / "robot", "robot")):
        done = subprocess.run([sys.executable, "-c", code, str(place)], check=True, capture_output=True, text=True)
        assert "AccessDeniedError" in done.stdout
        assert f"{named}' cannot be read" in done.stdout


def test_a_missing_file_is_an_error_with_a_remedy(library: Library, tmp_path: Path):
    for content in (tmp_path / "missing", {"part": tmp_path / "missing"}):
        with pytest.raises(KeyNotFoundError, match="there is no file") as caught:
            library.publish("robot", content)
        assert caught.value.remedy


def test_a_component_of_several_files_is_gathered_within_a_folder_that_is_there(
    library: Library, robot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    library.publish("robot", robot)
    target = tmp_path / "deep" / "disk"
    target.mkdir(parents=True)
    (target / "mine").write_text("mine")
    seen: list[list[str]] = []
    fetch = getting.do_all

    def watched(*given: object, **options: object) -> object:
        done = fetch(*given, **options)  # type: ignore[arg-type]
        seen.append([path.name for path in (tmp_path / "deep").iterdir()])
        return done

    monkeypatch.setattr(getting, "do_all", watched)
    library.get("robot", target)
    assert seen == [["disk"]]
    assert sorted(path.name for path in target.iterdir()) == ["mine", "parts", "plan.txt"]


def test_a_component_of_several_files_does_not_replace_a_file(library: Library, robot: Path, tmp_path: Path):
    library.publish("robot", robot)
    (tmp_path / "target").write_text("mine")
    with pytest.raises(AlreadyExistsError, match="becomes a folder"):
        library.get("robot", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "mine"


def test_a_target_that_ends_in_a_slash_is_a_folder_for_the_command_too(robot: Path, tmp_path: Path):
    place = str(tmp_path / "library")
    assert run(["comp", "add", place, str(robot / "plan.txt")]) == 0
    assert run(["comp", "get", place, "plan.txt", f"{tmp_path}/new/"]) == 0
    assert (tmp_path / "new" / "plan.txt").read_text() == "plan"


@pytest.mark.parametrize("command", ["add missing", "add missing --dry-run", "rm missing --dry-run"])
def test_a_command_about_what_is_not_there_ends_with_an_error(
    command: str, robot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = str(tmp_path / "library")
    run(["comp", "add", place, str(robot)])
    verb, *rest = command.split()
    assert run(["comp", verb, place, *rest]) == 3
    assert "'missing'" in capsys.readouterr().err


@pytest.mark.parametrize("key", [".skyhold/heads/arm/@.json", ".skyhold/versions/arm/@/00000001.json"])
def test_a_damaged_record_is_named_with_what_mends_it(library: Library, key: str):
    library.publish("arm", b"solid")
    library.publish("leg", b"solid")
    for damage in (b"{garbage", library.store.read(key.replace("arm", "leg"))):
        library.store.write(key, damage)
        for attempt in (lambda: library.publish("arm", b"other"), lambda: library.read("arm")):
            with pytest.raises(MalformedInputError) as caught:
                attempt()
            assert key in str(caught.value)
            assert "comp repair" in caught.value.remedy


def test_text_that_is_no_unicode_is_refused_by_name(library: Library):
    for said in ({"message": "\udcff"}, {"metadata": {"material": "\udcff"}}):
        with pytest.raises(BadOptionError, match="'arm' cannot be written"):
            library.publish("arm", b"solid", **said)  # type: ignore[arg-type]
    assert library.publish("arm", b"solid").number == 1


def test_a_target_that_cannot_be_written_ends_a_command_without_a_traceback(
    robot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = str(tmp_path / "library")
    run(["comp", "add", place, str(robot / "plan.txt")])
    assert run(["comp", "get", place, "plan.txt", f"{robot}/plan.txt/below"]) == 1
    assert "plan.txt" in capsys.readouterr().err


def test_a_server_that_answers_with_something_else_is_named(library: Library):
    library.publish("arm", b"solid")
    library.store.write(".skyhold/library.json", b"<html>Please log in</html>")
    with pytest.raises(MalformedInputError, match=r"\.skyhold/library\.json' says of no known library") as caught:
        Library(library.store).publish("arm", b"other")
    assert caught.value.remedy
