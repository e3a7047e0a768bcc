"""Parallel calls: order, errors, and the processes that are left."""

import multiprocessing
import os

import pytest

from analysis.processes import in_processes


@pytest.fixture(params=[{0}, {0, 1}, set(range(64))], ids=["one core", "two", "many"])
def cores(request, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: request.param)
    return len(request.param)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_results_are_those_of_a_loop_in_its_order(cores, count):
    offset = 10  # of a closure, which cannot be pickled
    assert in_processes(lambda i: offset + i, range(count)) == [10 + i for i in range(count)]


def test_calls_share_the_cores(cores):
    processes = set(in_processes(lambda i: os.getpid(), range(100)))
    assert len(processes) <= cores
    assert (os.getpid() in processes) == (cores == 1)


def test_the_first_error_is_raised_and_no_process_is_left(cores):
    def fail(number: int) -> int:
        if number % 2:
            raise ValueError(f"figure {number}")
        return number

    with pytest.raises(ValueError, match="figure 1"):
        in_processes(fail, range(6))
    assert not multiprocessing.active_children()
    assert in_processes(str, [1]) == ["1"]


def test_a_call_may_make_calls_of_its_own(cores):
    assert in_processes(lambda n: sum(in_processes(abs, range(n))), [2, 3]) == [1, 3]
