"""Pieces that a run in shards left when it was killed, and that nobody went on with: the sweep takes them away."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from skyhold import CSVInputAdapter, JSONOutputAdapter, MultiThreadExecutor, Pipe, open_store
from skyhold.cli.application import run
from skyhold.records import shard_run
from skyhold.records.left_pieces import list_left_pieces
from skyhold.storage.contract import Store
from skyhold.testing.servers import LocalServer


class PowerCut(BaseException):
    """What comes instead of a kill: nothing is tidied up."""


def pipe_of(base: str, **options: Any) -> Pipe:
    return Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in/*.csv", **options),
        output_adapter=JSONOutputAdapter(f"{base}/out.jsonl", **options),
        executor=MultiThreadExecutor(2),
        shards=3,
    )


def leave_pieces(base: str, store: Store, monkeypatch: pytest.MonkeyPatch, **options: Any) -> set[str]:
    """Begin a run and cut it off; return what it has left."""
    for number in range(3):
        store.write(f"in/{number}.csv", f"n\n{number}\n".encode())

    def cut(*_args: Any, **_kwargs: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(shard_run._ShardRun, "_check_end", cut)
        patched.setattr(shard_run._ShardRun, "_halt", lambda *_args, **_kwargs: None)
        with pytest.raises(PowerCut):
            pipe_of(base, **options).run()
    return {info.key for info in store.list("out.jsonl.pieces/")}


def sweep(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert run(["storage", "sweep", *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_sweep_takes_old_pieces_away_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    store = open_store(tmp_path)
    left = leave_pieces(str(tmp_path), store, monkeypatch)
    assert len(left) == 1 + 3 * 2  # the plan; and of each shard its rows and its record
    store.write("out.jsonl.pieces/notes.txt", b"somebody's own")
    store.write("my.pieces/0123456789abcdef/plan.txt", b"somebody's own")
    before = {info.key for info in store.list("")}

    assert sweep(capsys, str(tmp_path))[-1]["summary"]["pieces"] == 0  # they may be under way
    old = time.time() - 25 * 3600
    for key in left:
        os.utime(tmp_path / key, (old, old))
    newest = max(left)
    os.utime(tmp_path / newest)  # and so they may if but one of them is young
    assert sweep(capsys, str(tmp_path))[-1]["summary"]["pieces"] == 0
    os.utime(tmp_path / newest, (old, old))

    item, summary = sweep(capsys, str(tmp_path), "--dry-run")
    assert (item["action"], item["objects"]) == ("would remove", len(left))
    assert item["uri"].endswith("/out.jsonl.pieces/")
    assert summary["summary"] == {"uploads": 0, "pieces": 1, "dry_run": True, "by_itself": ""}
    assert {info.key for info in store.list("")} == before
    assert sweep(capsys, str(tmp_path))[0]["action"] == "removed"
    assert {info.key for info in store.list("")} == before - left

    assert pipe_of(str(tmp_path)).run().total_written == 3


def test_pieces_in_a_bucket_are_found_below_any_prefix(
    moto: LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    bucket = make_bucket(moto)
    base, options = f"s3://{bucket}/deep/er", dict[str, Any](moto.options)
    store = open_store(base, **options)
    left = leave_pieces(base, store, monkeypatch, **options)
    for above in (f"s3://{bucket}", f"s3://{bucket}/deep", base, f"{base}/out.jsonl.pieces/"):
        (found,) = list_left_pieces(open_store(above, **options))
        assert (found.uri, len(found.keys)) == (f"{base}/out.jsonl.pieces/", len(left))
    assert list_left_pieces(store, older_than=timedelta(hours=1)) == []
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    assert sweep(capsys, f"s3://{bucket}", "--older-than-hours", "0", *words)[-1]["summary"]["pieces"] == 1
    assert not list(store.list("out.jsonl.pieces/"))
