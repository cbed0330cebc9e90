"""What the spies of pg-boss do, and what users of BullMQ and Asynq ask for."""

import threading

import pytest
from others_shop import Charge, send_mail


def test_a_job_is_found_whether_it_comes_before_or_after_the_wait(jobs, assert_enqueued):
    send_mail.perform_later("before")
    assert assert_enqueued(send_mail, args=["before"], timeout=60)

    thread = threading.Thread(target=send_mail.perform_later, args=["after"])
    thread.start()
    assert assert_enqueued(send_mail, args=["after"], timeout=60)
    thread.join()


def test_a_wait_that_is_missed_fails_with_a_text(jobs, assert_enqueued):
    with pytest.raises(AssertionError, match=r"waiting up to 0\.01s"):
        assert_enqueued(send_mail, timeout=0.01)


def test_state_output_and_error_of_each_job(jobs):
    Charge.perform_later(1)
    Charge.perform_later(2, error="broken")
    first, second = jobs.enqueued
    jobs.drain(raise_errors=False)

    assert jobs.result_of(first) == "attempt 1"
    with pytest.raises(LookupError):
        jobs.result_of(second)


def test_without_a_harness_the_error_says_which_line_to_write(pytester):
    pytester.makepyfile("""
        import pytest
        from pytest_jobs import job
        from pytest_jobs.errors import NoAdapterError

        @job
        def note(): ...

        def test_it():
            with pytest.raises(NoAdapterError, match="ask for the `jobs` fixture"):
                note.perform_later()
    """)

    pytester.runpytest().assert_outcomes(passed=1)
