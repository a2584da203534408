"""What goes to other processes: whole, only once, and nothing stays behind."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from skyhold.records import handover
from skyhold.records.handover import Parcel, pack, shared_folder

BATCH = pa.record_batch(
    {
        "n": pa.array(range(1000), pa.int64()),
        "text": [f"text {n}" if n % 3 else None for n in range(1000)],
        "nested": [{"tags": ["a"] * (n % 3), "of": {"n": n}} for n in range(1000)],
        "kind": pa.array([str(n % 4) for n in range(1000)]).dictionary_encode(),
    }
)

pytestmark = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this system has no shared memory to look into")


def test_whatever_holds_arrow_data_comes_out_as_it_went_in() -> None:
    thing = {"batch": BATCH, "array": BATCH.column(2).slice(5, 7), "empty": BATCH.slice(0, 0), "other": [1, "two"]}
    with shared_folder() as folder:
        found = pack(thing, folder).unpack()
    assert found["batch"].equals(BATCH, check_metadata=True)
    assert found["array"].equals(thing["array"])
    assert (found["empty"].num_rows, found["empty"].schema, found["other"]) == (0, BATCH.schema, [1, "two"])
    found["batch"].validate(full=True)


def test_a_slice_takes_only_its_rows_along() -> None:
    with shared_folder() as folder:
        whole, part = pack(BATCH, folder), pack(BATCH.slice(500, 10), folder)
        assert whole.path
        assert part.path
        assert part.path.stat().st_size < whole.path.stat().st_size / 10
        assert part.unpack().equals(BATCH.slice(500, 10))
    assert len(pack(BATCH.slice(500, 10), None).pickled) < len(pack(BATCH, None).pickled) / 10


def test_shared_memory_is_given_back_with_what_was_made_of_it() -> None:
    with shared_folder() as folder:
        assert folder
        found = pack(BATCH, folder).unpack()
        assert list(folder.iterdir()) == []
        pack(BATCH, folder)  # nobody takes it
    assert not folder.exists()
    assert found.equals(BATCH)  # it lives on without its file


def test_where_shared_memory_has_no_room_rows_are_pickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> Parcel:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(handover, "_share", refuse)
    assert pack(BATCH, tmp_path).unpack().equals(BATCH)
    monkeypatch.setattr(handover, "_SHARED_MEMORY", tmp_path / "none")
    with shared_folder() as folder:
        assert folder is None


def test_what_a_killed_process_left_is_swept_and_what_others_use_is_not(tmp_path: Path) -> None:
    script = "import os, signal, sys; from skyhold.records.handover import *; f = shared_folder(); print(f.__enter__())"
    script += "; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    left = Path(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stdout.strip()
    )
    assert left.is_dir()
    with shared_folder() as mine, shared_folder():
        assert not left.exists()
        assert mine
        assert mine.is_dir()
        assert f"-{os.getpid()}-" in mine.name
