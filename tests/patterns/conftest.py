"""Schedules written to files, and a harness that begins at a known time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import fakeredis
import pytest
import recurring_jobs
import redis
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import MemoryStore, RedisStore

#: A Tuesday.
START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def start(jobs):
    """Let the clock stand at the beginning of 2030."""
    return jobs.clock.move_to(START)


@pytest.fixture
def done():
    """Return what the jobs of `recurring_jobs` did in this test."""
    recurring_jobs.done.clear()
    return recurring_jobs.done


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture(
    params=[
        "memory",
        "fakeredis",
        pytest.param("redis", marks=pytest.mark.slow),
        pytest.param("redis with text", marks=pytest.mark.slow),
    ]
)
def store(request):
    """Return a store in memory, in a fake redis, and in a real one."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "fakeredis":
        yield RedisStore(fakeredis.FakeRedis())
    else:
        as_text = request.param.endswith("text")
        url = patient(request.getfixturevalue("redis_url"))
        with redis.Redis.from_url(url, decode_responses=as_text) as client:
            yield RedisStore(client, prefix=f"[{uuid.uuid4()}]*:")
