"""An actor is explored through its real path."""

from unittest.mock import patch

import pytest

pytest.importorskip("dramatiq")

from booked import Shop, books
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect


def test_an_actor_whose_send_the_test_has_mocked_is_explored(jobs, actor):
    @actor
    def book(number):
        Shop.ledger.book(number)

    with (
        patch.object(book, "send"),
        pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book \[twice\]"),
    ):
        check_idempotent(book, args=(7,), world=books)


def test_a_killed_actor_is_delivered_again_as_configured(jobs, actor):
    """A message is acknowledged after the run, so nothing is lost."""

    @actor
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        Shop.ledger.book(-number, key=f"mark-{number}")

    explored = check_idempotent(book, args=(7,), world=books, delivery="as configured")

    assert explored.histories > 3


def test_each_history_has_rate_limits_of_its_own(jobs, actor):
    limits = RedisBackend(url="redis://localhost:1")

    @actor
    def book(number):
        with ConcurrentRateLimiter(limits, "ledger", limit=1).acquire():
            Shop.ledger.book(number, key=f"book-{number}")

    assert check_idempotent(book, args=(7,), world=books, histories=["twice"]).histories > 0
