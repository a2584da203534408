"""The server: a socket on this machine, until Ctrl-C."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import uvicorn

from skyhold.dashboard.application import make_application
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.safety import Keyring, local_hosts
from skyhold.errors import BadOptionError, UnreachableError

__all__ = ["Address", "open_socket", "serve"]

_GRACE_S = 1
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Address:
    """Where the dashboard is to be found.

    Attributes:
        host: Name or address to listen on.
        port: 0 takes a free one.
        names: Further host names by which browsers may ask for it.
    """

    host: str = "127.0.0.1"
    port: int = 0
    names: Sequence[str] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it.

        Example:
            >>> Address().is_local, Address("0.0.0.0").is_local
            (True, False)
        """
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self, password: str) -> None:
        """Refuse to be reached by others without a password.

        Raises:
            BadOptionError: The host is beyond loopback, and there is no password.
        """
        if not self.is_local and not password:
            raise BadOptionError(
                f"{self.host!r} is reached by other machines, and the dashboard acts with your credentials",
                remedy="Set SKYHOLD_UI_PASSWORD, or leave --host out and use: ssh -L PORT:127.0.0.1:PORT HOST",
            )


def open_socket(address: Address) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UnreachableError: The address is taken, or is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        raise UnreachableError(
            f"cannot listen: {error.strerror or error}",
            operation="open",
            uri=f"http://{address.host}:{address.port}",
            remedy="Choose another --port, or leave it out",
        ) from error


def serve(desk: Desk, address: Address, *, password: str = "", started: Callable[[str], None]) -> None:
    """Serve the dashboard until the process is interrupted or the desk closes; streams are cut off within a second.

    Args:
        desk: What it shows.
        address: Where.
        password: Opens it as often as wanted; needed where other machines reach it.
        started: Is told the link that opens it once.

    Raises:
        BadOptionError: It would be reached by others without a password.
        UnreachableError: The address is taken.
    """
    address.check(password)
    listening = open_socket(address)
    port: int = listening.getsockname()[1]
    keys = Keyring(port, password)
    application = make_application(desk, keys=keys, hosts=_hosts(address, port))
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            log_config=None,
            log_level="critical",  # errors are told by the application, without secrets; streams are cut off on purpose
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    watcher = threading.Thread(target=_watch, args=(server, desk), name="skyhold-dashboard-end", daemon=True)
    watcher.start()
    started(f"http://{_for_browsers(address)}:{port}/enter?token={keys.token}")
    try:
        server.run(sockets=[listening])
    finally:
        desk.closing.set()
        listening.close()


def _watch(server: uvicorn.Server, desk: Desk) -> None:
    """Let streams end by themselves as soon as the server is asked to stop, and the server when its desk closes."""
    while not (server.should_exit or desk.closing.wait(_LOOK_S)):
        pass
    desk.closing.set()
    server.should_exit = True


def _hosts(address: Address, port: int) -> Iterable[str]:
    names = [address.host, *address.names, *([] if address.is_local else [socket.gethostname()])]
    shown = [f"[{name}]" if ":" in name else name for name in names]
    return local_hosts(port) | {f"{name}:{port}" for name in shown} | ({*shown} if port == 80 else set())  # noqa: PLR2004


def _for_browsers(address: Address) -> str:
    if address.host in {"0.0.0.0", "::"}:  # noqa: S104 - it is compared, not bound
        return "127.0.0.1"
    return f"[{address.host}]" if ":" in address.host else address.host
