"""The process of a delivery, as psutil shows it to a job."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import ExplorationError, NotIdempotent

psutil = pytest.importorskip("psutil")

shop = SimpleNamespace(row={}, mail=None)


def world():
    shop.row = {}
    with fake(shop, "mail", lambda number, key: None, key="key") as mail:
        yield lambda: {"row": dict(shop.row), "mails": mail.calls}


def exists(pid):
    return psutil.pid_exists(pid)


def runs(pid):
    try:
        return psutil.Process(pid).is_running()
    except psutil.NoSuchProcess:
        return False


def take_over(looks):
    def job(number):
        owner = shop.row.get("owner")
        if owner is not None and looks(owner):
            return
        shop.row["owner"] = psutil.Process().pid
        shop.mail(number, key=number)
        shop.row.pop("owner")

    return job


@pytest.mark.parametrize("looks", [exists, runs])
def test_the_lock_of_a_dead_process_can_be_taken_over(looks):
    check_idempotent(take_over(looks), args=(1,), world=world, histories=["crash", "overlap"])


@pytest.mark.parametrize("looks", [exists, runs])
def test_the_lock_of_a_living_process_stays(looks):
    with pytest.raises(NotIdempotent, match=r"\[effect_fails"):
        check_idempotent(take_over(looks), args=(1,), world=world, histories=["effect_fails"])


def test_the_lock_of_a_killed_worker_is_held_by_another_process():
    def lock(number):
        me = psutil.Process().pid
        if shop.row.get("owner") in (None, me):
            shop.row["owner"] = me
            shop.mail(number, key=number)
            shop.row.pop("owner")

    with pytest.raises(NotIdempotent, match=r"\[crash"):
        check_idempotent(lock, args=(1,), world=world, histories=["crash"])


def test_a_job_can_measure_its_own_process():
    def measure(number):
        shop.row["measured"] = psutil.Process(os.getpid()).memory_info().rss > 0
        shop.mail(number, key=number)

    check_idempotent(measure, args=(1,), world=world)


def test_a_signal_to_the_worker_itself_is_refused():
    def stop(number):
        psutil.Process(os.getpid()).terminate()

    with pytest.raises(ExplorationError, match=r"a signal to the worker"):
        check_idempotent(stop, args=(1,), world=world)


def test_nothing_stays_patched():
    before = (psutil.pid_exists, psutil.Process._init)

    check_idempotent(take_over(exists), args=(1,), world=world, histories=["crash"])

    assert (psutil.pid_exists, psutil.Process._init) == before
