"""Where components are kept, said by arguments, JSON files and the environment."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from skyhold.components import CloudStorageConfig
from skyhold.components.config import config_file
from skyhold.components.config_lines import explain_config
from skyhold.config import Secret
from skyhold.errors import BadOptionError, ConfigError, CredentialsError
from skyhold.storage.libraries import connect
from skyhold.storage.location import parse_location

_SECRET = "wJalrXUtnFEMI-not-a-real-one"
_AZURE_KEY = "c2VjcmV0LXNlY3JldA=="


def _json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def _connection(config: CloudStorageConfig):
    return connect(parse_location(config.uri), config.store_options)


class TestWhere:
    @pytest.mark.parametrize(
        ("provider", "uri"),
        [
            ("aws", "s3://model-components/models"),
            ("azure", "az://model-components/models"),
            ("gcs", "gs://model-components/models"),
        ],
    )
    def test_a_provider_a_bucket_and_a_prefix_make_a_uri(self, provider: Any, uri: str):
        config = CloudStorageConfig(provider=provider, bucket_name="model-components", prefix="/models/")
        assert config.uri == uri
        assert config.bucket_uri == uri.removesuffix("/models")

    def test_folders_are_named_from_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        assert CloudStorageConfig("local", bucket_name="here", prefix="in").uri == f"{tmp_path}/here/in"
        assert CloudStorageConfig("mock", bucket_name="here").uri == f"mock://{tmp_path}/here"

    def test_options_of_the_mock_make_it_unreliable(self, tmp_path: Path):
        config = CloudStorageConfig("mock", bucket_name=str(tmp_path), latency_ms=1, error_rate=0.5, seed=3)
        assert config.open_store().root.faults.error_rate == 0.5

    @pytest.mark.parametrize(
        ("arguments", "message", "remedy"),
        [
            ({"provider": "s3", "bucket_name": "b"}, "no provider 's3'", "'aws'"),
            ({"provider": "azur", "bucket_name": "b"}, "no provider 'azur'", "'azure'"),
            ({"provider": "", "bucket_name": "b"}, "no provider ''", "aws, azure"),
            ({"provider": "aws"}, "bucket_name is empty", "bucket_name="),
            ({"provider": "mock"}, "bucket_name is empty", "a folder"),
            ({"provider": "aws", "bucket_name": "s3://b/p"}, "'s3://b/p' cannot be the name", "prefix="),
            ({"provider": "mock", "bucket_name": "a?b"}, "'a?b'", ""),
            ({"provider": "local", "bucket_name": "b", "encryption": True}, "encryption", "disk"),
            ({"provider": "local", "bucket_name": "b", "public_access": True}, "public_access", "rights"),
            ({"provider": "gcs", "bucket_name": "b", "encryption": "aws:kms"}, "S3 alone", "encryption=True"),
            ({"provider": "local", "bucket_name": "b", "credentials_file": "x"}, "no credentials", "Leave it out"),
        ],
    )
    def test_what_cannot_be_is_refused_with_the_way_out(self, arguments: dict[str, Any], message: str, remedy: str):
        with pytest.raises(BadOptionError, match=re.escape(message)) as caught:
            CloudStorageConfig(**arguments)
        assert remedy in caught.value.remedy

    def test_an_unknown_option_is_refused_with_the_one_that_was_meant(self):
        config = CloudStorageConfig("aws", bucket_name="b", regoin="eu-west-1", anonymous=True)
        with pytest.raises(BadOptionError, match="did you mean 'region'"):
            config.open_store()


class TestIdentity:
    """Every form of the credentials that the documented providers have."""

    def test_a_credentials_file_for_s3_brings_its_region(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        content = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": _SECRET, "region": "eu-central-1"}
        file = _json(tmp_path / "aws_credentials.json", content)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
        connection = _connection(CloudStorageConfig("aws", file, "model-components"))
        assert connection.identity == f"credentials file {str(file)!r}"
        assert connection.settings["region"] == "eu-central-1"
        assert connection.settings["endpoint"] == "http://127.0.0.1:9000"
        named = _connection(CloudStorageConfig("aws", file, "model-components", region="us-west-2"))
        assert named.settings["region"] == "us-west-2"

    def test_the_environment_for_s3(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
        connection = _connection(CloudStorageConfig("aws", bucket_name="model-components"))
        assert "AWS_ACCESS_KEY_ID" in connection.identity
        assert connection.settings["region"] == "ap-south-1"

    @pytest.mark.parametrize(
        "content",
        [
            {
                "connection_string": "DefaultEndpointsProtocol=https;AccountName=models;"
                f"AccountKey={_AZURE_KEY};EndpointSuffix=core.windows.net"
            },
            {"account_name": "models", "account_key": _AZURE_KEY},
        ],
    )
    def test_both_forms_of_a_credentials_file_for_azure(self, tmp_path: Path, content: dict[str, str]):
        file = _json(tmp_path / "azure_credentials.json", content)
        connection = _connection(CloudStorageConfig("azure", file, "model-components"))
        assert connection.identity == f"credentials file {str(file)!r}"
        assert connection.settings["endpoint"] == "https://models.blob.core.windows.net"

    def test_the_environment_for_azure(self, monkeypatch: pytest.MonkeyPatch):
        text = f"DefaultEndpointsProtocol=https;AccountName=models;AccountKey={_AZURE_KEY}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
        connection = _connection(CloudStorageConfig("azure", bucket_name="model-components"))
        assert connection.settings["account_name"] == "models"

    def test_a_file_and_keys_are_two_identities(self, tmp_path: Path):
        file = _json(tmp_path / "c.json", {"aws_access_key_id": "A", "aws_secret_access_key": "B"})
        config = CloudStorageConfig("aws", file, "b", access_key_id="C", secret_access_key="D")
        with pytest.raises(CredentialsError, match="more than one identity"):
            config.open_store()

    def test_encryption_is_by_the_service_or_by_a_key_of_ours(self):
        def asked(**options: Any) -> dict[str, Any]:
            settings = _connection(CloudStorageConfig("aws", bucket_name="b", anonymous=True, **options)).settings
            return {name: text for name, text in settings.items() if "sse" in name or "encryption" in name}

        assert asked() == {}
        assert asked(encryption=True) == {"server_side_encryption": "AES256"}
        kms = {"server_side_encryption": "aws:kms", "sse_kms_key_id": "our-key"}
        assert asked(encryption=True, kms_key_id="our-key") == kms
        assert asked(encryption="aws:kms", kms_key_id="our-key") == kms


class TestFiles:
    def test_what_was_saved_is_loaded_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        config = CloudStorageConfig(
            "aws",
            str(tmp_path / "aws_credentials.json"),
            "model-components",
            "models",
            encryption=True,
            region="eu-west-1",
            storage_class="STANDARD_IA",
            endpoint="http://127.0.0.1:9000",
        )
        saved = config.save()
        assert saved == config_file("aws") == Path("cloud_storage_aws_config.json")
        assert saved.stat().st_mode & 0o777 == 0o600
        assert json.loads(saved.read_text())["credentials_file"] == "aws_credentials.json"
        assert CloudStorageConfig.load(saved) == config

    def test_a_project_may_be_moved_with_its_files(self, tmp_path: Path):
        (tmp_path / "before").mkdir()
        CloudStorageConfig("local", bucket_name=str(tmp_path / "before" / "store")).save(tmp_path / "before" / "c.json")
        (tmp_path / "before").rename(tmp_path / "after")
        assert CloudStorageConfig.load(tmp_path / "after" / "c.json").uri == str(tmp_path / "after" / "store")

    def test_a_secret_is_written_as_where_it_came_from(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OUR_KEY", _AZURE_KEY)
        config = CloudStorageConfig("azure", bucket_name="b", account_name="models", account_key={"env": "OUR_KEY"})
        saved = config.save(tmp_path / "c.json")
        assert json.loads(saved.read_text())["account_key"] == {"env": "OUR_KEY"}
        loaded = CloudStorageConfig.load(saved)
        assert loaded == config
        assert _connection(loaded).settings["account_name"] == "models"
        assert pickle.loads(pickle.dumps(loaded)) == config

    def test_a_secret_that_was_typed_is_written_only_when_asked_for(self, tmp_path: Path):
        config = CloudStorageConfig("azure", bucket_name="b", account_name="models", account_key=_AZURE_KEY)
        file = tmp_path / "c.json"
        with pytest.raises(ConfigError, match="'account_key' is a secret") as caught:
            config.save(file)
        assert "with_secrets=True" in caught.value.remedy
        assert list(tmp_path.iterdir()) == []
        config.save(file, with_secrets=True)
        assert file.stat().st_mode & 0o777 == 0o600
        assert CloudStorageConfig.load(file) == config

    def test_headers_may_hold_secrets_and_are_neither_sent_on_nor_shown_nor_written_unasked(self, tmp_path: Path):
        headers = {"default_headers": {"X-Api-Key": "hunter2"}}
        config = CloudStorageConfig("aws", bucket_name="b", client_options=headers)
        with pytest.raises(ConfigError, match="never pickled"):
            pickle.dumps(config)
        lines = explain_config(config, tmp_path)
        assert [line.name for line in lines if line.name == "client_options"] == ["client_options"]
        assert not any("hunter2" in text for text in (repr(config), str(lines)))
        with pytest.raises(ConfigError, match="'client_options' is a secret"):
            config.save(tmp_path / "c.json")
        assert CloudStorageConfig.load(config.save(tmp_path / "c.json", with_secrets=True)) == config
        harmless = CloudStorageConfig("aws", bucket_name="b", client_options={"timeout": "30s"})
        assert pickle.loads(pickle.dumps(harmless)) == harmless
        assert CloudStorageConfig.load(harmless.save(tmp_path / "harmless.json")) == harmless

    def test_a_file_with_secrets_that_others_may_read_is_refused(self, tmp_path: Path):
        file = _json(tmp_path / "c.json", {"provider": "azure", "bucket_name": "b", "account_key": _AZURE_KEY})
        file.chmod(0o644)
        with pytest.raises(ConfigError, match="others may read") as caught:
            CloudStorageConfig.load(file)
        assert f"chmod 600 {file}" in caught.value.remedy

    def test_what_json_cannot_say_is_not_written(self, tmp_path: Path):
        config = CloudStorageConfig("azure", bucket_name="b", cache_dir=tmp_path / "cache")
        assert CloudStorageConfig.load(config.save(tmp_path / "c.json")) == config
        with pytest.raises(ConfigError, match="cannot be written"):
            CloudStorageConfig("azure", bucket_name="b", credential=object()).save(tmp_path / "d.json")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"provider": "aws",\n "secret_access_key": "hunter2"', "not valid JSON (line 2)"),
            ("[]", "no JSON object"),
            ('{"provider": 3, "bucket_name": "b"}', "'provider' in"),
            ('{"bucket_name": ["b"]}', "'bucket_name' in"),
            ('{"bucket_name": "b", "public_access": "no"}', "true or false"),
            ('{"bucket_name": "b", "encryption": 1}', "'encryption' in"),
            ('{"bucket_name": "b", "account_key": {"env": ""}}', "option 'account_key' in"),
        ],
    )
    def test_a_damaged_file_is_named_and_never_quoted(self, tmp_path: Path, text: str, message: str):
        file = tmp_path / "c.json"
        file.write_text(text)
        with pytest.raises(ConfigError, match=re.escape(message)) as caught:
            CloudStorageConfig.load(file)
        assert "c.json" in str(caught.value)
        assert "hunter2" not in f"{caught.value!r} {caught.value.__context__!r}"

    def test_a_missing_file_is_named(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="cannot read the configuration") as caught:
            CloudStorageConfig.load(tmp_path / "none.json")
        assert "save()" in caught.value.remedy

    def test_a_failed_write_leaves_the_file_before_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        config = CloudStorageConfig("aws", bucket_name="before")
        saved = config.save(tmp_path / "c.json")

        def full(*_args: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            CloudStorageConfig("aws", bucket_name="after").save(saved)
        assert CloudStorageConfig.load(saved) == config
        assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_a_configuration_shows_no_secret():
    config = CloudStorageConfig("azure", bucket_name="b", account_name="models", account_key=_AZURE_KEY)
    proxied = CloudStorageConfig(
        "aws", bucket_name="b", proxy_url="http://me:hunter2@proxy", headers={"token": "hunter2"}
    )
    assert "hunter2" not in repr(proxied)
    assert _AZURE_KEY not in f"{config!r} {config} {vars(config)}"
    assert isinstance(config.options["account_key"], Secret)
