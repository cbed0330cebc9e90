"""Jobs that never end."""

from __future__ import annotations

import asyncio
import itertools
import queue
import socket
import threading
import time
import types

from pytest_jobs import fake

STATE = {"n": 0}
NEVER = threading.Event()
app = types.SimpleNamespace(send=None)
#: Every job that waits for what does not come, by `waits`, with the text of the line at which it does.
WAITING = []


def waits(line):
    def noted(job):
        WAITING.append((job, line))
        return job

    return noted


def world():
    STATE["n"] = 0
    with fake(app, "send", lambda number, key=None: None, key="key") as send:
        yield lambda: {"n": STATE["n"], "sent": send.calls}


@waits("NEVER.wait()")
def for_an_event(number):
    STATE["n"] = number
    NEVER.wait()


@waits("queue.Queue().get()")
def for_a_queue(number):
    STATE["n"] = number
    queue.Queue().get()


@waits("threading.Semaphore(0).acquire()")
def for_a_semaphore(number):
    STATE["n"] = number
    threading.Semaphore(0).acquire()


@waits("condition.wait()")
def for_a_condition(number):
    condition = threading.Condition()
    with condition:
        STATE["n"] = number
        condition.wait()


@waits("with lock:")
def for_its_own_lock(number):
    lock = threading.Lock()
    with lock:
        STATE["n"] = number
        with lock:
            STATE["n"] = number + 1


@waits("NEVER.wait()")
def for_an_event_and_catches_everything(number):
    while True:
        try:
            STATE["n"] = number
            NEVER.wait()
        except BaseException:
            pass


@waits("thread.join()")
def for_a_thread(number):
    thread = threading.Thread(target=NEVER.wait, daemon=True)
    thread.start()
    STATE["n"] = number
    thread.join()


class Line:
    def __enter__(self):
        NEVER.wait()

    def __exit__(self, *error):
        STATE["n"] = 2


@waits("NEVER.wait()")
def in_the_beginning_of_a_block(number):
    with Line():
        STATE["n"] = number


@waits("ours.recv(1)")
def for_an_answer(number):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        STATE["n"] = number
        ours.recv(1)


@waits("await asyncio.Event().wait()")
async def for_an_async_event(number):
    STATE["n"] = number
    await asyncio.Event().wait()


@waits("await waiting.join()")
async def for_an_async_queue(number):
    waiting = asyncio.Queue()
    waiting.put_nowait(number)
    STATE["n"] = number
    await waiting.join()


def compute(number):
    STATE["n"] = number
    while True:
        number += 1


def compute_on_one_line(number):
    STATE["n"] = number
    while True: pass  # noqa: E701  # fmt: skip


def compute_and_catch_everything(number):
    while True:
        try:  # noqa: SIM105 - as bad jobs do
            STATE["n"] = number
        except BaseException:
            pass


def compute_without_a_line(number):
    STATE["n"] = number
    all(number for _ in itertools.count())


def sleep_for_ever(number):
    STATE["n"] = number
    while not NEVER.is_set():
        time.sleep(60)


COMPUTING = [
    compute,
    compute_on_one_line,
    compute_and_catch_everything,
    compute_without_a_line,
    sleep_for_ever,
]


def let_a_thread_compute(number):
    """Wait for a thread that works for several times as long as a delivery may stand still."""

    def work():
        begun = time.thread_time()
        while time.thread_time() < begun + 0.5:
            sum(range(100_000))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    STATE["n"] = number


async def wait_for_a_consumer(number):
    waiting = asyncio.Queue()

    async def consume():
        while True:
            app.send(await waiting.get(), key=number)
            waiting.task_done()

    task = asyncio.create_task(consume())
    waiting.put_nowait(number)
    await waiting.join()
    task.cancel()


def in_many_steps(number):
    for step in range(number, number + 5):
        app.send(step, key=step)
