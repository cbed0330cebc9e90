"""The report of a test that failed ends with a short section about its jobs."""

from dataclasses import replace
from datetime import UTC, datetime

import freezegun
import pytest
import time_machine
from stub_transactions import StubTransactions, callback

from pytest_jobs import job
from pytest_jobs.assertions.remaining import jobs_in_this_test
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.records.texts import instant

pytestmark = pytest.mark.usefixtures("shop")


def section(result):
    """Return the lines of the section, and of nothing else."""
    lines = result.outlines
    (begin,) = (i for i, line in enumerate(lines) if line.strip("-") == " jobs in this test ")
    end = next(i for i, line in enumerate(lines) if i > begin and line.startswith(("=", "_")))
    return lines[begin + 1 : end]


def test_pending_jobs_are_shown_with_the_next_step(run_test):
    result = run_test("""
        from shop import Pay, send_receipt

        def test_it(jobs):
            Pay.perform_later(7)
            send_receipt.set(wait=60).perform_later(8)
            assert 1 == 2
    """)

    assert section(result) == [
        "pending: 2. Next: jobs.drain() performs them.",
        "  #0 Pay(7) queue='payments'",
        "  #1 send_receipt(8) queue='mailers' wait=1m",
    ]


def test_it_is_the_end_of_the_report(run_test):
    result = run_test("""
        from shop import Pay

        def test_it(jobs):
            print("printed")
            Pay.perform_later(7)
            assert 1 == 2
    """)

    result.stdout.fnmatch_lines(
        [
            "-* Captured stdout call -*",
            "-* jobs in this test -*",
            "pending: 1*",
            "  #0 Pay*",
            "=* short *",
        ]
    )


def test_jobs_that_failed_and_jobs_that_a_rule_dropped_are_told_apart(run_test):
    result = run_test("""
        from shop import Refuse
        from pytest_jobs import Job, discard_on

        @discard_on(KeyError)
        class Drop(Job):
            def perform(self):
                raise KeyError("gone")

        def test_it(jobs):
            Refuse.perform_later()
            Drop.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    assert section(result) == [
        "failed: 1",
        "  #0 Refuse() failed: ValueError: no money",
        "dropped: 1",
        "  #1 Drop() discarded: KeyError: 'gone'",
    ]


def test_a_job_that_another_kept_out_is_dropped_too(run_test):
    result = run_test("""
        from pytest_jobs import Job, unique

        @unique()
        class Import(Job):
            def perform(self, path):
                pass

        def test_it(jobs):
            Import.perform_later("a.csv")
            Import.perform_later("a.csv")
            jobs.drain(only=lambda record: False)
    """)

    assert section(result) == [
        "pending: 1. Next: jobs.drain() performs it.",
        "  #0 Import('a.csv') queue='default'",
        "dropped: 1",
        "  Import('a.csv') was kept out by #0 Import('a.csv')",
    ]


def test_calls_that_wait_for_a_commit_and_those_that_a_rollback_dropped_are_shown():
    waiting = callback("send_receipt.perform_later(7)", line=12)
    by_itself = replace(callback("Ship.perform_later(7)", line=13), commits_itself=True)
    dropped = callback("clear_cache", state="dropped", dropped="by a rollback")
    texts = []
    for callbacks in ([waiting, dropped], [by_itself]):
        with Jobs([ReferenceBridge()], transactions=[StubTransactions(*callbacks)]) as jobs:
            texts.append(jobs_in_this_test(jobs))

    assert "\n".join(texts).splitlines() == [
        "waiting for commit: 1. Next: jobs.commit() runs it.",
        "  send_receipt.perform_later(7), registered at shop/views.py:12",
        "dropped: 1",
        "  clear_cache was dropped by a rollback",
        "waiting for commit: 1. Next: the commit of the application enqueues it.",
        "  Ship.perform_later(7), registered at shop/views.py:13",
    ]


def test_three_of_each_kind_are_shown(run_test):
    result = run_test("""
        from shop import Pay

        def test_it(jobs):
            for payment_id in range(9):
                Pay.perform_later(payment_id)
            assert 1 == 2
    """)

    assert section(result)[3:] == [
        "  #2 Pay(2) queue='payments'",
        "  ... and 6 more: print(jobs.pending)",
    ]


def test_a_verbose_run_shows_all(pytester):
    pytester.makepyfile("""
        from shop import Pay

        def test_it(jobs):
            for payment_id in range(9):
                Pay.perform_later(payment_id)
            assert 1 == 2
    """)

    assert section(pytester.runpytest("-v"))[-1] == "  #8 Pay(8) queue='payments'"


@pytest.mark.parametrize("body", ["pass", "Pay.perform_later(7); jobs.drain()"])
def test_there_is_none_without_jobs_or_when_all_were_performed(run_test, body):
    result = run_test(f"""
        from shop import Pay

        def test_it(jobs):
            {body}
            assert 1 == 2
    """)

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*jobs in this test*")


def test_there_is_none_in_a_test_that_passed(pytester):
    pytester.makepyfile("""
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(7)
    """)

    pytester.runpytest("-rA").stdout.no_fnmatch_line("*jobs in this test*")


@pytest.mark.parametrize("phase", ["setup", "teardown"])
def test_an_error_of_a_fixture_shows_it_too(run_test, phase):
    before, after = ("", "yield") if phase == "setup" else ("yield", "")
    result = run_test(f"""
        import pytest
        from shop import Pay

        @pytest.fixture
        def broken(jobs):
            {before}
            Pay.perform_later(7)
            raise RuntimeError("the fixture broke")
            {after}

        def test_it(broken):
            pass
    """)

    assert section(result) == [
        "pending: 1. Next: jobs.drain() performs it.",
        "  #0 Pay(7) queue='payments'",
    ]


def test_a_job_that_is_not_known_here_is_marked(run_test):
    result = run_test("""
        from pytest_jobs import Payload
        from pytest_jobs.core.foundation.settings import settings

        def test_it(jobs):
            settings.adapter.enqueue(
                Payload(None, "billing.Chrage", "1" * 32, "default", None, "[[],{}]", 1, None, 10**18, None)
            )
            assert 1 == 2
    """)

    assert section(result)[1].endswith(" queue='default' (not known here)")


@job
def send_receipt(payment_id): ...


class _Minutely:
    """A schedule with one task, which fires a minute after its time began to pass."""

    key = "receipts"

    @property
    def tasks(self):
        return {self.key: self}

    def enqueue(self):
        return send_receipt.perform_later(7)

    def firings_between(self, after_ns, until_ns):
        return [(after_ns + 60 * 10**9, self)] if until_ns - after_ns >= 60 * 10**9 else []


@pytest.mark.usefixtures("time_of_the_run")
@pytest.mark.parametrize(
    "begin", [lambda jobs: None, lambda jobs: jobs.clock.advance(5), lambda jobs: jobs.drain()]
)
def test_recurring_jobs_are_shown_where_they_depend_on_when_the_test_runs(begin):
    with Jobs([ReferenceBridge()]) as jobs:
        jobs.recurring(_Minutely())
        begin(jobs)
        jobs.run_for(60)

        head, line = jobs_in_this_test(jobs).splitlines()

    assert head.startswith("recurring: 1 enqueued after 2")
    assert head.endswith(
        ", the time of this run. "
        "Next: jobs.clock.move_to(...) as the first line of the test makes every run alike."
    )
    assert line.endswith(f"{instant(jobs.deliveries[0].at)} #0 send_receipt(7) queue='default'")


@pytest.mark.usefixtures("time_of_the_run")
def test_recurring_jobs_are_shown_too_when_none_fired_at_the_time_of_the_run():
    with Jobs([ReferenceBridge()]) as jobs:
        jobs.recurring(_Minutely())
        jobs.run_for(59)

        assert jobs_in_this_test(jobs).startswith("recurring: 0 enqueued after ")


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_recurring_jobs_are_not_shown_when_the_test_has_set_the_clock():
    with Jobs([ReferenceBridge()]) as jobs:
        jobs.clock.move_to(NOON)
        jobs.recurring(_Minutely())
        jobs.run_for(60)

        assert jobs.performed.peek()
        assert jobs_in_this_test(jobs) == ""


@pytest.mark.parametrize("travel", [time_machine.travel, freezegun.freeze_time])
def test_recurring_jobs_are_not_shown_when_another_library_has_set_the_time(travel):
    with travel(NOON), Jobs([ReferenceBridge()]) as jobs:
        jobs.recurring(_Minutely())
        jobs.run_for(60)

        assert jobs.performed.peek()
        assert jobs_in_this_test(jobs) == ""
