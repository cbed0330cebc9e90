"""Every Huey is captured without settings, and the versions that are not known are refused or announced."""

import sys
from types import ModuleType

import pytest

pytest.importorskip("huey")

import huey as library
from huey import MemoryHuey, RedisHuey, SqliteHuey

from pytest_jobs.bridges.huey.bridge import HueyBridge
from pytest_jobs.errors import ApplicationError, UnknownVersionError


@pytest.fixture
def unnamed(open_over):
    """Return a harness that no Huey is named to."""
    with open_over() as jobs:
        yield jobs


@pytest.mark.parametrize("kind", [RedisHuey, MemoryHuey, SqliteHuey])
def test_whatever_the_storage_is(tmp_path, open_over, kind):
    options = {RedisHuey: {"port": 1}, SqliteHuey: {"filename": str(tmp_path / "huey.db")}}
    huey = kind("mail", **options.get(kind, {}))
    add = huey.task(name="add")(lambda a: a + 1)

    with open_over() as jobs:
        result = add(1)

        assert jobs.enqueued[0].job is add
        jobs.drain()
        assert result.get() == 2


def test_a_huey_of_a_factory_is_captured(unnamed):
    def make():
        huey = RedisHuey("made", port=1)
        return huey.task(name="add")(lambda a: a + 1)

    make()(1)

    assert unnamed.drain() == {"performed": 1}


def test_outside_of_a_harness_a_huey_is_what_it_was(open_over):
    huey = MemoryHuey("mail")
    add = huey.task(name="add")(lambda a: a + 1)
    storage = huey.storage
    with open_over():
        add(1)
        assert huey.storage is not storage

    result = add(2)
    huey.execute(huey.dequeue())

    assert huey.storage is storage
    assert result.get() == 3


def test_what_only_the_storage_of_production_has_is_refused(huey, jobs):
    with pytest.raises(AttributeError) as refused:
        huey.storage.conn  # noqa: B018

    assert str(refused.value) == (
        "In a test with a harness the storage of a Huey is in memory, and has no 'conn'. Ask the Huey instead, "
        'as with `huey.pending()`, or mark a test of the storage itself with `@pytest.mark.jobs(mode="off")`.'
    )


def test_the_header_says_where_the_hueys_are_and_what_is_none_cannot_be_named(huey, monkeypatch):
    module = ModuleType("shop_of_this_test")
    module.huey = huey
    monkeypatch.setitem(sys.modules, module.__name__, module)

    assert HueyBridge([huey]).described().startswith("shop_of_this_test:huey")
    assert HueyBridge().version == library.__version__
    with pytest.raises(ApplicationError, match="is not a Huey"):
        HueyBridge([object()])


def test_a_version_without_what_the_bridge_needs_is_refused(monkeypatch):
    monkeypatch.setattr(library, "__version__", "3.9.0")
    monkeypatch.delattr(library.api.Huey, "_emit")

    with pytest.raises(UnknownVersionError, match=r"huey 3\.9\.0 has no huey\.api\.Huey\._emit"):
        HueyBridge()
