"""Many small files and one large one, up to a bucket and down from it, beside the tools that are known to be fast."""

import hashlib
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from measuring.folders import fast_folder
from measuring.race import Contender, Run, Standing, measure_once, race
from measuring.report import Table, count_runs
from tables.servers import BUCKET, Bucket, rclone_bucket

_PROGRAMS = {"s5cmd", "rclone"}
_BARE, _HASHED = "obstore", "obstore, and SHA-256"
_NO_PEERS = {"skyhold", _BARE, _HASHED}
_HEADER = ("", "up, s", "times the best peer's", "peak MB", "down, s", "times the best peer's", "peak MB")


@dataclass(frozen=True, slots=True)
class _Files:
    count: int
    size_bytes: int


def make_small_table(quick: bool) -> Table:
    """Two thousand files of 16 KiB."""
    files = _Files(100 if quick else 2_000, 16 * 2**10)
    return _make(f"Transfer of {files.count:,} files of 16 KiB", files, 1 if quick else 5)


def make_large_table(quick: bool) -> Table:
    """One GiB in one file."""
    files = _Files(1, 2**26 if quick else 2**30)
    return _make(f"Transfer of one file of {files.size_bytes // 2**20:,} MiB", files, 1 if quick else 3)


def _make(title: str, files: _Files, repeats: int) -> Table:
    with fast_folder() as name, rclone_bucket(Path(name)) as bucket:
        local, stored = Path(name) / "local", bucket.folder / "stored"
        _write_files(local, files)
        shutil.copytree(local, stored)
        up = _race(f"{local}", f"s3://{BUCKET}/landing", bucket.folder / "landing", bucket, files, repeats)
        down_to = Path(name) / "landing"
        down = _race(f"s3://{BUCKET}/stored", str(down_to), down_to, bucket, files, repeats)
        hashing_s = _hashing_s(local)
    caption = (
        "Files of random bytes, up to `rclone serve s3` on the same machine and down from it, listing included; "
        f"{count_runs(repeats)}; files and objects lie in memory where the system has such a folder. The ratio is to "
        "the fastest peer, below 1 is faster. skyhold with `transfer_all` as it comes, which also computes the SHA-256 "
        f"of every file: that alone takes one core {hashing_s:.2f} s here, where the server needs both; obstore is the "
        "client that skyhold uses, with 64 threads and nothing around it, which is what the server leaves to be had, "
        "and once more with threads that do nothing but hash; "
        "boto3 with 32 threads and its default transfer settings; s5cmd as it comes; rclone with `--transfers=32 "
        "--checkers=32`. The two programs' seconds include their start. This server answers a range with 200, not "
        "206, which obstore refuses: both then read a large object in one stream, where the others read ranges side "
        "by side."
    )
    return Table(title, caption, _HEADER, _cells(up, down))


def _hashing_s(folder: Path) -> float:
    """Return how long the hashes of all files take, their content being in memory."""
    taken_s = 0.0
    for path in folder.iterdir():
        content = path.read_bytes()
        begun = time.perf_counter()
        hashlib.sha256(content)
        taken_s += time.perf_counter() - begun
    return taken_s


def _write_files(folder: Path, files: _Files) -> None:
    dice = random.Random(11)
    folder.mkdir()
    for number in range(files.count):
        with (folder / f"file-{number:05}.bin").open("wb") as file:
            for start in range(0, files.size_bytes, 2**20):
                file.write(dice.randbytes(min(2**20, files.size_bytes - start)))


def _race(source: str, target: str, landing: Path, bucket: Bucket, files: _Files, repeats: int) -> dict[str, Standing]:
    """Move the files in turns, into a place that is empty each time, and see that all of them arrived."""
    arguments = {"source": source, "target": target, "landing": str(landing)}
    module = "contenders.transfer:move_with_"
    contenders = [
        Contender(who, f"{module}{who}", arguments, bucket.environment, is_command=who in _PROGRAMS)
        for who in ("skyhold", _BARE, "boto3", "s5cmd", "rclone")
    ]
    hashed = {**arguments, "is_hashed": True}
    contenders.insert(1, Contender(_HASHED, f"{module}obstore", hashed, bucket.environment))

    def measure(contender: Contender, number: int) -> Run:
        shutil.rmtree(landing, ignore_errors=True)
        landing.mkdir()
        run = measure_once(contender, number)
        if run.told != {"files": files.count, "size_bytes": files.count * files.size_bytes}:
            raise SystemExit(f"{contender.name} moved {run.told} of {files}")
        return run

    return {standing.name: standing for standing in race(contenders, repeats, measure=measure)}


def _cells(up: dict[str, Standing], down: dict[str, Standing]) -> list[list[str]]:
    rows = [[name] for name in up]
    for standings in (up, down):
        best = min(standing.seconds for name, standing in standings.items() if name not in _NO_PEERS)
        for row, standing in zip(rows, standings.values(), strict=True):
            row += [f"{standing.seconds:.2f}", f"{standing.seconds / best:.2f}", f"{standing.peak_mb:.0f}"]
    return rows
