"""A mock or a stub in the place of what enqueues a job: the job is enqueued in the history all the same."""

from __future__ import annotations

from unittest.mock import Mock, patch

import fakeredis
import pytest
import rq
import taskiq
from celery import Celery, shared_task

from pytest_jobs import Job, check_idempotent
from pytest_jobs.errors import DuplicateEffect

app = Celery("enqueues_by_mocks", broker="memory://")
broker = taskiq.InMemoryBroker()
queue = rq.Queue(connection=fakeredis.FakeStrictRedis())
mail = Mock(spec=["send"])
done = set()


@app.task
def ship(order):
    mail.send("ship", order)


@shared_task
def tell(order):
    mail.send("tell", order)


@broker.task
async def bill(order):
    mail.send("bill", order)


def pick(order):
    mail.send("pick", order)


class Pack(Job):
    def perform(self, order):
        mail.send("Pack", order)


def world():
    done.clear()
    yield lambda: {"done": set(done)}


def job_that(enqueue):
    def job(order):
        if order not in done:
            enqueue(order)
            done.add(order)

    return job


async def bill_once(order):
    if order not in done:
        await bill.kiq(order)
        done.add(order)


def delay(order):
    ship.delay(order)


def tell_later(order):
    tell.delay(order)


def pack_later(order):
    Pack.perform_later(order)


HERE = __name__
MOCKS = {
    "delay": (lambda: patch(f"{HERE}.ship.delay"), job_that(delay), "ship"),
    "the method that delay calls": (
        lambda: patch.object(ship, "apply_async"),
        job_that(delay),
        "ship",
    ),
    "a whole task": (lambda: patch(f"{HERE}.ship"), job_that(delay), "ship"),
    "a signature of a mock": (
        lambda: patch(f"{HERE}.ship", autospec=True),
        job_that(lambda o: ship.s(o).apply_async(countdown=3)),
        "ship",
    ),
    "the method that makes a signature": (
        lambda: patch(f"{HERE}.ship.s"),
        job_that(lambda o: ship.s(o).delay()),
        "ship",
    ),
    "a shared task": (
        lambda: patch(f"{HERE}.tell.delay"),
        job_that(tell_later),
        "tell",
    ),
    "a job class": (
        lambda: patch(f"{HERE}.Pack"),
        job_that(pack_later),
        "Pack",
    ),
    "a coroutine": (lambda: patch(f"{HERE}.bill.kiq"), bill_once, "bill"),
    "a queue": (lambda: patch(f"{HERE}.queue"), job_that(lambda o: queue.enqueue(pick, o)), "pick"),
    "an application": (
        lambda: patch.object(app, "send_task"),
        job_that(lambda o: app.send_task(ship.name, (o,))),
        "ship",
    ),
    "a stub": (
        lambda: patch.object(ship, "delay", new=lambda order: None),
        job_that(delay),
        "ship",
    ),
}


@pytest.mark.parametrize(("mock", "job", "name"), MOCKS.values(), ids=MOCKS)
def test_a_mock_of_what_enqueues_a_job_is_an_enqueue_whose_job_is_performed(mock, job, name):
    with mock() as put, pytest.raises(DuplicateEffect, match=r"DUPLICATE \S*mail.send ") as twice:
        check_idempotent(job, args=(7,), world=world)

    assert f"2 x ('send', '{name}', 7)" in str(twice.value)
    assert getattr(put, "mock_calls", []) == []


def test_the_caller_gets_the_answer_of_the_mock():
    answers = []
    with patch.object(ship, "delay", Mock(return_value="receipt")):
        check_idempotent(
            lambda: answers.append(ship.delay(7)),
            world=world,
            histories=["crash"],
            repeatable={"*.mail"},
        )

    assert {*answers} == {"receipt"}


@pytest.mark.parametrize("call", [lambda: ship(7), lambda: ship.apply((7,)), lambda: ship.run(7)])
def test_a_mock_of_what_performs_a_job_at_once_enqueues_nothing(call):
    with patch(f"{HERE}.ship"), pytest.raises(DuplicateEffect, match=rf"DUPLICATE {HERE}\.ship"):
        check_idempotent(call, world=world, histories=["twice"])


def test_an_enqueue_that_its_library_refuses_is_an_effect_by_the_name_of_the_mock():
    with (
        patch(f"{HERE}.Pack.perform_later"),
        pytest.raises(DuplicateEffect, match=rf"DUPLICATE enqueue {HERE}\.Pack\.perform_later "),
    ):
        check_idempotent(lambda: Pack.perform_later(object()), world=world, histories=["twice"])


def test_mocks_says_that_a_mock_enqueues_nothing():
    with patch(f"{HERE}.ship.delay"):
        check_idempotent(
            MOCKS["delay"][1], args=(7,), world=world, mocks={f"{HERE}.ship.delay": "nothing"}
        )
