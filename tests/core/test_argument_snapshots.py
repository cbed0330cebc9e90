"""The payload holds the arguments as they were when the job was enqueued."""

import pytest

from pytest_jobs import Job, rescue_from, retry_on


@retry_on(ValueError, wait=0, attempts=3)
class Collect(Job):
    def perform(self, items, **options):
        items.append("seen")
        options["nested"]["count"] += 1
        if self.attempt < 3:
            raise ValueError
        return items, options


@pytest.mark.parametrize("items", [["a"], [("a",)]])
def test_what_the_caller_changes_later_does_not_reach_the_job(adapter, items):
    class Echo(Job):
        def perform(self, items):
            return items

    sent = list(items)
    Echo.perform_later(items)
    items.append("b")

    assert [execution.result for execution in adapter.perform_due()] == [sent]


def test_what_the_job_changes_does_not_reach_its_retry(adapter, drain):
    items, nested = ["a"], {"count": 0}
    job = Collect.perform_later(items, nested=nested)

    executions = drain()

    assert executions[-1].result == (["a", "seen"], {"nested": {"count": 1}})
    assert (items, nested) == (["a"], {"count": 0})
    assert {payload.arguments for payload in adapter.enqueued} == {job.payload.arguments}


def test_what_the_job_makes_of_args_does_not_reach_its_retry(adapter, drain):
    seen = []

    class Replace(Job):
        def perform(self, number):
            seen.append(number)
            self.args = (number + 1,)
            raise ValueError

        @rescue_from(ValueError)
        def again(self, error):
            if self.attempt < 3:
                self.retry()

    Replace.perform_later(1)
    drain()

    assert seen == [1, 1, 1]


def test_a_payload_can_be_performed_twice(adapter):
    class Consume(Job):
        def perform(self, items):
            return items.pop(), items

    job = Consume.perform_later([1, 2])

    assert adapter.perform(job.payload).result == (2, [1])
    assert adapter.perform(job.payload).result == (2, [1])


def test_a_job_sees_its_arguments_while_it_runs(adapter):
    class Look(Job):
        def perform(self, first, *, second):
            return self.args, self.kwargs, self.job_id, self.attempt, self.queue_name

    job = Look.set(queue="low").perform_later((1,), second=2)

    assert [execution.result for execution in adapter.perform_due()] == [
        (((1,),), {"second": 2}, job.job_id, 1, "low")
    ]
