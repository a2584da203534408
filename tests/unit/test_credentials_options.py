"""Option names, typos, client options."""

import logging
from pathlib import Path
from typing import Any

import pytest

from skyhold.config import Secret, is_secret_name
from skyhold.errors import BadOptionError
from skyhold.storage.credentials import resolve_connection
from skyhold.storage.credentials.option_names import OPTIONS
from skyhold.storage.credentials.options import CLIENT_OPTIONS, parse_options
from skyhold.storage.location import parse_location

KEYS = {"key": "A", "secret": "S"}


def resolve(**options: Any) -> Any:
    return resolve_connection(parse_location("s3://bucket"), {**KEYS, **options}, {})


@pytest.mark.parametrize("scheme", sorted(OPTIONS))
def test_no_spelling_means_two_options(scheme: str) -> None:
    names = [name for option in OPTIONS[scheme] for name in (option.name, *option.spellings)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


def test_profiles_treat_every_secret_option_as_a_secret() -> None:
    secrets = {name for options in OPTIONS.values() for option in options if option.kind == "secret"
               for name in (option.name, *option.spellings)}  # fmt: skip
    texts = {name for options in OPTIONS.values() for option in options if option.kind in {"text", "flag", "switch"}
             for name in (option.name, *option.spellings)}  # fmt: skip
    assert [name for name in secrets if not is_secret_name(name)] == []
    assert {name for name in texts if is_secret_name(name)} == {"access_key"}, "pyarrow's id, Azure's key"


@pytest.mark.parametrize(
    ("scheme", "typo", "meant"),
    [
        ("s3", "secret_acess_key", "secret_access_key"),
        ("s3", "endpiont_url", "endpoint_url"),
        ("s3", "regoin", "region"),
        ("az", "conection_string", "connection_string"),
        ("gs", "credentials_flie", "credentials_file"),
        ("http", "header", "headers"),
    ],
)
def test_a_typo_is_an_error_with_a_suggestion_and_the_list(scheme: Any, typo: str, meant: str) -> None:
    with pytest.raises(BadOptionError, match=f"{typo!r} for {scheme}://; did you mean {meant!r}") as caught:
        parse_options(scheme, {typo: "hunter2"})
    assert "client_options" in caught.value.remedy
    assert "hunter2" not in f"{caught.value}{caught.value.remedy}"


def test_an_option_of_another_cloud_is_unknown() -> None:
    with pytest.raises(BadOptionError, match=r"'account_key' for s3://"):
        parse_options("s3", {"account_key": "x"})


def test_two_spellings_that_agree_are_fine_and_those_that_differ_are_refused_without_values() -> None:
    assert parse_options("s3", {"region": "a", "aws_region": "a"}).values == {"region": "a"}
    with pytest.raises(BadOptionError, match="'secret' and 'aws_secret_access_key' are the same option") as caught:
        parse_options("s3", {"secret": "hunter2", "aws_secret_access_key": "hunter3"})
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_value_is_no_value(value: str | None) -> None:
    assert parse_options("s3", {"region": value, "secret": value}).values == {}


def test_text_is_stripped_paths_and_secrets_are_taken(tmp_path: Path) -> None:
    given = parse_options("s3", {"region": " eu \n", "credentials_file": tmp_path / "x", "secret": Secret("s")})
    assert given.text("region") == "eu"
    assert given.text("credentials_file") == str(tmp_path / "x")
    assert given.secret("secret_access_key") == Secret("s")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anon": "perhaps"}, "yes or no"),
        ({"anon": 2}, "yes or no"),
        ({"region": 5}, "is text, found int"),
        ({"secret": b"hunter2"}, "is text, found bytes"),
        ({"client_options": "x"}, "is a mapping, found str"),
        ({"client_kwargs": ["x"]}, "is a mapping, found list"),
    ],
)
def test_values_of_the_wrong_kind(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOptionError, match=message) as caught:
        parse_options("s3", options)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("word", "expected"), [("TRUE", True), ("0", False), (1, True), (True, True), ("off", False)])
def test_words_for_yes_and_no(word: Any, *, expected: bool) -> None:
    assert parse_options("s3", {"anon": word}).flag("anonymous") is expected


class TestClient:
    def test_client_options_are_passed_on_and_checked(self) -> None:
        assert resolve(client_options={"user_agent": "me"}).client == {"allow_http": False, "user_agent": "me"}
        with pytest.raises(BadOptionError, match=r"'user_agnet' of 'client_options'; did you mean 'user_agent'"):
            resolve(client_options={"user_agnet": "me"})

    def test_the_list_is_that_of_obstore(self) -> None:
        stub = Path(__import__("obstore").__file__).parent / "_store" / "_client.pyi"
        text = stub.read_text()
        names = {line.split(":")[0].strip() for line in text.splitlines() if line.startswith("    ") and ": " in line}
        assert names & set(CLIENT_OPTIONS) == set(CLIENT_OPTIONS)

    def test_allow_http_can_be_said(self) -> None:
        assert resolve(allow_http=False, endpoint="http://h:1").client["allow_http"] is False

    @pytest.mark.parametrize("kind", ["path", "text", "bytes"])
    def test_certificates_by_path_or_text(self, tmp_path: Path, kind: str) -> None:
        pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
        (tmp_path / "ca.pem").write_text(pem)
        value = {"path": str(tmp_path / "ca.pem"), "text": pem, "bytes": pem.encode()}[kind]
        assert resolve(root_certificate=value).client["root_certificate"] == pem

    def test_certificates_of_aws_ca_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("-----BEGIN")
        connection = resolve_connection(
            parse_location("s3://b"), KEYS, {"HOME": str(tmp_path), "AWS_CA_BUNDLE": "~/ca.pem"}
        )
        assert connection.client["root_certificate"] == "-----BEGIN"

    def test_certificates_that_are_missing(self) -> None:
        with pytest.raises(BadOptionError, match="cannot read the certificates in '/nonexistent'"):
            resolve(root_certificate="/nonexistent")

    @pytest.mark.parametrize("verify", [False, "no"])
    def test_no_verification_only_when_asked_for_and_with_a_warning(
        self, verify: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "skyhold"):
            assert resolve(verify=verify).client["allow_invalid_certificates"] is True
        assert "not verified" in caplog.text
        assert "allow_invalid_certificates" not in resolve(verify=True).client

    def test_verify_may_name_a_certificate_file_as_in_boto3(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("-----BEGIN")
        connection = resolve(client_kwargs={"verify": str(tmp_path / "ca.pem")})
        assert connection.client["root_certificate"] == "-----BEGIN"

    def test_a_proxy(self) -> None:
        assert resolve(proxy_url="http://proxy:8080").client["proxy_url"] == "http://proxy:8080"
