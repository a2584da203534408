"""The door: a link that is good once, or a password, becomes the session's cookie."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from skyhold.dashboard.forms import read_form
from skyhold.dashboard.rendering import show
from skyhold.dashboard.safety import Keyring

__all__ = ["entering_routes", "refuse"]

_TOO_LONG = 4096


def entering_routes() -> list[Route]:
    """Return the routes that need no session."""
    return [
        Route("/enter", _enter, methods=["GET"]),
        Route("/enter", _enter_by_password, methods=["POST"]),
        Route("/leave", _leave, methods=["POST"]),
    ]


async def refuse(request: Request) -> Response:
    """Answer whoever has no session: the way in."""
    return _door(request, 401)


async def _enter(request: Request) -> Response:
    token = request.query_params.get("token", "")
    keys = _keys(request)
    if not token or request.headers.get("sec-purpose", "").startswith("prefetch"):
        return _door(request, 200)
    session = keys.enter_by_token(token)
    if not session:
        return _door(request, 403, fault="This link is not valid, or it was used already: it opens the dashboard once.")
    # A page, not a redirect: the cookie is strict, and a browser that comes from elsewhere would not send it yet.
    return _with_session(show(request, "entered.html"), keys, session)


async def _enter_by_password(request: Request) -> Response:
    keys = _keys(request)
    client = request.client.host if request.client else ""
    form = await read_form(request, _TOO_LONG)
    session = keys.enter_by_password(form.text("password"), client)
    if session:
        return _with_session(RedirectResponse("/", 303), keys, session)
    if keys.must_wait(client):
        return _door(request, 429, fault="Too many wrong passwords; wait a minute.")
    return _door(request, 403, fault="This is not the password.")


async def _leave(request: Request) -> Response:
    keys = _keys(request)
    keys.leave(keys.session_of(request))
    answer = _door(request, 200)
    answer.delete_cookie(keys.cookie, httponly=True, samesite="strict")
    return answer


def _door(request: Request, status_code: int, fault: str = "") -> Response:
    return show(request, "door.html", status_code=status_code, fault=fault, has_password=_keys(request).has_password)


def _with_session(answer: Response, keys: Keyring, session: str) -> Response:
    answer.set_cookie(keys.cookie, session, httponly=True, samesite="strict")
    return answer


def _keys(request: Request) -> Keyring:
    return request.app.state.keys
