"""A job whose name no application registers is marked, with the nearest name; performing it is an error."""

import pytest

from pytest_jobs import Job, Payload, assert_enqueued
from pytest_jobs.assertions.remaining import check_nothing_left
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import CriterionError, UnknownJobError


class SendReceipt(Job):
    def perform(self, order_id):
        pass


HERE = f"{__name__}.SendReceipt"


def send(name):
    """Enqueue a job of another service, which this one knows by its name alone."""
    settings.adapter.enqueue(
        Payload(None, name, "1" * 32, "default", None, "[[7],{}]", 1, None, 10**18, None)
    )


def test_enqueueing_it_is_no_error(jobs):
    send("billing.jobs.ChargeTheCard")

    assert [record.job for record in jobs.pending] == ["billing.jobs.ChargeTheCard"]


def test_a_view_marks_it(jobs):
    send("billing.jobs.ChargeTheCard")
    SendReceipt.perform_later(8)

    assert str(jobs.pending).splitlines()[2:] == [
        "0  ChargeTheCard (not known here)  unreadable: UnknownJobError  default  -     1        pending",
        "1  SendReceipt                     8                            default  -     1        pending",
    ]


@pytest.mark.parametrize("name", [f"{__name__}.SendReciept", "shop.jobs.SendReceipt"])
def test_the_nearest_name_is_shown(jobs, name):
    send(name)

    assert f" (not known here, nearest: {HERE}) " in str(jobs.pending)
    assert f"(not known here, nearest: {HERE})" in repr(jobs.pending[0])


def test_a_known_job_is_not_marked(jobs):
    SendReceipt.perform_later(7)

    assert "not known" not in f"{jobs.pending} {jobs.pending[0]!r}"


def test_a_strict_test_that_leaves_it_shows_the_same(jobs):
    send(f"{__name__}.SendReciept")

    with pytest.raises(AssertionError, match=f"SendReciept .not known here, nearest: {HERE}."):
        check_nothing_left(jobs)


def test_performing_it_is_an_error_that_names_the_nearest(jobs):
    send(f"{__name__}.SendReciept")

    with pytest.raises(UnknownJobError) as caught:
        jobs.drain()

    assert str(caught.value).startswith(
        f"No job is named '{__name__}.SendReciept'; the nearest is '{HERE}'. It was moved or renamed"
    )


def test_an_assertion_about_a_name_that_is_not_found_names_the_nearest(jobs):
    with pytest.raises(CriterionError) as caught:
        assert_enqueued(f"{__name__}.SendReciept")

    assert str(caught.value) == (
        f"No job is named '{__name__}.SendReciept' here: did you mean '{HERE}'? Give "
        "the full name, or the job itself."
    )


def test_a_name_without_its_module_is_found_too(jobs):
    with pytest.raises(CriterionError, match=f"did you mean '{HERE}'"):
        assert_enqueued("SendReceipt")


def test_a_name_that_is_like_no_other_is_not_guessed_at(jobs):
    with pytest.raises(CriterionError, match="here: give the full name"):
        assert_enqueued("billing.jobs.ChargeTheCard")
