"""Functions that tests enqueue with Django-Q2: a worker imports them by their path."""

from time import sleep


def greet(name, greeting="Hello"):
    return f"{greeting}, {name}!"


def fails(*args):
    raise ValueError("no such customer")


def waits(seconds):
    sleep(seconds)
    return seconds


def hooked(task):
    HOOKED.append(task.result)


HOOKED = []
