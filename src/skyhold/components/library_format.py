"""That a store holds a library, and of which format; and whether it can be relied on."""

import threading
import uuid

from skyhold.components.layout import LIBRARY, SCHEMA, clock_key
from skyhold.errors import AlreadyExistsError, KeyNotFoundError, MalformedInputError, NotFoundError
from skyhold.runs.json_reader import JsonReader
from skyhold.storage.contract import Store

__all__ = ["LibraryFormat"]

_TEXT = f'{{"schema": "{SCHEMA}"}}\n'.encode()


class LibraryFormat:
    """Finds out once whether a store holds a library that we can read.

    Args:
        store: The library's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checked = threading.Event()
        self._checking = threading.Lock()
        self._is_exact: bool | None = None

    def check(self, *, create: bool = False) -> None:
        """Do nothing where the format is known; where there is none yet, ``create`` makes the store a library.

        Raises:
            MalformedInputError: It is a library of another format.
            BucketNotFoundError: There is no such bucket.
        """
        if self._checked.is_set():
            return
        with self._checking:
            if self._checked.is_set():  # by whom we have waited for
                return
            try:
                text = self._store.read(LIBRARY)
            except NotFoundError as error:
                if not create:
                    if isinstance(error, KeyNotFoundError):
                        return
                    raise
                text = self._create()  # a folder that is missing is made by that; a bucket is not
            try:
                JsonReader.parse(text).one_of("schema", SCHEMA)
            except MalformedInputError as error:
                uri = self._store.uri_of(LIBRARY)
                remedy = "See whether it is the store that answers there, and which skyhold has written it"
                raise MalformedInputError(f"{uri!r} says of no known library: {error}", remedy=remedy) from error
            self._checked.set()

    def keeps_conditions(self) -> bool:
        """Whether a create-only write of the store is one; found out once, by three requests."""
        with self._checking:
            if self._is_exact is None:
                self._is_exact = self._try_condition()
            return self._is_exact

    def _try_condition(self) -> bool:
        key = clock_key(uuid.uuid4().hex)
        self._store.write(key, b"", if_absent=True)
        try:
            self._store.write(key, b"", if_absent=True)
        except AlreadyExistsError:
            return True
        finally:
            self._store.delete(key)
        return False

    def _create(self) -> bytes:
        try:
            self._store.write(LIBRARY, _TEXT, if_absent=True)
        except AlreadyExistsError:
            return self._store.read(LIBRARY)
        return _TEXT
