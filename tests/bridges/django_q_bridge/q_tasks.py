"""Functions that tests enqueue with Django-Q2: a worker imports them by their path."""

from threading import Lock
from time import sleep


def greet(name, greeting="Hello"):
    return f"{greeting}, {name}!"


def fails(*args):
    raise ValueError("no such customer")


def waits(seconds):
    sleep(seconds)
    return seconds


async def greets_later(name):
    return f"Hello, {name}!"


def returns_a_lock():
    return Lock()


class Unreadable:
    def __reduce__(self):
        return int, ("no number",)


def returns_what_cannot_be_read():
    return Unreadable()


def spoils(names):
    names.append(Lock())
    return len(names)


def hooked(task):
    HOOKED.append(task.result)


HOOKED = []
