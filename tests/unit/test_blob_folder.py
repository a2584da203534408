"""Models and weather files of campaigns on this machine: fetched once, and not kept for ever."""

import os
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.errors import IntegrityError
from skyhold.simulation import case_run
from skyhold.simulation.case_run import BlobFolder
from skyhold.simulation.layout import blob_key
from skyhold.storage.opening import open_store
from skyhold.storage.trimming import trim_folder
from skyhold.storage.wrappers.metered import MeteredStore


def test_content_is_fetched_once_and_what_was_not_used_for_a_day_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(case_run, "trim_folder", lambda folder: trim_folder(folder, 1))
    store = MeteredStore(open_store(f"memory://blobs-{uuid4().hex}"))
    names = [sha256(data).hexdigest() for data in (b"one", b"two", b"three")]
    for name, data in zip(names, (b"one", b"two", b"three"), strict=True):
        store.write(blob_key(name), data)
    blobs = BlobFolder(store, tmp_path)
    one, two = (blobs.path(name, ".txt") for name in names[:2])
    for path in (one, two):
        os.utime(path, (0, 0))
    blobs.path(names[1], ".txt")
    before = store.meter.usage.bytes_in
    three = blobs.path(names[2], ".txt")
    assert store.meter.usage.bytes_in - before == 5
    assert [path.exists() for path in (one, two, three)] == [False, True, True]
    assert blobs.path(names[0], ".txt").read_bytes() == b"one"


def test_content_that_is_not_what_its_name_says_is_refused(tmp_path: Path):
    store = open_store(f"memory://blobs-{uuid4().hex}")
    store.write(blob_key("00"), b"another")
    with pytest.raises(IntegrityError):
        BlobFolder(store, tmp_path).path("00", ".txt")
    assert not list(tmp_path.iterdir())
