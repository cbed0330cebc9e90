"""What a failed assertion says of tasks that follow upon others."""

import inspect

import pytest
from celery import chain, chord, group

from pytest_jobs.assertions.asserts import AssertEnqueued


@pytest.fixture
def tasks(app):
    @app.task(name="shop.fetch")
    def fetch(n):
        if n < 0:
            raise ValueError("negative")
        return n

    @app.task(name="shop.total")
    def total(values):
        return values

    @app.task(name="shop.other")
    def other():
        """Do nothing."""

    return fetch, total, other


def failure(jobs, job):
    with pytest.raises(AssertionError) as failed:
        AssertEnqueued(lambda: jobs)(job)
    return str(failed.value)


def test_the_second_step_of_a_chain_has_not_come_yet(jobs, tasks):
    fetch, total, _ = tasks
    chain(fetch.s(7), total.s()).delay()

    assert failure(jobs, total) == inspect.cleandoc("""
        No total was enqueued, only other jobs: 1 fetch.
        Expected exactly 1 total enqueued

        Hint: total follows upon #0 fetch(7), which is pending: it is enqueued when that has been performed. \
Call jobs.drain() first.

        Next: perform what stands before it: call jobs.drain() before the assertion.
        See: python -m pytest_jobs explain a-step-before-it-is-pending
    """)


def test_the_second_step_never_comes_since_the_first_failed(jobs, tasks):
    fetch, total, _ = tasks
    chain(fetch.s(-1), total.s()).delay()
    jobs.drain(raise_errors=False)

    assert (
        "total follows upon a success only, and this became of what stands before it: #0 fetch(-1) failed: "
        "ValueError: negative"
    ) in failure(jobs, total)


@pytest.mark.parametrize("shape", ["link", "chord", "nested", "third"])
def test_whatever_follows_is_found(jobs, tasks, shape):
    fetch, total, _ = tasks
    {
        "link": lambda: fetch.apply_async((7,), link=total.s()),
        "chord": lambda: chord([fetch.s(7), fetch.s(8)])(total.s()),
        "nested": lambda: chain(fetch.s(7), group(fetch.s(), total.s())).delay(),
        "third": lambda: chain(fetch.s(7), fetch.s(), total.s()).delay(),
    }[shape]()

    assert "total follows upon #0 fetch(7), which is pending" in failure(jobs, total)


def test_what_does_not_follow_is_not_said_to(jobs, tasks):
    fetch, total, other = tasks
    chain(fetch.s(7), total.s()).delay()

    assert "follows" not in failure(jobs, other)


def test_what_has_followed_is_not_said_to_come(jobs, tasks):
    fetch, total, _ = tasks
    chain(fetch.s(7), total.s()).delay()
    jobs.drain()

    with pytest.raises(AssertionError) as failed:
        AssertEnqueued(lambda: jobs)(total, args=(8,))
    assert "follows" not in str(failed.value)
