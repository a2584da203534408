"""What only Google's service does: generations, one deletion a request, identities; on a fake of its documented API."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from gcs_server import Bucket, GcsServer, serving_gcs
from google_account import ServiceAccount
from skyhold import errors
from skyhold.storage.checkup import check_store
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.contract import ODD_KEYS
from unit.credentials_server import recording

_PART = 5 * 2**20


def upload(store: Store, size_bytes: int = _PART + 1) -> None:
    with store.open_writer("k") as writer:
        writer.write(bytes(size_bytes))


_VERBS: dict[str, Callable[[Store], Any]] = {
    "read": lambda store: store.read("k"),
    "info": lambda store: store.info("k"),
    "write": lambda store: store.write("k", b"x"),
    "create": lambda store: store.write("k", b"x", if_absent=True),
    "match": lambda store: store.write("k", b"x", if_match='"seen"'),
    "upload": upload,
    "list": lambda store: list(store.list()),
    "folder": lambda store: store.list_folder(),
    "delete": lambda store: store.delete("k"),
    "copy": lambda store: store.copy("k", "l"),
}


@pytest.fixture
def server() -> Generator[GcsServer]:
    with serving_gcs() as running:
        yield running


@pytest.fixture
def name(server: GcsServer) -> str:
    return server.make_bucket()


@pytest.fixture
def bucket(server: GcsServer, name: str) -> Bucket:
    return server.buckets[name]


@pytest.fixture
def store(server: GcsServer, name: str) -> Store:
    return open_store(f"gs://{name}", endpoint=server.url, anonymous=True, part_bytes=_PART)


class TestConditions:
    def test_create_only_asks_for_generation_0_and_if_match_for_the_one_that_was_seen(
        self, server: GcsServer, bucket: Bucket, store: Store
    ):
        first = store.write("k", b"1", if_absent=True)
        assert server.requests[-1].headers["x-goog-if-generation-match"] == "0"
        seen = bucket.objects["k"].generation
        store.write("k", b"2", if_match=first.e_tag)
        assert server.requests[-1].headers["x-goog-if-generation-match"] == str(seen)
        store.write("k", b"3")
        assert "x-goog-if-generation-match" not in server.requests[-1].headers

    def test_a_write_between_the_look_and_the_write_is_a_conflict(
        self, server: GcsServer, bucket: Bucket, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        first = store.write("k", b"1")
        answer = server.answer

        def overtake(request: Any) -> Any:
            answered = answer(request)
            if request.method == "HEAD" and bucket.objects["k"].data == b"1":
                server._store(bucket, "k", b"theirs", '"theirs"', {})
            return answered

        monkeypatch.setattr(server, "answer", overtake)
        with pytest.raises(errors.PreconditionFailedError):
            store.write("k", b"mine", if_match=first.e_tag)
        assert bucket.objects["k"].data == b"theirs"

    @pytest.mark.parametrize("faults", [("lost",), ("lost", "lost"), ("SlowDown", "lost", "InternalError")])
    def test_a_create_only_write_whose_answer_was_lost_has_won(
        self, server: GcsServer, store: Store, faults: tuple[str, ...]
    ):
        server.faults[:] = faults
        written = store.write("k", b"mine", if_absent=True, attributes=Attributes({"who": "me"}))
        found = store.info("k")
        assert (store.read("k"), found.e_tag) == (b"mine", written.e_tag)
        assert found.attributes is not None
        assert dict(found.attributes.metadata) == {"who": "me"}

    def test_an_if_match_write_whose_answer_was_lost_has_won(self, server: GcsServer, bucket: Bucket, store: Store):
        first = store.write("k", b"1")
        server.faults[:] = ["ok", "lost"]  # the look, the write
        store.write("k", b"2", if_match=first.e_tag)
        assert bucket.objects["k"].data == b"2"

    def test_a_real_conflict_stays_one_when_the_service_stumbles(self, server: GcsServer, store: Store):
        store.write("k", b"theirs", if_absent=True)
        server.faults[:] = ["ServiceUnavailable"]
        with pytest.raises(errors.AlreadyExistsError):
            store.write("k", b"mine", if_absent=True)
        server.faults[:] = ["InternalError"]
        with pytest.raises(errors.PreconditionFailedError):
            store.write("k", b"mine", if_match='"other"')
        assert store.read("k") == b"theirs"


class TestUploads:
    @pytest.mark.parametrize("lost", [0, 1, 2, 3], ids=["beginning", "part", "other part", "end"])
    def test_an_upload_of_which_one_answer_was_lost_is_whole(
        self, server: GcsServer, bucket: Bucket, store: Store, lost: int
    ):
        server.faults[:] = ["ok"] * lost + ["lost"]
        with store.open_writer("k", attributes=Attributes({"who": "me"}, "text/plain")) as writer:
            writer.write(bytes(_PART + 1))
        assert len(bucket.objects["k"].data) == _PART + 1
        assert writer.info is not None
        assert writer.info.attributes == Attributes({"who": "me"}, "text/plain")
        assert len(bucket.uploads) == (1 if lost == 0 else 0), "nobody knows the name of one that was begun unanswered"

    @pytest.mark.parametrize("refused", [1, 2, 3], ids=["part", "other part", "end"])
    def test_an_upload_that_is_refused_says_why_and_leaves_what_was_there(
        self, server: GcsServer, bucket: Bucket, store: Store, refused: int
    ):
        store.write("k", b"previous")
        server.faults[:] = ["ok"] * refused + ["AccessDenied"]
        with pytest.raises(errors.AccessDeniedError, match="AccessDenied"):
            upload(store)
        assert bucket.objects["k"].data == b"previous"
        assert not bucket.uploads

    def test_an_upload_that_somebody_aborted_is_no_missing_bucket(self, bucket: Bucket, store: Store):
        with pytest.raises(errors.StorageError, match="NoSuchUpload") as caught, store.open_writer("k") as writer:
            writer.write(bytes(_PART + 1))
            while not bucket.uploads:
                pass
            bucket.uploads.clear()
        assert type(caught.value) is errors.StorageError
        assert "k" not in bucket.objects


class TestErrors:
    @pytest.mark.parametrize("verb", _VERBS)
    def test_a_missing_bucket_is_told_from_a_missing_object(self, server: GcsServer, verb: str):
        store = open_store("gs://missing", endpoint=server.url, anonymous=True, part_bytes=_PART)
        with pytest.raises(errors.BucketNotFoundError, match="gs://missing") as caught:
            _VERBS[verb](store)
        assert "gcloud storage buckets create 'gs://missing'" in caught.value.remedy

    @pytest.mark.parametrize("verb", ["read", "info", "copy"])
    def test_a_missing_object_is_told_from_a_missing_bucket(self, store: Store, verb: str):
        with pytest.raises(errors.KeyNotFoundError, match="no such object"):
            _VERBS[verb](store)

    @pytest.mark.parametrize("verb", _VERBS)
    def test_an_unknown_identity_is_a_matter_of_credentials(self, server: GcsServer, name: str, verb: str):
        server.public = False
        store = open_store(f"gs://{name}", endpoint=server.url, bearer_token="expired", part_bytes=_PART)
        with pytest.raises(errors.BadCredentialsError, match="option 'bearer_token'") as caught:
            _VERBS[verb](store)
        assert "expired" not in str(caught.value)

    @pytest.mark.parametrize("verb", _VERBS)
    def test_a_right_that_is_missing_is_denied(self, server: GcsServer, store: Store, verb: str):
        server.forbidden = {"GET", "HEAD", "PUT", "POST", "DELETE"}
        with pytest.raises(errors.StorageError) as caught:
            _VERBS[verb](store)
        told = type(caught.value)
        assert told is (errors.NotFoundOrDeniedError if verb in {"read", "info", "copy"} else errors.AccessDeniedError)
        assert "s3" not in caught.value.remedy

    @pytest.mark.parametrize("fault", ["SlowDown", "ServiceUnavailable", "InternalError", "lost"])
    @pytest.mark.parametrize("verb", ["read", "info", "write", "list", "folder", "delete", "copy"])
    def test_a_service_that_stumbles_is_asked_again(self, server: GcsServer, store: Store, verb: str, fault: str):
        store.write("k", b"x")
        server.faults[:] = [fault]
        _VERBS[verb](store)
        assert not server.faults

    @pytest.mark.parametrize(
        ("fault", "kind"), [("SlowDown", errors.ThrottledError), ("InternalError", errors.ServerFaultError)]
    )
    def test_patience_ends(self, server: GcsServer, name: str, fault: str, kind: type[Exception]):
        store = open_store(f"gs://{name}", endpoint=server.url, anonymous=True, retries=1)
        server.faults[:] = [fault] * 2
        with pytest.raises(kind):
            store.read("k")


class TestMany:
    def test_each_deletion_is_a_request_and_a_refused_one_stops_no_other(
        self, server: GcsServer, bucket: Bucket, store: Store
    ):
        keys = [f"k/{number}" for number in range(20)]
        for key in keys:
            store.write(key, b"")
        before = len(server.requests)
        server.faults[:] = ["ok"] * 7 + ["AccessDenied"]
        with pytest.raises(errors.TransferError, match="1 of 20") as caught:
            store.delete(keys)
        assert len(server.requests) - before == 20
        assert list(caught.value.failures) == list(bucket.objects)
        assert [type(error) for error in caught.value.failures.values()] == [errors.AccessDeniedError]

    def test_a_listing_goes_over_pages_and_on_where_it_broke_off(
        self, server: GcsServer, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(server, "page", 3)
        keys = [f"a/{number:02}" for number in range(10)] + [f"b{number}/x" for number in range(5)]
        for key in keys:
            store.write(key, b"x")
        server.faults[:] = ["ok", "ServiceUnavailable"]
        assert [info.key for info in store.list()] == keys
        assert [info.key for info in store.list("a/", start_after="a/06")] == ["a/07", "a/08", "a/09"]
        assert list(store.list_folder().prefixes) == ["a/", "b0/", "b1/", "b2/", "b3/", "b4/"]
        assert [info.key for info in store.list_folder("a/").objects] == keys[:10]

    def test_the_placeholders_of_the_console_are_no_objects(self, server: GcsServer, bucket: Bucket, store: Store):
        server._store(bucket, "folder/", b"", '"e"', {})
        store.write("folder/empty", b"")
        assert [info.key for info in store.list()] == ["folder/empty"]

    def test_requests_and_bytes_are_those_that_the_server_saw(self, server: GcsServer, store: Store):
        metered = MeteredStore(store)
        keys = [f"k/{number:02}" for number in range(30)]
        written = [metered.write(key, b"12") for key in keys]
        metered.write(keys[0], b"34", if_match=written[0].e_tag)
        upload(metered, 2 * _PART + 1)
        assert len(metered.read("k")) == 2 * _PART + 1
        assert len(list(metered.list())) == 31
        metered.copy("k", "copy")
        metered.delete(keys)
        seen = {"read": 0, "write": 0, "list": 0, "delete": 0}
        for request in server.requests:
            kind = {"GET": "read" if request.key else "list", "HEAD": "read", "DELETE": "delete"}
            seen[kind.get(request.method, "write")] += 1
        assert metered.meter.usage.requests == seen
        assert metered.meter.usage.bytes_out == 31 * 2 + 2 * _PART + 1


class TestIdentities:
    @pytest.fixture
    def key_file(self, google_account: ServiceAccount, server: GcsServer, tmp_path: Path) -> str:
        google_account.guard(server)
        return str(google_account.key_file(tmp_path, server))

    def test_another_key_is_refused(self, server: GcsServer, name: str, key_file: str):
        ServiceAccount().guard(server)
        with pytest.raises(errors.BadCredentialsError, match=r"key\.json"):
            open_store(f"gs://{name}", credentials_file=key_file).write("k", b"x")

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_a_presigned_link_opens_one_object_to_whoever_has_it(
        self, server: GcsServer, name: str, key_file: str, key: str
    ):
        store = open_store(f"gs://{name}", credentials_file=key_file)
        link = store.presign(key, method="PUT")
        with urllib.request.urlopen(urllib.request.Request(link, b"from outside", method="PUT")) as answer:
            assert answer.status == 200
        assert store.read(key) == b"from outside"
        with urllib.request.urlopen(store.presign(key, expires_s=60)) as answer:
            assert answer.read() == b"from outside"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(link)  # it was signed for PUT

    def test_who_has_no_key_cannot_presign_and_is_told_how(self, store: Store):
        with pytest.raises(errors.UnsupportedError, match="private key") as caught:
            store.presign("k")
        assert "credentials_file=" in caught.value.remedy

    def test_a_user_of_gcloud_is_asked_for_a_token_of_the_token_endpoint(
        self, server: GcsServer, name: str, private_home: Path
    ):
        server.public = False
        server.knows_bearer = lambda token: token == "a-token"
        folder = private_home / ".config" / "gcloud"
        folder.mkdir(parents=True)
        with recording({"/token": (200, json.dumps({"access_token": "a-token", "expires_in": 3600}))}) as tokens:
            content = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
            content["token_uri"] = f"{tokens.url}/token"
            (folder / "application_default_credentials.json").write_text(json.dumps(content))
            store = open_store(f"gs://{name}", endpoint=server.url)
            store.write("k", b"x")
            assert store.read("k") == b"x"
            assert [request.form["refresh_token"] for request in tokens.requests] == ["r"]

    @pytest.mark.parametrize("scheme", ["gs", "gcs"])
    @pytest.mark.parametrize("host", ["http://{}", "{}", "http://{}/"])
    def test_the_emulator_of_the_environment_is_asked_by_nobody_in_particular(
        self, server: GcsServer, name: str, scheme: str, host: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", host.format(server.url.removeprefix("http://")))
        store = open_store(f"{scheme}://{name}/folder")
        store.write("k", b"x")
        assert (store.uri, list(server.buckets[name].objects)) == (f"gs://{name}/folder", ["folder/k"])

    def test_the_checkup_finds_everything_in_order(self, store: Store):
        lines = {line.name: line.state for line in check_store(store)}
        assert set(lines.values()) == {"ok"}, lines

    def test_attributes_travel_as_headers_of_their_own(self, server: GcsServer, bucket: Bucket, store: Store):
        store.write("k", b"x", attributes=Attributes({"by": "me"}, "text/csv", "NEARLINE"))
        kept = bucket.objects["k"].headers
        assert (kept["x-goog-meta-by"], kept["content-type"], kept["x-goog-storage-class"]) == (
            "me",
            "text/csv",
            "NEARLINE",
        )
