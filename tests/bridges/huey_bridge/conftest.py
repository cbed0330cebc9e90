"""A Huey whose server nobody can reach, and a harness that is open over it."""

import pytest
from servers import postgresql_url, redis_url  # noqa: F401 - fixtures

from pytest_jobs.harness.jobs import Jobs

pytest.importorskip("huey")


@pytest.fixture
def huey():
    """Return a Huey that fails at once when it connects."""
    from huey import RedisHuey

    return RedisHuey("mail", port=1)


@pytest.fixture
def open_over():
    """Return a function that opens a harness over Hueys."""
    from pytest_jobs.bridges.huey.bridge import HueyBridge

    def open_over(*hueys, **options):
        return Jobs([HueyBridge(hueys)], **options)

    return open_over


@pytest.fixture
def jobs(huey, open_over):
    with open_over(huey) as jobs:
        yield jobs
