"""How long a thread beside the suspended delivery may wait."""

import socket
import threading

import pytest

from pytest_jobs.exploration import apart


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
