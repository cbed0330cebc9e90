"""Functions that tests enqueue with RQ: a worker imports them by their path."""

import asyncio
import sys
import time
from contextlib import suppress
from datetime import timedelta

from redis import Redis
from rq import Queue, Retry, get_current_job
from rq.decorators import job
from rq.exceptions import DuplicateJobError

redis = Redis(port=1)
queue = Queue("mail", connection=redis)


def greet(name, greeting="Hello"):
    return f"{greeting}, {name}!"


def fails(*args):
    raise ValueError("no such customer")


def asks_again(*args):
    return Retry(max=2, interval=[10, 30])


def enqueues(name):
    queue.enqueue(greet, name)


async def waits(seconds):
    await asyncio.sleep(seconds)
    return seconds


def sleeps(seconds):
    time.sleep(seconds)


def leaves():
    sys.exit(3)


def refers():
    this = get_current_job()
    this.meta["seen"] = True
    this.save_meta()
    return this.id


def tells_its_tenant():
    return get_current_job().meta["tenant"]


def returns_a_lambda():
    return lambda: None


def noted(job, connection, *outcome):
    queue.enqueue(
        "rq_tasks.greet", type(outcome[0]).__name__ if len(outcome) < 3 else outcome[0].__name__
    )


class Mailer:
    def __init__(self, sender):
        self.sender = sender

    def send(self, name):
        return f"{self.sender} to {name}"


class Runner:
    @classmethod
    def handle(cls, number):
        return cls.__name__, number


class Charge(Runner):
    """What runs is the method of another class."""


@job("receipts", connection=redis, retry=Retry(max=3, interval=[10, 30]))
def receipt(number):
    return number


def never_enqueued(name):
    """Stay a function."""


class Ledger:
    def book(self, number, key=None):
        return number


class Shop:
    ledger = Ledger()


def greets_once(number):
    with suppress(DuplicateJobError):
        queue.enqueue(greet, number, job_id=f"greet-{number}", unique=True)
    Shop.ledger.book(number, key=f"book-{number}")


def greets_later_once(number):
    with suppress(DuplicateJobError):
        queue.enqueue_in(timedelta(hours=1), greet, number, job_id=f"greet-{number}", unique=True)


def books(number):
    Shop.ledger.book(number)


def greets(number):
    queue.enqueue(books, number, job_id=f"greet-{number}")
