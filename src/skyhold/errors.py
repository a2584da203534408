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
    │   │   ├── NotFoundOrDeniedError (PermissionError)
    │   │   └── ComponentNotFoundError
    │   ├── AccessError (PermissionError)        correct the rights or the identity
    │   │   ├── AccessDeniedError
    │   │   ├── BadCredentialsError
    │   │   └── ReadOnlyError
    │   ├── ConflictError                        read again, then decide
    │   │   ├── AlreadyExistsError (FileExistsError)
    │   │   ├── PreconditionFailedError (BlockingIOError)
    │   │   ├── DeleteGuardError
    │   │   ├── VersionConflictError
    │   │   └── LockedError (BlockingIOError)
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
    │   ├── DependencyError (ValueError)         change what a component needs
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
    ├── PreviewError (ValueError)                no picture or facts can be had of this content
    ├── VerificationError                        the store is not what the receipt says
    ├── ExecutorError (RuntimeError)             look at the workers, then run it again
    └── StoppedError (RuntimeError)              somebody asked to stop
"""

import copyreg
import io
import re
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

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in vars(cls):
            cls.code = re.sub("(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).lower()

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

    exit_code = 8


class BadOptionError(ConfigError):
    """An option is unknown, or its value cannot be used."""


class BadUriError(ConfigError):
    """A URI cannot be read, or its scheme is unknown."""


class CredentialsError(ConfigError):
    """No identity was found, it is incomplete, or more than one was given."""

    exit_code = 4


class MissingExtraError(ConfigError, ImportError):
    """A feature needs a package that is not installed."""

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

    exit_code = 3


class KeyNotFoundError(NotFoundError):
    """The object does not exist, and its bucket does."""


class BucketNotFoundError(NotFoundError):
    """The bucket, container or root folder does not exist."""


class NotFoundOrDeniedError(NotFoundError, PermissionError):
    """Missing, or not allowed to see: the store does not tell which."""


class ComponentNotFoundError(NotFoundError):
    """There is no such component, or no such version or tag of it."""


class AccessError(StorageError, PermissionError):
    """The identity may not do this."""

    exit_code = 4


class AccessDeniedError(AccessError):
    """The identity is known and lacks the right."""


class BadCredentialsError(AccessError):
    """The store does not accept the identity: unknown key, wrong secret, expired token."""


class ReadOnlyError(AccessError):
    """The store was opened for reading only."""


class ConflictError(StorageError):
    """Another writer was there first."""

    exit_code = 5


class AlreadyExistsError(ConflictError, FileExistsError):
    """A create-only write found the object."""


class PreconditionFailedError(ConflictError, BlockingIOError):
    """An if-match operation found another version of the object."""


class DeleteGuardError(ConflictError):
    """A deletion would remove more than it was allowed to."""


class VersionConflictError(ConflictError):
    """Somebody published another version of the component meanwhile."""


class LockedError(ConflictError, BlockingIOError):
    """Somebody else holds the lock of the component."""


class NetworkError(StorageError, ConnectionError):
    """The store did not answer usefully; trying again may help."""

    exit_code = 6


class UnreachableError(NetworkError, ConnectionRefusedError):
    """No connection to the endpoint."""


class StoreTimeoutError(NetworkError, TimeoutError):
    """The store took too long."""

    code = "timeout"


class ThrottledError(NetworkError):
    """The store asked to slow down, and kept asking."""


class BrokenBodyError(NetworkError, ConnectionResetError):
    """The answer ended before all its bytes had come."""


class ServerFaultError(NetworkError):
    """The store answered with a fault of its own (5xx)."""


class WrongRegionError(StorageError, ValueError):
    """The bucket is in another region than the request was sent to."""

    exit_code = 8


class ArchivedError(StorageError, BlockingIOError):
    """The object is in an archive class and must be restored before it can be read."""


class InvalidKeyError(StorageError, ValueError):
    """The key cannot be stored exactly, so nothing was written."""

    exit_code = 2


class InvalidRangeError(StorageError, ValueError):
    """The range lies outside the object."""


class UnsupportedError(StorageError, io.UnsupportedOperation):
    """This store cannot do this."""


class IntegrityError(StorageError):
    """Bytes differ from their promised size or hash."""


class DependencyError(StorageError, ValueError):
    """What a component needs is not there, needs the component itself, or cannot go since it is needed."""

    exit_code = 5


class TransferError(StorageError):
    """Some objects of many failed.

    Attributes:
        failures: The error of each object that failed, by key.
    """

    def __init__(self, message: str, *, failures: dict[str, Exception] | None = None, **details: str) -> None:
        super().__init__(message, **details)
        self.failures = dict(failures or {})


class RecordsError(SkyholdError):
    """A pipe failed."""


class SchemaError(RecordsError, TypeError):
    """The schema model cannot be used here."""

    exit_code = 8


class MalformedInputError(RecordsError, ValueError):
    """The input as a whole cannot be read (single bad rows are rejects, not errors)."""


class UnwritableValueError(RecordsError, ValueError):
    """The output's format has no form for a value, and the pipe changes none."""

    exit_code = 8


class RejectLimitError(RecordsError, ValueError):
    """More rows were rejected than ``max_errors`` allows."""

    exit_code = 7


class PipeStateError(RecordsError, RuntimeError):
    """A method was called in the wrong order."""


class SimulationError(SkyholdError):
    """A simulation could not be run, or its results cannot be read."""


class ModelError(SimulationError, ValueError):
    """The model is wrong, and no run was made of it."""

    exit_code = 8


class WeatherError(SimulationError, ValueError):
    """A weather file or station is not what was needed."""

    exit_code = 8


class EngineError(SimulationError, RuntimeError):
    """The engine failed."""


class EngineTimeoutError(EngineError, TimeoutError):
    """The engine took longer than it was given."""


class ResultError(SimulationError, FileNotFoundError):
    """Results are absent or incomplete, or have not what was asked for."""

    exit_code = 3


class PreviewError(SkyholdError, ValueError):
    """No picture, facts or differences can be had of this content: damaged, too large, or of an unknown format."""


class VerificationError(SkyholdError):
    """The store is not what a receipt says."""


class ExecutorError(SkyholdError, RuntimeError):
    """Nobody did the work: workers died, their scheduler was restarted, or no cluster answers."""

    exit_code = 6


class StoppedError(SkyholdError, RuntimeError):
    """A run was stopped on purpose before it was complete."""

    exit_code = 130
