"""A pipeline: what one task returns goes to the next one, which is its child."""

from __future__ import annotations

import pytest

from letters import service
from letters.store import store
from letters.tasks import archive, render
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued


@pytest.fixture(autouse=True)
def issue() -> None:
    store.issues[1] = "The first one"


def test_a_page_comes_into_the_archive(jobs: Jobs) -> None:
    service.keep(1)
    jobs.drain()

    assert store.archive == {1: "<p>The first one</p>"}


def test_the_page_is_made_before(jobs: Jobs, assert_enqueued: AssertEnqueued) -> None:
    service.keep(1)
    rendered = assert_enqueued(render)
    jobs.perform(rendered)

    assert assert_enqueued(archive).parent == rendered.sequence
