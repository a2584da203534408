"""What it costs of a service to list ranges of keys side by side."""

from uuid import uuid4

import boto3
import pytest

from conftest import make_bucket
from skyhold.errors import BucketNotFoundError
from skyhold.storage.opening import open_store
from skyhold.storage.ranges import KeyRange, divide, list_ranges
from skyhold.storage.wrappers.metered import Meter, MeteredStore
from skyhold.testing.servers import LocalServer


def test_ranges_that_end_where_pages_end_cost_no_request_more(rclone: LocalServer):
    bucket = make_bucket(rclone)
    names = [f"{number:04}" for number in range(2_500)]
    for name in names:
        (rclone.log.parent / "rclone-data" / bucket / name).touch()
    service = open_store(f"s3://{bucket}", **rclone.options)
    assert service.lists_from_anywhere
    meter = Meter()
    metered = MeteredStore(service, meter)
    assert [info.key for info in list_ranges(metered, "", divide(KeyRange(), ["0999", "1999"]))] == names
    assert meter.usage.requests["list"] == 3
    assert [info.key for info in list_ranges(metered, "", divide(KeyRange(), ["0500"]))] == names
    assert meter.usage.requests["list"] == 3 + 1 + 2


def test_an_object_whose_key_ends_in_a_slash_doubles_no_other(moto: LocalServer):
    bucket = make_bucket(moto)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}
    client = boto3.client("s3", endpoint_url=moto.endpoint, region_name="us-east-1", **keys)
    for key in ("b-x", "b/"):  # the second is listed as "b", behind what it comes before
        client.put_object(Bucket=bucket, Key=key, Body=b"full")
    store = open_store(f"s3://{bucket}", **moto.options)
    assert [info.key for info in store.list()] == ["b-x", "b"]
    assert sorted(info.key for info in list_ranges(store, "", divide(KeyRange(), ["b-m"]))) == ["b", "b-x"]


def test_what_keeps_a_range_from_being_listed_is_raised(moto: LocalServer):
    missing = open_store(f"s3://missing-{uuid4().hex}", **moto.options)
    with pytest.raises(BucketNotFoundError):
        list(list_ranges(missing, "", divide(KeyRange(), ["a", "b"])))


@pytest.mark.azurite
def test_azure_cannot_begin_in_the_middle(azurite: LocalServer):
    assert not open_store("az://container", **azurite.options).lists_from_anywhere
