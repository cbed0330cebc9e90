"""Group P: what ActiveJob's tests expect of the adapter that a test finds."""

import pytest

from pytest_jobs import (
    InlineAdapter,
    Job,
    TestAdapter,
    assert_discarded,
    assert_enqueued,
    assert_failed,
    assert_not_enqueued,
    assert_not_performed,
    assert_performed,
    assert_retried,
    configure,
    current_jobs,
    open_jobs,
)
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import NoHarnessError


class Hello(Job):
    def perform(self):
        pass


# No harness, or another adapter


@pytest.mark.parametrize(
    "assertion",
    [
        *(assert_enqueued, assert_not_enqueued, assert_performed, assert_not_performed),
        *(assert_retried, assert_discarded, assert_failed),
    ],
)
@pytest.mark.parametrize("adapter", [InlineAdapter, TestAdapter])
def test_p20_an_assertion_needs_a_harness(assertion, adapter):
    with configure(adapter=adapter()), pytest.raises(NoHarnessError, match="No harness is open"):
        assertion(Hello)


def test_p20_so_do_the_verbs():
    with pytest.raises(NoHarnessError):
        current_jobs().drain()


def test_p20_an_inline_adapter_performs_once_without_a_harness():
    seen = []

    class Note(Job):
        def perform(self):
            seen.append(self.attempt)

    with configure(adapter=InlineAdapter()):
        Note.perform_later()

    assert seen == [1]


def test_p20_an_adapter_cannot_take_jobs_away_from_a_harness(jobs):
    adapter = TestAdapter()
    with configure(adapter=adapter), jobs.inline():
        Hello.perform_later()

    assert adapter.enqueued == []
    assert [delivery.record.job for delivery in jobs.performed] == [Hello]


# Which adapter is in force


def test_p21_a_subclass_of_an_adapter_is_in_force_until_a_harness_is_open():
    class Counting(TestAdapter):
        count = 0

        def enqueue(self, payload):
            self.count += 1
            super().enqueue(payload)

    adapter = Counting()
    with configure(adapter=adapter):
        Hello.perform_later()
        with open_jobs() as jobs:
            Hello.perform_later()
        Hello.perform_later()
        assert settings.adapter is adapter

    assert (adapter.count, len(jobs.enqueued)) == (2, 1)


def test_p21_all_jobs_have_one_adapter(jobs):
    class Own(Hello):
        queue_adapter = InlineAdapter()

    Own.perform_later()

    assert_enqueued(Own)
    assert_not_performed(Own)
