"""The servers that stand in are fakeredis, with its Lua."""

import pytest

from pytest_jobs.bridges.libraries import redis_servers
from pytest_jobs.bridges.rq.bridge import RqBridge
from pytest_jobs.errors import BridgeError


def test_without_it_a_harness_says_what_to_install(monkeypatch):
    monkeypatch.setattr(redis_servers, "_is_installed", "fakeredis".__eq__)

    with pytest.raises(BridgeError) as refused:
        RqBridge()

    assert str(refused.value) == (
        "lupa is not installed, and the jobs of RQ are kept in fakeredis with its Lua: "
        'pip install "pytest-jobs[rq]"'
    )


def test_it_is_looked_for_once(monkeypatch):
    RqBridge()
    monkeypatch.setattr(redis_servers, "find_spec", None)

    RqBridge()
