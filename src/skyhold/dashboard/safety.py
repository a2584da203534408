"""Who may talk to the dashboard: this machine's user, with a browser, and no other page that the browser shows.

The pages act with the user's cloud credentials, so every request passes here first. A name that an attacker points at
this machine is refused by its host (DNS rebinding); a form or script of another site by its origin; everybody else by
the session, which is a cookie that scripts cannot read and other sites' requests do not carry.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "Keyring", "local_hosts"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_OPEN_PATHS = ("/enter", "/static/")
_READING = {"GET", "HEAD"}
_GUESSES = 10
_GUESS_WINDOW_S = 60.0
_MOST_CLIENTS = 1000


class Keyring:
    """What opens the dashboard: a token that is good once, and a password where one is set.

    Attributes:
        cookie: Name of the session's cookie.

    Args:
        port: Of the server; cookies are shared by all ports of a host, so their name tells them apart.
        password: May be given as often as wanted; empty for none.

    Example:
        >>> keys = Keyring(8000)
        >>> session = keys.enter_by_token(keys.token)
        >>> keys.knows(session), keys.enter_by_token(keys.token)
        (True, '')
    """

    def __init__(self, port: int, password: str = "") -> None:
        self.cookie = f"skyhold-{port}"
        self.token = secrets.token_urlsafe(32)
        self.has_password = bool(password)
        self._token_left = True
        self._password = _digest(password)
        self._sessions: set[bytes] = set()
        self._guesses: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def enter_by_token(self, token: str) -> str:
        """Return a new session's secret, empty if this is not the token or it was used."""
        with self._lock:
            if not (self._token_left and hmac.compare_digest(_digest(token), _digest(self.token))):
                return ""
            self._token_left = False
            return self._new_session()

    def enter_by_password(self, password: str, client: str) -> str:
        """Return a new session's secret, empty if this is not the password or the client has guessed too often."""
        with self._lock:
            if not self.has_password or self._guessed_often(client):
                return ""
            if hmac.compare_digest(_digest(password), self._password):
                return self._new_session()
            self._guesses.setdefault(client, deque(maxlen=_GUESSES)).append(time.monotonic())
            return ""

    def must_wait(self, client: str) -> bool:
        """Return whether a client has guessed so often that it is not listened to for a while."""
        with self._lock:
            return self._guessed_often(client)

    def knows(self, session: str) -> bool:
        """Return whether this is a session's secret."""
        with self._lock:
            return bool(session) and _digest(session) in self._sessions

    def leave(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.discard(_digest(session))

    def session_of(self, request: Request) -> str:
        """Return the session's secret that a request carries, or nothing; cookies of other programs do no harm."""
        return request.cookies.get(self.cookie, "")

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session))
        return session

    def _guessed_often(self, client: str) -> bool:
        since = time.monotonic() - _GUESS_WINDOW_S
        if len(self._guesses) > _MOST_CLIENTS:
            self._guesses = {name: times for name, times in self._guesses.items() if times[-1] > since}
        times = self._guesses.get(client, ())
        return sum(at > since for at in times) >= _GUESSES


class Guard:
    """The outermost layer of the application.

    Args:
        app: What is guarded.
        keys: What opens it.
        hosts: Values of the ``Host`` header that mean this dashboard.
        refused: Answers a request that has no session.
    """

    def __init__(self, app: ASGIApp, *, keys: Keyring, hosts: Iterable[str], refused: ASGIApp) -> None:
        self._app = app
        self._keys = keys
        self._hosts = {host.lower() for host in hosts}
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":  # there are no web sockets here
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(Request(scope)) or self._app
        await answer(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> ASGIApp | None:
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            return _say(421, f"This dashboard does not answer to the name {host!r}. Open the address that it printed.")
        if not _is_of_this_site(request, host):
            return _say(403, "This request came from another site, so nothing was done.")
        if request.url.path.startswith(_OPEN_PATHS) or self._keys.knows(self._keys.session_of(request)):
            return None
        return self._refused


def local_hosts(port: int) -> set[str]:
    """Return the values of a ``Host`` header that mean this machine as only itself can.

    Example:
        >>> sorted(local_hosts(80))
        ['127.0.0.1', '127.0.0.1:80', '[::1]', '[::1]:80', 'localhost', 'localhost:80']
    """
    names = ("127.0.0.1", "localhost", "[::1]")
    return {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())  # noqa: PLR2004 - http's own


def _is_of_this_site(request: Request, host: str) -> bool:
    """Return whether a page of this dashboard or the user asks; links from elsewhere may lead here, and no more."""
    asked_by = request.headers.get("sec-fetch-site", "")
    if request.method in _READING:
        is_visit = request.headers.get("sec-fetch-mode") == "navigate" and request.headers.get(
            "sec-fetch-dest"
        ) not in {"iframe", "frame", "embed", "object"}
        return asked_by not in {"cross-site", "same-site"} or is_visit
    origin = request.headers.get("origin")
    if origin is None:
        return asked_by == "same-origin"
    return origin.lower() == f"{request.url.scheme}://{host}" and asked_by in {"", "same-origin", "none"}


def _say(status: int, words: str) -> Response:
    return PlainTextResponse(words + "\n", status_code=status)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
