"""What a library keeps in its server is no work of a job's line; what a job asks that server for is a look."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake

HERE = SimpleNamespace(ask=None)


class Gateway:
    def charge(self, number, key): ...


gateway = Gateway()


def asks_nothing(number):
    first = 1
    second = 2
    third = 3
    assert first + second == third
    gateway.charge(number, key=number)


def asks(number):
    HERE.ask()
    HERE.ask()
    HERE.ask()
    assert number
    gateway.charge(number, key=number)


async def asks_nothing_later(number):
    first = 1
    second = 2
    third = 3
    assert first + second == third
    gateway.charge(number, key=number)


async def asks_later(number):
    await HERE.ask()
    await HERE.ask()
    await HERE.ask()
    assert number
    gateway.charge(number, key=number)


def of_celery(jobs, monkeypatch):
    celery = pytest.importorskip("celery")
    app = celery.Celery("asking", broker="redis://nowhere", backend="redis://nowhere")
    HERE.ask = lambda: app.AsyncResult("1").state
    return [app.task(name=each.__name__)(each) for each in (asks_nothing, asks)]


def of_rq(jobs, monkeypatch):
    queue = pytest.importorskip("rq").Queue(connection=pytest.importorskip("redis").Redis())
    HERE.ask = lambda: queue.count
    for each in (asks_nothing, asks):
        queue.enqueue(each, 7)
    return [asks_nothing, asks]


def of_taskiq(jobs, monkeypatch):
    redis = pytest.importorskip("taskiq_redis")
    backend = redis.RedisAsyncResultBackend("redis://nowhere")
    broker = redis.ListQueueBroker("redis://nowhere").with_result_backend(backend)
    HERE.ask = lambda: broker.result_backend.get_progress("1")
    return [broker.task(task_name=each.__name__)(each) for each in (asks_nothing_later, asks_later)]


def of_huey(jobs, monkeypatch):
    huey = pytest.importorskip("huey").MemoryHuey("asking")
    HERE.ask = huey.pending_count
    found = [huey.task()(each) for each in (asks_nothing, asks)]
    for each in found:
        each(7)
    return found


def of_saq(jobs, monkeypatch):
    saq = pytest.importorskip("saq")
    queue = saq.Queue.from_url("redis://nowhere")
    HERE.ask = lambda: queue.count("queued")

    async def asks_nothing(ctx, *, number):
        await asks_nothing_later(number)

    async def asks(ctx, *, number):
        await asks_later(number)

    # A worker is started with the settings of a module.
    settings = {"queue": queue, "functions": [asks_nothing, asks]}
    monkeypatch.setattr(sys.modules[__name__], "settings", settings, raising=False)
    return [asks_nothing, asks]


def world():
    with fake(sys.modules[__name__], "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": list(made.calls)}


@pytest.mark.parametrize("library", [of_celery, of_rq, of_taskiq, of_huey, of_saq])
def test_a_search_looks_where_a_job_asks_and_not_where_its_library_writes(
    jobs, library, monkeypatch
):
    found = [
        check_idempotent(job, kwargs={"number": 7}, world=world, histories=["overlap"])
        for job in library(jobs, monkeypatch)
    ]

    few, each = (explored.explorations[0].chosen.overtaken for explored in found)
    assert len(few) == 3 < len(each)
