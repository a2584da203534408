"""That a store holds a library, and of which format; and whether it can be relied on."""

import threading

from skyhold.components.conditions import is_in_doubt, keeps_conditions, warn_once
from skyhold.components.layout import LIBRARY, SCHEMA
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
        self._is_tried = False

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

    def prepare(self) -> None:
        """Make sure of the format before something is published, and warn of a store that ignores conditions.

        Raises:
            MalformedInputError: It is a library of another format.
            BucketNotFoundError: There is no such bucket.
        """
        self.check(create=True)
        if not self.keeps_conditions():
            warn_once(self._store.uri)

    def keeps_conditions(self, *, by_trial: bool = False) -> bool:
        """Return whether the store keeps conditions on writes: found out once, by five requests, where it is in doubt.

        Args:
            by_trial: Try it even where all such stores keep them.
        """
        with self._checking:
            if self._is_exact is None or (by_trial and not self._is_tried):
                self._is_tried = by_trial or is_in_doubt(self._store.uri)
                self._is_exact = keeps_conditions(self._store) if self._is_tried else True
            return self._is_exact

    def _create(self) -> bytes:
        try:
            self._store.write(LIBRARY, _TEXT, if_absent=True)
        except AlreadyExistsError:
            return self._store.read(LIBRARY)
        return _TEXT
