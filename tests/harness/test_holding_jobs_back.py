"""`jobs.holding` keeps some jobs pending, whatever verb is called."""

from contextlib import nullcontext

import pytest

from pytest_jobs import job
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import CriterionError, NothingMatchedError, NotPerformedError


@job
def order(number):
    send_mail.perform_later(number)


@job(queue="mailers")
def send_mail(number): ...


def pending(jobs):
    return [record.job for record in jobs.pending]


def test_the_others_are_performed_and_these_stay_pending(jobs):
    order.perform_later(1)

    with jobs.holding(send_mail):
        assert jobs.drain() == {"performed": 1}
        assert jobs.perform_due().total == 0
        assert jobs.run_for(60).total == 0

    assert pending(jobs) == [send_mail]
    assert jobs.drain() == {"performed": 1}


def test_it_holds_from_the_call_on_until_it_is_released(jobs):
    holding = jobs.holding([send_mail])
    order.perform_later(1)
    jobs.drain()
    assert pending(jobs) == [send_mail]

    holding.release()
    jobs.drain()

    assert pending(jobs) == []


def test_a_callable_says_which_two_hold_both_and_what_is_due_later_is_held(jobs, noon):
    send_mail.perform_later(1)
    send_mail.perform_later(2)
    send_mail.set(wait=60).perform_later(2)
    with jobs.holding(lambda record: record.args == (2,)):
        jobs.drain()
    assert [record.args for record in jobs.pending] == [(2,), (2,)]

    order.perform_later(1)
    with jobs.holding(order), jobs.holding(send_mail):
        assert jobs.drain().total == 0
    assert jobs.clock.now() == noon


@pytest.mark.parametrize("is_mode", [True, False])
def test_inline_they_wait_and_are_performed_when_released(jobs, is_mode):
    with open_jobs(mode="inline") if is_mode else nullcontext(jobs) as harness, harness.inline():
        with harness.holding(send_mail):
            order.perform_later(1)
            assert pending(harness) == [send_mail]

        assert pending(harness) == []


def test_inline_nothing_is_performed_when_the_block_raises(jobs):
    def block():
        with jobs.inline(), jobs.holding(send_mail):
            send_mail.perform_later(1)
            raise LookupError

    with pytest.raises(LookupError):
        block()

    assert pending(jobs) == [send_mail]


def test_performing_or_asking_for_one_of_them_is_refused(jobs):
    send_mail.perform_later(1)

    with jobs.holding(send_mail) as holding:
        with pytest.raises(NotPerformedError) as caught:
            jobs.perform(jobs.pending[0])
        with pytest.raises(NothingMatchedError) as nothing:
            jobs.drain(only=send_mail)
    assert str(caught.value) == (
        f"{jobs.pending[0]!r} is held back by jobs.holding({send_mail!r}): release it first."
    )
    assert str(nothing.value) == (
        f"jobs.drain(only={send_mail!r}) matches no pending job, so it would have done nothing. Pending: 1 "
        "send_mail in 'mailers' held back."
    )
    assert repr(holding) == f"<Holding {send_mail!r}>"
    with pytest.raises(CriterionError, match="held=3 is not a job: name a job"):
        jobs.holding(3)
