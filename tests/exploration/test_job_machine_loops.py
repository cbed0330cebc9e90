"""The deliveries of one process of a machine run on one event loop, as those of one worker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from pytest_jobs import JobMachine, fake, job
from pytest_jobs.errors import ExplorationError

app = SimpleNamespace(mailer=None)
lock = asyncio.Lock()
runner = asyncio.Runner()


class Mailer:
    def send(self, to, key=None):
        return to


def mails():
    with fake(app, "mailer", Mailer(), key="key") as mailer:
        yield lambda: [call[1] for call in mailer.calls]


def script(job_of_machine):
    """Return a machine with one job, that is used as a block."""

    class Shop(JobMachine):
        world = staticmethod(mails)

        def settled(self):
            """Nothing has to hold: the test says it."""

    Shop.jobs = {job_of_machine: {"number": 1}}
    return Shop()


async def send_twice(number):
    """Two coroutines wait for one lock, so that it belongs to their loop from then on."""

    async def send():
        async with lock:
            await asyncio.sleep(1)
            app.mailer.send(number)

    await asyncio.gather(send(), send())


SECOND = "before mailer: send(1) in send_twice.<locals>.send, time 2"


def test_a_lock_of_a_module_serves_each_delivery_of_a_process():
    with script(send_twice) as state:
        state.enqueue("send_twice", 1)
        state.perform("send_twice#1")
        state.deliver_again("send_twice#1")
        state.restart()
        state.deliver_again("send_twice#1")
        state.deliver_again("send_twice#1")

        assert state.state == [1] * 8


def test_a_lock_of_a_module_is_free_when_its_process_is_dead():
    with script(send_twice) as state:
        state.enqueue("send_twice", 1)
        state.crash("send_twice#1", at=SECOND)
        state.perform("send_twice#1")
        state.deliver_again("send_twice#1")

        assert state.state == [1] * 5


def test_a_process_that_was_overlapped_goes_on_with_its_own_lock():
    with script(send_twice) as state:
        state.enqueue("send_twice", 1)
        state.perform("send_twice#1")
        state.restart()
        state.deliver_again("send_twice#1")
        state.enqueue("send_twice", 1)
        state.overlap("send_twice#2", at=SECOND)
        state.deliver_again("send_twice#2")

        assert state.state == [1] * 10


async def note_the_loop(number):
    app.mailer.send(asyncio.get_running_loop())


def test_the_loop_of_a_process_ends_with_it():
    with script(note_the_loop) as state:
        state.enqueue("note_the_loop", 1)
        state.perform("note_the_loop#1")
        state.deliver_again("note_the_loop#1")
        state.restart()
        state.deliver_again("note_the_loop#1")
        first, second, third = state.state

        assert first is second
        assert first.is_closed()
        assert not third.is_closed()
    assert third.is_closed()


def test_a_worker_that_makes_a_loop_for_each_delivery_is_shown_as_it_is():
    with script(job(note_the_loop)) as state:
        state.enqueue("note_the_loop", 1)
        state.perform("note_the_loop#1")
        state.deliver_again("note_the_loop#1")
        first, second = state.state

        assert first is not second


def send_on_a_runner(number):
    runner.run(send_twice(number))


def test_a_delivery_is_watched_on_a_runner_that_an_earlier_one_has_made():
    with script(send_on_a_runner) as state:
        state.enqueue("send_on_a_runner", 1)
        state.perform("send_on_a_runner#1")
        state.enqueue("send_on_a_runner", 1)
        state.crash("send_on_a_runner#2", at=SECOND)

        assert state.state == [1] * 3


async def mail_later(number):
    await asyncio.sleep(60)
    app.mailer.send(number)


async def leaves_a_task(number):
    app.mailer.send(number)
    asyncio.get_running_loop().create_task(mail_later(number))


async def leaves_a_callback(number):
    app.mailer.send(number)
    asyncio.get_running_loop().call_later(60, app.mailer.send, number)


@pytest.mark.parametrize(
    ("left", "named"),
    [
        (leaves_a_task, r"its task mail_later\(\) has not: nothing waits for the task"),
        (leaves_a_callback, r"its callback of line \d+ of leaves_a_callback has not run"),
    ],
)
def test_what_a_delivery_leaves_to_its_loop_is_an_error(left, named):
    def performed(name):
        with script(left) as state:
            state.enqueue(name, 1)
            state.perform(f"{name}#1")

    with pytest.raises(ExplorationError, match=named):
        performed(left.__name__)
