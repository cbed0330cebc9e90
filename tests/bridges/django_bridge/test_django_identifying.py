"""What is a Django task, and what is known of it."""

from unittest.mock import MagicMock

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued
from pytest_jobs.errors import CriterionError
from pytest_jobs.harness.records.bridge import DeliverySemantics

AT_MOST_ONCE = DeliverySemantics("before", False, False, False)
AT_LEAST_ONCE = DeliverySemantics("after", False, True, True)


def test_a_task_goes_by_its_path_also_under_using(bridge, tasks):
    path = f"{tasks.__name__}.add"

    assert bridge.identify(tasks.add) == path
    assert bridge.identify(tasks.add.using(priority=3)) == path
    assert bridge.identify(path) == path


@pytest.mark.parametrize(
    "job", [None, 5, int, len, "no.such.task", "nowhere", "os.path.join", MagicMock()]
)
def test_what_is_no_task_has_no_name(bridge, job):
    assert bridge.identify(job) is None


def test_the_function_of_a_task_is_no_job(bridge, tasks):
    assert bridge.identify(tasks.add.func) is None


@pytest.mark.parametrize("ask", ["resolve", "signature", "retry_policy", "delivery_semantics"])
def test_what_is_no_task_cannot_be_asked_about(bridge, ask):
    with pytest.raises(CriterionError) as caught:
        getattr(bridge, ask)(5)

    assert str(caught.value) == "5 is not a Django task: name what `@task` made."


def test_assertions_find_a_task_by_itself_by_its_path_and_under_using(jobs, tasks):
    tasks.add.using(priority=3).enqueue(1)
    assert_enqueued = AssertEnqueued(lambda: jobs)

    for job in (tasks.add, tasks.add.using(priority=9), f"{tasks.__name__}.add"):
        assert assert_enqueued(job, params={"first": 1, "second": 0}, priority=3)
    AssertNotEnqueued(lambda: jobs)(tasks.echo)


def test_the_job_of_a_record_is_what_the_module_has(jobs, tasks):
    tasks.add.using(priority=3).enqueue(1)
    tasks.found_under_another_name.enqueue(1)

    assert [record.job for record in jobs.enqueued] == [tasks.add, tasks.found_under_another_name]


def test_a_namesake_does_not_match(jobs, tasks, monkeypatch):
    tasks.add.enqueue(1)
    before = tasks.add

    def add(first, second=0):
        return first

    add.__module__, add.__qualname__ = tasks.__name__, "add"
    monkeypatch.setattr(tasks, "add", tasks.task(add))

    AssertNotEnqueued(lambda: jobs)(tasks.add)
    assert jobs.enqueued[0].job is before


def test_the_signature_is_without_the_context(bridge, tasks):
    assert bridge.signature(tasks.tell).names == ("label",)
    assert bridge.signature(tasks.add).named((1,), {}) == {"first": 1, "second": 0}


def test_there_is_no_schedule_of_retries(bridge, tasks):
    assert bridge.retry_policy(tasks.add) is None


def test_a_backend_that_is_known_runs_a_task_at_most_once(bridge, tasks):
    assert bridge.delivery_semantics(tasks.hurry) == AT_MOST_ONCE


def test_a_backend_that_is_not_known_is_taken_to_deliver_at_least_once(bridge, tasks):
    assert bridge.delivery_semantics(tasks.reach) == AT_LEAST_ONCE
