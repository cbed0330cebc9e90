"""Locks that belong to a process do not keep two deliveries apart."""

import fcntl
import os
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect

app = SimpleNamespace(mail=None, sent=None, path=None)


@pytest.fixture(autouse=True)
def _path(tmp_path):
    app.path = tmp_path / "lock"


def world():
    app.sent = []
    with fake(app, "mail", lambda number: None) as mails:
        yield lambda: {"sent": list(app.sent), "mails": mails.calls}


def mail_once(number):
    if number not in app.sent:
        app.mail(number)
        app.sent.append(number)


def locks_by_lockf(number):
    with app.path.open("w") as file:
        os.lockf(file.fileno(), os.F_TLOCK, 0)
        mail_once(number)


def locks_by_flock(number):
    with app.path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mail_once(number)


def test_two_deliveries_have_the_lock():
    with pytest.raises(DuplicateEffect):
        check_idempotent(locks_by_lockf, args=(1,), world=world, histories=["overlap"])


def test_the_lock_of_an_open_file_keeps_them_apart():
    check_idempotent(locks_by_flock, args=(1,), world=world, histories=["overlap"])
