"""`within` is what to look at instead of the whole test."""

import pytest

from pytest_jobs import Job, retry_on


class Pay(Job):
    def perform(self, payment_id):
        pass


@retry_on(TimeoutError, wait=3)
class Sync(Job):
    def perform(self):
        if self.attempt == 1:
            raise TimeoutError


def test_a_capture_leaves_out_what_came_before_and_after(jobs, assert_enqueued):
    Pay.perform_later(1)
    with jobs.capture() as sent:
        Pay.perform_later(2)
    Pay.perform_later(3)

    assert assert_enqueued(Pay, within=sent).args == (2,)


def test_a_capture_that_is_still_open_holds_what_is_there(jobs, assert_enqueued):
    Pay.perform_later(1)
    with jobs.capture() as sent:
        Pay.perform_later(2)

        assert assert_enqueued(Pay, within=sent).args == (2,)


def test_nothing_in_a_capture_is_nothing(jobs, assert_not_enqueued):
    with jobs.capture() as sent:
        pass
    Pay.perform_later(1)

    assert_not_enqueued(Pay, within=sent)
    assert_not_enqueued(within=sent)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_records_will_do(jobs, assert_enqueued, kind):
    Pay.perform_later(1)
    Pay.perform_later(2)

    assert assert_enqueued(Pay, within=kind(jobs.enqueued[1:])).args == (2,)


def test_an_empty_list_holds_nothing(jobs, assert_not_enqueued):
    Pay.perform_later(1)

    assert_not_enqueued(Pay, within=[])


def test_a_view_of_records_will_do(jobs, assert_enqueued):
    Pay.perform_later(1)
    Pay.set(wait=60).perform_later(2)

    assert assert_enqueued(Pay, within=jobs.scheduled).args == (2,)


def test_what_an_assertion_returned_will_do(jobs, assert_enqueued):
    Pay.perform_later(1)
    Pay.set(queue="low").perform_later(1)
    found = assert_enqueued(Pay, params={"payment_id": 1}, count=2)

    assert assert_enqueued(Pay, queue="low", within=found).sequence == 1


def test_deliveries_of_captured_jobs_lie_inside(jobs, assert_performed):
    Pay.perform_later(1)
    with jobs.capture() as sent:
        Pay.perform_later(2)
    jobs.drain()

    assert assert_performed(Pay, within=sent).record.args == (2,)


def test_a_view_of_deliveries_will_do(jobs, assert_performed, assert_not_performed):
    Pay.perform_later(1)
    jobs.drain()
    first = jobs.performed
    Pay.perform_later(2)
    jobs.drain()

    assert assert_performed(Pay, within=first).record.args == (1,)
    assert_not_performed(Pay, params={"payment_id": 2}, within=first)


def test_deliveries_stand_for_their_records(jobs, assert_enqueued):
    Pay.perform_later(1)
    jobs.drain()
    Pay.perform_later(2)

    assert assert_enqueued(Pay, within=jobs.performed).args == (1,)


def test_the_retries_of_captured_jobs_lie_inside(
    jobs, assert_enqueued, assert_performed, assert_not_enqueued
):
    Sync.perform_later()
    with jobs.capture() as sent:
        Sync.perform_later()
    jobs.drain()

    assert assert_performed(Sync, within=sent).record.retry_of == 1
    assert assert_enqueued(Sync, attempt=2, within=sent).retry_of == 1
    assert_not_enqueued(Sync, attempt=3, within=sent)


def test_the_redeliveries_of_captured_jobs_lie_inside(jobs, assert_performed):
    with jobs.capture() as sent:
        Pay.perform_later(1)
    jobs.redeliver(sent[0])
    jobs.drain()

    assert len(assert_performed(Pay, within=sent, count=2)) == 2


def test_a_retry_alone_is_only_itself(jobs, assert_performed, assert_not_performed):
    Sync.perform_later()
    jobs.drain()
    (retry,) = (delivery.next for delivery in jobs.retried)

    assert assert_performed(Sync, within=[retry]).record is retry
    assert_not_performed(Sync, within=jobs.retried)


def test_looking_within_a_capture_is_not_looking_at_all_of_it(jobs, assert_enqueued):
    with jobs.capture() as sent:
        Pay.perform_later(1)
        Pay.perform_later(2)
    assert_enqueued(Pay, params={"payment_id": 2}, within=sent)

    assert [record.seen for record in jobs.harness.ledger.records] == [False, True]


def test_a_job_outside_is_a_hint(jobs, assert_enqueued, failure):
    Pay.perform_later(1)
    with jobs.capture() as sent:
        pass

    assert failure(assert_enqueued, Pay, within=sent).splitlines()[:2] == [
        (
            "No Pay was enqueued there: #0 Pay(1) matches, but lies outside of `within`: was it enqueued before "
            "or after the window?"
        ),
        "Expected exactly 1 Pay enqueued inside `within`",
    ]


@pytest.mark.parametrize("within", [[1], 5, "Pay", {1, 2}, [None]])
def test_what_holds_no_records_is_refused(jobs, assert_not_enqueued, refusal, within):
    assert refusal(assert_not_enqueued, Pay, within=within) == (
        f"within={within!r} holds no records: pass what `with jobs.capture() as sent:` gave, or a sequence "
        "of records or deliveries."
    )
