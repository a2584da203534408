"""Progress: in order, throttled, never lost, never in the way."""

import json
import logging
import threading
import time

import pytest

from skyhold.runs.progress import Event, Progress


def make(*listeners: object, interval_s: float = 0.1) -> Progress:
    return Progress("1", "transfer", "example", unit="objects", listeners=list(listeners), interval_s=interval_s)  # type: ignore[arg-type]


def wait_until(condition: object, timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def test_many_threads_lose_no_count_and_events_never_go_back():
    seen: list[Event] = []

    def slow(event: Event) -> None:
        time.sleep(0.001 if threading.get_ident() % 3 else 0.003)
        seen.append(event)

    progress = make(slow, interval_s=0.0)
    progress.start(total=2000)
    threads = [threading.Thread(target=lambda: [progress.advance(1, failed=1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.end("completed")

    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert (seen[-1].phase, seen[-1].done, seen[-1].counts) == ("ended", 2000, {"failed": 2000})


def test_listeners_are_never_called_two_at_once():
    inside = threading.Lock()
    overlaps: list[Event] = []

    def listener(event: Event) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(event)
            return
        time.sleep(0.001)
        inside.release()

    progress = make(listener, interval_s=0.0)
    progress.start()
    threads = [threading.Thread(target=lambda: [progress.advance(1) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.end("completed")
    assert not overlaps


def test_events_are_few_however_many_advances_there_are():
    seen: list[Event] = []
    progress = make(seen.append, interval_s=0.05)
    progress.start()
    began = time.monotonic()
    while time.monotonic() - began < 0.3:
        progress.advance(1)
    progress.end("completed")
    most = (time.monotonic() - began) / 0.05
    advanced = [event for event in seen if event.phase == "advanced"]
    assert 1 <= len(advanced) <= most
    assert seen[-1].done == progress.done


def test_counts_before_a_silence_arrive_without_another_advance():
    seen: list[Event] = []
    progress = make(seen.append, interval_s=0.05)
    progress.start(total=10)
    progress.advance(1)
    progress.advance(2)
    wait_until(lambda: seen[-1].done == 3)
    assert [event.phase for event in seen] == ["started", "advanced"]
    progress.end("stopped")


def test_what_was_told_is_not_told_again_without_news():
    seen: list[Event] = []
    progress = make(seen.append, interval_s=0.1)
    progress.start()
    progress.advance(1)  # held back, to be told in a tenth of a second
    progress._told = 0.0  # as if that time were over, before the one who waits for it has woken up
    progress.advance(1)
    time.sleep(0.25)
    assert [event.done for event in seen if event.phase == "advanced"] == [2]
    progress.end("stopped")


def test_nothing_is_told_after_the_end():
    seen: list[Event] = []
    progress = make(seen.append, interval_s=0.05)
    progress.start()
    progress.advance(1)
    progress.end("failed", "why")
    progress.advance(1)
    progress.warn("late")
    progress.end("completed")
    time.sleep(0.15)
    assert [(event.phase, event.state, event.message) for event in seen] == [
        ("started", "running", ""),
        ("ended", "failed", "why"),
    ]


def test_a_listener_that_raises_is_logged_once_and_the_others_hear_on(caplog: pytest.LogCaptureFixture):
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("the listener's own fault")

    progress = make(broken, seen.append, interval_s=0.0)
    with caplog.at_level(logging.ERROR, "skyhold.runs"):
        progress.start()
        for _ in range(5):
            progress.advance(1)
        progress.end("completed")
    assert len(caplog.records) == 1
    assert [event.done for event in seen] == [0, 1, 2, 3, 4, 5, 5]


def test_a_listener_may_itself_advance_warn_and_read():
    seen: list[Event] = []
    progress = make(interval_s=0.0)

    def curious(event: Event) -> None:
        seen.append(event)
        if event.phase == "started":
            assert progress.done == 0
            progress.warn("first words")
            progress.advance(1)

    progress = make(curious, interval_s=0.0)
    progress.start()
    progress.end("completed")
    assert [event.phase for event in seen] == ["started", "warned", "advanced", "ended"]


def test_a_listener_that_waits_for_the_run_does_not_lock_it_up():
    ended = threading.Event()
    told: list[bool] = []

    def waits(event: Event) -> None:
        if event.phase == "advanced":
            told.append(ended.wait(10))

    progress = make(waits, interval_s=0.01)
    progress.start()
    progress.advance(1)
    wait_until(lambda: progress._outbox._deliverer is not None)
    progress.end("completed")
    ended.set()
    wait_until(lambda: bool(told))
    assert told == [True]


def test_ctrl_c_inside_a_listener_goes_through_and_progress_still_works():
    seen: list[Event] = []

    def interrupted(event: Event) -> None:
        if event.phase == "started":
            raise KeyboardInterrupt
        seen.append(event)

    progress = make(interrupted, interval_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        progress.start()
    progress.end("stopped")
    assert [event.phase for event in seen] == ["ended"]


@pytest.mark.parametrize("numbers", [{"done": -1}, {"rows_read": -1}])
def test_progress_does_not_go_back(numbers: dict[str, int]):
    progress = make()
    with pytest.raises(ValueError, match="does not go back"):
        progress.advance(**numbers)
    assert progress.done == 0


def test_rate_and_remaining_time_leave_out_what_an_earlier_run_has_done(monkeypatch: pytest.MonkeyPatch):
    clock = 100.0
    monkeypatch.setattr("skyhold.runs.progress.time.monotonic", lambda: clock)
    progress = make()
    progress.start(total=1000, done=900)
    clock = 110.0
    progress.advance(20)
    event = progress.event()
    assert (event.done, event.rate, event.eta_s) == (920, 2.0, 40.0)


def test_rate_follows_a_change_of_speed_and_is_the_mean_after_the_end(monkeypatch: pytest.MonkeyPatch):
    clock = 0.0
    monkeypatch.setattr("skyhold.runs.progress.time.monotonic", lambda: clock)
    progress = make()
    progress.start(total=10_000)
    for _ in range(100):
        clock += 1.0
        progress.advance(1)
    for _ in range(100):
        clock += 1.0
        progress.advance(10)
    assert progress.rate == pytest.approx(10)
    progress.end("completed")
    assert progress.rate == pytest.approx(1100 / 200)
    assert progress.event().eta_s is None


def test_remaining_time_is_unknown_without_a_total_or_a_speed():
    progress = make()
    progress.start()
    progress.advance(5)
    assert progress.eta_s is None
    stuck = make()
    stuck.start(total=5)
    assert stuck.eta_s is None


def test_an_event_is_plain_json():
    progress = make()
    progress.start(total=2)
    progress.advance(1, bytes_in=7)
    content = progress.event().as_dict()
    assert content["counts"] == {"bytes_in": 7}
    assert set(content) >= {"run_id", "kind", "phase", "state", "done", "total", "unit", "rate", "eta_s", "at"}
    assert set(content) >= {"step", "share", "about", "requests", "bytes_in", "bytes_out", "error"}
    assert json.loads(json.dumps(content)) == content


def test_a_share_that_is_measured_tells_the_remaining_time(monkeypatch: pytest.MonkeyPatch):
    clock = 0.0
    monkeypatch.setattr("skyhold.runs.progress.time.monotonic", lambda: clock)
    share: float | None = None
    progress = make()
    progress.start()
    progress.step("validating", measure_share=lambda: share)
    clock = 30.0
    assert progress.eta_s is None, "nothing is known yet"
    share = 0.25
    assert progress.eta_s is None, "nothing is done yet"
    progress.advance(1)
    assert progress.eta_s == pytest.approx(90)
    progress.step("publishing")
    assert (progress.event().step, progress.eta_s) == ("publishing", pytest.approx(90))
    progress.end("completed")
    assert (progress.event().share, progress.eta_s) == (None, None)


def test_every_step_is_told_at_once_and_never_dropped_for_a_newer_one():
    seen: list[Event] = []
    progress = make(interval_s=60.0)

    def slow(event: Event) -> None:
        seen.append(event)
        if event.phase == "started":  # what happens meanwhile waits in line
            progress.step("opening")
            progress.step("validating")
            progress.advance(1)

    progress = make(slow, interval_s=60.0)
    progress.start()
    progress.end("failed", "why", error="denied")
    assert [(event.phase, event.step) for event in seen] == [
        ("started", ""),
        ("stepped", "opening"),
        ("stepped", "validating"),
        ("ended", "validating"),
    ]
    assert (seen[-1].error, seen[-2].error) == ("denied", "")
