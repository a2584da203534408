"""Exactly one identity; and no secret in texts, pickles, keys or errors."""

import base64
import copy
import io
import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.config import Secret, SecretOrigin
from skyhold.errors import ConfigError, CredentialsError, SkyholdError
from skyhold.storage.credentials import Connection, resolve_connection, reveal_settings
from skyhold.storage.location import parse_location

BUCKET = parse_location("s3://bucket")
ENV = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
AZURE_KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I="

SOURCES = {
    "option": {"access_key_id": "AKIAoption", "secret_access_key": "secret-option", "session_token": "token-option"},
    "file": {"credentials_file": "FILE"},
    "profile": {"profile": "dev"},
    "environment": {
        "AWS_ACCESS_KEY_ID": "AKIAenvironment",
        "AWS_SECRET_ACCESS_KEY": "secret-environment",
        "AWS_SESSION_TOKEN": "token-environment",
    },
    "default": {},
    "web": {"AWS_WEB_IDENTITY_TOKEN_FILE": "token-file", "AWS_ROLE_ARN": "arn"},
    "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/secret-container"},
}
BY_OPTION = ("option", "file", "profile")
ORDER = (*BY_OPTION, "environment", "default", "web", "container")
LABELS = {
    "option": "options 'access_key_id'",
    "file": "credentials file",
    "profile": "profile 'dev'",
    "environment": "environment variables AWS_ACCESS_KEY_ID",
    "default": "profile 'default'",
    "web": "web identity",
    "container": "container credentials",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sources")
    content = {
        "aws_access_key_id": "AKIAfile",
        "aws_secret_access_key": "secret-file",
        "aws_session_token": "token-file1",
    }
    (home / "keys.json").write_text(json.dumps(content))
    (home / ".aws").mkdir()
    sections = [
        f"[{section}]\naws_access_key_id=AKIA{name}\naws_secret_access_key=secret-{name}\naws_session_token=token-{name}\n"
        for section, name in (("dev", "profile"), ("default", "default"))
    ]
    (home / ".aws" / "credentials").write_text("".join(sections))
    for file in (home / "keys.json", home / ".aws" / "credentials"):
        file.chmod(0o600)
    return home


@given(chosen=st.sets(st.sampled_from(ORDER), min_size=1))
def test_of_any_sources_exactly_one_is_used_and_no_secret_of_another_appears(home: Path, chosen: set[str]) -> None:
    options: dict[str, Any] = {}
    environment = {"HOME": str(home) if "default" in chosen or "profile" in chosen else "/nonexistent"}
    for name in chosen:
        (options if name in BY_OPTION else environment).update(SOURCES[name])
    if "credentials_file" in options:
        options["credentials_file"] = str(home / "keys.json")
    if len(chosen & set(BY_OPTION)) > 1:
        with pytest.raises(CredentialsError, match="more than one identity"):
            resolve_connection(BUCKET, options, environment)
        return
    connection = resolve_connection(BUCKET, options, environment)
    # The home folder that holds the profile also holds the default profile.
    present = chosen | ({"default"} if "profile" in chosen else set[str]())
    winner = next(name for name in ORDER if name in present)
    assert connection.identity.startswith(LABELS[winner])
    everything = repr(reveal_settings(connection.settings)) + repr(dict(connection.client))
    if winner not in {"web", "container"}:
        assert connection.provider is not None
        credentials = connection.provider()
        assert credentials["access_key_id"] == f"AKIA{winner}"
        everything += repr(credentials)
    for other in set(ORDER) - {winner}:
        assert f"secret-{other}" not in everything
        assert f"token-{other}" not in everything.replace("token-file1", "") or other == "file"
        assert f"AKIA{other}" not in everything


AZURE: dict[str, dict[str, str]] = {
    "option string": {"connection_string": f"AccountName=a;AccountKey={base64.b64encode(b'option string').decode()}"},
    "option key": {"account_key": "b3B0aW9uLWtleQ=="},
    "option sas": {"sas_token": "sv=1&sig=option-sas"},
    "option token": {"token": "option-token"},
    "env string": {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=ZW52LXN0cmluZw=="},
    "env key": {"AZURE_STORAGE_KEY": "ZW52LWtleQ=="},
    "env sas": {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=env-sas"},
    "env token": {"AZURE_STORAGE_TOKEN": "env-token"},
    "env application": {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "env-application"},
}


@given(chosen=st.sets(st.sampled_from(sorted(AZURE)), min_size=1))
def test_of_any_azure_sources_exactly_one_is_used(chosen: set[str]) -> None:
    by_option = {name for name in chosen if name.startswith("option")}
    options = {"account_name": "a"} | {key: text for name in by_option for key, text in AZURE[name].items()}
    environment = {key: text for name in chosen - by_option for key, text in AZURE[name].items()}
    if len(by_option) > 1:
        with pytest.raises(CredentialsError, match="more than one identity"):
            resolve_connection(parse_location("az://box"), options, environment)
        return
    connection = resolve_connection(parse_location("az://box"), options, environment)
    winner = next(name for name in AZURE if name in (by_option or chosen))
    everything = repr(reveal_settings(connection.settings)) + repr(dict(connection.client)) + repr(connection.key())
    if winner != "env application":
        assert connection.provider is not None
        everything += repr(connection.provider())
        assert secret_of(winner) in everything
    assert not [other for other in set(AZURE) - {winner} if secret_of(other) in everything]


def secret_of(name: str) -> str:
    return [*AZURE[name].values()][-1].removeprefix("AccountName=a;AccountKey=")


def cases(home: Path) -> dict[str, tuple[str, dict[str, Any], dict[str, str]]]:
    return {
        "s3 options": ("s3://b", {"key": "AKIAOPT", "secret": "hunter2"}, {}),
        "s3 environment": ("s3://b", {}, {**ENV, "AWS_SECRET_ACCESS_KEY": "hunter2"}),
        "s3 customer key": (
            "s3://b",
            {"anon": True, "customer_key": "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjMzMzM="},
            {},
        ),
        "az key": ("az://b", {"account_name": "a", "account_key": AZURE_KEY}, {}),
        "az string": ("az://b", {"connection_string": f"AccountName=a;AccountKey={AZURE_KEY}"}, {}),
        "az application": (
            "az://b",
            {"account_name": "a", "tenant_id": "t", "client_id": "c", "client_secret": "hunter2"},
            {},
        ),
        "gs token": ("gs://b", {"token": "hunter2"}, {}),
        "gs key": (
            "gs://b",
            {"service_account_key": json.dumps({"client_email": "e", "private_key": "hunter2", "private_key_id": "1"})},
            {},
        ),
        "http token": ("https://example.com", {"token": "hunter2"}, {}),
        "http proxy": ("https://example.com", {"proxy_url": "http://me:hunter2@proxy"}, {}),
        "http headers": ("https://example.com", {"headers": {"authorization": "hunter2"}}, {}),
    }


HIDDEN = ("hunter2", AZURE_KEY, "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjMzMzM=")


@pytest.mark.parametrize("name", sorted(cases(Path())))
def test_no_secret_in_any_text_of_a_connection(name: str) -> None:
    uri, options, environment = cases(Path())[name]
    connection = resolve_connection(parse_location(uri), options, environment)
    stream = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001 - of its own, with a handler of its own
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r %r %r", connection, connection, connection.settings, connection.provider)
    texts = (str(connection), f"{connection}", stream.getvalue(), repr(connection.key()), connection.fingerprint())
    assert not [hidden for hidden in HIDDEN for text in texts if hidden in text]
    assert not [hidden for hidden in HIDDEN if hidden in repr(connection.recipe)]


@pytest.mark.parametrize("name", sorted(name for name in cases(Path()) if name != "s3 environment"))
def test_secrets_given_as_options_are_not_pickled_and_the_refusal_shows_none(name: str) -> None:
    uri, options, _ = cases(Path())[name]
    connection = resolve_connection(parse_location(uri), options)
    assert not connection.portable
    for thing in (connection, connection.provider):
        if thing is None:
            continue
        with pytest.raises(ConfigError) as caught:
            pickle.dumps(thing)
        assert "environment variables" in caught.value.remedy
        text = "".join(traceback.format_exception(caught.value))
        assert not [hidden for hidden in HIDDEN if hidden in text]


class TestPickles:
    def test_a_pickle_holds_the_question_and_the_answer_is_found_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable, value in ENV.items():
            monkeypatch.setenv(variable, value)
        connection = resolve_connection(BUCKET, {"region": "eu-west-1"})
        stored = pickle.dumps((connection, connection.provider))
        assert b"env-secret" not in stored
        assert b"AKIAENV" not in stored
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rotated-secret")
        again, provider = pickle.loads(stored)
        assert provider()["secret_access_key"] == "rotated-secret"
        assert again.provider()["secret_access_key"] == "rotated-secret"
        assert again.settings["region"] == "eu-west-1"

    @pytest.mark.parametrize("by", ["file", "profile"])
    def test_files_and_profiles_travel_by_name(self, home: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
        monkeypatch.setenv("HOME", str(home))
        options: dict[str, Any] = (
            {"profile": "dev"} if by == "profile" else {"credentials_file": str(home / "keys.json")}
        )
        connection = resolve_connection(BUCKET, options)
        stored = pickle.dumps(connection)
        assert f"secret-{by}".encode() not in stored
        assert pickle.loads(stored).provider()["secret_access_key"] == f"secret-{by}"

    def test_a_secret_by_reference_travels_as_the_reference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_SECRET", "hunter2")
        options = {"key": "A", "secret": Secret("hunter2", SecretOrigin("env", "MY_SECRET"))}
        connection = resolve_connection(BUCKET, options)
        stored = pickle.dumps(connection)
        assert b"hunter2" not in stored
        assert pickle.loads(stored).provider()["secret_access_key"] == "hunter2"

    def test_another_identity_in_the_other_process_is_an_error_that_names_both(
        self, monkeypatch: pytest.MonkeyPatch, home: Path
    ) -> None:
        for variable, value in ENV.items():
            monkeypatch.setenv(variable, value)
        stored = pickle.dumps(resolve_connection(BUCKET, {}))
        for variable in ENV:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("HOME", str(home))
        with pytest.raises(CredentialsError, match=r"environment variables AWS_ACCESS_KEY_ID.*finds profile 'default'"):
            pickle.loads(stored)

    def test_a_connection_of_a_given_environment_is_not_portable(self) -> None:
        assert not resolve_connection(BUCKET, {}, ENV).portable

    def test_copies_are_the_same_provider(self) -> None:
        connection = resolve_connection(BUCKET, {"key": "A", "secret": "hunter2"})
        assert copy.copy(connection.provider) is connection.provider
        assert copy.deepcopy(connection.provider) is connection.provider


class TestKeys:
    @staticmethod
    def key(**options: Any) -> Any:
        return resolve_connection(BUCKET, {"key": "A", "secret": "hunter2", **options}, {}).key()

    def test_equal_questions_have_equal_hashable_keys(self) -> None:
        assert self.key() == self.key()
        assert len({self.key(), self.key()}) == 1

    @pytest.mark.parametrize(
        "options",
        [
            {"key": "B"},
            {"secret": "other"},
            {"token": "t"},
            {"region": "eu-west-1"},
            {"endpoint": "http://h:1"},
            {"proxy_url": "http://p:1"},
            {"encryption": "AES256"},
        ],
        ids=lambda options: next(iter(options)),
    )
    def test_whatever_differs_makes_another_key(self, options: dict[str, Any]) -> None:
        assert self.key(**options) != self.key()

    def test_customer_keys_differ(self) -> None:
        one, two = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")
        assert self.key(customer_key=one) != self.key(customer_key=two)

    def test_a_rotated_secret_of_the_environment_makes_another_key(self) -> None:
        rotated = {**ENV, "AWS_SECRET_ACCESS_KEY": "new"}
        assert resolve_connection(BUCKET, {}, ENV).key() != resolve_connection(BUCKET, {}, rotated).key()


BROKEN: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("s3://b", {"secret": "hunter2"}, {}),
    ("s3://b", {}, {"AWS_SECRET_ACCESS_KEY": "hunter2"}),
    ("s3://b", {"secret": "hunter2", "key": "A", "regoin": "x"}, {}),
    ("s3://b", {"secret": "hunter2", "key": "A", "endpoint": "http://me:hunter2@h"}, {}),
    ("s3://b", {"secret": "hunter2", "key": "A", "endpoint": "me:hunter2@h:9000"}, {}),
    ("s3://b", {"secret": "hunter2", "aws_secret_access_key": "hunter2x", "key": "A"}, {}),
    ("s3://b", {"customer_key": "hunter2", "anon": True}, {}),
    ("az://b", {"account_key": "hunter2"}, {}),
    ("az://b", {"connection_string": "AccountKey=hunter2"}, {}),
    ("az://b", {"connection_string": "hunter2;x"}, {}),
    ("az://b", {"account_name": "a", "sas_token": "hunter2"}, {}),
    ("az://b", {"account_name": "a", "credential": "hunter2"}, {}),
    ("az://b", {"client_secret": "hunter2"}, {}),
    ("gs://b", {"service_account_key": "hunter2"}, {}),
    ("gs://b", {"service_account_key": '{"hunter2": 1'}, {}),
    ("https://e.com", {"token": "hunter2", "headers": {"Authorization": "x"}}, {}),
]


@pytest.mark.parametrize(("uri", "options", "environment"), BROKEN)
def test_no_secret_in_any_error_its_notes_or_its_chain(
    uri: str, options: dict[str, Any], environment: dict[str, str]
) -> None:
    with pytest.raises(SkyholdError) as caught:
        resolve_connection(parse_location(uri), options, environment)
    printed = "".join(traceback.format_exception(caught.value))
    shown = "\n".join(line for line in printed.splitlines() if not line.lstrip().startswith(("resolve_", "File ")))
    assert "hunter2" not in shown
    assert caught.value.remedy or isinstance(caught.value, ConfigError)


def test_the_identity_of_a_connection_is_never_empty() -> None:
    connection: Connection = resolve_connection(BUCKET, {}, {"HOME": "/nonexistent"})
    assert connection.identity
