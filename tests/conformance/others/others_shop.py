"""The jobs that are asked what the tests of other job systems ask."""

from __future__ import annotations

import time

from pytest_jobs import Halt, Job, before_perform, discard_on, job, retry_on


class CardExpired(Exception):
    pass


@job(queue="mailers", priority=5)
def send_mail(to, *, options=None):
    return f"mailed {to}"


@job
def place_order(number):
    send_mail.perform_later(f"customer {number}")
    return number


@retry_on(TimeoutError, wait=30, attempts=3)
@discard_on(CardExpired)
class Charge(Job):
    queue = "payments"

    def perform(self, payment_id, *, error=None):
        if error is not None:
            raise {"slow": TimeoutError, "expired": CardExpired, "broken": LookupError}[error]
        return f"attempt {self.attempt}"


@job
def poll():
    poll.set(wait=60).perform_later()


@job
def rest(seconds):
    time.sleep(seconds)
    return seconds


@job
async def fetch(page):
    return page


class Closed(Job):
    @before_perform
    def stop(self):
        raise Halt

    def perform(self): ...
