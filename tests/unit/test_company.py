"""Workers of one process wait for each other, and for nobody else."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skyhold.simulation.company import Company

_LONG_S = 250.0
"""Longer than a test may take."""


class _Asked(threading.Event):
    """Never set; says that somebody waits and looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()

    def is_set(self) -> bool:
        self.is_asked.set()
        return super().is_set()


@pytest.mark.parametrize("fails", [False, True])
def test_who_waits_hears_when_the_last_of_the_others_has_ended(fails: bool):
    company, begun, go, asked = Company(), threading.Barrier(3), threading.Event(), _Asked()

    def work() -> None:
        with company.at_work("study"):
            begun.wait(60)
            assert go.wait(60)
            assert not fails, "as asked for"

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work) for _ in range(2)]
        begun.wait(60)
        waiting = pool.submit(company.wait, "study", _LONG_S, asked)
        assert asked.is_asked.wait(60)
        assert not company.wait("study", 0.1, threading.Event())
        assert not waiting.done()
        go.set()
        assert waiting.result(60)
        assert [each.exception(60) is not None for each in working] == [fails, fails]


def test_others_of_another_campaign_are_not_waited_for_and_nobody_is_heard_of_where_none_is():
    company = Company()
    with company.at_work("another"):
        assert not company.wait("study", 0.01, threading.Event())


def test_to_stop_ends_the_wait_with_company_and_without():
    company, stop = Company(), threading.Event()
    stop.set()
    assert not company.wait("study", _LONG_S, stop)
    with company.at_work("study"):
        assert not company.wait("study", _LONG_S, stop)
