"""Links to blobs: as Azure's own library signs them, and as Azurite takes them."""

import base64
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from azure.storage.blob import BlobSasPermissions, ContainerSasPermissions, generate_blob_sas, generate_container_sas

from conftest import AZURITE_KEY, make_container
from skyhold.errors import UnsupportedError
from skyhold.storage.backends.azure_links import sign_blob
from skyhold.storage.opening import open_store
from skyhold.testing.contract import ODD_KEYS
from skyhold.testing.servers import LocalServer

KEYS = [key for key in ODD_KEYS if "\\" not in key]  # Azure takes '\' for '/', so such keys are refused
ACCOUNT = "devstoreaccount1"
ENDS = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)


def fetch(link: str) -> bytes:
    with urllib.request.urlopen(link) as answer:
        return answer.read()


def put(link: str, data: bytes) -> None:
    request = urllib.request.Request(link, data, {"x-ms-blob-type": "BlockBlob"}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


class TestSigning:
    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_a_signature_is_the_one_of_azures_own_library(self, key: str):
        secret = base64.b64encode(b"a secret").decode()
        theirs = generate_blob_sas(
            "acc", "box", key, account_key=secret, permission=BlobSasPermissions(read=True), expiry=ENDS,
            protocol="https", content_disposition="attachment; filename=ü.csv", start=ENDS - timedelta(days=1),
        )  # fmt: skip
        expected = dict(parse_qsl(theirs))
        fields = {name: text for name, text in expected.items() if name not in {"sig", "sr"}}
        assert dict(parse_qsl(sign_blob(f"/blob/acc/box/{key}", fields, secret))) == expected


@pytest.mark.azurite
class TestAccountKey:
    @pytest.mark.parametrize("key", KEYS)
    def test_a_link_opens_an_object_of_any_name(self, azurite: LocalServer, key: str):
        store = open_store(f"az://{make_container(azurite)}", **azurite.options)
        put(store.presign(key, method="PUT"), b"from outside")
        assert store.read(key) == b"from outside"
        assert fetch(store.presign(key)) == b"from outside"

    def test_a_link_opens_by_one_method_for_a_while(self, azurite: LocalServer):
        store = open_store(f"az://{make_container(azurite)}/folder", **azurite.options)
        store.write("k", b"x")
        for link in (store.presign("k", method="PUT"), store.presign("k", expires_s=-10)):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                fetch(link)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            put(store.presign("k"), b"y")
        assert store.read("k") == b"x"

    def test_a_connection_string_signs_too(self, azurite: LocalServer):
        container = make_container(azurite)
        text = f"AccountName={ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={azurite.endpoint}"
        store = open_store(f"az://{container}", connection_string=text)
        store.write("a b", b"x")
        assert fetch(store.presign("a b")) == b"x"


@pytest.mark.azurite
class TestOtherIdentities:
    def signed(self, azurite: LocalServer, container: str, key: str, **rights: bool) -> Any:
        signature = generate_blob_sas(
            ACCOUNT, container, key, account_key=AZURITE_KEY, permission=BlobSasPermissions(**rights), expiry=ENDS
        )
        options = {"account_name": ACCOUNT, "endpoint": azurite.endpoint, "sas_token": signature}
        return open_store(f"az://{container}", **options)

    @pytest.mark.parametrize("key", ["a b", "per%cent"])
    def test_a_signature_for_one_object_is_its_link(self, azurite: LocalServer, key: str):
        container = make_container(azurite)
        put(self.signed(azurite, container, key, write=True, create=True).presign(key, method="PUT"), b"x")
        assert fetch(self.signed(azurite, container, key, read=True).presign(key)) == b"x"

    def test_a_signature_that_grants_something_else_makes_no_link(self, azurite: LocalServer):
        container = make_container(azurite)
        with pytest.raises(UnsupportedError, match="does not grant PUT"):
            self.signed(azurite, container, "k", read=True).presign("k", method="PUT")
        with pytest.raises(UnsupportedError, match="more than this object") as caught:
            self.signed(azurite, container, "k", read=True, delete=True).presign("k")
        assert "account_key=" in caught.value.remedy

    def test_a_signature_for_a_container_is_not_given_away_with_a_link_to_one_object(self, azurite: LocalServer):
        container = make_container(azurite)
        signature = generate_container_sas(
            ACCOUNT, container, account_key=AZURITE_KEY, permission=ContainerSasPermissions(read=True), expiry=ENDS
        )
        options = {"account_name": ACCOUNT, "endpoint": azurite.endpoint, "sas_token": signature}
        with pytest.raises(UnsupportedError, match="more than this object") as caught:
            open_store(f"az://{container}", **options).presign("k")
        assert "sig=" not in str(caught.value)

    def test_nobody_in_particular_signs_nothing(self, azurite: LocalServer):
        store = open_store("az://box", account_name=ACCOUNT, endpoint=azurite.endpoint, anonymous=True)
        with pytest.raises(UnsupportedError, match="nobody in particular"):
            store.presign("k")

    def test_a_token_says_which_names_it_cannot_sign(self):
        store = open_store("az://box@acc", token="a-token")
        with pytest.raises(UnsupportedError, match="a token signs no link"):
            store.presign("a b")
