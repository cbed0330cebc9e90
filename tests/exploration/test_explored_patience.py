"""A delivery that sleeps until a lock is free is let wait as long as it takes, and no longer."""

from __future__ import annotations

import time

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import PoisonJob


class Locks:
    """The locks of a server, each with a lease in seconds; None for one without an end."""

    def __init__(self):
        self._until = {}

    def take(self, name, lease):
        until = self._until.get(name, 0)
        if until is None or until > time.time():
            return False
        self._until[name] = None if lease is None else time.time() + lease
        return True

    def release(self, name):
        self._until.pop(name, None)


class Gateway:
    def __init__(self):
        self.charged = set()

    def charge(self, number):
        self.charged.add(number)


class Shop:
    locks = Locks()
    gateway = Gateway()


def shop():
    Shop.locks = Locks()
    with fake(Shop, "gateway", Gateway(), reads={"charged"}) as gateway:
        yield lambda: {"charges": gateway.calls}


def charge_in_turn(number, lease):
    while not Shop.locks.take(number, lease):
        time.sleep(0.1)
    if number not in Shop.gateway.charged:
        Shop.gateway.charge(number)
    Shop.locks.release(number)


def check(lease, *histories):
    return check_idempotent(
        charge_in_turn, args=(7, lease), world=shop, histories=histories, atomic=[Locks]
    )


@pytest.mark.parametrize("lease", [30, 3_600, 86_400])
def test_the_lease_of_a_dead_holder_runs_out(lease):
    assert check(lease, "crash").histories > 1


def test_a_lock_without_a_lease_is_held_for_ever():
    with pytest.raises(PoisonJob, match=r"POISON no end \[crash"):
        check(None, "crash")


def test_the_lease_of_a_holder_that_is_only_slow_does_not_run_out_for_the_waiting_alone():
    assert check(60, "overlap").histories > 1
