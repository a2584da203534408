"""The seam: what obstore raises, turned into the errors of ours, from one table.

object_store folds many HTTP answers into few classes; the status and the server's own code stand in its text, which is
the only place where a missing bucket differs from a missing key, or an archived object from a denied one.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from obstore import exceptions as upstream

from skyhold.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ArchivedError,
    BadCredentialsError,
    BadOptionError,
    BrokenBodyError,
    BucketNotFoundError,
    InvalidKeyError,
    InvalidRangeError,
    KeyNotFoundError,
    NotFoundOrDeniedError,
    PreconditionFailedError,
    ServerFaultError,
    SkyholdError,
    StorageError,
    StoreTimeoutError,
    ThrottledError,
    UnreachableError,
    UnsupportedError,
    WrongRegionError,
)

__all__ = ["UPSTREAM", "Context", "translate"]

UPSTREAM: dict[type[Exception], type[SkyholdError]] = {
    FileNotFoundError: KeyNotFoundError,
    upstream.GenericError: StorageError,
    upstream.InvalidPathError: InvalidKeyError,
    upstream.JoinError: StorageError,
    upstream.NotSupportedError: UnsupportedError,
    upstream.AlreadyExistsError: AlreadyExistsError,
    upstream.PreconditionError: PreconditionFailedError,
    upstream.NotModifiedError: PreconditionFailedError,
    upstream.PermissionDeniedError: AccessDeniedError,
    upstream.UnauthenticatedError: BadCredentialsError,
    upstream.UnknownConfigurationKeyError: BadOptionError,
    upstream.BaseError: StorageError,
}
"""What each class means when neither status nor server code says more."""

_CODES: dict[str, type[StorageError]] = {
    "NoSuchBucket": BucketNotFoundError,
    "ContainerNotFound": BucketNotFoundError,
    "ContainerBeingDeleted": BucketNotFoundError,
    "NoSuchKey": KeyNotFoundError,
    "NoSuchUpload": StorageError,
    "BlobNotFound": KeyNotFoundError,
    "InvalidObjectState": ArchivedError,
    "BlobArchived": ArchivedError,
    "BlobBeingRehydrated": ArchivedError,
    "ObjectNotInActiveTierError": ArchivedError,
    "AccessDenied": AccessDeniedError,
    "AllAccessDisabled": AccessDeniedError,
    "AuthorizationFailure": AccessDeniedError,
    "AuthorizationPermissionMismatch": AccessDeniedError,
    "AuthenticationFailed": BadCredentialsError,
    "InvalidAccessKeyId": BadCredentialsError,
    "SignatureDoesNotMatch": BadCredentialsError,
    "ExpiredToken": BadCredentialsError,
    "InvalidToken": BadCredentialsError,
    "RequestTimeTooSkewed": BadCredentialsError,
    "PermanentRedirect": WrongRegionError,
    "AuthorizationHeaderMalformed": WrongRegionError,
    "IllegalLocationConstraintException": WrongRegionError,
    "SlowDown": ThrottledError,
    "ServerBusy": ThrottledError,
    "RequestLimitExceeded": ThrottledError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequests": ThrottledError,
    "RequestTimeout": StoreTimeoutError,
    "OperationTimedOut": StoreTimeoutError,
    "ConditionalRequestConflict": ServerFaultError,
    "OperationAborted": ServerFaultError,
    "InternalError": ServerFaultError,
    "PreconditionFailed": PreconditionFailedError,
    "ConditionNotMet": PreconditionFailedError,
    "BlobAlreadyExists": AlreadyExistsError,
    "InvalidRange": InvalidRangeError,
    "NotImplemented": UnsupportedError,
    "KeyTooLongError": InvalidKeyError,
    "BadDigest": BrokenBodyError,
}

_STATUS: dict[int, type[StorageError]] = {
    301: WrongRegionError,
    307: WrongRegionError,
    401: BadCredentialsError,
    403: AccessDeniedError,
    404: KeyNotFoundError,
    408: StoreTimeoutError,
    412: PreconditionFailedError,
    416: InvalidRangeError,
    429: ThrottledError,
    500: ServerFaultError,
    501: UnsupportedError,
    502: ServerFaultError,
    503: ThrottledError,
    504: StoreTimeoutError,
}

_TEXTS: tuple[tuple[str, type[SkyholdError]], ...] = (
    ("wanted range starting at", InvalidRangeError),
    ("operation timed out", StoreTimeoutError),
    ("error decoding response body", BrokenBodyError),
    ("request or response body error", BrokenBodyError),
    ("end of file before message length reached", BrokenBodyError),
    ("incompletemessage", BrokenBodyError),
    ("connection closed before message completed", BrokenBodyError),
    ("connection reset", BrokenBodyError),
    ("broken pipe", BrokenBodyError),
    ("timedout", StoreTimeoutError),
    ("error sending request", UnreachableError),
    ("requestkind: connect", UnreachableError),
    ("error performing token request", BadCredentialsError),
    ("without a region", WrongRegionError),
    ("redirect without location", WrongRegionError),  # AWS answers 301 with the region in a header that is not kept
)


_UNKNOWN_CLASS = re.compile(r"<Code>InvalidStorageClass<|<HeaderName>x-ms-access-tier<", re.IGNORECASE)
_FOREIGN_KEY = re.compile(r'Path "(.*?)"(?:: Encountered| contained)', re.DOTALL)


class _Answer(NamedTuple):
    status: int | None
    code: str
    message: str
    region: str


@dataclass(frozen=True, slots=True)
class Context:
    """What an error says of the operation.

    Attributes:
        verb: The storage verb.
        uri: The object or prefix.
        container: Bucket or container name, with its scheme, for remedies.
        identity: Where the credentials came from.
        region: The region in use, for remedies.
        endpoint: What was called, for remedies.
        if_absent: The write was create-only.
        if_match: The write was conditional on an e-tag.
    """

    verb: str
    uri: str
    container: str
    identity: str
    region: str = ""
    endpoint: str = ""
    if_absent: bool = False
    if_match: bool = False


def translate(error: BaseException, context: Context) -> SkyholdError | None:
    """Return our error for one of obstore's, or None for what is not obstore's."""
    known = next((ours for theirs, ours in UPSTREAM.items() if isinstance(error, theirs)), None)
    panicked = type(error).__name__ == "PanicException"
    by_writer = isinstance(error, OSError) and not isinstance(error, SkyholdError) and error.errno is None
    if known is None and not panicked and not by_writer and type(error) is not ValueError:
        return None
    text = str(error)
    answer = _answer(text)
    # Its writers raise bare built-in errors, whatever happened: only the text tells.
    kind: type[SkyholdError] = known or (StorageError if panicked or by_writer else BadOptionError)
    foreign = _FOREIGN_KEY.search(text) if kind is InvalidKeyError and context.verb == "list" else None
    if foreign is not None:
        return _foreign_key(foreign.group(1), context)
    if _UNKNOWN_CLASS.search(text):
        return _unknown_class(answer, context)
    kind = _classify(kind, answer, text, context)
    found = _found(kind, answer, text)
    remedy = _remedy(kind, context, answer.region)
    if issubclass(kind, StorageError):
        return kind(found, operation=context.verb, uri=context.uri, identity=context.identity, remedy=remedy)
    return kind(f"{context.verb} {context.uri!r}: {found}", remedy=remedy)


def _foreign_key(key: str, context: Context) -> InvalidKeyError:
    return InvalidKeyError(
        f"another program wrote the key {key!r}, which cannot be named here, so the listing is not complete",
        operation=context.verb,
        uri=context.uri,
        identity=context.identity,
        remedy="Rename or delete that object with the program that wrote it, or list a folder that leaves it out",
    )


def _unknown_class(answer: _Answer, context: Context) -> UnsupportedError:
    return UnsupportedError(
        f"the store has no such storage class ({_said(answer)})",
        operation=context.verb,
        uri=context.uri,
        identity=context.identity,
        remedy="Use a class of this store, such as 'STANDARD_IA' on S3, 'Cool' on Azure, 'NEARLINE' on Google",
    )


def _classify(kind: type[SkyholdError], answer: _Answer, text: str, context: Context) -> type[SkyholdError]:
    lowered = text.lower()
    if answer.code in _CODES:
        kind = _CODES[answer.code]
    elif answer.status is not None:
        kind = _STATUS.get(answer.status, kind)
    else:
        kind = next((ours for fragment, ours in _TEXTS if fragment in lowered), kind)
    if kind is PreconditionFailedError and context.if_absent:
        return AlreadyExistsError
    if kind is AccessDeniedError and answer.status == 403 and context.verb in {"info", "read", "copy"}:  # noqa: PLR2004
        return NotFoundOrDeniedError
    if kind is KeyNotFoundError and context.verb == "write" and context.if_match:
        return PreconditionFailedError  # the object that was to be replaced is gone
    if kind is KeyNotFoundError and context.verb in {"list", "write"}:
        return BucketNotFoundError
    return kind


def _answer(text: str) -> _Answer:
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>([^<]*)</Code>", text) or re.search(r'"(?:code|reason)":\s*"(\w+)"', text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    region = re.search(r"<Region>([\w-]+)</Region>", text)
    return _Answer(
        int(status.group(1)) if status else None,
        code.group(1) if code else "",
        message.group(1).strip().partition("\n")[0] if message else "",
        region.group(1) if region else "",
    )


def _found(kind: type[SkyholdError], answer: _Answer, text: str) -> str:
    server = _said(answer)
    words = _WORDS.get(kind, "")
    if words and server:
        return f"{words} ({server})"
    first_line = text.partition("\n")[0]
    tail = first_line.rpartition(" - ")[2] if "Error performing" in first_line else first_line
    return words or (f"the store answered {server}" if server else tail[:300])


def _said(answer: _Answer) -> str:
    return ", ".join(part for part in (str(answer.status or ""), answer.code, answer.message) if part)


_WORDS: dict[type[SkyholdError], str] = {
    KeyNotFoundError: "no such object",
    BucketNotFoundError: "no such bucket",
    NotFoundOrDeniedError: "missing, or not allowed to see",
    AccessDeniedError: "access denied",
    BadCredentialsError: "the store does not accept these credentials",
    ArchivedError: "the object is archived and must be restored first",
    AlreadyExistsError: "the object exists",
    PreconditionFailedError: "the object is another version, or gone",
    ThrottledError: "the store asks to slow down, and kept asking",
    WrongRegionError: "the bucket is in another region",
    UnreachableError: "no connection to the endpoint",
    StoreTimeoutError: "the store took too long",
    BrokenBodyError: "the answer broke off",
    InvalidRangeError: "the range lies outside the object",
}


_LIST_RIGHT = {"s3": "s3:ListBucket", "gs": "storage.objects.list"}


def _remedy(kind: type[SkyholdError], context: Context, bucket_region: str = "") -> str:
    at = f" --region {context.region}" if context.region else ""
    endpoint = context.endpoint or "the endpoint"
    scheme = context.container.partition("://")[0]
    make = (
        f"gcloud storage buckets create '{context.container}'"
        if scheme == "gs"
        else f"skyhold mb '{context.container}'{at}"
    )
    remedies: dict[type[SkyholdError], str] = {
        KeyNotFoundError: f"See what is there: skyhold ls '{context.uri.rpartition('/')[0]}/'",
        BucketNotFoundError: f"Check the name and the region, or create it: {make}",
        NotFoundOrDeniedError: f"Check the key; granting {_LIST_RIGHT.get(scheme, 'the right to list')} lets the store "
        f"tell which: skyhold check '{context.container}'",
        AccessDeniedError: f"Grant the identity this right; see what it may do: skyhold check '{context.container}'",
        BadCredentialsError: f"Correct or renew the credentials, then run: skyhold check '{context.container}'",
        ArchivedError: f"Restore it, wait, then try again: {_restore_command(context)}",
        AlreadyExistsError: "Choose another key, or delete the object first",
        PreconditionFailedError: "Read the object again, then decide",
        ThrottledError: "Use fewer requests at once (option concurrency=) or more patience (retry_timeout_s=)",
        WrongRegionError: _region_remedy(context, bucket_region),
        UnreachableError: f"Check that {endpoint} is right and answers: curl -sI {endpoint}",
        StoreTimeoutError: f"Check the network to {endpoint} and the region, or raise timeout_s=",
    }
    return remedies.get(kind, "")


def _restore_command(context: Context) -> str:
    container = context.container.partition("://")[2]
    key = context.uri.removeprefix(context.container).lstrip("/")
    if context.container.startswith("az://"):
        return f"az storage blob set-tier --container-name '{container}' --name '{key}' --tier Hot"
    return f"aws s3api restore-object --bucket '{container}' --key '{key}' --restore-request Days=7"


def _region_remedy(context: Context, bucket_region: str) -> str:
    if bucket_region:
        return f"Set the bucket's region: export AWS_REGION={bucket_region} (now {context.region!r})"
    bucket = context.container.partition("://")[2]
    return (
        f"See the bucket's region: curl -sI https://s3.amazonaws.com/{bucket} | grep -i bucket-region; "
        f"then set it as AWS_REGION (now {context.region!r})"
    )
