"""Pipes with names, which have no content that could be compared."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no os.mkfifo")

app = SimpleNamespace(folder=None, mail=None)


def world():
    with (
        tempfile.TemporaryDirectory() as folder,
        fake(app, "mail", lambda number, key: None, key="key") as mails,
    ):
        app.folder = Path(folder)
        yield lambda: {"mails": mails.calls}


def make_one_more(number):
    os.mkfifo(app.folder / str(len(list(app.folder.iterdir()))))
    app.mail(number, key=number)


def make_once(number):
    if not (app.folder / "pipe").exists():
        os.mkfifo(app.folder / "pipe")
    app.mail(number, key=number)


def test_a_pipe_in_each_delivery_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE file"):
        check_idempotent(make_one_more, args=(1,), world=world)


def test_a_pipe_that_is_made_once_is_quiet():
    check_idempotent(make_once, args=(1,), world=world, histories=["twice", "restart", "crash"])
