"""What the web application calls."""

from datetime import timedelta

from rq import Callback
from rq.job import Job

from . import jobs
from .queues import mail


def send(number: int) -> Job:
    """Send an invoice, and charge the customer when it is sent."""
    sent = mail.enqueue(jobs.send, number, on_failure=Callback(jobs.note_problem))
    jobs.charge.delay(number, depends_on=sent)
    return sent


def remind(number: int) -> Job:
    """Send an invoice once more in two weeks."""
    return mail.enqueue_in(timedelta(weeks=2), jobs.send, number, meta={"reminder": True})
