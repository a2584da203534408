"""The seam to obstore: every error has a counterpart, and says operation, place, identity and remedy."""

import inspect

import pytest
from obstore import exceptions as upstream

from skyhold import errors
from skyhold.errors import SkyholdError, StorageError
from skyhold.storage.backends.translation import UPSTREAM, Context, translate

_CONTEXT = Context(verb="read", uri="s3://b/k", container="s3://b", identity="profile 'dev'", region="eu-west-1")


def test_every_error_of_obstore_is_mapped():
    theirs = {
        kind
        for _, kind in inspect.getmembers(upstream, inspect.isclass)
        if issubclass(kind, Exception) and kind.__name__ != "NotFoundError"  # it raises FileNotFoundError instead
    }
    assert theirs - set(UPSTREAM) == set()


def _answer(status: int, code: str = "") -> str:
    body = f"<Error><Code>{code}</Code><Message>words</Message></Error>" if code else ""
    return f"Generic S3 error: Error performing GET http://h/b/k in 1ms - status code: {status} Some: {body}"


@pytest.mark.parametrize(
    ("text", "verb", "expected", "twin"),
    [
        (_answer(404, "NoSuchKey"), "read", errors.KeyNotFoundError, FileNotFoundError),
        (_answer(404, "NoSuchBucket"), "read", errors.BucketNotFoundError, FileNotFoundError),
        (_answer(404, "ContainerNotFound"), "read", errors.BucketNotFoundError, FileNotFoundError),
        (_answer(403, "AccessDenied"), "write", errors.AccessDeniedError, PermissionError),
        (_answer(403, "AccessDenied"), "read", errors.NotFoundOrDeniedError, FileNotFoundError),
        (_answer(403), "info", errors.NotFoundOrDeniedError, PermissionError),
        (_answer(403, "InvalidAccessKeyId"), "read", errors.BadCredentialsError, PermissionError),
        (_answer(400, "ExpiredToken"), "read", errors.BadCredentialsError, PermissionError),
        (_answer(403, "InvalidObjectState"), "read", errors.ArchivedError, OSError),
        (_answer(301, "PermanentRedirect"), "read", errors.WrongRegionError, ValueError),
        (_answer(400, "AuthorizationHeaderMalformed"), "read", errors.WrongRegionError, ValueError),
        (_answer(412, "PreconditionFailed"), "read", errors.PreconditionFailedError, BlockingIOError),
        (_answer(409, "ConditionalRequestConflict"), "write", errors.ServerFaultError, ConnectionError),
        (_answer(416, "InvalidRange"), "read", errors.InvalidRangeError, ValueError),
        (_answer(503, "SlowDown"), "read", errors.ThrottledError, ConnectionError),
        (_answer(429), "read", errors.ThrottledError, ConnectionError),
        (_answer(500, "InternalError"), "read", errors.ServerFaultError, ConnectionError),
        ("HTTP error: error sending request", "read", errors.UnreachableError, ConnectionRefusedError),
        ("HTTP error: operation timed out", "read", errors.StoreTimeoutError, TimeoutError),
        ("HTTP error: error decoding response body", "read", errors.BrokenBodyError, ConnectionResetError),
        ("HTTP error: request or response body error", "read", errors.BrokenBodyError, ConnectionResetError),
    ],
)
def test_what_the_server_says_becomes_a_class_of_its_own(
    text: str, verb: str, expected: type[SkyholdError], twin: type[Exception]
):
    context = Context(verb, "s3://b/k", "s3://b", "profile 'dev'", "eu-west-1", "https://h")
    found = translate(upstream.GenericError(text), context)
    assert type(found) is expected
    assert isinstance(found, twin)
    assert isinstance(found, StorageError)
    for part in (verb, "s3://b/k", "profile 'dev'"):
        assert part in str(found)


@pytest.mark.parametrize(
    "kind",
    [
        errors.KeyNotFoundError,
        errors.BucketNotFoundError,
        errors.NotFoundOrDeniedError,
        errors.BadCredentialsError,
        errors.ArchivedError,
        errors.UnreachableError,
        errors.StoreTimeoutError,
        errors.ThrottledError,
        errors.WrongRegionError,
    ],
)
def test_every_cause_has_a_remedy(kind: type[SkyholdError]):
    from skyhold.storage.backends.translation import _remedy  # noqa: PLC0415

    assert _remedy(kind, _CONTEXT)


def test_a_missing_and_a_forbidden_key_look_the_same_without_the_right_to_list():
    found = translate(upstream.PermissionDeniedError(_answer(403, "AccessDenied")), _CONTEXT)
    assert "missing, or not allowed to see" in str(found)


def test_what_is_not_obstores_is_not_touched():
    assert translate(KeyboardInterrupt(), _CONTEXT) is None
    assert translate(KeyError("x"), _CONTEXT) is None
    assert translate(OSError(28, "No space left on device"), _CONTEXT) is None
    assert translate(errors.CredentialsError("none"), _CONTEXT) is None


def test_what_a_writer_of_obstore_raises_is_bare_and_told_by_its_text():
    text = _answer(403, "AccessDenied").replace("status code", "Server returned non-2xx status code")
    assert type(translate(OSError(text), _CONTEXT)) is errors.NotFoundOrDeniedError
    assert type(translate(OSError("Writer already closed."), _CONTEXT)) is StorageError
