"""S3: which identity is chosen, what it is called, and what obstore is told."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import ConfigError, CredentialsError, MissingExtraError
from skyhold.storage.credentials import Connection, resolve_connection
from skyhold.storage.credentials.aws_files import read_aws_files
from skyhold.storage.location import parse_location

BUCKET = parse_location("s3://bucket")
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
OPTION_KEYS = {"access_key_id": "AKIAOPT", "secret_access_key": "opt-secret"}


def resolve(
    options: dict[str, Any] | None = None, environment: dict[str, str] | None = None, uri: str = ""
) -> Connection:
    location = parse_location(uri) if uri else BUCKET
    return resolve_connection(location, options or {}, {} if environment is None else environment)


def keys_of(connection: Connection) -> tuple[str, str, str | None]:
    assert connection.provider is not None
    given = connection.provider()
    return given["access_key_id"], given["secret_access_key"], given["token"]


def write_aws(home: Path, credentials: str = "", config: str = "") -> dict[str, str]:
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    for name, text in (("credentials", credentials), ("config", config)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


class TestOptions:
    def test_keys_are_given_by_a_provider_and_not_in_the_settings(self) -> None:
        connection = resolve(OPTION_KEYS)
        assert keys_of(connection) == ("AKIAOPT", "opt-secret", None)
        assert connection.identity == "options 'access_key_id', 'secret_access_key'"
        assert "opt-secret" not in repr(connection.settings)

    @pytest.mark.parametrize(
        "options",
        [
            {"aws_access_key_id": "A", "aws_secret_access_key": "S", "aws_session_token": "T"},
            {"key": "A", "secret": "S", "token": "T"},
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"},
            {"s3_access_key_id": "A", "s3_secret_access_key": "S", "s3_session_token": "T"},
            {"access-key-id": "A", "secret-access-key": "S", "session-token": "T"},
            {"client_kwargs": {"aws_access_key_id": "A", "aws_secret_access_key": "S", "aws_session_token": "T"}},
        ],
        ids=["object_store and boto3", "s3fs", "variables", "duckdb", "dashes", "client_kwargs"],
    )
    def test_every_librarys_spelling_is_understood(self, options: dict[str, Any]) -> None:
        assert keys_of(resolve(options)) == ("A", "S", "T")

    @pytest.mark.parametrize(
        ("options", "missing"),
        [
            ({"key": "A"}, "secret_access_key"),
            ({"secret": "S"}, "access_key_id"),
            ({"token": "T"}, "'access_key_id' and 'secret_access_key'"),
        ],
    )
    def test_half_a_key_names_the_other_half_and_never_falls_through(
        self, options: dict[str, Any], missing: str
    ) -> None:
        with pytest.raises(CredentialsError, match=missing) as caught:
            resolve(options, ENV_KEYS)
        assert next(iter(options)) in str(caught.value)

    @pytest.mark.parametrize(
        "second",
        [
            {"credentials_file": "x.json"},
            {"profile": "dev"},
            {"anon": True},
            {"role_arn": "arn:r", "web_identity_token_file": "f"},
            {"container_credentials_relative_uri": "/x"},
        ],
        ids=lambda second: next(iter(second)),
    )
    def test_two_ways_at_once_are_refused_and_both_are_named(self, second: dict[str, Any]) -> None:
        with pytest.raises(CredentialsError, match="more than one identity") as caught:
            resolve({**OPTION_KEYS, **second})
        assert "'access_key_id'" in str(caught.value)
        assert repr(next(iter(second))) in str(caught.value)

    def test_options_win_over_the_environment_and_its_session_token_stays_out(self) -> None:
        connection = resolve(OPTION_KEYS, {**ENV_KEYS, "AWS_SESSION_TOKEN": "env-token"})
        assert keys_of(connection) == ("AKIAOPT", "opt-secret", None)

    @pytest.mark.parametrize("name", ["anonymous", "anon", "skip_signature", "aws_skip_signature", "no_sign_request"])
    def test_anonymous_signs_nothing(self, name: str) -> None:
        connection = resolve({name: True}, ENV_KEYS)
        assert connection.provider is None
        assert connection.settings["skip_signature"] is True
        assert connection.identity == "anonymous"

    def test_anonymous_false_is_no_identity(self) -> None:
        assert resolve({**OPTION_KEYS, "anon": False}).provider is not None

    def test_anonymous_false_overrules_the_variable(self) -> None:
        connection = resolve({"anon": False}, {**ENV_KEYS, "AWS_SKIP_SIGNATURE": "true"})
        assert keys_of(connection)[0] == "AKIAENV"


class TestEnvironment:
    def test_keys_of_the_environment(self) -> None:
        connection = resolve({}, {**ENV_KEYS, "AWS_SESSION_TOKEN": "env-token"})
        assert keys_of(connection) == ("AKIAENV", "env-secret", "env-token")
        assert connection.identity == (
            "environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
        )

    @pytest.mark.parametrize("present", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
    def test_half_a_key_is_an_error_that_names_the_missing_variable(self, tmp_path: Path, present: str) -> None:
        environment = write_aws(tmp_path, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n")
        with pytest.raises(CredentialsError, match="incomplete") as caught:
            resolve({}, {**environment, present: "half-value"})
        missing = {"AWS_ACCESS_KEY_ID": "AWS_SECRET_ACCESS_KEY"}.get(present, "AWS_ACCESS_KEY_ID")
        assert missing in str(caught.value)
        assert "half-value" not in str(caught.value)

    def test_blank_variables_count_as_unset(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n")
        connection = resolve({}, {**environment, "AWS_ACCESS_KEY_ID": " ", "AWS_SECRET_ACCESS_KEY": ""})
        assert keys_of(connection)[0] == "A"

    def test_the_newline_of_a_mounted_secret_is_stripped(self) -> None:
        environment = {"AWS_ACCESS_KEY_ID": "AKIAENV\n", "AWS_SECRET_ACCESS_KEY": "env-secret\n"}
        assert keys_of(resolve({}, environment)) == ("AKIAENV", "env-secret", None)

    def test_keys_win_over_aws_profile_as_in_awss_tools_and_the_identity_says_so(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, "[dev]\naws_access_key_id=A\naws_secret_access_key=S\n")
        connection = resolve({}, {**environment, **ENV_KEYS, "AWS_PROFILE": "dev"})
        assert keys_of(connection)[0] == "AKIAENV"
        assert "AWS_PROFILE='dev' is not used" in connection.identity

    def test_a_profile_given_as_an_option_wins_over_the_keys_of_the_environment(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, "[dev]\naws_access_key_id=A\naws_secret_access_key=S\n")
        assert keys_of(resolve({"profile": "dev"}, {**environment, **ENV_KEYS})) == ("A", "S", None)

    def test_known_expiry_is_passed_on_and_expired_keys_are_refused_at_once(self) -> None:
        later = datetime.now(UTC) + timedelta(hours=1)
        environment = {**ENV_KEYS, "AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": later.isoformat()}
        assert resolve({}, environment).expires_at == later
        environment["AWS_CREDENTIAL_EXPIRATION"] = "2020-01-01T00:00:00Z"
        with pytest.raises(CredentialsError, match=r"AWS_ACCESS_KEY_ID.* expired at 2020"):
            resolve({}, environment)

    def test_aws_skip_signature_means_anonymous(self) -> None:
        assert resolve({}, {**ENV_KEYS, "AWS_SKIP_SIGNATURE": "true"}).identity == "anonymous"

    def test_nothing_at_all_with_the_instance_role_turned_off_lists_what_was_looked_at(self, tmp_path: Path) -> None:
        with pytest.raises(CredentialsError, match="no credentials") as caught:
            resolve({}, {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"})
        assert all(word in str(caught.value) for word in ("options", "AWS_ACCESS_KEY_ID", "profile", "instance role"))

    def test_nothing_at_all_ends_in_the_instance_role_without_asking_it(self, tmp_path: Path) -> None:
        assert resolve({}, {"HOME": str(tmp_path)}).identity == "instance role (no other source was found)"


class TestProfiles:
    def test_the_default_profile_gives_keys_and_region(self, tmp_path: Path) -> None:
        text = "[default]\naws_access_key_id = A\naws_secret_access_key = S%x\nregion = eu-west-1\n"
        connection = resolve({}, write_aws(tmp_path, text))
        assert keys_of(connection) == ("A", "S%x", None)
        assert connection.settings["region"] == "eu-west-1"
        assert connection.identity == f"profile 'default' of {tmp_path}/.aws/credentials"

    def test_both_files_are_merged_and_the_credentials_file_wins(self, tmp_path: Path) -> None:
        credentials = "[dev]\naws_access_key_id=A\naws_secret_access_key=S\n"
        config = "[profile dev]\nregion=eu-west-3\naws_access_key_id=OLD\n"
        connection = resolve({"profile": "dev"}, write_aws(tmp_path, credentials, config))
        assert keys_of(connection)[0] == "A"
        assert connection.settings["region"] == "eu-west-3"

    @pytest.mark.parametrize("by", ["option", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    def test_a_profile_that_does_not_exist_lists_those_that_do(self, tmp_path: Path, by: str) -> None:
        environment = write_aws(
            tmp_path, "[alpha]\naws_access_key_id=A\n", "[profile beta]\nregion=x\n[sso-session s]\n"
        )
        options = {"profile": "gamma"} if by == "option" else {}
        with pytest.raises(CredentialsError, match=r"no profile 'gamma'.*alpha, beta\b"):
            resolve(options, environment if by == "option" else {**environment, by: "gamma"})

    def test_a_named_profile_without_keys_is_an_error_not_the_next_source(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, config="[profile dev]\nregion=x\n")
        with pytest.raises(CredentialsError, match=r"profile 'dev' of .* holds no credentials"):
            resolve({}, {**environment, "AWS_PROFILE": "dev", "AWS_ROLE_ARN": "r", "AWS_WEB_IDENTITY_TOKEN_FILE": "f"})

    def test_keys_of_a_file_that_others_may_read_are_warned_about(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        environment = write_aws(tmp_path, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n")
        (tmp_path / ".aws" / "credentials").chmod(0o644)
        resolve({}, environment)
        assert "chmod 600" in caplog.text

    def test_a_home_that_may_not_be_searched_holds_no_profiles(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path) -> bool:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "is_file", refuse)
        assert keys_of(resolve({}, {**ENV_KEYS, "HOME": str(tmp_path)}))[0] == "AKIAENV"

    def test_a_default_profile_without_keys_gives_its_region_to_the_next_source(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, config="[default]\nregion = eu-north-1\n")
        del environment["AWS_EC2_METADATA_DISABLED"]
        connection = resolve({}, environment)
        assert connection.settings["region"] == "eu-north-1"
        assert connection.identity.startswith("instance role")

    def test_half_a_key_in_a_profile_is_an_error(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, "[default]\naws_access_key_id=A\n")
        with pytest.raises(CredentialsError, match=r"profile 'default'.*'aws_secret_access_key' is missing"):
            resolve({}, environment)

    def test_other_places_for_the_files(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_text("[p]\naws_access_key_id=A\naws_secret_access_key=S\n")
        environment = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "c"), "AWS_PROFILE": "p"}
        assert keys_of(resolve({}, environment))[0] == "A"

    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ("[default]\nendpoint_url = http://one:9000\n", "http://one:9000"),
            (
                "[default]\nservices = m\nendpoint_url = http://one:9000\n[services m]\ns3 =\n  endpoint_url = http://two:9000\n",
                "http://two:9000",
            ),
        ],
        ids=["endpoint_url", "services section"],
    )
    def test_endpoint_of_a_profile(self, tmp_path: Path, config: str, expected: str) -> None:
        connection = resolve(OPTION_KEYS, write_aws(tmp_path, config=config))
        assert connection.settings["endpoint"] == expected

    def test_configured_endpoints_can_be_ignored(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, config="[default]\nendpoint_url = http://one:9000\n")
        environment |= {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://two:9000"}
        assert resolve(OPTION_KEYS, environment).settings["endpoint"].endswith("amazonaws.com")

    def test_names_with_spaces_and_nested_sections_are_read(self, tmp_path: Path) -> None:
        write_aws(tmp_path, config='[profile "my dev"]\nregion=x\ns3 =\n  addressing_style = virtual\n')
        files = read_aws_files({"HOME": str(tmp_path)})
        assert list(files.profiles) == ["my dev"]

    def test_a_broken_file_is_named_with_its_line_and_nothing_of_it_is_quoted(self, tmp_path: Path) -> None:
        environment = write_aws(tmp_path, "[default]\naws_access_key_id=A\nTOP-SECRET-LINE\n")
        with pytest.raises(CredentialsError, match=r"credentials' cannot be understood at line 3") as caught:
            resolve({}, environment)
        assert "TOP-SECRET" not in str(caught.value)
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize(
        "entry",
        ["role_arn = arn:r", "source_profile = x", "credential_process = cmd", "sso_session = s", "sso_start_url = u"],
    )
    def test_what_needs_boto3_says_which_extra_brings_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "botocore.session", None)
        environment = write_aws(tmp_path, config=f"[profile dev]\n{entry}\n")
        with pytest.raises(
            MissingExtraError, match=f"profile 'dev'.*{entry.split(maxsplit=1)[0]}.*extra 'aws'"
        ) as caught:
            resolve({"profile": "dev"}, environment)
        assert "pip install 'skyhold[aws]'" in caught.value.remedy

    def test_keys_in_the_profile_come_before_a_process_as_in_botocore(self, tmp_path: Path) -> None:
        text = "[default]\naws_access_key_id=A\naws_secret_access_key=S\ncredential_process = false\n"
        assert keys_of(resolve({}, write_aws(tmp_path, text)))[0] == "A"


class TestCredentialsFile:
    @pytest.mark.parametrize(
        "content",
        [
            {"aws_access_key_id": "A", "aws_secret_access_key": "S", "region": "eu-west-1"},
            {"access_key_id": "A", "secret_access_key": "S", "region": "eu-west-1"},
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_REGION": "eu-west-1"},
            {"aws_access_key_id": "A", "aws_secret_access_key": "S", "region_name": "eu-west-1", "bucket_name": "b"},
        ],
        ids=["document 004", "object_store", "variables", "with others' entries"],
    )
    def test_keys_and_region_of_a_file(self, tmp_path: Path, content: dict[str, str]) -> None:
        file = write_json(tmp_path, content)
        connection = resolve({"credentials_file": str(file)}, ENV_KEYS)
        assert keys_of(connection) == ("A", "S", None)
        assert connection.settings["region"] == "eu-west-1"
        assert connection.identity == f"credentials file {str(file)!r}"

    def test_answer_of_sts(self, tmp_path: Path) -> None:
        expires = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
        inner = {"AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T", "Expiration": expires.isoformat()}
        file = write_json(tmp_path, {"Credentials": inner, "AssumedRoleUser": {"Arn": "x"}})
        connection = resolve({"credentials_file": file})
        assert keys_of(connection) == ("A", "S", "T")
        assert connection.expires_at == expires

    def test_output_of_export_credentials(self, tmp_path: Path) -> None:
        file = write_json(tmp_path, {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S"})
        assert keys_of(resolve({"credentials_file": file}))[1] == "S"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"user": "hidden-u", "pass": "hidden-p"}, r"its keys are: 'pass', 'user'\n"),
            ({"aws_access_key_id": "hidden"}, "has no 'secret_access_key'"),
            ({"aws_access_key_id": "A", "aws_secret_acces_key": "hidden"}, "aws_secret_acces_key"),
            ({"aws_access_key_id": "A", "aws_secret_access_key": "hidden", "anon": True}, "'anon'"),
            ({"Credentials": "hidden"}, "'Credentials'"),
            (["hidden"], "holds no JSON object"),
        ],
    )
    def test_other_content_names_the_keys_found_and_no_value(self, tmp_path: Path, content: Any, message: str) -> None:
        with pytest.raises(CredentialsError, match=message) as caught:
            resolve({"credentials_file": write_json(tmp_path, content)})
        assert "hidden" not in str(caught.value)
        assert "aws_secret_access_key" in caught.value.remedy

    @pytest.mark.parametrize(("text", "message"), [(None, "No such file"), ('{"a": "hidden"', "not valid JSON")])
    def test_missing_or_broken_file(self, tmp_path: Path, text: str | None, message: str) -> None:
        file = tmp_path / "x.json"
        if text is not None:
            file.write_text(text)
        with pytest.raises(CredentialsError, match=message) as caught:
            resolve({"credentials_file": file})
        assert "hidden" not in repr(caught.value.__cause__)
        assert "aws_access_key_id" in caught.value.remedy

    def test_a_file_that_others_may_read_is_warned_about_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = write_json(tmp_path, {"aws_access_key_id": "A", "aws_secret_access_key": "S"}, mode=0o644)
        with caplog.at_level(logging.WARNING, "skyhold"):
            for _ in range(3):
                resolve({"credentials_file": file})
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "chmod 600" in caplog.text

    def test_a_private_file_is_not_warned_about(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        resolve({"credentials_file": write_json(tmp_path, {"access_key_id": "A", "secret_access_key": "S"})})
        assert not caplog.records

    def test_a_file_with_keys_and_an_endpoint_of_the_environment_is_minio(self, tmp_path: Path) -> None:
        file = write_json(tmp_path, {"aws_access_key_id": "A", "aws_secret_access_key": "S"})
        connection = resolve({"credentials_file": file}, {"AWS_ENDPOINT_URL": "http://localhost:9000"})
        assert connection.settings["endpoint"] == "http://localhost:9000"
        assert connection.client["allow_http"] is True


def write_json(folder: Path, content: Any, mode: int = 0o600) -> Path:
    file = folder / "credentials.json"
    file.write_text(json.dumps(content))
    file.chmod(mode)
    return file


def test_a_scheme_without_credentials_is_refused() -> None:
    with pytest.raises(ConfigError, match="no credentials"):
        resolve_connection(parse_location("memory://x"), {})
