"""What the pages work on."""

import threading
from dataclasses import dataclass, field

from starlette.requests import Request

from skyhold.runs.journal import Journal

__all__ = ["Desk", "desk_of"]


@dataclass
class Desk:
    """What one dashboard shows.

    Attributes:
        journal: Where runs are listed.
        closing: Set when the dashboard stops, so that what streams to pages ends; setting it stops the dashboard.
    """

    journal: Journal
    closing: threading.Event = field(default_factory=threading.Event)


def desk_of(request: Request) -> Desk:
    """Return the desk of the dashboard that was asked."""
    return request.app.state.desk
