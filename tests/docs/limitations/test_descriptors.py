"""A descriptor that a killed delivery has opened stays open."""

import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from pytest_jobs import check_idempotent, fake

app = SimpleNamespace(mail=None, opened=set())


def world():
    with fake(app, "mail", lambda number, key: None, key="key") as mails:
        yield lambda: {"mails": mails.calls}


def reads(number):
    descriptor = os.open(os.devnull, os.O_RDONLY)
    app.opened.add(descriptor)
    app.mail(number, key=number)
    os.close(descriptor)


def reads_and_closes_it_in_any_case(number):
    descriptor = os.open(os.devnull, os.O_RDONLY)
    app.opened.add(descriptor)
    try:
        app.mail(number, key=number)
    finally:
        os.close(descriptor)


def still_open():
    found = set()
    for descriptor in app.opened:
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), Path(os.devnull).stat()):
                found.add(descriptor)
    return found


def test_a_descriptor_outlives_the_check():
    before = still_open()
    check_idempotent(reads_and_closes_it_in_any_case, args=(1,), world=world, histories=["crash"])
    assert still_open() == before
    check_idempotent(reads, args=(1,), world=world, histories=["crash"])
    assert still_open() > before
    for descriptor in still_open():
        os.close(descriptor)
