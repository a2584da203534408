"""What the forms of pages send."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from skyhold.errors import BadOptionError

__all__ = ["Form", "answering", "read_form"]

_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name, each with all its values."""

    fields: dict[str, list[str]]

    def text(self, name: str) -> str:
        """Return a field's first value, empty where there is none."""
        return self.fields.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self.fields.get(name, [])


async def read_form(request: Request, most_bytes: int = _MOST_BYTES) -> Form:
    """Return a form's fields.

    Raises:
        BadOptionError: It is too big, or no form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise BadOptionError("the form is too big", remedy="Choose less at once")
    try:
        return Form(parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20_000))
    except ValueError as error:
        raise BadOptionError("this is no form that can be read") from error


def answering(work: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a form, with work that is done in a thread."""

    async def answer(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(work, request, form)

    return answer
