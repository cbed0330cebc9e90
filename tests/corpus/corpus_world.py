"""The worlds of the corpus: a shop with its database, the services of others, redis and a folder."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import corpus_shop
import pytest

from pytest_jobs import fake, redis_world, sqlite_world

_SCHEMA = """
create table payments (id integer primary key, status, amount, version integer default 0);
create table entries (reference unique, amount);
create table accounts (id integer primary key, balance integer);
create table outbox (reference unique, body);
create table feed (body);
insert into payments values (1, 'pending', 100, 0), (2, 'pending', 50, 0);
insert into accounts values (1, 0);
"""
_TABLES = ("payments", "entries", "accounts", "outbox", "feed")


class Gateway:
    def __init__(self):
        self._charged = set()

    def charge(self, payment, amount, idempotency_key=None):
        self._charged.add(payment)

    def find(self, payment):
        return payment in self._charged


class Mailer:
    def send(self, template, recipient):
        pass


class Desk:
    def open_ticket(self, subject):
        pass


class Queue:
    """A queue that takes one job for each key, of which no other job of the corpus need know."""

    def push(self, name, argument, unique=None):
        pass


@contextmanager
def _shop(remembers: timedelta | None) -> Generator[Callable[[], dict[str, Any]], None, None]:
    with ExitStack() as stack:
        enter = stack.enter_context
        rows = enter(sqlite_world(_SCHEMA, bind=(corpus_shop, "connect")))
        enter(
            fake(
                corpus_shop,
                "gateway",
                Gateway(),
                key="idempotency_key",
                remembers=remembers,
                reads=("find",),
            )
        )
        enter(fake(corpus_shop, "mailer", Mailer()))
        enter(fake(corpus_shop, "desk", Desk()))
        enter(fake(corpus_shop, "queue", Queue(), key="unique"))
        yield lambda: {table: rows(table) for table in _TABLES}


shop = functools.partial(_shop, None)
#: Its gateway forgets keys after a day.
forgetful_shop = functools.partial(_shop, timedelta(hours=24))


@contextmanager
def shop_with_redis() -> Generator[Callable[[], dict[str, Any]], None, None]:
    """Whoever holds a lock is not part of the outcome."""
    with shop() as tables, redis_world(bind=(corpus_shop, "redis")) as redis:
        yield lambda: {**tables(), "redis": redis.dump(ignore="lock:*")}


@contextmanager
def forgetful_shop_with_cache() -> Generator[Callable[[], dict[str, Any]], None, None]:
    """What is in a cache is not part of the outcome."""
    with forgetful_shop() as tables, redis_world(bind=(corpus_shop, "redis")):
        yield tables


@contextmanager
def shop_with_folder() -> Generator[Callable[[], dict[str, Any]], None, None]:
    with (
        shop() as tables,
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(corpus_shop, "folder", Path(folder))
        yield lambda: {
            **tables(),
            "files": {path.name: path.read_text("utf-8") for path in Path(folder).iterdir()},
        }
