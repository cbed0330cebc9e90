"""An assignment to an attribute of an installed module outlives a killed delivery."""

import math
from types import SimpleNamespace

from pytest_jobs import check_idempotent, fake

app = SimpleNamespace(mail=None)


def world():
    with fake(app, "mail", lambda number, key: None, key="key") as mails:
        yield lambda: {"mails": mails.calls}


def rounds_otherwise(number):
    floor, math.floor = math.floor, round
    app.mail(number, key=number)
    math.floor = floor


def test_an_assignment_outlives_the_check(monkeypatch):
    monkeypatch.setattr(math, "floor", math.floor)
    check_idempotent(rounds_otherwise, args=(1,), world=world, histories=["crash"])
    assert math.floor is round
