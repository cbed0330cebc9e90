"""A connection that a job keeps is closed with its delivery."""

import functools
import sys

import pytest

from pytest_jobs import check_idempotent, sqlite_world
from pytest_jobs.errors import PoisonJob


def connect():
    raise NotImplementedError


@functools.lru_cache
def kept():
    return connect()


def world():
    with sqlite_world(
        "create table paid (number primary key)", bind=(sys.modules[__name__], "connect")
    ) as rows:
        yield lambda: {"paid": rows("paid")}


def pay(number):
    kept().execute("insert or replace into paid values (?)", (number,))
    kept().commit()


def test_in_a_new_process():
    check_idempotent(pay, args=(1,), world=world, histories=["restart"])


def test_in_the_same_process():
    with pytest.raises(PoisonJob, match="Cannot operate on a closed database"):
        check_idempotent(pay, args=(1,), world=world, histories=["twice"])
