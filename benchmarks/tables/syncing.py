"""Folders and buckets made equal: where nothing has changed, over a long way, and where somebody interferes."""

import os
import random
import shutil
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

from measuring.folders import fast_folder
from measuring.interference import between
from measuring.race import Contender, Run, measure_once, race
from measuring.report import Table, count_runs
from skyhold.components.folder_scan import scan_folder
from skyhold.components.library import Library
from skyhold.components.sync_state import Remembered, SyncState
from skyhold.components.sync_view import token_of
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.sync import Agreed
from skyhold.testing.servers import start_moto
from tables.servers import BUCKET, environment_of, rclone_bucket

_FOLDERS = 100
_DELAY_S = 0.025
_LONG_AGO = 1_600_000_000
_NAMES = {
    "skyhold": ("sync_with_skyhold", ""),
    "s5cmd": ("sync_with_s5cmd", ""),
    "rclone --checksum": ("sync_with_rclone", "--checksum"),
    "rclone --size-only": ("sync_with_rclone", "--size-only"),
}


def make_unchanged_table(quick: bool) -> Table:
    """A folder of 100,000 files in which nothing has changed."""
    files, repeats = (2_000, 1) if quick else (100_000, 3)
    with fast_folder() as name, rclone_bucket(Path(name)) as bucket:
        local = Path(name) / "local"
        _write_small(local, files)
        shutil.copytree(local, Path(name) / "plain")  # the peers' own, without our notes
        shutil.copytree(local, bucket.folder / "stored", copy_function=shutil.copyfile)
        _agree(local, open_store(f"s3://{BUCKET}/stored", **_options_of(bucket.environment)), f"s3://{BUCKET}/stored")
        contenders = [
            _contender(
                who,
                bucket.environment,
                folder=str(local if who == "skyhold" else Path(name) / "plain"),
                target=f"s3://{BUCKET}/stored",
            )
            for who in _NAMES
        ]
        standings = race(contenders, repeats)
    for each in standings:
        if each.told["done"] or each.told["said"]:
            raise SystemExit(f"{each.name} found something to do: {each.told}")
    ours = standings[0]
    caption = (
        f"The aim is half the time of s5cmd and of rclone with checksums, {files // 1000:,} LIST requests and no "
        f"others. {files:,} files of 100 bytes in {_FOLDERS} folders and as many objects behind `rclone serve s3` on "
        f"the same machine; {count_runs(repeats)}. skyhold compares both sides with what was agreed, by e-tag, size, "
        "times and inode; s5cmd by size and time; rclone by MD5 or size. The programs' seconds include their start, "
        f"skyhold's do not include Python's. skyhold sent {ours.told['lists']:,} LIST requests and "
        f"{ours.told['others']} others."
    )
    rows = [
        [each.name, f"{each.seconds:.2f}", f"{ours.seconds / each.seconds:.2f}", f"{each.peak_mb:.0f}"]
        for each in standings
    ]
    return Table("Nothing to synchronize", caption, ("", "seconds", "skyhold's time to this", "peak MB"), rows)


def make_latency_table(quick: bool) -> Table:
    """Small files over a way of 25 ms."""
    files, repeats = (200, 1) if quick else (2_000, 3)
    with fast_folder() as name, rclone_bucket(Path(name)) as bucket:
        local = Path(name) / "local"
        local.mkdir()
        for number in range(files):
            (local / f"{number:05}.bin").write_bytes(random.Random(number).randbytes(16 * 1024))
        landing = bucket.folder / "landing"

        def measure(contender: Contender, number: int) -> Run:
            shutil.rmtree(landing, ignore_errors=True)
            landing.mkdir()
            run = measure_once(contender, number)
            if run.told["files"] != files:
                raise SystemExit(f"{contender.name} moved {run.told} of {files}")
            return run

        with between(bucket.endpoint, delay_s=_DELAY_S) as endpoint:
            contenders = [
                Contender(
                    who,
                    f"contenders.transfer:move_with_{who}",
                    {"source": str(local), "target": f"s3://{BUCKET}/landing", "landing": str(landing)},
                    bucket.environment | {"AWS_ENDPOINT_URL": endpoint},
                    is_command=who != "skyhold",
                )
                for who in ("skyhold", "s5cmd", "rclone")
            ]
            standings = race(contenders, repeats, measure=measure)
    caption = (
        f"The aim is s5cmd's time. {files:,} files of 16 KiB up to `rclone serve s3`, every request 25 ms on its way "
        f"through a proxy on the same machine; {count_runs(repeats)}. Each with its own idea of how many "
        "requests to have in flight, rclone with 32."
    )
    best = min(each.seconds for each in standings[1:])
    rows = [[each.name, f"{each.seconds:.2f}", f"{each.seconds / best:.2f}"] for each in standings]
    return Table("Uploads over a long way", caption, ("", "seconds", "times the best peer's"), rows)


def make_safety_table(quick: bool) -> Table:
    """Somebody else writes between look and write; a bit is flipped on the way down."""
    del quick
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name, start_moto(Path(name)) as server:
        environment = environment_of(server.options)
        for who in ("skyhold", "s5cmd", "rclone --checksum"):
            folder = Path(name) / who.split()[0]
            rows.append([who, *_lost_update(who, folder, environment), *_flipped_bit(who, folder, environment)])
    caption = (
        "Against moto, which keeps to conditional writes. Somebody else's edit: a file was synchronized and then "
        "edited; while the edit is being uploaded, just before the write arrives, somebody else writes the same "
        "object. A bit flipped: of an object of 64 KiB that is downloaded, one bit is changed on the way."
    )
    header = ("", "somebody else's edit", "it says", "a bit flipped on the way down", "it says")
    return Table("Where somebody interferes", caption, header, rows)


def _lost_update(who: str, folder: Path, environment: dict[str, str]) -> tuple[str, str]:
    store = _bucket(folder.name + "-edit", environment)
    folder.mkdir()
    (folder / "arm.stl").write_bytes(b"first")
    target = store.uri
    run = measure_once(_contender(who, environment, folder=str(folder), target=target))
    assert not run.told["said"], run.told
    (folder / "arm.stl").write_bytes(b"our edit")
    once = threading.Lock()

    def interfere(line: bytes) -> None:
        if line.startswith(b"PUT") and b"/arm.stl" in line and b".skyhold" not in line and once.acquire(blocking=False):
            store.write("arm.stl", b"their edit")

    with between(environment["AWS_ENDPOINT_URL"], on_request=interfere) as endpoint:
        behind = environment | {"AWS_ENDPOINT_URL": endpoint}
        run = measure_once(_contender(who, behind, folder=str(folder), target=target))
    everywhere = [store.read(info.key) for info in store.list()]
    everywhere += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    kept = b"their edit" in everywhere and b"our edit" in everywhere
    return "both are kept" if kept else "**lost**", _said(run)


def _flipped_bit(who: str, folder: Path, environment: dict[str, str]) -> tuple[str, str]:
    store = _bucket(folder.name + "-bits", environment)
    content = random.Random(3).randbytes(64 * 1024)
    Library(store).publish("arm.stl", content)
    landing = folder.with_name(folder.name + "-landing")
    landing.mkdir()

    def flip(line: bytes, piece: bytes) -> bytes:
        if not line.startswith(b"GET") or b"arm.stl" not in line or content[-64:] not in piece:
            return piece
        place = piece.index(content[-64:])
        return piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :]

    def flip_blob(line: bytes, piece: bytes) -> bytes:
        digest = sha256(content).hexdigest().encode()
        return flip(b"GET arm.stl" if digest in line else line, piece)

    with between(environment["AWS_ENDPOINT_URL"], change=flip_blob) as endpoint:
        behind = environment | {"AWS_ENDPOINT_URL": endpoint}
        run = measure_once(_contender(who, behind, folder=str(landing), target=store.uri, direction="download"))
    landed = landing / "arm.stl"
    if not landed.exists():
        return "refused", _said(run)
    return ("right" if landed.read_bytes() == content else "**taken for the file**"), _said(run)


def _said(run: Run) -> str:
    said = str(run.told["said"]).splitlines()
    return said[0][:160].replace("|", "¦") if said else "nothing (success)"


def _contender(who: str, environment: dict[str, str], **arguments: str) -> Contender:
    function, options = _NAMES[who]
    more = {"options": options} if options else {}
    return Contender(
        who, f"contenders.syncing:{function}", {**arguments, **more}, environment, is_command=who != "skyhold"
    )


def _bucket(name: str, environment: dict[str, str]) -> Store:
    from skyhold.storage.buckets import make_bucket

    options = _options_of(environment)
    make_bucket(f"s3://{name}", **options)
    return open_store(f"s3://{name}", **options)


def _options_of(environment: dict[str, str]) -> dict[str, str]:
    return {
        "endpoint": environment["AWS_ENDPOINT_URL"],
        "access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region": environment["AWS_REGION"],
    }


def _write_small(folder: Path, files: int) -> None:
    for number in range(_FOLDERS):
        (folder / f"{number:03}").mkdir(parents=True)
    for number in range(files):
        file = folder / f"{number % _FOLDERS:03}" / f"{number:06}.txt"
        file.write_bytes(f"{number:099}\n".encode())
        os.utime(file, (_LONG_AGO, _LONG_AGO))  # objects must be younger, or s5cmd sends the files again


def _agree(folder: Path, store: Store, uri: str) -> None:
    """Write down what a synchronization of all files would have left; making it would take long and is not measured."""
    listed = {info.key: info for info in store.list()}
    with SyncState(folder, uri) as state:
        state.remember_all(
            (
                path,
                Remembered.of(
                    stamp,
                    Agreed(
                        sha256((folder / path).read_bytes()).hexdigest(), stamp.size_bytes, token_of(listed[path]), 1
                    ),
                ),
            )
            for path, stamp in scan_folder(folder, None).files.items()
        )
