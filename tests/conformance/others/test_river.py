"""What River's `rivertest` does (Go)."""

import pytest
from others_shop import Charge, place_order, send_mail


def test_the_assertion_returns_the_job(jobs, assert_enqueued):
    send_mail.perform_later("ann")

    assert assert_enqueued(send_mail) is jobs.enqueued[0]


def test_an_exact_number_of_jobs(jobs, assert_enqueued):
    for name in ("ann", "bob"):
        send_mail.perform_later(name)

    assert len(assert_enqueued(send_mail, count=2)) == 2
    with pytest.raises(AssertionError, match="but 2 match"):
        assert_enqueued(send_mail, count=3)


def test_an_exact_list_in_order(jobs, assert_enqueued_in_order):
    place_order.perform_later(1)
    send_mail.perform_later("ann")
    Charge.perform_later(7)

    assert_enqueued_in_order([place_order, (send_mail, {"args": ["ann"]}), Charge])
    with pytest.raises(AssertionError, match="but at index 1 is another one"):
        assert_enqueued_in_order([place_order, Charge, send_mail])


def test_a_job_is_performed_as_its_third_attempt(jobs):
    Charge.perform_later(7)
    Charge.perform_later(8, error="slow")
    one, other = jobs.pending

    assert jobs.perform(one, attempt=2).result == "attempt 2"
    assert jobs.perform(other, attempt=3).status == "exhausted"


def test_a_mismatch_is_shown_field_by_field(jobs, assert_enqueued):
    send_mail.set(queue="low").perform_later("ann")

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(send_mail, queue="mailers", priority=5, args=["bob"])
    lines = str(caught.value).splitlines()
    assert "  args      differs  to: expected 'bob', got 'ann'" in lines
    assert "  queue     differs  expected 'mailers', got 'low'" in lines
    assert "  priority  ok" in lines


def test_a_panic_is_an_error_with_a_trace(jobs):
    Charge.perform_later(1, error="broken")

    delivery = jobs.perform(jobs.pending[0])

    assert (delivery.status, type(delivery.error)) == ("failed", LookupError)
    assert delivery.error.__traceback__ is not None


def test_the_failing_line_is_that_of_the_test(pytester):
    pytester.makepyfile("""
        from pytest_jobs import job

        @job
        def note(): ...

        def test_it(assert_enqueued):
            assert_enqueued(note)  # this line
    """)

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["> *assert_enqueued(note)  # this line"])
    result.stdout.no_fnmatch_line("*asserts.py:*")
