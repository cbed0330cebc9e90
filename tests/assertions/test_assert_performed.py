"""`assert_performed` asks for a delivery that succeeded."""

from pytest_jobs import Job, before_perform, discard_on, retry_on
from pytest_jobs.errors import Halt


class Pay(Job):
    queue = "payments"

    def perform(self, payment_id):
        return f"paid {payment_id}"


@retry_on(TimeoutError, wait=3, attempts=2)
@discard_on(KeyError)
class Flaky(Job):
    def perform(self, *errors):
        if self.attempt <= len(errors):
            raise {"timeout": TimeoutError, "key": KeyError, "value": ValueError}[
                errors[self.attempt - 1]
            ]("down")


class Halted(Job):
    @before_perform
    def stop(self):
        raise Halt

    def perform(self):
        pass


def test_it_returns_the_delivery(jobs, assert_performed):
    Pay.perform_later(7)
    jobs.drain()

    delivery = assert_performed(Pay)

    assert (delivery.status, delivery.result, delivery.record.args) == (
        "performed",
        "paid 7",
        (7,),
    )


def test_it_takes_the_criteria_of_records(jobs, assert_performed):
    Pay.perform_later(7)
    Pay.set(queue="low", priority=2).perform_later(7)
    jobs.drain()

    assert assert_performed(Pay, queue="payments", priority=None).record.sequence == 0
    assert assert_performed(Pay, args=(7,), priority=2, attempt=1).record.sequence == 1


def test_a_retried_job_is_performed_at_its_last_attempt(jobs, assert_performed):
    Flaky.perform_later("timeout")
    jobs.drain()

    assert assert_performed(Flaky).record.attempt == 2


def test_what_failed_was_discarded_or_halted_is_not_performed(jobs, assert_not_performed):
    Flaky.perform_later("value")
    Flaky.perform_later("key")
    Flaky.perform_later("timeout", "timeout")
    Halted.perform_later()
    tally = jobs.drain(raise_errors=False)

    assert dict(tally) == {"failed": 1, "discarded": 1, "retried": 1, "exhausted": 1, "halted": 1}
    assert_not_performed()


def test_what_a_redelivery_came_to_counts(jobs, assert_performed):
    Pay.perform_later(7)
    jobs.redeliver(jobs.enqueued[0])
    jobs.drain()

    assert len(assert_performed(Pay, count=2)) == 2


def test_a_job_that_still_runs_is_not_performed(jobs, assert_performed, failure):
    texts = []

    class Selfish(Job):
        def perform(self):
            texts.append(failure(assert_performed, Selfish))

    Selfish.perform_later()
    jobs.drain()

    assert texts[0].splitlines()[:2] == [
        "No Selfish was performed, and no other job.",
        "Expected exactly 1 Selfish performed",
    ]
    assert_performed(Selfish)


def test_perform_now_is_no_delivery(jobs, assert_not_performed):
    Pay.perform_now(7)

    assert_not_performed(Pay)


def test_a_job_that_was_performed_inline_counts(jobs, assert_performed):
    with jobs.inline():
        Pay.perform_later(7)

    assert_performed(Pay, result="paid 7")
