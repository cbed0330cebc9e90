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


def section(report):
    """Return the lines of the section, and of nothing else."""
    lines = report.lines
    (begin,) = (i for i, line in enumerate(lines) if line.strip("-") == " jobs in this test ")
    return lines[begin + 1 :]


TESTS = """
    import pytest
    from pytest_jobs import Job, Payload, discard_on, unique
    from pytest_jobs.core.foundation.settings import settings
    from shop import Pay, Refuse, send_receipt

    @discard_on(KeyError)
    class Drop(Job):
        def perform(self):
            raise KeyError("gone")

    @unique()
    class Import(Job):
        def perform(self, path):
            pass

    def test_pending(jobs):
        print("printed")
        Pay.perform_later(7)
        send_receipt.set(wait=60).perform_later(8)
        assert 1 == 2

    def test_failed_and_dropped(jobs):
        Refuse.perform_later()
        Drop.perform_later()
        jobs.drain(raise_errors=False)
        assert 1 == 2

    def test_kept_out(jobs):
        Import.perform_later("a.csv")
        Import.perform_later("a.csv")
        jobs.drain(only=lambda record: False)

    def test_nine(jobs):
        for payment_id in range(9):
            Pay.perform_later(payment_id)
        assert 1 == 2

    def test_not_known(jobs):
        settings.adapter.enqueue(
            Payload(None, "billing.Chrage", "1" * 32, "default", None, "[[],{}]", 1, None, 10**18, None)
        )
        assert 1 == 2

    def test_no_jobs(jobs):
        assert 1 == 2

    def test_all_performed(jobs):
        Pay.perform_later(7)
        jobs.drain()
        assert 1 == 2

    def test_passed(jobs):
        Pay.perform_later(7)

    @pytest.fixture
    def broken(jobs):
        Pay.perform_later(7)
        raise RuntimeError("the fixture broke")

    @pytest.fixture
    def broken_at_last(jobs):
        yield
        Pay.perform_later(7)
        raise RuntimeError("the fixture broke")

    def test_setup(broken):
        pass

    def test_teardown(broken_at_last):
        pass
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_jobs_are_shown_by_what_became_of_them_with_the_next_step(told, verbose):
    flags = ["-v"] if verbose else []
    reports = told(TESTS, "-rA", *flags, passed=2, failed=7, errors=2)

    assert section(reports["test_pending"]) == [
        "pending: 2. Next: jobs.drain() performs them.",
        "  #0 Pay(7) queue='payments'",
        "  #1 send_receipt(8) queue='mailers' wait=1m",
    ]
    reports["test_pending"].fnmatch_lines(["-* Captured stdout call -*", "-* jobs in this test -*"])
    assert section(reports["test_failed_and_dropped"]) == [
        "failed: 1",
        "  #0 Refuse() failed: ValueError: no money",
        "dropped: 1",
        "  #1 Drop() discarded: KeyError: 'gone'",
    ]
    assert section(reports["test_kept_out"]) == [
        "pending: 1. Next: jobs.drain() performs it.",
        "  #0 Import('a.csv') queue='default'",
        "dropped: 1",
        "  Import('a.csv') was kept out by #0 Import('a.csv')",
    ]
    assert section(reports["test_nine"])[3:] == (
        [f"  #{number} Pay({number}) queue='payments'" for number in range(2, 9)]
        if verbose
        else ["  #2 Pay(2) queue='payments'", "  ... and 6 more: print(jobs.pending)"]
    )
    assert section(reports["test_not_known"])[1].endswith(" queue='default' (not known here)")
    for name in ("no_jobs", "all_performed"):
        reports[f"test_{name}"].no_fnmatch_line("*jobs in this test*")
    for name in ("setup", "teardown"):
        assert section(reports[f"test_{name}"]) == [
            "pending: 1. Next: jobs.drain() performs it.",
            "  #0 Pay(7) queue='payments'",
        ]
    assert "test_passed" not in reports


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
