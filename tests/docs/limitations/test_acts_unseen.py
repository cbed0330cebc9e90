"""Acts that have no place where a check could see them."""

import ctypes
import os
from multiprocessing import Value
from uuid import uuid4

import pytest

from pytest_jobs import check_idempotent, fake

WORKER = f"worker:{os.getpid()}"
set_variable = ctypes.CDLL(None).setenv
counter = Value("i", 0)


class App:
    row = None

    def mail(self, number, key):
        raise NotImplementedError


app = App()


def world():
    app.row = {}
    with fake(app, "mail", lambda number, key: None, key="key") as mails:
        yield lambda: {"row": dict(app.row), "mails": mails.calls}


def sets_a_variable(number):
    set_variable(b"SHOP_MAILS", b"1", 1)
    app.mail(number, key=number)


def counts(number):
    counter.value += 1
    app.mail(number, key=number)


def keys_by_hash(number):
    app.mail(number, key=hash(f"mail-{number}"))


def sends_another_token(number):
    app.mail(uuid4().hex, key=number)


def locks_by_a_global(number):
    if app.row.get("owner") in (None, WORKER):
        app.row["owner"] = WORKER
        app.mail(number, key=number)
        app.row.clear()


@pytest.mark.parametrize(
    "job", [sets_a_variable, counts, keys_by_hash, locks_by_a_global, sends_another_token]
)
def test_unseen(job):
    check_idempotent(job, args=(1,), world=world)
