"""What is big goes through the dashboard in little memory, and what is slow does not keep it from stopping."""

import hashlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from skyhold.dashboard.place import make_place

_MB = 1_000_000
_BLOCK = bytes(range(256)) * 4096


class Dashboard:
    """A dashboard in a process of its own, and a client that has come in."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        self.process = process
        self.link = urlsplit(found[0])
        self.cookie = ""
        self.connections: list[HTTPConnection] = []
        answer = self.ask("GET", f"{self.link.path}?{self.link.query}")
        self.cookie = (answer.getheader("set-cookie") or "").partition(";")[0]

    def connect(self) -> HTTPConnection:
        self.connections.append(HTTPConnection(self.link.netloc, timeout=60))
        return self.connections[-1]

    def ask(self, method: str, path: str, body: Iterator[bytes] | None = None, **headers: str) -> HTTPResponse:
        connection = self.connect()
        own = {"Origin": f"http://{self.link.netloc}", "Cookie": self.cookie}
        connection.request(method, path, body, {**own, **headers})
        return connection.getresponse()

    def peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def _start(*uris: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "skyhold.cli", "ui", "--no-browser", *uris]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def dashboard(folder: Path) -> Generator[Dashboard]:
    process = _start(str(folder))
    found: list[Dashboard] = []
    try:
        found.append(Dashboard(process))
        yield found[0]
    finally:
        for connection in found[0].connections if found else ():
            connection.close()
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_200_mb_go_up_and_down_in_less_than_150_mb_of_memory(dashboard: Dashboard, folder: Path):
    here = f"/storage/{make_place(str(folder)).name}"
    size = 200 * _MB // len(_BLOCK) * len(_BLOCK)
    digest = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        for _ in range(size // len(_BLOCK)):
            digest.update(_BLOCK)
            yield _BLOCK

    answer = dashboard.ask("POST", f"{here}/upload?key=big.bin", blocks(), **{"Content-Length": str(size)})
    assert answer.status == 201
    assert (folder / "big.bin").stat().st_size == size
    answer = dashboard.ask("GET", f"{here}/content?key=big.bin")
    came = hashlib.sha256()
    while block := answer.read(_MB):
        came.update(block)
    assert came.hexdigest() == digest.hexdigest()
    assert dashboard.peak_bytes() < 150 * _MB


def test_an_upload_that_breaks_off_leaves_nothing(dashboard: Dashboard, folder: Path):
    here = f"/storage/{make_place(str(folder)).name}"

    def broken() -> Iterator[bytes]:
        yield _BLOCK
        raise ConnectionResetError("the browser has gone")

    with pytest.raises(ConnectionResetError):
        dashboard.ask("POST", f"{here}/upload?key=a.bin", broken(), **{"Content-Length": str(10 * len(_BLOCK))})
    dashboard.connections[-1].close()
    runs = ""
    while "failed" not in runs.partition("<tbody>")[2]:
        runs = dashboard.ask("GET", "/runs").read().decode()
    assert not [path for path in folder.iterdir() if path.is_file()]


def test_it_stops_while_an_upload_waits_and_a_download_is_not_read(dashboard: Dashboard, folder: Path):
    here = f"/storage/{make_place(str(folder)).name}"
    (folder / "big.bin").write_bytes(_BLOCK * 64)
    download = dashboard.ask("GET", f"{here}/content?key=big.bin")
    assert download.status == 200
    upload = dashboard.connect()
    upload.putrequest("POST", f"{here}/upload?key=half.bin")
    headers = {"Origin": f"http://{dashboard.link.netloc}", "Cookie": dashboard.cookie, "Content-Length": "5000000"}
    for name, value in headers.items():
        upload.putheader(name, value)
    upload.endheaders(_BLOCK[:1000])
    while "running" not in (runs := dashboard.ask("GET", "/runs").read().decode()).partition("<tbody>")[2]:
        assert "failed" not in runs.partition("<tbody>")[2]
    dashboard.process.send_signal(signal.SIGINT)
    _, said = dashboard.process.communicate(timeout=30)
    assert dashboard.process.returncode == 0
    assert said.strip() == "the dashboard has stopped"
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["big.bin"]


@pytest.mark.parametrize("page", [f"/storage/{make_place('s3://b').name}", "/components"])
def test_it_stops_while_a_page_waits_for_a_store_that_does_not_answer(page: str):
    options = {"access_key_id": "a", "secret_access_key": "b", "region": "r", "timeout_s": 600, "retry_timeout_s": 600}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = [f"--option={name}={value}" for name, value in options.items()]
        process = _start("s3://b", f"--option=endpoint=http://127.0.0.1:{silent.getsockname()[1]}", *given)
        try:
            dashboard = Dashboard(process)
            dashboard.connect().request("GET", page, headers={"Cookie": dashboard.cookie})
            asked, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
            asked.close()
            for connection in dashboard.connections:
                connection.close()
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    assert said.strip() == "the dashboard has stopped"
