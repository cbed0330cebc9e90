"""Locks on files keep deliveries apart, as they keep workers apart."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent

fcntl = pytest.importorskip("fcntl", reason="Windows locks files in another way")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Locks of open files are of Linux")

app = SimpleNamespace(mail=None, sent=None, path=None)


def world():
    app.sent, app.part = [], 0
    with (
        tempfile.TemporaryDirectory() as folder,
        fake(app, "mail", lambda number: None) as mails,
    ):
        app.path = Path(folder) / "lock"
        yield lambda: {"sent": list(app.sent), "mails": mails.calls}


def mail_once(number):
    if number not in app.sent:
        app.mail(number)
        app.sent.append(number)


def without_waiting(number):
    with app.path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mail_once(number)


def with_waiting(number):
    with app.path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        mail_once(number)


def with_an_unlock(number):
    with app.path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        try:
            mail_once(number)
        finally:
            fcntl.lockf(file, fcntl.LOCK_UN)


def of_a_part(number):
    with app.path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        mail_once(number)


def of_another_part_each_time(number):
    app.part += 1
    with app.path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, app.part)
        mail_once(number)


def to_read_only(number):
    with app.path.open("a+") as file:
        fcntl.lockf(file, fcntl.LOCK_SH)
        mail_once(number)


def of_the_open_file(number):
    with app.path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mail_once(number)


def by_the_system(number):
    with app.path.open("w") as file:
        os.lockf(file.fileno(), os.F_TLOCK, 0)
        mail_once(number)


@pytest.mark.parametrize(
    "job", [without_waiting, with_waiting, with_an_unlock, of_a_part, of_the_open_file]
)
def test_a_lock_of_a_process_keeps_two_deliveries_apart(job):
    check_idempotent(job, args=(1,), world=world, histories=["overlap"])


@pytest.mark.parametrize("job", [of_another_part_each_time, to_read_only, by_the_system])
def test_locks_that_do_not_exclude_each_other_keep_nothing_apart(job):
    with pytest.raises(DuplicateEffect, match="mail"):
        check_idempotent(job, args=(1,), world=world, histories=["overlap"])


def test_a_file_that_is_only_locked_is_no_state_that_the_world_has_to_show(tmp_path):
    def lock_outside_of_the_world(number):
        with (tmp_path / "lock").open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            mail_once(number)

    check_idempotent(lock_outside_of_the_world, args=(1,), world=world, histories=["overlap"])


def test_a_file_that_is_locked_and_has_a_content_is_compared(tmp_path):
    def count_under_a_lock():
        with (tmp_path / "count").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("1\n")

    with pytest.raises(NotIdempotent, match=r"DUPLICATE files \[twice\]"):
        check_idempotent(count_under_a_lock)


def test_a_dead_worker_holds_no_lock():
    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(without_waiting, args=(1,), world=world, histories=["crash"])


def test_a_lock_that_something_else_holds_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_jobs.exploration.effects.system.file_locks._TRIES", 3)

    def wait(number):
        with (tmp_path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            mail_once(number)

    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(ExplorationError, match=r"waits for a lock on 'lock'.*Release the lock"):
            check_idempotent(wait, args=(1,), world=world)
