"""A folder and a bucket made equal: skyhold, s5cmd and rclone."""

import os
import subprocess
from typing import Any

from contenders.transfer import program
from measuring.stopwatch import Stopwatch

_Told = dict[str, Any]


def sync_with_skyhold(watch: Stopwatch, *, folder: str, target: str, direction: str = "both") -> _Told:
    from skyhold.components.library import Library
    from skyhold.components.sync_config import SyncConfig
    from skyhold.components.synchronizing import StorageSynchronizer
    from skyhold.errors import SkyholdError
    from skyhold.storage.opening import open_store
    from skyhold.storage.wrappers.metered import Meter, MeteredStore

    meter = Meter()
    said = ""
    with watch:
        library = Library(MeteredStore(open_store(target), meter))
        config: Any = SyncConfig(folder, direction=direction)  # pyright: ignore[reportArgumentType] - told by name
        synchronizer = StorageSynchronizer(library, config)
        try:
            result = synchronizer.synchronize()
            said = "\n".join(line.strip() for line in result.get_summary_string().splitlines()[1:])
        except SkyholdError as error:
            said, result = str(error), synchronizer.result
    done = len(result.done) if result else 0
    usage = meter.usage.requests
    return {"done": done, "lists": usage["list"], "others": sum(usage.values()) - usage["list"], "said": said}


def sync_with_s5cmd(watch: Stopwatch, *, folder: str, target: str, direction: str = "both") -> _Told:
    sides = [f"{folder}/", f"{target}/"] if direction != "download" else [f"{target}/*", f"{folder}/"]
    command = [program("s5cmd"), "--endpoint-url", os.environ["AWS_ENDPOINT_URL"], "sync", *sides]
    return _run(watch, command)


def sync_with_rclone(
    watch: Stopwatch, *, folder: str, target: str, direction: str = "both", options: str = "", verb: str = "sync"
) -> _Told:
    remote = target.replace("s3://", ":s3,provider=Other,env_auth,force_path_style:")
    sides = [folder, remote] if direction != "download" else [remote, folder]
    command = [program("rclone"), "--config", os.devnull, "--s3-endpoint", os.environ["AWS_ENDPOINT_URL"]]
    return _run(watch, [*command, "--checkers=32", "--transfers=32", *options.split(), verb, *sides])


def _run(watch: Stopwatch, command: list[str]) -> _Told:
    with watch:
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [line for line in ended.stdout.splitlines() if line.startswith(("cp ", "upload", "rm "))]
    said = "" if ended.returncode == 0 else f"exit code {ended.returncode}: {ended.stderr.strip()[-300:]}"
    return {"done": len(lines), "lists": None, "others": None, "said": said}
