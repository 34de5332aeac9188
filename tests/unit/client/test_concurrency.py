"""Calls in threads: results in order, and how many calls run at once."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from airflow_movielens.client.concurrency import CongestionWindow, in_order


def grown(limit):
    window = CongestionWindow(limit)
    for _ in range(limit):
        window.on_success()
    return window


def test_results_come_in_order_whatever_finishes_first():
    done = [threading.Event() for _ in range(5)]

    def call(number):
        if number < 4:
            assert done[number + 1].wait(20)  # the later ones finish first
        done[number].set()
        return number

    assert list(in_order((partial(call, n) for n in range(5)), grown(5))) == [0, 1, 2, 3, 4]


def test_no_more_calls_start_than_the_window_allows():
    begun = []
    results = in_order((partial(begun.append, n) for n in range(100)), grown(4))
    next(results)
    next(results)
    results.close()
    # Four and two that wait, and one more for each of the results that were taken.
    assert len(begun) <= 8


@pytest.mark.parametrize("overloads", [0, 1, 5])
def test_no_more_calls_run_at_once_than_the_window_allows(overloads):
    window, running, most, lock = grown(8), set(), [], threading.Lock()

    def call(number):
        with lock:
            if number == 30:
                for _ in range(overloads):
                    window.on_overload()
                    window.on_success()
            running.add(number)
            most.append(len(running))
        time.sleep(0.001)
        with lock:
            running.remove(number)
        return number

    assert list(in_order((partial(call, n) for n in range(200)), window)) == list(range(200))
    assert max(most) <= 8
    # Those that ran at the overload end first.
    assert max(most[60:]) <= window.size


def test_an_error_is_raised_in_order_and_ends_the_calls():
    def call(number):
        if number == 2:
            raise ValueError("two")
        return number

    results = in_order((partial(call, n) for n in range(100)), grown(4))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


@pytest.mark.parametrize("taken", [1, 50])
def test_threads_end_when_it_is_done_or_abandoned(taken):
    before = set(threading.enumerate())
    results = in_order((partial(int, n) for n in range(50)), grown(3))
    for _ in range(taken):
        next(results)
    ours = set(threading.enumerate()) - before
    results.close()
    assert ours
    for thread in ours:
        thread.join(20)
        assert not thread.is_alive()


def sizes(window, events):
    found = []
    for event in events:
        window.on_success() if event == "+" else window.on_overload()
        found.append(window.size)
    return found


def test_the_window_grows_with_successes_up_to_the_limit():
    assert sizes(CongestionWindow(8), "++++++") == [5, 6, 7, 8, 8, 8]


def test_the_window_never_exceeds_a_small_limit():
    assert sizes(CongestionWindow(1), "++-+") == [1, 1, 1, 1]


def test_overload_halves_it_once_for_all_requests_in_flight():
    window = grown(16)
    assert sizes(window, "----") == [8, 8, 8, 8]


def test_overload_after_a_round_of_successes_halves_it_again_down_to_one():
    window = grown(16)
    assert sizes(window, "-" + "+" * 12 + "-")[-1] == 4
    for _ in range(9):
        sizes(window, "+" * (window.size + 1) + "-")
    assert window.size == 1


def test_after_an_overload_the_window_grows_slowly():
    window = grown(16)
    window.on_overload()
    assert sizes(window, "+" * 9) == [8] * 8 + [9]
