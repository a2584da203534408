"""Every error that skyhold raises on purpose, as one tree.

Grouped by what a handler would do::

    SkyholdError
    ├── ConfigError (ValueError)                 change the configuration
    │   ├── BadOptionError
    │   ├── BadUriError
    │   ├── CredentialsError
    │   └── MissingExtraError (ImportError)
    ├── StorageError (OSError)
    │   ├── NotFoundError (FileNotFoundError)    create it, or correct the name
    │   │   ├── KeyNotFoundError
    │   │   ├── BucketNotFoundError
    │   │   └── NotFoundOrDeniedError (PermissionError)
    │   ├── AccessError (PermissionError)        correct the rights or the identity
    │   │   ├── AccessDeniedError
    │   │   ├── BadCredentialsError
    │   │   └── ReadOnlyError
    │   ├── ConflictError                        read again, then decide
    │   │   ├── AlreadyExistsError (FileExistsError)
    │   │   ├── PreconditionFailedError (BlockingIOError)
    │   │   └── DeleteGuardError
    │   ├── NetworkError (ConnectionError)       try again later
    │   │   ├── UnreachableError (ConnectionRefusedError)
    │   │   ├── StoreTimeoutError (TimeoutError)
    │   │   ├── ThrottledError
    │   │   ├── BrokenBodyError (ConnectionResetError)
    │   │   └── ServerFaultError
    │   ├── WrongRegionError (ValueError)        correct the region
    │   ├── ArchivedError (BlockingIOError)      restore the object first
    │   ├── InvalidKeyError (ValueError)         choose another key
    │   ├── InvalidRangeError (ValueError)       ask for bytes that exist
    │   ├── UnsupportedError (io.UnsupportedOperation)
    │   ├── IntegrityError                       the bytes are not what was promised
    │   └── TransferError                        some of many objects failed
    ├── RecordsError
    │   ├── SchemaError (TypeError)              correct the model
    │   ├── MalformedInputError (ValueError)     correct the input
    │   ├── UnwritableValueError (ValueError)    choose another format, or say what becomes of such values
    │   ├── RejectLimitError (ValueError)        look at the error output
    │   └── PipeStateError (RuntimeError)        call the methods in order
    ├── SimulationError
    │   ├── ModelError (ValueError)              correct the model
    │   ├── WeatherError (ValueError)            choose another weather file
    │   ├── EngineError (RuntimeError)           look at the engine's own messages
    │   │   └── EngineTimeoutError (TimeoutError)
    │   └── ResultError (FileNotFoundError)      run the case, or run it again
    ├── VerificationError                        the store is not what the receipt says
    └── StoppedError (RuntimeError)              somebody asked to stop
"""

import copyreg
import io
from typing import Any, ClassVar, Self


class SkyholdError(Exception):
    """Base of everything that skyhold raises on purpose.

    Args:
        message: What failed, on which object, and what was found.
        remedy: One imperative sentence, with the command to run where there is one.

    Attributes:
        code: A stable name of the kind of failure, for programs and JSON output.
        exit_code: What the command line ends with.
        remedy: As given; it is also the exception's note, so tracebacks show it.
    """

    code: ClassVar[str] = "skyhold"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if remedy:
            self.add_note(f"Remedy: {remedy}")

    def __str__(self) -> str:
        return self.message  # OSError would format its arguments

    def __reduce__(self) -> tuple[Any, ...]:
        # By fields, since keyword-only arguments are not in ``args``.
        return (copyreg.__newobj__, (type(self), self.message), {"args": self.args, **self.__dict__})  # type: ignore[attr-defined]


class ConfigError(SkyholdError, ValueError):
    """The configuration cannot be used."""

    code = "config"
    exit_code = 8


class BadOptionError(ConfigError):
    """An option is unknown, or its value cannot be used."""

    code = "bad_option"


class BadUriError(ConfigError):
    """A URI cannot be read, or its scheme is unknown."""

    code = "bad_uri"


class CredentialsError(ConfigError):
    """No identity was found, it is incomplete, or more than one was given."""

    code = "credentials"
    exit_code = 4


class MissingExtraError(ConfigError, ImportError):
    """A feature needs a package that is not installed."""

    code = "missing_extra"

    @classmethod
    def of(cls, extra: str, feature: str) -> Self:
        """Return the error that says which ``pip install`` brings ``feature``."""
        return cls(f"{feature} needs the extra {extra!r}", remedy=f"Run: pip install 'skyhold[{extra}]'")


class StorageError(SkyholdError, OSError):
    """A storage operation failed.

    Args:
        message: What was found.
        operation: The storage verb, such as ``"read"``.
        uri: The object or the prefix that was worked on.
        identity: Where the credentials came from; never the credentials.
        remedy: What to do.
    """

    code = "storage"

    def __init__(
        self, message: str, *, operation: str = "", uri: str = "", identity: str = "", remedy: str = ""
    ) -> None:
        self.operation = operation
        self.uri = uri
        self.identity = identity
        self.reason = message
        target = f"{operation} {uri!r}".strip() if uri else operation
        text = f"{target}: {message}" if target else message
        super().__init__(f"{text} [identity: {identity}]" if identity else text, remedy=remedy)


class NotFoundError(StorageError, FileNotFoundError):
    """Something that was named does not exist."""

    code = "not_found"
    exit_code = 3


class KeyNotFoundError(NotFoundError):
    """The object does not exist, and its bucket does."""

    code = "key_not_found"


class BucketNotFoundError(NotFoundError):
    """The bucket, container or root folder does not exist."""

    code = "bucket_not_found"


class NotFoundOrDeniedError(NotFoundError, PermissionError):
    """Missing, or not allowed to see: the store does not tell which."""

    code = "not_found_or_denied"


class AccessError(StorageError, PermissionError):
    """The identity may not do this."""

    code = "access"
    exit_code = 4


class AccessDeniedError(AccessError):
    """The identity is known and lacks the right."""

    code = "access_denied"


class BadCredentialsError(AccessError):
    """The store does not accept the identity: unknown key, wrong secret, expired token."""

    code = "bad_credentials"


class ReadOnlyError(AccessError):
    """The store was opened for reading only."""

    code = "read_only"


class ConflictError(StorageError):
    """Another writer was there first."""

    code = "conflict"
    exit_code = 5


class AlreadyExistsError(ConflictError, FileExistsError):
    """A create-only write found the object."""

    code = "already_exists"


class PreconditionFailedError(ConflictError, BlockingIOError):
    """An if-match operation found another version of the object."""

    code = "precondition_failed"


class DeleteGuardError(ConflictError):
    """A deletion would remove more than it was allowed to."""

    code = "delete_guard"


class NetworkError(StorageError, ConnectionError):
    """The store did not answer usefully; trying again may help."""

    code = "network"
    exit_code = 6


class UnreachableError(NetworkError, ConnectionRefusedError):
    """No connection to the endpoint."""

    code = "unreachable"


class StoreTimeoutError(NetworkError, TimeoutError):
    """The store took too long."""

    code = "timeout"


class ThrottledError(NetworkError):
    """The store asked to slow down, and kept asking."""

    code = "throttled"


class BrokenBodyError(NetworkError, ConnectionResetError):
    """The answer ended before all its bytes had come."""

    code = "broken_body"


class ServerFaultError(NetworkError):
    """The store answered with a fault of its own (5xx)."""

    code = "server_fault"


class WrongRegionError(StorageError, ValueError):
    """The bucket is in another region than the request was sent to."""

    code = "wrong_region"
    exit_code = 8


class ArchivedError(StorageError, BlockingIOError):
    """The object is in an archive class and must be restored before it can be read."""

    code = "archived"


class InvalidKeyError(StorageError, ValueError):
    """The key cannot be stored exactly, so nothing was written."""

    code = "invalid_key"
    exit_code = 2


class InvalidRangeError(StorageError, ValueError):
    """The range lies outside the object."""

    code = "invalid_range"


class UnsupportedError(StorageError, io.UnsupportedOperation):
    """This store cannot do this."""

    code = "unsupported"


class IntegrityError(StorageError):
    """Bytes differ from their promised size or hash."""

    code = "integrity"


class TransferError(StorageError):
    """Some objects of many failed.

    Attributes:
        failures: The error of each object that failed, by key.
    """

    code = "transfer"

    def __init__(self, message: str, *, failures: dict[str, Exception] | None = None, **details: str) -> None:
        super().__init__(message, **details)
        self.failures = dict(failures or {})


class RecordsError(SkyholdError):
    """A pipe failed."""

    code = "records"


class SchemaError(RecordsError, TypeError):
    """The schema model cannot be used here."""

    code = "schema"
    exit_code = 8


class MalformedInputError(RecordsError, ValueError):
    """The input as a whole cannot be read (single bad rows are rejects, not errors)."""

    code = "malformed_input"


class UnwritableValueError(RecordsError, ValueError):
    """The output's format has no form for a value, and the pipe changes none."""

    code = "unwritable_value"
    exit_code = 8


class RejectLimitError(RecordsError, ValueError):
    """More rows were rejected than ``max_errors`` allows."""

    code = "reject_limit"
    exit_code = 7


class PipeStateError(RecordsError, RuntimeError):
    """A method was called in the wrong order."""

    code = "pipe_state"


class SimulationError(SkyholdError):
    """A simulation could not be run, or its results cannot be read."""

    code = "simulation"


class ModelError(SimulationError, ValueError):
    """The model is wrong, and no run was made of it."""

    code = "model"
    exit_code = 8


class WeatherError(SimulationError, ValueError):
    """A weather file or station is not what was needed."""

    code = "weather"
    exit_code = 8


class EngineError(SimulationError, RuntimeError):
    """The engine failed."""

    code = "engine"


class EngineTimeoutError(EngineError, TimeoutError):
    """The engine took longer than it was given."""

    code = "engine_timeout"


class ResultError(SimulationError, FileNotFoundError):
    """Results are absent or incomplete, or have not what was asked for."""

    code = "result"


class VerificationError(SkyholdError):
    """The store is not what a receipt says."""

    code = "verification"


class StoppedError(SkyholdError, RuntimeError):
    """A run was stopped on purpose before it was complete."""

    code = "stopped"
    exit_code = 130
