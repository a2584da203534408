"""Profiles, folders, secrets and what is removed from texts."""

import ast
import copy
import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skyhold
from skyhold.config import (
    Secret,
    SecretOrigin,
    cache_folder,
    environment,
    is_secret_name,
    load_profile,
    profiles_path,
    redact,
    state_folder,
)
from skyhold.errors import ConfigError

SOURCES = Path(skyhold.__file__).parent


def reads_environment(file: Path) -> bool:
    tree = ast.parse(file.read_text())
    dotted = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
    }  # fmt: skip
    return bool({"os.environ", "os.getenv", "os.environb"} & dotted or {"environ", "getenv"} & imported)


def test_only_config_and_credentials_sources_know_the_environment_and_only_config_reads_it() -> None:
    credentials = (SOURCES / "storage" / "credentials").rglob("*.py")
    assert [file.name for file in credentials if reads_environment(file)] == []
    assert reads_environment(SOURCES / "config.py")


class TestSecret:
    def test_it_does_not_show_itself(self) -> None:
        secret = Secret("hunter2")
        texts = [str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", "%s %r" % (secret, secret), str([secret])]  # noqa: UP031
        assert not [text for text in texts if "hunter2" in text]
        assert secret.reveal() == "hunter2"

    def test_it_cannot_be_written_as_json_by_accident(self) -> None:
        with pytest.raises(TypeError):
            json.dumps({"secret": Secret("hunter2")})

    def test_equality_hash_truth_and_copies(self) -> None:
        secret = Secret("a")
        assert secret == Secret("a") != Secret("b")
        assert secret != "a"
        assert len({secret, Secret("a")}) == 1
        assert not Secret("")
        assert copy.deepcopy({"x": secret})["x"] is secret
        assert copy.copy(secret) is secret

    def test_fingerprints_are_equal_for_equal_secrets_and_are_no_plain_hash(self) -> None:
        assert Secret("a").fingerprint() == Secret("a").fingerprint() != Secret("b").fingerprint()
        import hashlib  # noqa: PLC0415

        assert Secret("a").fingerprint() != hashlib.blake2b(b"a", digest_size=16).hexdigest()

    def test_without_an_origin_it_is_not_pickled(self) -> None:
        with pytest.raises(ConfigError, match="not pickled") as caught:
            pickle.dumps(Secret("hunter2"))
        assert "hunter2" not in str(caught.value)

    def test_with_an_origin_the_place_is_pickled_and_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_SECRET", "rotated")
        stored = pickle.dumps(Secret("hunter2", SecretOrigin("env", "MY_SECRET")))
        assert b"hunter2" not in stored
        assert pickle.loads(stored).reveal() == "rotated"

    def test_an_origin_that_is_gone_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        stored = pickle.dumps(Secret("hunter2", SecretOrigin("env", "MY_SECRET")))
        with pytest.raises(ConfigError, match="environment variable MY_SECRET"):
            pickle.loads(stored)
        with pytest.raises(ConfigError, match="cannot read the secret"):
            SecretOrigin("file", str(tmp_path / "gone")).read()


class TestProfiles:
    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("SKYHOLD_CONFIG", str(tmp_path / "profiles.toml"))
        return tmp_path / "profiles.toml"

    def write(self, file: Path, text: str, mode: int = 0o600) -> None:
        file.write_text(text)
        file.chmod(mode)

    def test_options_are_returned_as_they_stand(self, file: Path) -> None:
        self.write(file, "[minio]\nendpoint = 'http://h:9000'\nallow_http = true\nretries = 3\n", mode=0o644)
        assert load_profile("minio") == {"endpoint": "http://h:9000", "allow_http": True, "retries": 3}

    def test_secrets_by_reference(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINIO_SECRET", "from-env")
        (file.parent / "token").write_text("from-file\n")
        self.write(
            file,
            "[m]\nsecret_access_key = {env = 'MINIO_SECRET'}\nsession_token = {file = 'token'}\n",
            mode=0o644,
        )
        options = load_profile("m")
        assert {name: secret.reveal() for name, secret in options.items()} == {
            "secret_access_key": "from-env",
            "session_token": "from-file",
        }
        stored = pickle.dumps(options)
        assert b"from-env" not in stored
        assert b"from-file" not in stored
        assert pickle.loads(stored) == options

    def test_a_plain_secret_is_taken_from_a_private_file_and_travels_by_reference(self, file: Path) -> None:
        self.write(file, "[m]\naccount_key = 'hunter2'\n")
        options = load_profile("m")
        assert options["account_key"].reveal() == "hunter2"
        stored = pickle.dumps(options)
        assert b"hunter2" not in stored
        assert pickle.loads(stored) == options

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
    def test_a_plain_secret_in_a_file_for_others_is_refused(self, file: Path, mode: int) -> None:
        self.write(file, "[m]\naccount_key = 'hunter2'\n", mode)
        with pytest.raises(ConfigError, match=f"'account_key' in plain text.*mode {mode:04o}") as caught:
            load_profile("m")
        assert "chmod 600" in caught.value.remedy
        assert "hunter2" not in str(caught.value)

    def test_an_unknown_profile_lists_those_there_are(self, file: Path) -> None:
        self.write(file, "[b]\n[a]\n")
        with pytest.raises(ConfigError, match=r"no profile 'c' in .*; there is: a, b"):
            load_profile("c")

    def test_no_file_says_where_it_would_be(self, file: Path) -> None:
        with pytest.raises(ConfigError, match="there are no profiles") as caught:
            load_profile("a")
        assert str(file) in str(caught.value)

    def test_a_missing_secret_names_the_variable(self, file: Path) -> None:
        self.write(file, "[m]\nsecret = {env = 'UNSET_HERE'}\n")
        with pytest.raises(ConfigError, match="environment variable UNSET_HERE"):
            load_profile("m")

    def test_broken_toml_is_not_quoted(self, file: Path) -> None:
        self.write(file, "[m]\nsecret = hunter2\n")
        with pytest.raises(ConfigError, match=r"not valid TOML \(at line 2") as caught:
            load_profile("m")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("m = 1\n", "not a table"),
            ("[m]\nsecret = {env = 5}\n", "wants a name"),
            ("[m]\nsecret = {env = ''}\n", "wants"),
        ],
    )
    def test_wrong_shapes(self, file: Path, text: str, message: str) -> None:
        self.write(file, text)
        with pytest.raises(ConfigError, match=message):
            load_profile("m")

    def test_other_tables_are_options(self, file: Path) -> None:
        self.write(file, "[m]\nclient_options = {user_agent = 'me'}\n")
        assert load_profile("m") == tomllib.loads("client_options = {user_agent = 'me'}")

    def test_where_the_file_is(self) -> None:
        assert profiles_path({"HOME": "/h"}) == Path("/h/.config/skyhold/profiles.toml")
        assert profiles_path({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == Path("/x/skyhold/profiles.toml")
        assert profiles_path({"HOME": "/h", "SKYHOLD_CONFIG": "/y.toml"}) == Path("/y.toml")


class TestFolders:
    @pytest.mark.parametrize(
        ("function", "own", "xdg", "default"),
        [
            (state_folder, "SKYHOLD_STATE", "XDG_STATE_HOME", "/h/.local/state/skyhold"),
            (cache_folder, "SKYHOLD_CACHE", "XDG_CACHE_HOME", "/h/.cache/skyhold"),
        ],
    )
    def test_own_variable_then_xdg_then_home(self, function: Any, own: str, xdg: str, default: str) -> None:
        assert function({"HOME": "/h"}) == Path(default)
        assert function({"HOME": "/h", xdg: "/x"}) == Path("/x/skyhold")
        assert function({"HOME": "/h", xdg: "relative"}) == Path(default), "XDG: relative paths are ignored"
        assert function({"HOME": "/h", xdg: "/x", own: "/o"}) == Path("/o")

    def test_the_process_is_asked_each_time(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SKYHOLD_STATE", str(tmp_path))
        assert state_folder() == tmp_path

    def test_home_is_known_even_where_the_variable_is_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOME")
        assert environment()["HOME"]


PIECES = (
    "AccountKey=",
    "Authorization: ",
    "secret",
    "token:",
    "sig=",
    "Bearer ",
    "://",
    "@",
    ":",
    "=",
    ";",
    "&",
    '"',
    "'",
    " ",
    "x",
    "Zm9v==",
)

LONG_PIECES = (
    "a", "a_", "secret", "secret ", "secret'", 'secret="', "http://a:b/", "a://", "://a:", "AKIA", "AccountKey =",
    "Bearer ", "authorization", "authorization ", "Authorization: ", "-----BEGIN A ", "sig", "x=1;", " ",
)  # fmt: skip


class TestRedact:
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("key AKIAIOSFODNN7HUNTER2 used", "key **redacted** used"),
            ("token ASIAIOSFODNN7HUNTER2", "token **redacted**"),
            ("AccountName=a;AccountKey=HUNTER2==;X=1", "AccountName=a;AccountKey=**redacted**;X=1"),
            ("SharedAccessSignature=sv=1&sig=HUNTER2", "SharedAccessSignature=**redacted**"),
            ("https://h/c/k?sv=1&sig=HUNTER2&se=3", "https://h/c/k?sv=1&sig=**redacted**&se=3"),
            ("https://h/k?X-Amz-Credential=HUNTER2&X-Amz-Date=1&X-Amz-Signature=HUNTER2",
             "https://h/k?X-Amz-Credential=**redacted**&X-Amz-Date=1&X-Amz-Signature=**redacted**"),
            ("postgresql://me:HUNTER2@host/db", "postgresql://me:**redacted**@host/db"),
            ("redis://:HUNTER2@host", "redis://:**redacted**@host"),
            ("postgresql://me:HUN@TER2@host/db", "postgresql://me:**redacted**@host/db"),
            ("Authorization: Bearer HUNTER2.abc-def", "Authorization: Bearer **redacted**"),
            ("Authorization: token HUNTER2", "Authorization: token **redacted**"),
            ("proxy-authorization: HUNTER2\r\nHost: h", "proxy-authorization: **redacted**\r\nHost: h"),
            ("Authorization: Own scheme=HUNTER2, more=HUNTER2", "Authorization: **redacted**"),
            ("{'Authorization': 'token HUNTER2', 'a': 1}", "{'Authorization': **redacted**, 'a': 1}"),
            ('{"authorization":"HUNTER2","a":1}', '{"authorization":**redacted**,"a":1}'),
            ('Authorization: Digest user="me", response="HUNTER2"', "Authorization: Digest **redacted**"),
            ("AWS4-HMAC-SHA256 Signature=0a06fe435d487631b8463d40358dab41", "AWS4-HMAC-SHA256 Signature=**redacted**"),
            ("aws_secret_access_key = HUNTER2", "aws_secret_access_key = **redacted**"),
            ("AWS_SECRET_ACCESS_KEY=HUNTER2 next", "AWS_SECRET_ACCESS_KEY=**redacted** next"),
            ('{"SecretAccessKey": "HUNTER2", "a": 1}', '{"SecretAccessKey": **redacted**, "a": 1}'),
            ("{'client_secret': 'HUNTER2'}", "{'client_secret': **redacted**}"),
            ("password=HUNTER2&user=me", "password=**redacted**&user=me"),
            ("ya29.HUNTER2-abc", "**redacted**"),
            ("a -----BEGIN PRIVATE KEY-----\nHUNTER2\n-----END PRIVATE KEY----- b", "a **redacted** b"),
            ("-----BEGIN RSA PRIVATE KEY-----\nHUNTER2", "**redacted**"),
            ('"private_key": "HUNTER2\\nHUNTER2"', '"private_key": **redacted**'),
            ('{"accountKey": "HUNTER2", "a": 1}', '{"accountKey": **redacted**, "a": 1}'),
            ("apiKey=HUNTER2 api-key: HUNTER2", "apiKey=**redacted** api-key: **redacted**"),
            ("passphrase=HUNTER2,passwd='HUNTER2'", "passphrase=**redacted**,passwd=**redacted**"),
            ("my_own_client_secret: HUNTER2", "my_own_client_secret: **redacted**"),
        ],
    )  # fmt: skip
    def test_shapes_of_secrets_are_removed_and_the_rest_stays(self, text: str, kept: str) -> None:
        assert redact(text) == kept

    @pytest.mark.parametrize(
        "text",
        [
            "s3://bucket/key: no such key",
            "https://bucket.s3.eu-west-1.amazonaws.com/a@b",
            "identity: environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
            "10:30:00 wrote 5 rows to az://box@account/x.csv",
            "credentials file 'secret.json'",
            "more than one identity was given: option 'token' and an Authorization header",
        ],
    )
    def test_plain_texts_stay(self, text: str) -> None:
        assert redact(text) == text

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("piece", LONG_PIECES)
    def test_a_megabyte_takes_no_more_than_its_share(self, piece: str) -> None:
        """Ten times the text is ten times the work: a square of it would run into the time-out by far."""
        text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
        assert redact(f"{text} password=HUNTER2").endswith("**redacted**")

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
    def test_redacting_twice_is_redacting_once(self, text: str) -> None:
        assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("secret", True), ("AWS_SECRET_ACCESS_KEY", True), ("account-key", True), ("token", True), ("sas_token", True),
        ("connection_string", True), ("password", True), ("client_secret", True),
        ("api_key", True), ("apiKey", True), ("APIKey", True), ("apikey", True), ("X-API-Key", True),
        ("authorization", True), ("proxyAuthorization", True), ("passwd", True), ("passphrase", True),
        ("keyPassphrase", True), ("secretAccessKey", True), ("AWSSecretAccessKey", True), ("SSECustomerKey", True),
        ("accountKey", True), ("sessionToken", True), ("privateKey", True), ("cookie", True),
        ("accessKeyId", False), ("kmsKeyId", False), ("tokenFile", False), ("authorizationEndpoint", False),
        ("monkey", False), ("passage", False),
        ("key", False), ("access_key_id", False), ("kms_key_id", False), ("bucket_key", False),
        ("web_identity_token_file", False), ("endpoint", False), ("skip_signature", False),
    ],
)  # fmt: skip
def test_names_of_secrets(name: str, *, secret: bool) -> None:
    assert is_secret_name(name) is secret
