"""The suite of the bridges lets time pass by the time of the system."""

import pytest


@pytest.fixture(autouse=True)
def _an_hourly_job_comes_as_often_at_any_time(time_of_the_run):
    """Let the jobs of a library fire: each bridge has one that comes each hour."""
