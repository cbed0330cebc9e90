"""Which sleeps of a job the harness skips, and which take real time."""

import asyncio
import threading
import time
from time import sleep

import pytest

from pytest_jobs import job

PAUSE = 0.001


@job
def patched() -> None:
    time.sleep(PAUSE)


@job
def bound_by_name() -> None:
    sleep(3600)


@job
def by_a_loop_of_its_own() -> None:
    asyncio.run(asyncio.sleep(3600))


def poll(sleep=time.sleep) -> None:
    sleep(PAUSE)


@job
def by_default_argument() -> None:
    poll()


@job
def in_a_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=[PAUSE])
    thread.start()
    thread.join()


@job
def by_a_loop_in_a_thread() -> None:
    thread = threading.Thread(target=asyncio.run, args=[asyncio.sleep(PAUSE)])
    thread.start()
    thread.join()


@job
def on_an_event() -> None:
    threading.Event().wait(PAUSE)


@pytest.mark.parametrize("skipped", [patched, bound_by_name, by_a_loop_of_its_own])
def test_skipped(jobs, skipped):
    skipped.perform_later()
    jobs.drain()

    assert jobs.clock.frozen  # it has moved


@pytest.mark.parametrize(
    "real", [by_default_argument, in_a_thread, by_a_loop_in_a_thread, on_an_event]
)
def test_not_skipped(jobs, real):
    real.perform_later()
    jobs.drain()

    assert not jobs.clock.frozen
