"""How much memory large files take that come down, also from a server that ignores ranges."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from skyhold.components.library import Library
from skyhold.testing.servers import LocalServer

_MB = 1024 * 1024
_MOST_MB = 120
_PROGRAM = """
import json, sys
from pathlib import Path
from skyhold.components import Library, StorageSynchronizer, SyncConfig

uri, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
StorageSynchronizer(Library(uri, **options), SyncConfig(folder, direction="download")).synchronize()
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "rclone"])
def test_large_and_middling_files_come_down_in_bounded_memory(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
):
    uri = str(tmp_path / "library")
    options: dict[str, Any] = {}
    if place == "rclone":
        server: LocalServer = request.getfixturevalue("rclone")
        uri, options = f"s3://{make_bucket(server)}", dict(server.options)
    library = Library(uri, **options)
    (tmp_path / "large").write_bytes(os.urandom(256 * _MB))
    library.publish("large", tmp_path / "large")
    for number in range(12):
        library.publish(f"middling-{number}", os.urandom(7 * _MB))
    command = [sys.executable, "-c", _PROGRAM, uri, str(tmp_path / "target"), json.dumps(options)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert int(done.stdout.split()[-1]) / 1024 < _MOST_MB
    assert (tmp_path / "target" / "large").stat().st_size == 256 * _MB
