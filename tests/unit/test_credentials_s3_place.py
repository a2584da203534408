"""S3: region, endpoint, addressing, encryption, payer."""

from typing import Any

import pytest

from skyhold.errors import BadOptionError
from skyhold.storage.credentials import Connection, resolve_connection
from skyhold.storage.location import parse_location

OPTION_KEYS = {"access_key_id": "AKIAOPT", "secret_access_key": "opt-secret"}


def resolve(options: dict[str, Any], environment: dict[str, str] | None = None, uri: str = "s3://bucket") -> Connection:
    return resolve_connection(parse_location(uri), options, environment or {})


class TestPlace:
    @pytest.mark.parametrize(
        ("environment", "options", "region"),
        [
            ({"AWS_REGION": "one", "AWS_DEFAULT_REGION": "two"}, {}, "one"),
            ({"AWS_DEFAULT_REGION": "two"}, {}, "two"),
            ({"AWS_REGION": "one"}, {"region_name": "three"}, "three"),
            ({}, {}, "us-east-1"),
        ],
    )
    def test_region(self, environment: dict[str, str], options: dict[str, Any], region: str) -> None:
        assert resolve({**OPTION_KEYS, **options}, environment).settings["region"] == region

    @pytest.mark.parametrize(
        ("environment", "options", "endpoint"),
        [
            ({"AWS_ENDPOINT_URL_S3": "http://a:1", "AWS_ENDPOINT_URL": "http://b:1"}, {}, "http://a:1"),
            ({"AWS_ENDPOINT_URL": "http://b:1"}, {}, "http://b:1"),
            ({"AWS_ENDPOINT": "http://b:1/"}, {}, "http://b:1"),
            ({"AWS_ENDPOINT_URL_S3": "http://a:1"}, {"endpoint": "http://c:1"}, "http://c:1"),
        ],
    )
    def test_trap_2_an_explicit_endpoint_beats_the_environment(
        self, environment: dict[str, str], options: dict[str, Any], endpoint: str
    ) -> None:
        settings = resolve({**OPTION_KEYS, **options}, environment).settings
        assert settings["endpoint"] == settings["aws_endpoint_url_s3"] == endpoint

    @pytest.mark.parametrize(
        ("uri", "options", "endpoint", "virtual"),
        [
            ("s3://bucket", {}, "https://bucket.s3.eu-west-1.amazonaws.com", True),
            ("s3://buc.ket", {}, "https://s3.eu-west-1.amazonaws.com", False),
            ("s3://bucket", {"virtual_hosted_style_request": False}, "https://s3.eu-west-1.amazonaws.com", False),
            ("s3://bucket", {"config_kwargs": {"s3": {"addressing_style": "path"}}},
             "https://s3.eu-west-1.amazonaws.com", False),
            ("s3://bucket", {"endpoint": "http://h:9000"}, "http://h:9000", False),
            ("s3://bucket", {"endpoint": "http://h:9000", "s3_url_style": "vhost"}, "http://bucket.h:9000", True),
            ("s3://bucket", {"endpoint": "https://bucket.nyc3.digitaloceanspaces.com"},
             "https://bucket.nyc3.digitaloceanspaces.com", True),
            ("s3://bucket", {"region": "cn-north-1"}, "https://bucket.s3.cn-north-1.amazonaws.com.cn", True),
            ("s3://data--use1-az4--x-s3", {},
             "https://data--use1-az4--x-s3.s3express-use1-az4.eu-west-1.amazonaws.com", True),
        ],
    )  # fmt: skip
    def test_addressing(self, uri: str, options: dict[str, Any], endpoint: str, *, virtual: bool) -> None:
        settings = resolve({**OPTION_KEYS, "region": "eu-west-1", **options}, uri=uri).settings
        assert (settings["endpoint"], settings["virtual_hosted_style_request"]) == (endpoint, virtual)

    @pytest.mark.parametrize(
        ("variable", "host"),
        [("AWS_USE_FIPS_ENDPOINT", "s3-fips.us-east-1"), ("AWS_USE_DUALSTACK_ENDPOINT", "s3.dualstack.us-east-1")],
    )
    def test_fips_and_dual_stack(self, variable: str, host: str) -> None:
        assert host in resolve(OPTION_KEYS, {variable: "true"}).settings["endpoint"]

    @pytest.mark.parametrize(
        ("endpoint", "hint"),
        [
            ("localhost:9000", "http://localhost:9000"),
            ("minio.example.com", "https://minio.example.com"),
            ("s3://minio:9000", "http://minio:9000"),
            ("https://", "no host"),
            ("http://h:9000/bucket", "http://h:9000"),
            ("http://me:hunter2@h:9000", "alone"),
        ],
    )
    def test_an_endpoint_that_cannot_work_is_refused_with_a_suggestion(self, endpoint: str, hint: str) -> None:
        with pytest.raises(BadOptionError, match="endpoint") as caught:
            resolve({**OPTION_KEYS, "endpoint": endpoint})
        text = f"{caught.value} {caught.value.remedy}"
        assert hint in text
        assert "hunter2" not in text

    def test_duckdbs_endpoint_without_scheme_takes_it_from_use_ssl(self) -> None:
        options = {**OPTION_KEYS, "s3_endpoint": "localhost:9000", "s3_use_ssl": "false"}
        assert resolve(options).settings["endpoint"] == "http://localhost:9000"

    def test_trap_4_plain_http_is_allowed_exactly_for_a_plain_endpoint(self) -> None:
        assert resolve({**OPTION_KEYS, "endpoint": "http://h:9000"}).client == {"allow_http": True}
        assert resolve({**OPTION_KEYS, "endpoint": "https://h:9000"}).client == {"allow_http": False}

    def test_conditional_writes_and_signed_payloads_are_said_outright(self) -> None:
        """A variable of obstore must not turn off what promises rest on."""
        environment = {"AWS_CONDITIONAL_PUT": "disabled", "AWS_UNSIGNED_PAYLOAD": ""}
        settings = resolve({**OPTION_KEYS, "endpoint": "http://minio:9000"}, environment).settings
        assert (settings["conditional_put"], settings["unsigned_payload"]) == ("etag", False)
        assert resolve({**OPTION_KEYS, "unsigned_payload": True}).settings["unsigned_payload"] is True
        plain = {**OPTION_KEYS, "endpoint": "http://minio:9000"}
        assert resolve(plain, {"AWS_UNSIGNED_PAYLOAD": "true"}).settings["unsigned_payload"] is True

    @pytest.mark.parametrize(
        ("more", "is_signed"),
        [
            ({}, False),
            ({"endpoint": "http://127.0.0.1:9000"}, False),
            ({"endpoint": "http://10.0.0.7:9000"}, True),
            ({"endpoint": "https://minio:9000"}, False),
            ({"endpoint": "https://minio:9000", "verify": False}, True),
            ({"unsigned_payload": False}, True),
        ],
    )
    def test_content_is_signed_wherever_somebody_on_the_way_could_change_it(
        self, more: dict[str, Any], is_signed: bool
    ) -> None:
        assert resolve({**OPTION_KEYS, **more}).settings["unsigned_payload"] is not is_signed


class TestEncryption:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"encryption": True}, {"server_side_encryption": "AES256"}),
            ({"encryption": "aes256"}, {"server_side_encryption": "AES256"}),
            ({"encryption": "aws:kms"}, {"server_side_encryption": "aws:kms"}),
            ({"kms_key_id": "k"}, {"server_side_encryption": "aws:kms", "sse_kms_key_id": "k"}),
            (
                {"encryption": "aws:kms:dsse", "kms_key_id": "k", "bucket_key": True},
                {"server_side_encryption": "aws:kms:dsse", "sse_kms_key_id": "k", "sse_bucket_key_enabled": True},
            ),
            ({"encryption": False}, {}),
            ({}, {}),
        ],
    )
    def test_encryption(self, options: dict[str, Any], expected: dict[str, Any]) -> None:
        settings = resolve({**OPTION_KEYS, **options}).settings
        assert {name: value for name, value in settings.items() if "encryption" in name or "sse" in name} == expected

    def test_a_customer_key_is_a_secret_in_the_settings(self) -> None:
        key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        settings = resolve({**OPTION_KEYS, "customer_key": key}).settings
        assert settings["server_side_encryption"] == "sse-c"
        assert settings["sse_customer_key_base64"].reveal() == key
        assert key not in repr(settings)

    @pytest.mark.parametrize(
        "options",
        [
            {"encryption": "rot13"},
            {"encryption": "AES256", "kms_key_id": "k"},
            {"encryption": "sse-c"},
            {"encryption": "sse-c", "customer_key": "c2hvcnQ="},
            {"encryption": "AES256", "customer_key": "x"},
        ],
    )
    def test_what_does_not_go_together_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(BadOptionError):
            resolve({**OPTION_KEYS, **options})

    def test_variables_are_used_where_no_option_speaks(self) -> None:
        settings = resolve(OPTION_KEYS, {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms", "AWS_SSE_KMS_KEY_ID": "k"}).settings
        assert (settings["server_side_encryption"], settings["sse_kms_key_id"]) == ("aws:kms", "k")

    @pytest.mark.parametrize(
        ("option", "variable"),
        [(False, "AWS_SERVER_SIDE_ENCRYPTION"), ("AES256", "AWS_SSE_KMS_KEY_ID"), (True, "AWS_SSE_BUCKET_KEY_ENABLED")],
    )
    def test_variables_that_obstore_would_mix_in_are_refused(self, option: Any, variable: str) -> None:
        with pytest.raises(BadOptionError, match=variable) as caught:
            resolve({**OPTION_KEYS, "encryption": option}, {variable: "true" if "BUCKET" in variable else "aws:kms"})
        assert f"Unset {variable}" in caught.value.remedy

    @pytest.mark.parametrize(
        ("value", "expected"), [("requester", True), (True, True), ("false", False), (None, False)]
    )
    def test_request_payer(self, value: Any, *, expected: bool) -> None:
        assert resolve({**OPTION_KEYS, "requester_pays": value}).settings["request_payer"] is expected
