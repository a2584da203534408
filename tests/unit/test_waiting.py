"""Waiting, and signals that come at the worst moment."""

import threading
import time
from concurrent.futures import Future

import pytest

from skyhold.execution.waiting import completed, wait_for, wait_until


def test_no_wait_blocks_for_long_since_a_signal_may_have_come_just_before_it():
    blocked: list[float] = []

    def blocks(seconds: float) -> bool:
        blocked.append(seconds)
        return len(blocked) == 4

    assert wait_until(blocks)
    assert len(blocked) == 4
    assert max(blocked) <= 1


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_wait_ends_with_its_time(timeout: float):
    begun = time.monotonic()
    assert not wait_until(threading.Event().wait, timeout)
    assert time.monotonic() - begun >= timeout


def test_what_is_there_needs_no_time():
    ended = threading.Event()
    ended.set()
    assert wait_until(ended.wait, timeout=0)


def test_futures_are_given_as_they_are_done():
    first, second, third = futures = [Future[int]() for _ in range(3)]
    second.set_result(2)
    assert wait_for(futures, any_of_them=True) == {second}
    given = completed(futures)
    assert next(given) is second
    third.set_exception(ValueError("three"))
    assert next(given) is third
    threading.Timer(0.6, first.set_result, (1,)).start()
    assert [future.result() for future in given] == [1]
    assert wait_for(futures) == set(futures)
