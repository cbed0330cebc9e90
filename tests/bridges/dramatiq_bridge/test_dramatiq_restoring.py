"""Whatever was replaced is put back exactly, and a version without a seam is refused."""

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
from dramatiq.results import ResultMissing, Results
from dramatiq.results.backends import RedisBackend as RedisResults

from pytest_jobs.bridges.dramatiq.bridge import DramatiqBridge
from pytest_jobs.bridges.opening import bridges_to
from pytest_jobs.errors import ApplicationError


def test_a_sandbox_has_records_and_results_of_its_own(make_broker, open_over, ledger):
    broker = make_broker(Results(backend=RedisResults(url="redis://localhost:1")))
    work = dramatiq.actor(lambda: 7, broker=broker, actor_name="work", store_results=True)
    backend = broker.get_results_backend()
    with open_over(broker) as jobs:
        message = work.send()
        jobs.drain()
        with jobs.harness.bridges[0].sandbox(ledger):
            work.send()
            with pytest.raises(ResultMissing):
                message.get_result(backend=backend)

        assert message.get_result(backend=backend) == 7
        assert (len(ledger.records), len(jobs.enqueued)) == (1, 1)


def test_what_is_not_a_broker_is_refused(broker):
    with pytest.raises(ApplicationError, match="is not a broker of dramatiq"):
        DramatiqBridge([RedisLimits(url="redis://localhost:1")])
    (made,) = bridges_to([broker])
    assert isinstance(made, DramatiqBridge)


def test_a_worker_that_outlives_the_harness_connects_anew(broker, open_over):
    with open_over(broker):
        consumer = broker.consume("default", timeout=1)
        assert next(consumer) is None

    assert list(consumer) == []


def test_the_header_says_where_the_broker_is(monkeypatch, broker, tmp_path):
    (tmp_path / "posts.py").write_text(
        "from dramatiq.brokers.redis import RedisBroker\n"
        "import dramatiq\n"
        "broker = RedisBroker(url='redis://localhost:1')\n"
        "dramatiq.set_broker(broker)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("dramatiq.broker.global_broker", None)
    import posts

    assert DramatiqBridge([posts.broker]).described().startswith("posts:broker")
