"""Arguments of the job that are written as those of the assertion are refused, and so is a missing job."""

import pytest
from asserting import NEGATIVE, POSITIVE

from pytest_jobs import Job, job


class Pay(Job):
    def perform(self, payment_id, currency="EUR"):
        pass


@job
def send_receipt(order_id):
    pass


@pytest.mark.parametrize("name", [*POSITIVE, *NEGATIVE])
def test_args_is_named(request, refusal, name):
    assertion = request.getfixturevalue(name)

    assert refusal(assertion, Pay, 7) == (
        f"{name}(Pay, 7) does not compare arguments that stand alone: write {name}(Pay, args=(7,))."
    )


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("criteria", [{}, {"job": Pay}, {"args": (7,)}], ids=["", "job", "args"])
def test_without_a_job_it_is_asked_for(request, refusal, name, criteria):
    assert refusal(request.getfixturevalue(name), **criteria) == (
        f"{name}() does not say which job: write it first, without a keyword, as in {name}(Pay)."
    )


def test_all_of_them_are_named(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, send_receipt, 7, "EUR") == (
        "assert_enqueued(send_receipt, 7, 'EUR') does not compare arguments that stand alone: write "
        "assert_enqueued(send_receipt, args=(7, 'EUR'))."
    )


def test_so_it_is_where_a_job_is_waited_for(jobs, assert_enqueued, refusal):
    assert "write assert_enqueued(Pay, args=(7,))." in refusal(assert_enqueued.awaited, Pay, 7)
