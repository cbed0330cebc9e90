"""Which instances and versions of Oban the bridge takes."""

import sys
from types import ModuleType

import pytest

pytest.importorskip("oban")

from oban import worker
from psycopg_pool import PoolClosed

from pytest_jobs import assert_enqueued, open_jobs


@worker()
class Work:
    async def process(self, job):
        return job.args


def test_an_instance_is_captured_without_a_setting(oban, run):
    with open_jobs() as jobs:
        run(oban.enqueue(Work.new({"n": 7})))

        assert_enqueued(Work, kwargs={"n": 7})
        assert jobs.drain() == {"performed": 1}


def test_several_instances_are_captured_alike(make_oban, run):
    first, second = make_oban(name="first"), make_oban(name="second", prefix="other")
    with open_jobs() as jobs:
        run(first.enqueue(Work.new()))
        run(second.enqueue(Work.new()))

        assert [each.job_id for each in jobs.enqueued] == ["1", "2"]


def test_an_instance_can_be_named(oban, run, monkeypatch):
    module = ModuleType("shop_of_oban")
    module.oban = oban
    monkeypatch.setitem(sys.modules, module.__name__, module)

    with open_jobs(apps=["oban:shop_of_oban:oban"]) as jobs:
        run(oban.enqueue(Work.new()))
        [bridge] = (bridge for bridge in jobs.harness.bridges if bridge.name == "oban")

        assert str(bridge) == repr(oban)
        assert bridge.described() == "shop_of_oban:oban; nothing is contacted"
        assert len(jobs.enqueued) == 1


def test_without_a_harness_it_is_the_real_database(oban, run):
    with open_jobs():
        pass

    # The pool was never opened.
    with pytest.raises(PoolClosed):
        run(oban.enqueue(Work.new()))
