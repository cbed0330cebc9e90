"""A module of jobs for the runs of pytester."""

from __future__ import annotations

import re

import pytest
from servers import redis_url  # noqa: F401 - a fixture

SHOP = '''
"""The jobs of a small application."""

import asyncio
import time

from pytest_jobs import Job, discard_on, job, polynomially_longer, retry_on


class Pay(Job):
    queue = "payments"

    def perform(self, payment_id):
        return f"paid {payment_id}"


class Refuse(Job):
    def perform(self, reason="no money"):
        refuse(reason)


def refuse(reason):
    raise ValueError(reason)


@retry_on(TimeoutError, wait=polynomially_longer, attempts=3)
class Sync(Job):
    def perform(self, failures=1):
        if self.attempt <= failures:
            raise TimeoutError(f"attempt {self.attempt}")


@job(queue="mailers")
def send_receipt(order_id):
    return f"receipt {order_id}"


@job
def rest(seconds):
    time.sleep(seconds)


@job
async def fetch(page):
    await asyncio.sleep(0)
    return page


@job
def call(function_name, *arguments):
    return globals()[function_name](*arguments)
'''


@pytest.fixture
def shop(pytester):
    """Write a module `shop` with some jobs."""
    return pytester.makepyfile(shop=SHOP)


@pytest.fixture
def without_colour(monkeypatch):
    """Keep colours out of what subprocesses print."""
    monkeypatch.setenv("PY_COLORS", "0")


@pytest.fixture
def told(pytester):
    """Return a function that runs a module, and returns the report of each test in it that did not pass.

    One run costs as much as many tests in it.
    """

    def told(source, *arguments, **outcomes):
        pytester.makepyfile(test_it=source)
        result = pytester.runpytest(*arguments)
        result.assert_outcomes(**outcomes)
        reports = {}
        for name, text in re.findall(
            r"(?ms)^_+ (?:ERROR at \w+ of )?([\w.]+)(?:\[.*\])? _+$\n(.*?)(?=^(?:_{5,} |=))",
            result.stdout.str(),
        ):
            reports[name] = pytest.LineMatcher(text.splitlines())
        return reports

    return told
