"""How much memory a transfer takes of a file that is larger than what it may hold."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import make_bucket
from skyhold.testing.servers import LocalServer

_MB = 1024 * 1024
_FILE_MB = 256
_MOST_MB = 97
_PROGRAM = """
import json, sys
from pathlib import Path
from skyhold.storage.opening import open_store
from skyhold.storage.transfer import Transfer, transfer_all

options = json.loads(sys.argv[3])
source, target = (open_store(uri, **(options if "://" in uri else {})) for uri in sys.argv[1:3])
transfer_all(Transfer(source, info.key, target, info.key, info) for info in source.list())
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def _transfer_mb(source: str, target: str, server: LocalServer) -> float:
    """Move all in a process of its own; return the most memory that it had."""
    command = [sys.executable, "-c", _PROGRAM, source, target, json.dumps(dict(server.options))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout.split()[-1]) / 1024


def test_a_large_file_goes_up_and_down_in_bounded_memory(rclone: LocalServer, tmp_path: Path):
    """Blocks that were freed went to nobody: 127 MB down, for blocks of 52 MB."""
    source, bucket, target = tmp_path / "source", f"s3://{make_bucket(rclone)}", tmp_path / "target"
    source.mkdir()
    (source / "large").write_bytes(os.urandom(_FILE_MB * _MB))
    assert _transfer_mb(str(source), bucket, rclone) < _MOST_MB
    assert _transfer_mb(bucket, str(target), rclone) < _MOST_MB
    assert (target / "large").stat().st_size == _FILE_MB * _MB
