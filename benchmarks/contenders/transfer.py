"""Files up to a bucket and down from it: skyhold, boto3 with threads, s5cmd and rclone."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measuring.stopwatch import Stopwatch

_THREADS = 32
_OBSTORE_THREADS = 64
_Told = dict[str, int]


def move_with_skyhold(watch: Stopwatch, *, source: str, target: str, landing: str) -> _Told:
    from skyhold.storage.opening import open_store
    from skyhold.storage.transfer import Transfer, transfer_all

    with watch:
        from_, to = open_store(source), open_store(target)
        transfer_all(Transfer(from_, info.key, to, info.key, info) for info in from_.list())
    return what_landed(landing)


def move_with_obstore(watch: Stopwatch, *, source: str, target: str, landing: str, is_hashed: bool = False) -> _Told:
    """Move them by the client that skyhold uses too: nothing is compared or made safe.

    Args:
        watch: Times it.
        source: A folder or a bucket.
        target: The other.
        landing: The folder where they arrive.
        is_hashed: Whether the SHA-256 of every file is computed too, in a thread beside.
    """
    import obstore
    from obstore.store import from_url

    is_up = target.startswith("s3://")
    with watch, ThreadPoolExecutor(_OBSTORE_THREADS) as pool, ThreadPoolExecutor(_THREADS) as hashers:
        store = from_url(target if is_up else source, config={"unsigned_payload": True})

        def upload(path: Path) -> None:
            hashing = hashers.submit(_hash_file, path) if is_hashed else None
            obstore.put(store, path.name, path)
            if hashing is not None:
                hashing.result()

        def download(key: str) -> None:
            digest = hashlib.sha256()
            hashing = hashers.submit(digest.hexdigest)
            with (Path(target) / key).open("wb") as file:
                for chunk in obstore.get(store, key).stream(min_chunk_size=2**20):
                    file.write(chunk)
                    if is_hashed:
                        hashing.result()
                        hashing = hashers.submit(digest.update, chunk)
            hashing.result()

        if is_up:
            done = [pool.submit(upload, path) for path in Path(source).iterdir()]
        else:
            done = [pool.submit(download, meta["path"]) for page in obstore.list(store) for meta in page]
        for future in done:
            future.result()
    return what_landed(landing)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_with_boto3(watch: Stopwatch, *, source: str, target: str, landing: str) -> _Told:
    import boto3
    from botocore.config import Config

    bucket, _, prefix = (target if target.startswith("s3://") else source).removeprefix("s3://").partition("/")

    with watch:
        client: Any = boto3.client(
            "s3", config=Config(max_pool_connections=2 * _THREADS), endpoint_url=os.environ["AWS_ENDPOINT_URL"]
        )
        with ThreadPoolExecutor(_THREADS) as pool:
            if target.startswith("s3://"):
                names = sorted(path.name for path in Path(source).iterdir())
                done = [
                    pool.submit(client.upload_file, f"{source}/{name}", bucket, f"{prefix}/{name}") for name in names
                ]
            else:
                pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
                names = [each["Key"].rpartition("/")[2] for page in pages for each in page["Contents"]]
                done = [
                    pool.submit(client.download_file, bucket, f"{prefix}/{name}", f"{target}/{name}") for name in names
                ]
            for future in done:
                future.result()
    return what_landed(landing)


def move_with_s5cmd(watch: Stopwatch, *, source: str, target: str, landing: str) -> _Told:
    command = [program("s5cmd"), "--endpoint-url", os.environ["AWS_ENDPOINT_URL"], "--log", "error", "cp"]
    with watch:
        subprocess.run([*command, f"{source}/*", f"{target}/"], check=True)
    return what_landed(landing)


def move_with_rclone(watch: Stopwatch, *, source: str, target: str, landing: str) -> _Told:
    command = [program("rclone"), "--config", os.devnull, "copy", f"--transfers={_THREADS}", f"--checkers={_THREADS}"]
    places = [place.replace("s3://", ":s3,provider=Rclone,env_auth:") for place in (source, target)]
    endpoint = ["--s3-endpoint", os.environ["AWS_ENDPOINT_URL"], "--s3-no-check-bucket"]
    with watch:
        subprocess.run([*command, *endpoint, *places], check=True)
    return what_landed(landing)


def program(name: str) -> str:
    """Return the path of a program that was installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def what_landed(folder: str) -> _Told:
    """Count files and bytes."""
    sizes = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    return {"files": len(sizes), "size_bytes": sum(sizes)}
