"""Buckets are made and set up, on real servers; what others have set there stays."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from conftest import make_bucket, make_container
from skyhold.errors import AlreadyExistsError, BadOptionError, KeyNotFoundError, UnsupportedError
from skyhold.storage.bucket_care import BucketCare, LifecycleRule, open_bucket
from skyhold.storage.objects import Attributes
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer

_RULES = [
    LifecycleRule("skyhold-uploads", "abort-uploads", 7),
    LifecycleRule("skyhold-history", "move", 90, "models/.skyhold/blobs/", "STANDARD_IA"),
    LifecycleRule("skyhold-old", "move-old-versions", 45, "models/", "GLACIER_IR"),
    LifecycleRule("skyhold-older", "delete-old-versions", 900),
]


def _name() -> str:
    return f"bucket-{uuid4().hex[:12]}"


def _boto(server: LocalServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.options["access_key_id"],
        aws_secret_access_key=server.options["secret_access_key"],
        region_name="us-east-1",
    )


class TestS3:
    @pytest.fixture(params=["moto", "ministack"])
    def server(self, request: pytest.FixtureRequest) -> LocalServer:
        return request.getfixturevalue(request.param)

    @pytest.fixture
    def name(self, server: LocalServer) -> str:
        return make_bucket(server)

    @pytest.fixture
    def bucket(self, server: LocalServer, name: str) -> BucketCare:
        return open_bucket(f"s3://{name}/models", **server.options)

    def test_a_new_bucket_is_in_its_region_encrypted_and_closed(self, server: LocalServer):
        name = _name()
        open_bucket(f"s3://{name}", **{**server.options, "region": "eu-central-1"}).create(
            encryption="aws:kms", kms_key_id="our-key"
        )
        client = _boto(server)
        assert client.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-central-1"
        block = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}
        found = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert found["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "our-key"}

    def test_a_bucket_that_exists_is_left_as_it_is(self, server: LocalServer, name: str, bucket: BucketCare):
        with pytest.raises(AlreadyExistsError, match="the bucket exists"):
            bucket.create()
        client = _boto(server)
        with pytest.raises(client.exceptions.ClientError, match="NoSuchPublicAccessBlock"):
            client.get_public_access_block(Bucket=name)

    def test_everybody_reads_by_name_until_it_is_closed(self, server: LocalServer, name: str, bucket: BucketCare):
        client = _boto(server)
        other = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "s3:GetObject"}
        other["Resource"] = f"arn:aws:s3:::{name}/theirs/*"
        client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [other]}))
        for _ in range(2):  # the second time changes nothing
            bucket.set_public(public=True, prefix="models/")
        found = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
        assert [each["Sid"] for each in found] == ["Theirs", "SkyholdPublicRead"]
        assert found[1]["Resource"] == f"arn:aws:s3:::{name}/models/*"
        assert found[1]["Action"] == "s3:GetObject"
        assert not client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
        bucket.set_public(public=False)
        assert json.loads(client.get_bucket_policy(Bucket=name)["Policy"])["Statement"] == [other]
        block = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}

    def test_rules_are_shown_and_set_beside_those_of_others(self, server: LocalServer, name: str, bucket: BucketCare):
        theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
        client = _boto(server)
        client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [theirs]})
        assert bucket.lifecycle() == ([], ["theirs"])
        bucket.set_lifecycle(_RULES)
        assert bucket.lifecycle() == (_RULES, ["theirs"])
        bucket.set_lifecycle(_RULES[:1])
        assert bucket.lifecycle() == (_RULES[:1], ["theirs"])
        bucket.set_lifecycle([])
        assert client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == [theirs]
        client.delete_bucket_lifecycle(Bucket=name)
        assert bucket.lifecycle() == ([], [])

    def test_objects_move_to_another_class_with_their_metadata(
        self, server: LocalServer, name: str, bucket: BucketCare
    ):
        store = open_store(f"s3://{name}", **server.options)
        before = store.write("a b/c", b"123", attributes=Attributes({"sha256": "abc"}))
        assert bucket.set_class(["a b/c"], "STANDARD_IA") == 1
        assert _boto(server).head_object(Bucket=name, Key="a b/c")["StorageClass"] == "STANDARD_IA"
        after = store.info("a b/c")
        assert after.attributes
        assert (after.e_tag, after.attributes.metadata) == (before.e_tag, {"sha256": "abc"})
        with pytest.raises(KeyNotFoundError, match=re.escape(f"'s3://{name}/none'")):
            bucket.set_class(["none"], "STANDARD_IA")


def test_a_server_that_takes_everything_for_a_bucket_loses_none(rclone: LocalServer):
    """It makes a bucket of a PUT of any setting, and deletes the bucket on a DELETE of any setting."""
    name = _name()
    bucket = open_bucket(f"s3://{name}", **rclone.options)
    bucket.create()
    for work in (
        lambda: bucket.set_lifecycle([]),
        lambda: bucket.set_lifecycle(_RULES),
        lambda: bucket.check_lifecycle(_RULES),
        lambda: bucket.set_public(public=False),
        lambda: bucket.set_public(public=True),
        lambda: bucket.set_encryption("AES256"),
        bucket.lifecycle,
    ):
        with pytest.raises(UnsupportedError, match=re.escape(f"'s3://{name}'")):
            work()
    assert list(open_store(f"s3://{name}", **rclone.options).list()) == []


class TestAzure:
    def test_a_container_is_closed_until_it_is_opened(self, azurite: LocalServer):
        name = _name()
        bucket = open_bucket(f"az://{name}", **azurite.options)
        bucket.create()
        with pytest.raises(AlreadyExistsError):
            bucket.create()
        open_store(f"az://{name}", **azurite.options).write("a", b"1")
        link = f"{azurite.endpoint}/{name}/a"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(link)
        bucket.set_public(public=True)
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"1"
        bucket.set_public(public=False)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(link)
        caught.value.close()

    def test_who_was_let_in_by_name_stays(self, azurite: LocalServer):
        from azure.storage.blob import AccessPolicy, BlobServiceClient  # noqa: PLC0415 - the extra `azure`

        from conftest import AZURITE_KEY  # noqa: PLC0415

        name = make_container(azurite)
        container = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY).get_container_client(name)
        policy = AccessPolicy(permission="r", start="2026-01-01T00:00:00Z", expiry="2036-01-01T00:00:00Z")
        container.set_container_access_policy({"theirs": policy})
        open_bucket(f"az://{name}", **azurite.options).set_public(public=True)
        found = container.get_container_access_policy()
        assert [each.id for each in found["signed_identifiers"]] == ["theirs"]
        assert found["public_access"] == "blob"

    def test_blobs_move_to_another_tier_and_stay_the_same(self, azurite: LocalServer):
        name = make_container(azurite)
        store = open_store(f"az://{name}", **azurite.options)
        before = store.write("a", b"1")
        bucket = open_bucket(f"az://{name}", **azurite.options)
        assert bucket.set_class(["a"], "Cool") == 1
        assert store.info("a").e_tag == before.e_tag

    def test_rules_are_the_accounts_and_come_as_a_command(self, azurite: LocalServer):
        bucket = open_bucket(f"az://{make_container(azurite)}", **azurite.options)
        moves = [LifecycleRule("skyhold-history", "move", 90, ".skyhold/blobs/", "Cool")]
        with pytest.raises(UnsupportedError, match="set lifecycle rules"):
            bucket.check_lifecycle(moves)  # a dry run does not promise what cannot be done
        with pytest.raises(UnsupportedError, match="set lifecycle rules") as caught:
            bucket.set_lifecycle(moves)
        show = "az storage account management-policy show --account-name devstoreaccount1 --resource-group GROUP"
        assert f"in the place of all: add to them what this prints: {show}." in caught.value.remedy
        policy = json.loads(caught.value.remedy.partition("--policy ")[2].strip("'"))
        rule = policy["rules"][0]["definition"]
        assert rule["actions"] == {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 90}}}
        assert rule["filters"]["prefixMatch"] == [f"{bucket.location.container}/.skyhold/blobs/"]
        with pytest.raises(UnsupportedError, match="read lifecycle rules") as caught:
            bucket.lifecycle()
        assert caught.value.remedy == f"Run: {show}"


def test_a_folder_is_made_and_has_nothing_else(tmp_path: Path):
    bucket = open_bucket(f"mock://{tmp_path}/models", latency_ms=1)
    bucket.create(encryption="AES256", public=True)
    assert (tmp_path / "models").is_dir()
    with pytest.raises(AlreadyExistsError):
        bucket.create()
    with pytest.raises(UnsupportedError, match="set storage class"):
        bucket.set_class(["a"], "Cool")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("history", "move", 90, "", "STANDARD_IA"), "'skyhold-'"),
        (("skyhold-a", "delete", 90), "no action 'delete'"),
        (("skyhold-a", "move", 90), "a storage class goes with"),
        (("skyhold-a", "abort-uploads", 90, "", "STANDARD_IA"), "a storage class goes with"),
        (("skyhold-a", "move", 29, "", "STANDARD_IA"), "the least are 30"),
        (("skyhold-a", "abort-uploads", 0), "the least are 1"),
    ],
)
def test_a_rule_that_no_service_would_take_is_refused(arguments: tuple[Any, ...], message: str):
    with pytest.raises(BadOptionError, match=message):
        LifecycleRule(*arguments)
