"""A verb that is called with a wrong keyword, or with an argument without its keyword, names the right one."""

import pytest

from pytest_jobs import Job
from pytest_jobs.errors import JobsError


class Pay(Job):
    def perform(self, payment_id):
        pass


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda jobs: jobs.fail(Pay, raise_=ValueError),
            "Jobs.fail() got an unexpected keyword argument 'raise_': write raising=.",
        ),
        (
            lambda jobs: jobs.fail(Pay, side_effect=ValueError),
            "Jobs.fail() got an unexpected keyword argument 'side_effect': write raising=.",
        ),
        (
            lambda jobs: jobs.fail(Pay, ValueError),
            "Jobs.fail() takes 2 positional arguments but 3 were given: write raising=ValueError.",
        ),
        (
            lambda jobs: jobs.fail(Pay, raising=ValueError, count=2),
            "Jobs.fail() got an unexpected keyword argument 'count': write times=.",
        ),
        (
            lambda jobs: jobs.drain(Pay),
            "Jobs.drain() takes 1 positional argument but 2 were given: write only=Pay.",
        ),
        (
            lambda jobs: jobs.drain(job=Pay),
            "Jobs.drain() got an unexpected keyword argument 'job': write only=.",
        ),
        (
            lambda jobs: jobs.drain(queues="low"),
            "Jobs.drain() got an unexpected keyword argument 'queues': write queue=.",
        ),
        (
            lambda jobs: jobs.drain(reraise=False),
            "Jobs.drain() got an unexpected keyword argument 'reraise': write raise_errors=.",
        ),
        (
            lambda jobs: jobs.drain(utnil=None),
            "Jobs.drain() got an unexpected keyword argument 'utnil': write until=.",
        ),
        (
            lambda jobs: jobs.inline(with_scheduled=True),
            "Jobs.inline() got an unexpected keyword argument 'with_scheduled': it takes only, exclude, queue.",
        ),
        (
            lambda jobs: jobs.perform_due(child=False),
            "Jobs.perform_due() got an unexpected keyword argument 'child': write children=.",
        ),
        (
            lambda jobs: jobs.run_for(60, Pay),
            "Jobs.run_for() takes 2 positional arguments but 3 were given: write only=Pay.",
        ),
        (
            lambda jobs: jobs.inline(Pay),
            "Jobs.inline() takes 1 positional argument but 2 were given: write only=Pay.",
        ),
        (
            lambda jobs: jobs.simulate_retries(Pay, error=ValueError),
            "Jobs.simulate_retries() got an unexpected keyword argument 'error': write raising=.",
        ),
        (
            lambda jobs: jobs.clock.advance(hours=1),
            "VirtualClock.advance() got an unexpected keyword argument 'hours': write timedelta(hours=1).",
        ),
    ],
)
def test_the_right_one_is_named(jobs, call, text):
    with pytest.raises(TypeError) as caught:
        call(jobs)

    assert str(caught.value) == text
    assert isinstance(caught.value, JobsError)


def test_a_span_of_time_is_a_timedelta(jobs):
    with pytest.raises(TypeError, match=r"write timedelta\(minutes=5\)\."):
        jobs.run_for(minutes=5)
