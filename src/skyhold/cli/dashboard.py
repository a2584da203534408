"""``ui``: the dashboard."""

import os
import sys
import threading
import time
import webbrowser
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common
from skyhold.cli.output import Printer
from skyhold.cli.simulators import simulators_by_name
from skyhold.config import environment
from skyhold.errors import MissingExtraError
from skyhold.profiles import list_profiles
from skyhold.runs.journal import default_journal

__all__ = ["ui"]

_DEFAULT = Common()
_FINISHING_S = 10.0
_ENDING_S = 0.7


def ui(
    *uris: str,
    host: str = "127.0.0.1",
    port: int = 0,
    name: Annotated[list[str] | None, Parameter(negative="")] = None,
    simulator: Annotated[list[str] | None, Parameter(negative="")] = None,
    browser: bool = True,
    common: Common = _DEFAULT,
) -> int:
    """Open the dashboard: runs, storage and connections, in the browser.

    It listens on this machine alone, and is opened by a link that is good once. Where other machines are to reach it,
    the environment variable SKYHOLD_UI_PASSWORD has to hold a password.

    Args:
        uris: Buckets, prefixes and folders to show, beside those that connection profiles name. A campaign alone is
            opened at once.
        host: Address to listen on.
        port: 0 takes a free one.
        name: A further host name by which browsers may ask for it.
        simulator: A simulator of your own, as module:name or file.py:name: pages of its campaigns start workers with
            it, as those of EnergyPlus do by themselves.
        browser: Open the browser.
        common: Options of every command.
    """
    try:
        from skyhold.dashboard.campaign_desk import CampaignDesk  # noqa: PLC0415 - the extra `dashboard`, for this alone
        from skyhold.dashboard.desk import Desk  # noqa: PLC0415
        from skyhold.dashboard.place import make_place  # noqa: PLC0415
        from skyhold.dashboard.serving import Address, serve  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError.of("dashboard", "skyhold ui") from error
    printer = Printer(as_json=common.json)
    address = Address(host, port, tuple(name or ()))

    def started(link: str) -> None:
        printer.item(f"The dashboard is open at {link}\n(the link is good once; Ctrl-C stops)", link=link)
        if not address.is_local:
            print("warning: other machines reach it, without encryption", file=sys.stderr)
        sys.stdout.flush()
        if browser and sys.stdout.isatty():
            webbrowser.open(link)

    campaigns = CampaignDesk(simulators_by_name(simulator or ()))
    desk = Desk(default_journal(), may_open=address.is_local, campaigns=campaigns)
    desk.add(make_place(profile.uri, profile.name) for profile in list_profiles() if profile.uri)
    given = [make_place(uri, common.profile or "", common.given_options()) for uri in uris]
    desk.add(given)
    desk.front = given[0].name if len(given) == 1 else ""
    try:
        serve(desk, address, password=environment().get("SKYHOLD_UI_PASSWORD", ""), started=started)
    except KeyboardInterrupt:  # the usual end
        printer.summary("the dashboard has stopped", stopped=True)
    desk.wait(_FINISHING_S)
    _leave_those_that_wait()
    return 0


def _leave_those_that_wait() -> None:
    """End the process where pages still wait for stores that do not answer: Python would wait with them."""
    until = time.monotonic() + _ENDING_S
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    waiting = [thread for thread in others if not thread.daemon]
    for thread in waiting:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in waiting):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
