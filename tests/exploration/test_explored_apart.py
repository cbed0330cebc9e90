"""How long a thread beside the suspended delivery may wait."""

import asyncio
import socket
import threading

import pytest

from pytest_jobs.exploration.engine import threads as apart
from pytest_jobs.harness.time.clock import VirtualClock
from pytest_jobs.harness.time.loop import OwnLoop


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(apart, "PATIENCE", 0.05)


def test_an_answer_from_outside_is_waited_for_longer_than_a_lock():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as answer:
        aside = apart.Apart(answer.readline, lambda: 0)
        answering = threading.Timer(0.5, theirs.sendall, [b"late\n"])
        answering.start()

        assert aside.start() == "ended"
        assert aside.result() == b"late\n"
        answering.join()


def test_a_lock_is_given_up_soon():
    lock = threading.Lock()
    with lock:
        aside = apart.Apart(lock.acquire, lambda: 0)

        assert aside.start() == "blocked"
    assert aside.resume() == "ended"


def test_a_coroutine_that_waits_for_another_is_given_up_as_soon(monkeypatch):
    # An answer from outside would never be given up.
    monkeypatch.setattr(apart, "_TIMES_OUTSIDE", 1_000_000)
    loop = OwnLoop(VirtualClock())
    go_on = threading.Event()

    async def wait():
        running = asyncio.get_running_loop()
        lock = asyncio.Lock()
        await lock.acquire()
        helper = threading.Thread(
            target=lambda: (go_on.wait(), running.call_soon_threadsafe(lock.release))
        )
        helper.start()
        await lock.acquire()
        return "released"

    aside = apart.Apart(lambda: loop.run(wait()), lambda: 0)
    last = threading.Timer(10, go_on.set)
    last.start()

    assert aside.start() == "blocked"
    go_on.set()
    last.cancel()
    assert aside.resume() == "ended"
    assert aside.result() == "released"
    loop.close()
