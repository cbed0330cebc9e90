"""A delivery begins with what its message carries, in a process of its own, and ends what it began."""

import asyncio
from contextvars import ContextVar

import pytest

from pytest_jobs import job
from pytest_jobs.bridges.opening import open_jobs

tenant = ContextVar("tenant", default="nobody")


@pytest.fixture
def seen():
    token = tenant.set("of the process")
    yield []
    tenant.reset(token)


@pytest.fixture
def look(seen):
    @job
    def look():
        seen.append(tenant.get())
        tenant.set("of an earlier job")

    return look


@pytest.fixture
def alook(seen):
    @job
    async def alook():
        seen.append(tenant.get())
        tenant.set("of an earlier job")

    return alook


def test_neither_the_test_nor_an_earlier_job_is_seen(seen, look, alook):
    with open_jobs() as jobs:
        tenant.set("of the test")
        for each in (look, alook, look):
            each.perform_later()
        jobs.drain()

    assert (seen, tenant.get()) == (["of the process"] * 3, "of the test")


def test_nor_by_awaited_verbs(seen, look, alook):
    async def test():
        with open_jobs() as jobs:
            tenant.set("of the test")
            for each in (look, alook, look):
                each.perform_later()
            await jobs.adrain()
        return tenant.get()

    assert (asyncio.run(test()), seen) == ("of the test", ["of the process"] * 3)


def test_nor_inline_nor_by_workers(seen, look):
    with open_jobs() as jobs:
        tenant.set("of the test")
        with jobs.inline():
            look.perform_later()
        look.perform_later()
        jobs.drain(workers=2)

    assert seen == ["of the process"] * 2


def test_the_error_of_a_job_names_what_it_does_not_see():
    unset = ContextVar("request_id")

    @job
    def fails():
        unset.get()

    with open_jobs() as jobs:
        unset.set("r1")
        fails.perform_later()
        with pytest.raises(LookupError) as caught:
            jobs.drain()

    assert "The test has set since: request_id." in caught.value.__notes__[0]
