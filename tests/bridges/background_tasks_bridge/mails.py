"""Functions that applications give to responses."""

import asyncio
import threading

#: What was sent, and by which thread.
sent = []
threads = []


def mail(number, to="Ann"):
    threads.append(threading.current_thread())
    sent.append(number)
    return f"mail {number} to {to}"


async def note(number):
    await asyncio.sleep(0)
    sent.append(f"note {number}")


def fail(number):
    raise LookupError(number)


def add(tasks, number):
    """Give the response another task while it runs those that it has."""
    sent.append("add")
    tasks.add_task(mail, number)


class Mailer:
    def send(self, number):
        sent.append(f"mailer {number}")


class Logged:
    """Is called as a function is."""

    def __call__(self, number):
        sent.append(f"logged {number}")
