"""Results that are known already: whole or not at all, bounded, and shared by processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from skyhold.errors import BadOptionError
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.result_record import RECORD, ResultRecord, record_files
from skyhold.simulation.simulator import Verdict


def _key(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _put(cache: ResultCache, folder: Path, name: str, size: int = 1000) -> ResultRecord:
    source = folder / f"source-{name}"
    (source / "sub").mkdir(parents=True)
    (source / "a.csv").write_bytes(name.encode() * (size // len(name)))
    (source / "sub" / "b.csv").write_text("b")
    files = record_files(source, ["a.csv", "sub/b.csv"])
    verdict = Verdict(None, 0, (), 1.0, "1.0")
    record = ResultRecord("r", _key(name), name, datetime.now(UTC), "tiny", {}, verdict, {}, files)
    (source / RECORD).parent.mkdir()
    (source / RECORD).write_bytes(record.to_json())
    cache.put(source, record)
    return record


def _get(cache: ResultCache, folder: Path, name: str) -> ResultRecord | None:
    target = folder / f"target-{name}-{time.monotonic_ns()}"
    target.mkdir()
    record = cache.get(_key(name), target, simulator="tiny")
    assert sorted(path.name for path in target.rglob("*.csv")) == (["a.csv", "b.csv"] if record else [])
    assert record or not list(target.iterdir())
    return record


def test_what_was_put_is_got(tmp_path: Path):
    cache = ResultCache(tmp_path / "cache")
    assert _get(cache, tmp_path, "x") is None
    record = _put(cache, tmp_path, "x")
    assert _get(cache, tmp_path, "x") == record
    assert _get(cache, tmp_path, "y") is None
    cache.clear()
    assert _get(cache, tmp_path, "x") is None
    assert cache.size_bytes == 0


def test_a_result_of_another_simulator_is_not_taken_and_stays(tmp_path: Path):
    cache = ResultCache(tmp_path / "cache")
    record = _put(cache, tmp_path, "x")
    (tmp_path / "target").mkdir()
    assert cache.get(record.key, tmp_path / "target", simulator="another") is None
    assert _get(cache, tmp_path, "x") == record


@pytest.mark.parametrize("damaged", ["a.csv", "sub/b.csv", RECORD])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_damaged_entry_counts_as_none_and_goes(tmp_path: Path, damaged: str, how: str):
    cache = ResultCache(tmp_path / "cache")
    _put(cache, tmp_path, "x")
    file = cache.folder / _key("x") / damaged
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"{" * file.stat().st_size)
    assert _get(cache, tmp_path, "x") is None
    assert not (cache.folder / _key("x")).exists()


def test_the_least_recently_used_goes(tmp_path: Path):
    cache = ResultCache(tmp_path / "cache", max_bytes=5000)
    for name in ("a", "b"):
        _put(cache, tmp_path, name, 1500)
        time.sleep(0.02)
    assert _get(cache, tmp_path, "a")
    time.sleep(0.02)
    _put(cache, tmp_path, "c", 1500)
    assert cache.size_bytes <= 5000
    assert _get(cache, tmp_path, "b") is None
    assert _get(cache, tmp_path, "a")
    assert _get(cache, tmp_path, "c")
    _put(cache, tmp_path, "huge", 6000)
    assert _get(cache, tmp_path, "huge") is None
    assert _get(cache, tmp_path, "a")


def test_a_full_cache_is_rarely_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache = ResultCache(tmp_path / "cache", max_bytes=200_000)
    looked: list[Path] = []
    measured = ResultCache._measured

    def look(self: ResultCache, entries: Iterable[Path]) -> Iterator[tuple[Path, int, float]]:
        for found in measured(self, entries):
            looked.append(found[0])
            yield found

    monkeypatch.setattr(ResultCache, "_measured", look)
    for number in range(300):
        _put(cache, tmp_path, f"n{number}", 1000)
        assert number % 20 or cache.size_bytes <= 200_000 * 17 / 16
    looks_of_the_test = 15 * 200
    assert len(looked) - looks_of_the_test < 300 * 40
    assert _get(cache, tmp_path, "n299")
    assert _get(cache, tmp_path, "n0") is None


def test_what_other_processes_put_counts_too(tmp_path: Path):
    ours, theirs = (ResultCache(tmp_path / "cache", max_bytes=50_000) for _ in range(2))
    for number in range(60):
        _put((ours, theirs)[number % 2], tmp_path, f"n{number}", 2000)
    assert ours.size_bytes <= 50_000 * 18 / 16


def test_what_a_killed_process_left_is_no_result_and_goes_after_a_day(tmp_path: Path):
    cache = ResultCache(tmp_path / "cache")
    record = _put(cache, tmp_path, "x")
    left = cache.folder / ".new-0"
    (cache.folder / record.key).rename(left)
    assert _get(cache, tmp_path, "x") is None
    assert cache.size_bytes == 0
    assert left.exists()
    os.utime(left, (0, 0))
    assert cache.size_bytes == 0
    assert not left.exists()


_MANY = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_result_cache import _get, _put
from skyhold.simulation.cache import ResultCache
folder = Path(sys.argv[1]); cache = ResultCache({cache!r}, max_bytes=8000)
for turn in range(40):
    name = "abcdefgh"[turn * 3 % 8]
    if _get(cache, folder, name) is None:
        (folder / str(turn)).mkdir()
        _put(cache, folder / str(turn), name, 1500)
"""


def test_processes_share_a_cache_without_harm(tmp_path: Path):
    code = _MANY.format(tests=str(Path(__file__).parent), cache=str(tmp_path / "cache"))
    workers: list[subprocess.Popen[str]] = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        command = [sys.executable, "-c", code, str(tmp_path / str(number))]
        workers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for worker in workers:
        _, said = worker.communicate(timeout=100)
        assert worker.returncode == 0, said
    cache = ResultCache(tmp_path / "cache", max_bytes=8000)
    assert cache.size_bytes > 0
    for entry in cache.folder.iterdir():
        assert not entry.name.startswith(".")
        (tmp_path / "out" / entry.name).mkdir(parents=True)
        assert cache.get(entry.name, tmp_path / "out" / entry.name, simulator="tiny")


def test_a_cache_that_cannot_be_or_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadOptionError, match="cannot be written"):
        _put(ResultCache(tmp_path / "file"), tmp_path, "x")
    with pytest.raises(BadOptionError, match="negative"):
        ResultCache(tmp_path, max_bytes=-1)
    with pytest.raises(BadOptionError, match="no key"):
        ResultCache(tmp_path).get("../outside", tmp_path, simulator="tiny")
