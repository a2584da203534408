"""Who gets into the dashboard, and who does not, whatever they try."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboard_client import HERE, client_for
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.safety import Keyring
from skyhold.dashboard.serving import Address
from skyhold.errors import BadOptionError
from skyhold.runs.journal import Journal


@pytest.fixture
def keys() -> Keyring:
    return Keyring(8000)


@pytest.fixture
def stranger(keys: Keyring, tmp_path: Path) -> TestClient:
    return client_for(Desk(Journal(tmp_path)), keys)


@pytest.fixture
def user(keys: Keyring, tmp_path: Path) -> TestClient:
    client = client_for(Desk(Journal(tmp_path)), keys)
    assert client.get(f"/enter?token={keys.token}").status_code == 200
    return client


def test_the_link_opens_the_dashboard_once(user: TestClient, stranger: TestClient, keys: Keyring):
    assert user.get("/runs").status_code == 200
    assert stranger.get(f"/enter?token={keys.token}").status_code == 403
    assert stranger.get("/runs").status_code == 401
    assert not stranger.cookies


def test_scripts_cannot_read_the_cookie_and_other_sites_do_not_send_it(stranger: TestClient, keys: Keyring):
    cookie = stranger.get(f"/enter?token={keys.token}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert keys.token not in cookie


@pytest.mark.parametrize(
    "other", ['prefs={"theme": "dark", "n": 1}', 'a=b"c', "x y=1", "=", "skyhold-8001=theirs", '"']
)
def test_cookies_of_other_programs_of_this_machine_lock_nobody_out(stranger: TestClient, keys: Keyring, other: str):
    session = keys.enter_by_token(keys.token)
    for cookies in (f"{other}; {keys.cookie}={session}", f"{keys.cookie}={session}; {other}"):
        assert stranger.get("/runs", headers={"Cookie": cookies}).status_code == 200
    assert stranger.get("/runs", headers={"Cookie": f"{other}; {keys.cookie}=x"}).status_code == 401


def test_a_browser_that_loads_ahead_does_not_use_the_link_up(stranger: TestClient, keys: Keyring):
    link = f"/enter?token={keys.token}"
    assert not stranger.get(link, headers={"Sec-Purpose": "prefetch"}).cookies
    assert stranger.get(link).cookies


@pytest.mark.parametrize("path", ["/", "/runs", "/no-such-page", "/static", "/leave", "/enter/../runs", "/%2e%2e/runs"])
def test_without_a_session_there_is_nothing_to_see(stranger: TestClient, path: str):
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "skyhold is locked" in answer.text


@pytest.mark.parametrize("guess", ["", "x", "💥", "a" * 5000, "None", "\x00"])
def test_a_guessed_session_opens_nothing(stranger: TestClient, keys: Keyring, guess: str):
    headers = {b"Cookie": f"{keys.cookie}={guess}".encode()}
    assert stranger.get("/runs", headers=headers).status_code == 401
    assert stranger.get("/enter", params={"token": guess}).status_code in {200, 403}
    assert not stranger.cookies


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", "", "localhost"])
def test_a_name_that_was_pointed_at_this_machine_is_refused(user: TestClient, host: str):
    answer = user.get("/runs", headers={"Host": host})
    assert answer.status_code == 421
    assert "skyhold is" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:8001", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_sites_change_nothing(user: TestClient, method: str, headers: Mapping[str, str]):
    assert user.request(method, "/leave", headers=dict(headers)).status_code == 403
    assert user.get("/runs").status_code == 200, "the session is still there"


@pytest.mark.parametrize("headers", [{"Origin": HERE}, {"Sec-Fetch-Site": "same-origin"}])
def test_the_pages_own_forms_are_heard(user: TestClient, headers: Mapping[str, str]):
    assert user.post("/leave", headers=dict(headers)).status_code == 200
    assert user.get("/runs").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_other_sites_embed_and_read_nothing(user: TestClient, headers: Mapping[str, str]):
    assert user.get("/runs", headers=dict(headers)).status_code == 403


def test_a_link_from_elsewhere_may_lead_here(user: TestClient):
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert user.get("/runs", headers=visit).status_code == 200


@pytest.mark.parametrize("path", ["/runs", "/no-such-page", "/static/skyhold.css", "/enter"])
def test_every_answer_forbids_scripts_and_frames_of_others(user: TestClient, path: str):
    headers = user.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/static/../application.py", "/static/%2e%2e/application.py", "/static/..%2fapplication.py", "/static//etc"],
)
def test_no_path_leaves_the_folder_of_assets(user: TestClient, path: str):
    assert user.get(path).status_code == 404


def test_pages_hold_no_script_and_no_style_of_their_own(user: TestClient):
    for path in ("/runs", "/enter", "/no-such-page"):
        text = user.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " on" not in text.partition("<body>")[2].replace(" on ", "").replace(" once", "").replace(" only", "")
        assert all("src=" in part.partition(">")[0] for part in text.split("<script")[1:])


def test_a_password_opens_the_dashboard_as_often_as_wanted_but_not_to_those_who_guess(tmp_path: Path):
    keys = Keyring(8000, "correct horse")
    headers = {"Origin": HERE}
    for _ in range(2):
        client = client_for(Desk(Journal(tmp_path)), keys)
        answer = client.post("/enter", data={"password": "correct horse"}, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/runs").status_code == 200
    guesser = client_for(Desk(Journal(tmp_path)), keys)
    answers = [guesser.post("/enter", data={"password": f"{number}"}, headers=headers) for number in range(12)]
    assert [answer.status_code for answer in answers] == [403] * 9 + [429] * 3
    assert guesser.post("/enter", data={"password": "correct horse"}, headers=headers).status_code == 429
    assert guesser.get("/runs").status_code == 401
    assert guesser.post("/enter", content=b"password=" + b"x" * 10_000, headers=headers).status_code == 400


def test_without_a_password_no_password_is_right(stranger: TestClient):
    assert stranger.post("/enter", data={"password": ""}, headers={"Origin": HERE}).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "my-machine"])
def test_other_machines_reach_nothing_without_a_password(host: str):
    with pytest.raises(BadOptionError, match="credentials"):
        Address(host).check("")
    Address(host).check("a password")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_needs_no_password(host: str):
    Address(host).check("")
