"""Credentials in a URI are refused before they are told to anybody."""

import pytest

from skyhold.errors import BadUriError
from skyhold.storage.location import parse_location


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:not-for-you@bucket/key",
        "s3://AKIA:not-for/you@bucket/key",
        "gs://me:not-for-you@bucket",
        "s3://bucket?secret=not-for-you",
        "az://container?sig=not-for-you",
        "az://container@account?sig=not-for-you",
    ],
)
def test_a_uri_that_carries_credentials_is_refused_without_repeating_them(uri: str):
    with pytest.raises(BadUriError, match="credentials or a query") as caught:
        parse_location(uri)
    assert "not-for" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(
    "uri",
    ["s3://bucket/key?with@all:of it", "s3://arn:aws:s3:eu-west-1:1:accesspoint/mine", "az://container@account/a?b"],
)
def test_keys_may_have_any_character_and_access_points_are_buckets(uri: str):
    assert parse_location(uri).container
