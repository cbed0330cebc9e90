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


def test_a_safe_job_is_quiet_and_the_run_says_what_was_done(pytester):
    result = run(
        pytester,
        """
        from ledger import put, book

        def test_sum(jobs):
            put.perform_later(5)
            put.perform_later(6)
            jobs.drain()

            assert book == [5, 6]

        def test_other(): ...
        """,
    )

    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["jobs: every delivery twice", "2 deliveries of 1 job made once more, in 1 test of 2."]
    )


@pytest.mark.parametrize(
    "perform",
    [
        "put.perform_later(5); jobs.drain()",
        "jobs.perform((put.perform_later(5), jobs.pending[0])[1])",
        "put.perform_later(5); jobs.perform_due()",
        "put.set(wait=60).perform_later(5); jobs.run_for(60)",
        "exec('with jobs.inline(): put.perform_later(5)')",
    ],
)
def test_every_verb_delivers_twice(pytester, perform):
    result = run(
        pytester,
        f"""
        from ledger import put

        def test_it(jobs):
            {perform}
        """,
    )

    result.stdout.fnmatch_lines(["1 delivery of 1 job made once more, in 1 test of 1."])


def test_neither_a_copy_nor_what_it_enqueues_is_seen(pytester):
    result = run(
        pytester,
        """
        from ledger import put, put_and_ask

        def test_views(jobs, assert_performed):
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
        """,
        "--jobs-strict",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["3 deliveries of 2 jobs made once more, in 1 test of 1."])


def test_copies_that_no_test_sees(pytester):
    result = run(
        pytester,
        """
        from ledger import drop_again, greet_anew

        def test_what_a_copy_replaces_is_not_seen_either(jobs):
            greet_anew.perform_later()
            jobs.drain()

            removed = [str(event) for event in jobs.events if event.kind == "removed"]
            assert removed == ["removed greet(1, 'hello')"]
            assert [delivery.record.args for delivery in jobs.performed] == [(), (1, "good bye")]

        def test_a_copy_that_the_job_discards_is_in_order(jobs):
            drop_again.perform_later(5)
            jobs.drain()
        """,
    )

    result.assert_outcomes(passed=2)


def test_a_hook_does_not_hear_of_copies(pytester):
    pytester.makeconftest(
        FRESH
        + """
heard = []

def pytest_jobs_delivered(delivery):
    heard.append(delivery)
"""
    )
    result = run(
        pytester,
        """
        import conftest
        from ledger import put

        def test_it(jobs):
            put.perform_later(1)
            jobs.drain()

            assert len(conftest.heard) == 1
        """,
    )

    result.assert_outcomes(passed=1)


def test_a_copy_that_fails_breaks_the_test(pytester):
    result = run(
        pytester,
        """
        from ledger import refuse_again

        def test_it(jobs):
            refuse_again.perform_later(5)
            jobs.drain()
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '*raise ValueError(f"{amount} is there")',
            "- refuse_again(5) was delivered again, and failed: ValueError: 5 is there",
            "ledger.refuse_again broke 1 test:",
        ]
    )


@pytest.mark.parametrize("name", ["assert_alone", "assert_alone_and_drop"])
def test_an_assertion_in_a_copy_breaks_the_test(pytester, name):
    result = run(
        pytester,
        f"""
        from ledger import {name}

        def test_it(jobs):
            {name}.perform_later(5)
            jobs.drain()
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"- {name}(5) was delivered again, and failed: AssertionError: not alone*"]
    )


def test_a_copy_that_sleeps_does_not_move_the_clock_of_the_test(pytester):
    result = run(
        pytester,
        """
        from datetime import timedelta
        from ledger import rest

        def test_it(jobs):
            before = jobs.clock.freeze()
            rest.perform_later(30)
            jobs.drain()

            assert jobs.clock.now() - before == timedelta(seconds=30)
        """,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 delivery of 1 job made once more, in 1 test of 1."])


def test_copies_of_two_verbs_at_once_do_not_get_in_each_others_way(pytester):
    pytest.importorskip("pytest_asyncio")
    result = run(
        pytester,
        """
        import asyncio
        import pytest
        from ledger import pause_and_ask

        @pytest.mark.asyncio
        async def test_it(jobs):
            for amount in range(3):
                pause_and_ask.perform_later(amount)
            await asyncio.gather(*map(jobs.aperform, jobs.pending))
            pause_and_ask.perform_later(7)

            names = [record.name for record in jobs.pending]
            assert names == ["ledger.put"] * 3 + ["ledger.pause_and_ask"]
        """,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["3 deliveries of 1 job made once more, in 1 test of 1."])


def test_a_copy_that_is_retried_for_ever_breaks_the_test(pytester):
    result = run(
        pytester,
        """
        from ledger import wait_for_ever

        def test_it(jobs):
            wait_for_ever.perform_later(5)
            before = jobs.clock.now()
            jobs.drain()

            assert len(jobs.deliveries) == 1
            assert (jobs.clock.now() - before).total_seconds() < 60
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["- wait_for_ever(5) was delivered again, and not done after 4 attempts: Locked"]
    )


def test_a_test_that_fails_anyway_is_reported_as_it_fails(pytester):
    result = run(
        pytester,
        """
        from ledger import add, book

        def test_wrong(jobs):
            add.perform_later(5)
            jobs.drain()

            assert book == [6]
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert [[]5] == [[]6]"])
    result.stdout.no_fnmatch_line("*delivered twice, breaks*")
    result.stdout.no_fnmatch_line("* broke *")


def test_the_guilty_job_is_told_from_others(pytester):
    result = run(
        pytester,
        """
        from ledger import add, put, book

        def test_it(jobs):
            put.perform_later(1)
            add.perform_later(5)
            jobs.drain()

            assert sum(book) == 6
        """,
    )

    result.stdout.fnmatch_lines(["ledger.add broke 1 test:"])
    result.stdout.no_fnmatch_line("ledger.put broke*")


def test_jobs_that_break_a_test_only_together_are_all_named(pytester):
    result = run(
        pytester,
        """
        from ledger import add, add_on_loop, book

        def test_it(jobs):
            add.perform_later(5)
            add_on_loop.perform_later(7)
            jobs.drain()

            assert len(book) < 4
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "add and add_on_loop, delivered twice, only together break this test; *",
            "ledger.add broke 1 test:",
            "ledger.add_on_loop broke 1 test:",
        ]
    )


def test_a_test_that_does_not_fail_again_is_called_flaky(pytester):
    result = run(
        pytester,
        """
        from ledger import put

        runs = []

        def test_it(jobs):
            put.perform_later(1)
            jobs.drain()
            runs.append(1)

            assert len(runs) > 1
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it failed with copies once, and then not again*"]
    )
    result.stdout.no_fnmatch_line("* broke *")


def test_a_delivery_that_the_test_made_fail_is_left_alone(pytester):
    result = run(
        pytester,
        """
        from ledger import wait_for_ever, Locked

        def test_it(jobs):
            jobs.fail(wait_for_ever, raising=Locked, times=1)
            wait_for_ever.perform_later(5)
            jobs.drain(limit=1)

            assert len(jobs.retried) == 1
        """,
    )

    result.stdout.fnmatch_lines(["1 delivery not made again, since the test made them fail*"])


def test_coroutine_jobs_and_async_tests(pytester):
    pytest.importorskip("pytest_asyncio")
    result = run(
        pytester,
        """
        import pytest
        from ledger import add_on_loop, put, book

        @pytest.mark.asyncio
        async def test_safe(jobs):
            put.perform_later(5)
            await jobs.adrain()

            assert book == [5]
            assert len(jobs.deliveries) == 1

        @pytest.mark.asyncio
        async def test_broken(jobs):
            add_on_loop.perform_later(5)
            await jobs.adrain()

            assert book == [5]

        def test_broken_on_our_loop(jobs):
            add_on_loop.perform_later(5)
            jobs.drain()

            assert book == [5]
        """,
    )

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["ledger.add_on_loop broke 2 tests:"])


def test_what_another_task_enqueues_during_a_copy_is_the_tests(pytester):
    pytest.importorskip("pytest_asyncio")
    result = run(
        pytester,
        """
        import asyncio
        import pytest
        from pytest_jobs import job
        from ledger import put

        gate = []

        @job
        async def slow():
            gate.append(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_it(jobs):
            async def meanwhile():
                while len(gate) < 2:
                    await asyncio.sleep(0)
                put.perform_later(9)

            slow.perform_later()
            await asyncio.gather(jobs.aperform(jobs.pending[0]), meanwhile())

            assert [record.name for record in jobs.pending] == ["ledger.put"]
        """,
    )

    result.assert_outcomes(passed=1)


def test_tests_of_unittest(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
    result = run(
        pytester,
        """
        import unittest
        from pytest_jobs import current_jobs
        from ledger import add, put, book

        class TestIt(unittest.TestCase):
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
        """,
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["ledger.add broke 1 test:", "  test_it.py::TestIt::test_broken"])


def test_a_harness_without_the_fixture(pytester):
    result = run(
        pytester,
        """
        from pytest_jobs import open_jobs
        from ledger import add, book

        def test_it():
            with open_jobs() as jobs:
                add.perform_later(5)
                jobs.drain()

            assert book == [5]
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ledger.add broke 1 test:"])
