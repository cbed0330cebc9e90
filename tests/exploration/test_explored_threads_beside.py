"""How long a thread beside the suspended delivery may wait."""

import asyncio
import socket
import threading

import pytest

from pytest_jobs.exploration.engine import threads
from pytest_jobs.exploration.engine.ending import signs
from pytest_jobs.harness.time.clock import VirtualClock
from pytest_jobs.harness.time.loop import OwnLoop


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(signs, "PATIENCE", 0.05)


def own_thread():
    return threads.OwnThread(threads.while_alive(lambda: 0))


def test_an_answer_from_outside_is_waited_for_longer_than_a_lock():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as answer:
        worker = own_thread()
        answering = threading.Timer(0.5, theirs.sendall, [b"late\n"])
        answering.start()

        assert worker.do(answer.readline) == "ended"
        assert worker.result() == b"late\n"
        answering.join()


def test_a_lock_is_given_up_soon():
    lock = threading.Lock()
    with lock:
        worker = own_thread()

        assert worker.do(lock.acquire) == "blocked"
    assert worker.resume() == "ended"


def test_a_coroutine_that_waits_for_another_is_given_up_as_soon(monkeypatch):
    # An answer from outside would never be given up.
    monkeypatch.setattr(signs, "TIMES_OUTSIDE", 1_000_000)
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

    worker = own_thread()
    last = threading.Timer(10, go_on.set)
    last.start()

    assert worker.do(lambda: loop.run(wait())) == "blocked"
    go_on.set()
    last.cancel()
    assert worker.resume() == "ended"
    assert worker.result() == "released"
    loop.close()
