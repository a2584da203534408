"""Options that every command takes, and how arguments become stores."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from skyhold.config import load_profile
from skyhold.errors import BadOptionError, KeyNotFoundError
from skyhold.storage.contract import Store
from skyhold.storage.keys import folder_prefix
from skyhold.storage.location import parse_location
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_object, open_store

__all__ = ["Common", "Place", "locate", "takes_none"]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every command.

    Attributes:
        profile: Connection profile to use, from profiles.toml.
        option: A storage option, NAME=VALUE; may be given more than once.
        json: Print one JSON object a line, with a summary last.
        dry_run: Say what would be done, and do nothing.
        yes: Do not ask.
        jobs: Objects at a time.
        progress: Show progress on a terminal.
    """

    profile: str | None = None
    option: Annotated[list[str], Parameter(name=["--option", "-o"], negative="")] = field(default_factory=list[str])
    json: Annotated[bool, Parameter(negative="")] = False
    dry_run: Annotated[bool, Parameter(negative="")] = False
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False
    jobs: int | None = None
    progress: bool = True

    def storage_options(self) -> dict[str, Any]:
        """Return the profile's options, and over them those given here."""
        return {**(load_profile(self.profile) if self.profile else {}), **self.given_options()}

    def given_options(self) -> dict[str, Any]:
        """Return the options given here, without the profile's."""
        options: dict[str, Any] = {}
        for text in self.option:
            name, equals, value = text.partition("=")
            if not equals:
                raise BadOptionError(f"the option {text!r} has no value", remedy="Write --option NAME=VALUE")
            options[name] = value
        return options

    def options_for(self, uri: str) -> dict[str, Any]:
        """Return the options for a URI: plain folders and memory take none."""
        return {} if takes_none(uri) else self.storage_options()


@dataclass(frozen=True)
class Place:
    """A URI as a store and what lies in it.

    Attributes:
        store: The bucket, or the folder.
        prefix: Key or prefix; empty for all of it.
        is_folder: Whether the URI says that it means a folder.
    """

    store: Store
    prefix: str
    is_folder: bool

    def under(self) -> str:
        """Return the prefix of what lies in it as a folder."""
        return folder_prefix(self.prefix)

    def listed(self) -> Iterator[ObjectInfo]:
        """Yield the object that is named, and all that lies in it as a folder; nothing of ``robots`` for ``robot``."""
        yield from self.itself()
        yield from self.store.list(self.under())

    def itself(self) -> list[ObjectInfo]:
        """Return the object that is named, if there is one."""
        if not self.prefix or self.prefix.endswith("/"):
            return []
        try:
            return [self.store.info(self.prefix)]
        except KeyNotFoundError:
            return []


def takes_none(uri: str) -> bool:
    """Return whether a URI is of a place without options: a plain folder, or memory."""
    return parse_location(uri).scheme in {"file", "memory", "mock"}


def locate(uri: str, common: Common) -> Place:
    """Return where a URI points: a folder on disk is a store by itself, a bucket is one with a prefix."""
    location = parse_location(uri)
    options = common.options_for(uri)
    if location.scheme in {"file", "mock"}:
        path = location.container
        if path.endswith("/") or Path(path).is_dir():
            return Place(open_store(uri, **options), "", is_folder=True)
        store, name = open_object(uri, **options)
        return Place(store, name, is_folder=False)
    return Place(
        open_store(location.container_uri, **options), location.key, is_folder=not location.key or uri.endswith("/")
    )
