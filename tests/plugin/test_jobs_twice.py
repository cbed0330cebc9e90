"""`--jobs-twice` delivers each job that a test performs once more."""

from __future__ import annotations

import pytest

LEDGER = '''
"""The jobs of a small application, and the place where they leave their marks."""

import asyncio
import time

from pytest_jobs import discard_on, job, retry_on, unique

book = []
paid = set()


class Locked(Exception):
    pass


class Known(Exception):
    pass


@job
def add(amount):
    book.append(amount)


@job
def put(amount):
    if amount not in book:
        book.append(amount)


@job
def refuse_again(amount):
    if amount in book:
        raise ValueError(f"{amount} is there")
    book.append(amount)


@discard_on(Known)
@job
def drop_again(amount):
    if amount in book:
        raise Known
    book.append(amount)


@retry_on(Locked, wait=60, attempts=10)
@job
def wait_for_ever(amount):
    if amount in book:
        raise Locked
    book.append(amount)


@job
def put_and_ask(amount):
    put.perform_later(amount)
    put.perform_later(amount + 1)


@unique("number", on_conflict="replace")
@job
def greet(number, greeting): ...


@job
def greet_anew():
    greet.perform_later(1, "hello")
    greet.perform_later(1, "good bye")


@job
async def add_on_loop(amount):
    book.append(amount)


@discard_on(Exception)
@job
def assert_alone_and_drop(amount):
    assert amount not in book, "not alone"
    book.append(amount)


@job
def rest(seconds):
    time.sleep(seconds)


@job
async def pause_and_ask(amount):
    await asyncio.sleep(0)
    put.perform_later(amount)
    await asyncio.sleep(0)


@job
def assert_alone(amount):
    assert amount not in book, "not alone"
    book.append(amount)
'''

FRESH = """
import pytest
import ledger

@pytest.fixture(autouse=True)
def fresh():
    ledger.book.clear()
"""


@pytest.fixture(autouse=True)
def project(pytester, without_colour):
    pytester.makepyfile(ledger=LEDGER)
    pytester.makeconftest(FRESH)
    return pytester


def run(pytester, text, *arguments):
    pytester.makepyfile(test_it=text)
    return pytester.runpytest("--jobs-twice", *arguments)


ADDS_TWICE = """
    from ledger import add, book

    def test_sum(jobs):
        add.perform_later(5)
        jobs.drain()

        assert sum(book) == 5
"""


def test_nothing_is_delivered_twice_without_it(run_test):
    run_test(ADDS_TWICE).assert_outcomes(passed=1)


def test_a_job_that_a_second_delivery_breaks_is_named(pytester):
    result = run(pytester, ADDS_TWICE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert sum(book) == 5",
            "E *assert 10 == 5*",
            "*Delivered twice*",
            "add, delivered twice, breaks this test; without second deliveries it passes.",
            "",
            "- add(5) was delivered again",
            "",
            "To see the shortest story of how it breaks: check_idempotent(add, ..., world=...).",
            "If a second delivery rightly changes*: @pytest.mark.jobs(idempotent=False).",
            "*--jobs-twice*",
            "ledger.add broke 1 test:",
            "  test_it.py::test_sum",
            "1 delivery of 1 job made once more, in 1 test of 1.",
            "FAILED test_it.py::test_sum - add, delivered twice, breaks this test: *",
        ]
    )


SAFE = """
    import asyncio
    from datetime import timedelta

    import conftest
    import pytest
    from ledger import (
        Locked, book, drop_again, greet_anew, pause_and_ask, put, put_and_ask, rest, wait_for_ever,
    )
    from pytest_jobs import job

    def test_sum(jobs):
        put.perform_later(5)
        put.perform_later(6)
        jobs.drain()

        assert book == [5, 6]
        assert len(conftest.heard) == 2

    @pytest.mark.parametrize(
        "perform",
        [
            lambda jobs: put.perform_later(5) and jobs.drain(),
            lambda jobs: put.perform_later(5) and jobs.perform(jobs.pending[0]),
            lambda jobs: put.perform_later(5) and jobs.perform_due(),
            lambda jobs: put.set(wait=60).perform_later(5) and jobs.run_for(60),
        ],
    )
    def test_verb(jobs, perform):
        perform(jobs)

    def test_inline_block(jobs):
        with jobs.inline():
            put.perform_later(5)

    @pytest.mark.jobs(strict=True)
    def test_neither_a_copy_nor_what_it_enqueues_is_seen(jobs, assert_performed):
        put_and_ask.perform_later(1)
        tally = jobs.perform_due(children=False)

        assert tally.total == 1
        assert [record.name for record in jobs.pending] == ["ledger.put"] * 2
        assert len(jobs.enqueued) == 3
        assert len(jobs.deliveries) == len(jobs.performed) == 1
        assert len(jobs.deliveries[0].enqueued) == 2
        assert_performed(put_and_ask)
        assert jobs.drain().total == 2
        assert len(jobs.deliveries) == 3

    def test_what_a_copy_replaces_is_not_seen_either(jobs):
        greet_anew.perform_later()
        jobs.drain()

        removed = [str(event) for event in jobs.events if event.kind == "removed"]
        assert removed == ["removed greet(1, 'hello')"]
        assert [delivery.record.args for delivery in jobs.performed] == [(), (1, "good bye")]

    def test_a_copy_that_the_job_discards_is_in_order(jobs):
        drop_again.perform_later(5)
        jobs.drain()

    def test_a_copy_that_sleeps_does_not_move_the_clock_of_the_test(jobs):
        before = jobs.clock.freeze()
        rest.perform_later(30)
        jobs.drain()

        assert jobs.clock.now() - before == timedelta(seconds=30)

    def test_a_delivery_that_the_test_made_fail_is_left_alone(jobs):
        jobs.fail(wait_for_ever, raising=Locked, times=1)
        wait_for_ever.perform_later(5)
        jobs.perform_due()

        assert len(jobs.retried) == 1

    @pytest.mark.asyncio
    async def test_on_its_loop(jobs):
        put.perform_later(5)
        await jobs.adrain()

        assert book == [5]
        assert len(jobs.deliveries) == 1

    @pytest.mark.asyncio
    async def test_copies_of_two_verbs_at_once_do_not_get_in_each_others_way(jobs):
        for amount in range(3):
            pause_and_ask.perform_later(amount)
        await asyncio.gather(*map(jobs.aperform, jobs.pending))
        pause_and_ask.perform_later(7)

        names = [record.name for record in jobs.pending]
        assert names == ["ledger.put"] * 3 + ["ledger.pause_and_ask"]

    gate = []

    @job
    async def slow():
        gate.append(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @pytest.mark.asyncio
    async def test_what_another_task_enqueues_during_a_copy_is_the_tests(jobs):
        async def meanwhile():
            while len(gate) < 2:
                await asyncio.sleep(0)
            put.perform_later(9)

        slow.perform_later()
        await asyncio.gather(jobs.aperform(jobs.pending[0]), meanwhile())

        assert [record.name for record in jobs.pending] == ["ledger.put"]

    def test_without_jobs(): ...
"""


def test_safe_jobs_are_quiet_and_the_run_says_what_was_done(pytester):
    pytest.importorskip("pytest_asyncio")
    pytester.makeconftest(
        FRESH
        + """
heard = []

def pytest_jobs_delivered(delivery):
    heard.append(delivery)
"""
    )
    result = run(pytester, SAFE)

    result.assert_outcomes(passed=15)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "jobs: every delivery twice",
            "19 deliveries of 8 jobs made once more, in 13 tests of 15.",
            "1 delivery not made again, since the test made them fail*",
        ]
    )


BROKEN = """
    import unittest

    import pytest
    from ledger import (
        add, add_on_loop, assert_alone, assert_alone_and_drop, book, put, refuse_again, wait_for_ever,
    )
    from pytest_jobs import current_jobs, job, open_jobs

    def test_a_copy_that_fails(jobs):
        refuse_again.perform_later(5)
        jobs.drain()

    @pytest.mark.parametrize("job", [assert_alone, assert_alone_and_drop])
    def test_an_assertion_in_a_copy(jobs, job):
        job.perform_later(5)
        jobs.drain()

    def test_a_copy_that_is_retried_for_ever(jobs):
        wait_for_ever.perform_later(5)
        before = jobs.clock.now()
        jobs.drain()

        assert len(jobs.deliveries) == 1
        assert (jobs.clock.now() - before).total_seconds() < 60

    def test_that_fails_anyway(jobs):
        add.perform_later(5)
        jobs.drain()

        assert book == [6]

    def test_the_guilty_job_is_told_from_others(jobs):
        put.perform_later(1)
        add.perform_later(5)
        jobs.drain()

        assert sum(book) == 6

    @job
    def one_more(amount):
        book.append(amount)

    @job
    def another(amount):
        book.append(amount)

    def test_only_together(jobs):
        one_more.perform_later(5)
        another.perform_later(7)
        jobs.drain()

        assert len(book) < 4

    runs = []

    def test_flaky(jobs):
        put.perform_later(1)
        jobs.drain()
        runs.append(1)

        assert len(runs) > 1

    @pytest.mark.asyncio
    async def test_on_its_loop(jobs):
        add_on_loop.perform_later(5)
        await jobs.adrain()

        assert book == [5]

    def test_on_our_loop(jobs):
        add_on_loop.perform_later(5)
        jobs.drain()

        assert book == [5]

    def test_a_harness_without_the_fixture():
        with open_jobs() as jobs:
            add.perform_later(5)
            jobs.drain()

        assert book == [5]

    @pytest.mark.jobs
    class TestCase(unittest.TestCase):
        set_up = 0

        @classmethod
        def setUpClass(cls):
            cls.set_up += 1

        def setUp(self):
            self.there = len(book)

        def test_broken(self):
            add.perform_later(5)
            current_jobs().drain()
            self.assertEqual((book, self.set_up, self.there), ([5], 1, 0))

        def test_safe(self):
            put.perform_later(5)
            current_jobs().drain()
            self.assertEqual((book, self.set_up, self.there), ([5], 1, 0))
"""


def test_what_a_second_delivery_breaks_is_told_by_its_test_and_job(pytester, without_colour):
    pytest.importorskip("pytest_asyncio")
    result = run(pytester, BROKEN)

    result.assert_outcomes(passed=1, failed=12)
    result.stdout.fnmatch_lines(
        [
            '*raise ValueError(f"{amount} is there")',
            "- refuse_again(5) was delivered again, and failed: ValueError: 5 is there",
            "- assert_alone(5) was delivered again, and failed: AssertionError: not alone*",
            "- assert_alone_and_drop(5) was delivered again, and failed: AssertionError: not alone*",
            "- wait_for_ever(5) was delivered again, and not done after 4 attempts: Locked",
            "E *assert [[]5] == [[]6]",
            "one_more and another, delivered twice, only together break this test; *",
        ]
    )
    told = result.stdout.str().partition("= --jobs-twice =")[2].partition("short test summary")[0]
    broken = {
        "ledger.add": [
            "TestCase::test_broken",
            "test_a_harness_without_the_fixture",
            "test_the_guilty_job_is_told_from_others",
        ],
        "ledger.add_on_loop": ["test_on_its_loop", "test_on_our_loop"],
        "ledger.refuse_again": ["test_a_copy_that_fails"],
        "test_it.one_more": ["test_only_together"],
        "test_it.another": ["test_only_together"],
    }
    for job, tests in broken.items():
        count = f"{len(tests)} test{'s' * (len(tests) > 1)}"
        listed = "".join(f"  test_it.py::{test}\n" for test in tests)
        assert f"{job} broke {count}:\n{listed}" in told
    assert "ledger.put broke" not in told
    assert "test_that_fails_anyway" not in told
    assert "test_it.py::test_flaky failed with copies once, and then not again" in told
