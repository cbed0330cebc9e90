"""An assertion that nothing happened is judged at the end of the test: what it looked for could have come."""

import pytest
from stub_transactions import StubTransactions, callback

from pytest_jobs import Job, assert_not_enqueued, assert_not_performed
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import CriterionError
from pytest_jobs.harness.jobs import Jobs


class Pay(Job):
    def perform(self, payment_id):
        pass


class Ship(Job):
    def perform(self):
        pass


class Service:
    def notify(self):
        pass


NEXT = (
    "Next: jobs.commit() before the assertion, or look at jobs.waiting_for_commit if the test is about what "
    "happens without a commit."
)
PAYS = callback("Pay.perform_later(7)", owner=Pay)


def opened(*callbacks):
    return Jobs([ReferenceBridge()], transactions=[StubTransactions(*callbacks)])


@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("assert_not_enqueued(Pay)", lambda: assert_not_enqueued(Pay)),
        ("assert_not_enqueued(Pay)", lambda: assert_not_enqueued(Pay, args=[8])),
        ("assert_not_enqueued()", assert_not_enqueued),
        ("assert_not_performed(Pay)", lambda: assert_not_performed(Pay)),
        ("assert_not_performed()", assert_not_performed),
    ],
)
def test_what_waits_for_a_commit_to_the_end_may_still_come(call, ask):
    with pytest.raises(CriterionError) as caught, opened(PAYS):
        ask()

    first, *others = str(caught.value).splitlines()
    assert first.startswith(f"{call} at ")
    assert first.endswith(
        " would pass whatever the application does: what may enqueue the job waited for a commit, and none came."
    )
    assert others == [
        "  Pay.perform_later(7), registered at shop/views.py:12",
        NEXT,
    ]


@pytest.mark.parametrize(
    "waiting",
    [callback("place.<locals>.<lambda>"), callback("Service.notify", owner=Service())],
    ids=lambda waiting: waiting.text,
)
def test_a_function_and_a_method_of_the_project_may_enqueue_any_job(waiting):
    with pytest.raises(CriterionError, match="would pass whatever"), opened(waiting):
        assert_not_enqueued(Pay)


@pytest.mark.parametrize(
    "waiting",
    [callback("Ship.perform_later()", owner=Ship), callback("cache.clear", owner={})],
    ids=lambda waiting: waiting.text,
)
def test_a_method_of_another_job_or_of_a_library_may_not(waiting):
    with opened(waiting):
        assert_not_enqueued(Pay)


@pytest.mark.parametrize("look", [len, list])
def test_a_look_at_what_waits_says_that_the_test_knows(look):
    with opened(PAYS) as jobs:
        assert_not_enqueued(Pay)
        look(jobs.waiting_for_commit)


@pytest.mark.parametrize("state", ["ran", "dropped"])
def test_what_has_ended_since_shows_that_it_could_have_come(state):
    transactions = StubTransactions(PAYS)
    with Jobs([ReferenceBridge()], transactions=[transactions]):
        assert_not_enqueued(Pay)
        transactions.kept[:] = [callback(PAYS.text, owner=Pay, state=state)]


def test_what_is_registered_later_is_not_meant():
    transactions = StubTransactions()
    with Jobs([ReferenceBridge()], transactions=[transactions]):
        assert_not_enqueued(Pay)
        transactions.kept.append(PAYS)


def test_the_plugin_fails_the_test_without_frames_of_ours(pytester):
    pytest.importorskip("django")
    pytester.makepyfile(
        """
        import django, pytest
        from django.conf import settings

        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        )
        django.setup()

        from django.db import transaction
        from django.test import TestCase
        from pytest_jobs import JobsTestCase, job

        @job
        def pay(number):
            pass

        class OrderTest(JobsTestCase, TestCase):
            def test_it(self):
                transaction.on_commit(lambda: pay.perform_later(7))
                self.assert_not_enqueued(pay)

            def test_it_with_a_commit(self):
                transaction.on_commit(lambda: None)
                self.assert_not_enqueued(pay)
                self.jobs.commit()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:django")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*CriterionError: assert_not_enqueued(pay) at *:20 would pass whatever *"]
    )
