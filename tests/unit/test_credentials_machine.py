"""Credentials that a machine gives out: containers, web identity, instances, boto3's profiles."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import CredentialsError
from skyhold.storage.credentials import Connection, providers, resolve_connection
from skyhold.storage.credentials.providers import FetchingProvider
from skyhold.storage.location import parse_location
from unit.credentials_server import Answer, Recorder, Request, recording

BUCKET = parse_location("s3://bucket")


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


def later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).replace(microsecond=0).isoformat()


def keys(number: int = 1, expires: str = "") -> str:
    return json.dumps(
        {
            "AccessKeyId": f"AKIA{number}",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": expires or later(hours=1),
        }
    )


def provider_of(connection: Connection) -> FetchingProvider:
    assert isinstance(connection.provider, FetchingProvider)
    return connection.provider


class TestContainer:
    def test_full_uri_with_a_token(self, server: Recorder) -> None:
        server.answers["/x"] = (200, keys())
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "tok",
        }
        connection = resolve_connection(BUCKET, {}, environment)
        assert connection.identity == (
            "container credentials (environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI)"
        )
        assert provider_of(connection)()["access_key_id"] == "AKIA1"
        assert server.last.headers["authorization"] == "tok"

    @pytest.mark.parametrize(
        ("url", "fine"),
        [
            ("http://169.254.170.2/x", True),
            ("http://169.254.170.23/x", True),
            ("http://[fd00:ec2::23]/x", True),
            ("http://127.0.0.1:80/x", True),
            ("https://anywhere.example/x", True),
            ("http://anywhere.example/x", False),
            ("http://10.0.0.1/x", False),
        ],
    )
    def test_the_token_goes_only_where_awss_tools_would_send_it(self, url: str, *, fine: bool) -> None:
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        if fine:
            assert resolve_connection(BUCKET, {}, environment).identity.startswith("container")
        else:
            with pytest.raises(CredentialsError, match="neither https, nor this machine"):
                resolve_connection(BUCKET, {}, environment)

    @pytest.mark.parametrize(("content", "message"), [("", "one line"), ("a\nb", "one line"), (None, "No such file")])
    def test_a_token_file_that_cannot_be_used(
        self, server: Recorder, tmp_path: Path, content: str | None, message: str
    ) -> None:
        if content is not None:
            (tmp_path / "t").write_text(content)
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "t"),
        }
        with pytest.raises(CredentialsError, match=message):
            provider_of(resolve_connection(BUCKET, {}, environment))()

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ((200, "no json"), "did not answer with a JSON object"),
            ((200, '{"Code": "AccessDenied"}'), "AccessDenied"),
            ((404, "gone"), "answered 404: gone"),
            ((500, "AWS_SECRET_ACCESS_KEY=hunter2"), r"answered 500: .*redacted"),
            ((200, keys(expires="2020-01-01T00:00:00Z")), "expired at 2020"),
        ],
    )
    def test_answers_that_cannot_be_used(self, server: Recorder, answer: Answer, message: str) -> None:
        server.answers["/x"] = answer
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/x"}
        with pytest.raises(CredentialsError, match=message) as caught:
            provider_of(resolve_connection(BUCKET, {}, environment))()
        assert "hunter2" not in str(caught.value)
        assert "container credentials" in str(caught.value)

    def test_no_proxy_of_the_environment_stands_between(
        self, server: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        server.answers["/x"] = (200, keys())
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/x"}
        assert provider_of(resolve_connection(BUCKET, {}, environment))()["access_key_id"] == "AKIA1"

    def test_a_redirect_is_a_refusal_since_the_token_would_follow_it(self, server: Recorder) -> None:
        server.answers["/x"] = (302, "/elsewhere")
        server.headers["Location"] = f"{server.url}/elsewhere"
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "tok",
        }
        with pytest.raises(CredentialsError, match="answered 302"):
            provider_of(resolve_connection(BUCKET, {}, environment))()
        assert [request.path for request in server.requests] == ["/x"]


class TestWebIdentity:
    STS = (
        "<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>AKIAWEB</AccessKeyId>"
        "<SecretAccessKey>s&amp;s</SecretAccessKey><SessionToken>tt</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>"
    )

    def test_the_token_is_changed_at_sts_in_the_body_not_in_the_address(self, server: Recorder, tmp_path: Path) -> None:
        server.answers["/"] = (200, self.STS)
        (tmp_path / "jwt").write_text("the-jwt\n")
        environment = {
            "AWS_ROLE_ARN": "arn:role",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "jwt"),
            "AWS_STS_ENDPOINT": server.url,
        }
        connection = resolve_connection(BUCKET, {}, environment)
        given = provider_of(connection)()
        assert (given["access_key_id"], given["secret_access_key"], given["token"]) == ("AKIAWEB", "s&s", "tt")
        assert connection.identity == ("web identity (environment variables AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN)")
        assert server.last.method == "POST"
        assert server.last.path == "/"
        assert server.last.form["WebIdentityToken"] == "the-jwt"
        assert server.last.form["RoleArn"] == "arn:role"

    def test_a_rotated_token_is_read_again(self, server: Recorder, tmp_path: Path) -> None:
        past = self.STS.replace("2099", "2020")
        server.answers["/"] = lambda _: (200, self.STS if len(server.requests) > 1 else past)
        token = tmp_path / "jwt"
        token.write_text("one")
        options = {"role_arn": "r", "web_identity_token_file": str(token), "sts_endpoint": server.url}
        provider = provider_of(resolve_connection(BUCKET, options, {}))
        with pytest.raises(CredentialsError, match="expired"):
            provider()
        token.write_text("two")
        provider()
        assert [request.form["WebIdentityToken"] for request in server.requests] == ["one", "two"]

    @pytest.mark.parametrize(
        ("environment", "missing"),
        [({"AWS_WEB_IDENTITY_TOKEN_FILE": "f"}, "AWS_ROLE_ARN")],
    )
    def test_half_of_it_is_an_error(self, environment: dict[str, str], missing: str) -> None:
        with pytest.raises(CredentialsError, match=missing):
            resolve_connection(BUCKET, {}, environment)

    def test_a_role_alone_as_an_option_is_an_error_with_the_way_to_do_it(self) -> None:
        with pytest.raises(CredentialsError, match="token") as caught:
            resolve_connection(BUCKET, {"role_arn": "r"}, {})
        assert "profile" in caught.value.remedy

    def test_it_comes_before_container_credentials_as_in_awss_tools(self) -> None:
        environment = {
            "AWS_ROLE_ARN": "r",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "f",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x",
        }
        assert resolve_connection(BUCKET, {}, environment).identity.startswith("web identity")


class TestInstance:
    ROLES = "/latest/meta-data/iam/security-credentials/"

    def test_version_2_of_the_metadata_service(self, server: Recorder) -> None:
        server.answers |= {
            "/latest/api/token": (200, "imds-token\n"),
            self.ROLES: (200, "my-role\n"),
            f"{self.ROLES}my-role": (200, keys()),
        }
        environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}
        assert provider_of(resolve_connection(BUCKET, {}, environment))()["access_key_id"] == "AKIA1"
        assert [request.method for request in server.requests] == ["PUT", "GET", "GET"]
        assert server.last.headers["x-aws-ec2-metadata-token"] == "imds-token"

    def test_version_1_only_where_it_is_asked_for(self, server: Recorder) -> None:
        server.answers |= {
            "/latest/api/token": (403, ""),
            self.ROLES: (200, "my-role"),
            f"{self.ROLES}my-role": (200, keys()),
        }
        options: dict[str, Any] = {"metadata_endpoint": server.url}
        with pytest.raises(CredentialsError, match="403"):
            provider_of(resolve_connection(BUCKET, options, {}))()
        options["imdsv1_fallback"] = True
        assert provider_of(resolve_connection(BUCKET, options, {}))()["access_key_id"] == "AKIA1"

    def test_where_nobody_answers_it_fails_fast_and_says_what_to_do(self) -> None:
        # 192.0.2.0/24 is for documentation: nothing is there, at best a time-out.
        connection = resolve_connection(BUCKET, {"metadata_endpoint": "http://192.0.2.1"}, {})
        begun = time.monotonic()
        with pytest.raises(CredentialsError, match="no credentials for S3 were found") as caught:
            provider_of(connection)()
        assert time.monotonic() - begun < 3
        assert "AWS_ACCESS_KEY_ID" in caught.value.remedy

    def test_an_instance_without_a_role(self, server: Recorder) -> None:
        server.answers |= {"/latest/api/token": (200, "t"), self.ROLES: (200, "")}
        with pytest.raises(CredentialsError, match="no role"):
            provider_of(resolve_connection(BUCKET, {"metadata_endpoint": server.url}, {}))()


@dataclass
class Clock:
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(providers, "current_time", lambda: clock.now)
    return clock


def lasting(clock: Clock, *lifetimes_s: float | None) -> FetchingProvider:
    """Return a provider whose credentials last so long each time; None is a failure."""
    left = list(lifetimes_s)

    def fetch() -> dict[str, Any]:
        lifetime_s = left.pop(0)
        if lifetime_s is None:
            raise CredentialsError("cannot renew")
        number = len(lifetimes_s) - len(left)
        return {"token": str(number), "expires_at": clock.now + timedelta(seconds=lifetime_s)}

    return FetchingProvider("somebody", fetch, "place")


class TestRenewal:
    def test_credentials_are_kept_while_they_are_good(self, clock: Clock) -> None:
        provider = lasting(clock, 3600)
        assert {provider()["token"] for _ in range(5)} == {"1"}

    def test_trap_7_the_true_expiry_is_known_and_obstore_is_told_a_little_less(self, clock: Clock) -> None:
        provider = lasting(clock, 3600)
        assert provider()["expires_at"] == clock.now + timedelta(minutes=55)
        assert provider.expires_at == clock.now + timedelta(minutes=60)

    def test_short_lived_credentials_are_not_fetched_at_every_request(self, clock: Clock) -> None:
        provider = lasting(clock, 60)
        provider()
        clock.move(53)
        assert provider()["token"] == "1"

    def test_they_are_fetched_again_before_they_end(self, clock: Clock) -> None:
        provider = lasting(clock, 3600, 3600)
        provider()
        clock.move(55 * 60)
        assert provider()["token"] == "2"

    def test_when_renewal_fails_the_old_ones_serve_until_they_end(self, clock: Clock) -> None:
        provider = lasting(clock, 3600, None, None, None)
        provider()
        clock.move(56 * 60)
        assert provider()["token"] == "1"
        assert provider()["expires_at"] == clock.now + FetchingProvider.PAUSE, "soon enough to try again"
        clock.move(4 * 60)
        with pytest.raises(CredentialsError, match="cannot renew"):
            provider()

    def test_why_there_were_none_is_kept_for_the_backend_until_there_are_some(self, clock: Clock) -> None:
        provider = lasting(clock, None, 3600)
        with pytest.raises(CredentialsError) as caught:
            provider()
        assert provider.last_error is caught.value
        provider()
        assert provider.last_error is None

    def test_credentials_without_an_end_are_fetched_once(self) -> None:
        provider = FetchingProvider("somebody", lambda: {"token": "1", "expires_at": None}, "place")
        assert provider()["expires_at"] is None


class TestBoto3:
    def test_a_process_gives_keys_with_their_true_expiry(self, private_home: Path, tmp_path: Path) -> None:
        expires = later(hours=2)
        (tmp_path / "keys.json").write_text(
            keys(7, expires).replace('"Token"', '"SessionToken"')[:-1] + ', "Version": 1}'
        )
        (private_home / ".aws").mkdir()
        (private_home / ".aws" / "config").write_text(
            "[profile dev]\nregion = eu-west-1\nendpoint_url = http://h:9000\n"
            f"credential_process = cat {tmp_path}/keys.json\n"
        )
        connection = resolve_connection(
            BUCKET,
            {"profile": "dev"},
            {"HOME": str(private_home), "AWS_ACCESS_KEY_ID": "ambient", "AWS_SECRET_ACCESS_KEY": "x"},
        )
        provider = provider_of(connection)
        assert provider()["access_key_id"] == "AKIA7"
        assert provider.expires_at == datetime.fromisoformat(expires)
        assert connection.settings["endpoint"] == "http://h:9000"
        assert connection.settings["region"] == "eu-west-1"

    def test_a_role_is_assumed_with_the_source_profile(
        self, private_home: Path, server: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sts(request: Request) -> Answer:
            assert "AKIASOURCE" in request.headers["authorization"]
            answer = TestWebIdentity.STS.replace("WithWebIdentity", "").replace(
                "<Credentials>", "<AssumeRoleResult><Credentials>"
            )
            return 200, re.sub("</Credentials>", "</Credentials></AssumeRoleResult>", answer)

        server.answers["/"] = sts
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        (private_home / ".aws").mkdir()
        (private_home / ".aws" / "credentials").write_text(
            "[base]\naws_access_key_id = AKIASOURCE\naws_secret_access_key = s\n"
        )
        (private_home / ".aws" / "config").write_text(
            "[profile dev]\nregion = eu-west-1\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
        )
        connection = resolve_connection(BUCKET, {"profile": "dev"})
        assert provider_of(connection)()["access_key_id"] == "AKIAWEB"
        assert connection.portable

    def test_a_profile_that_boto3_cannot_resolve_is_named(self, private_home: Path) -> None:
        (private_home / ".aws").mkdir()
        (private_home / ".aws" / "config").write_text("[profile dev]\ncredential_process = false\n")
        connection = resolve_connection(BUCKET, {"profile": "dev"}, {"HOME": str(private_home)})
        with pytest.raises(CredentialsError, match="profile 'dev'"):
            provider_of(connection)()
