"""What comes of the job of a real worker, killed ones too, is what the bridge says; attempts and waits as well."""

import sys
import textwrap
from datetime import timedelta

import pytest

pytest.importorskip("arq")

from arq import func
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from servers import kill_group, process, wait_until
from test_arq_server import connected

APPLICATION = """
import asyncio, os, pathlib
from arq import Retry, func
from arq.connections import RedisSettings

async def work(ctx, name):
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write(f"{{asyncio.get_running_loop().time()}}\\n")
    if name == "raises":
        raise ValueError(name)
    if name == "retries":
        raise Retry(defer=ctx["job_try"] / 10)
    if name == "is killed" and len(runs.read_text().split()) == 1:
        await asyncio.Event().wait()

class WorkerSettings:
    functions = [func(work, name="work", max_tries={max_tries})]
    redis_settings = RedisSettings.from_dsn({url!r})
    poll_delay = 0.02
"""


class Service:
    """An application with a real server, its workers, and what they wrote down."""

    def __init__(self, directory, url, max_tries):
        self.directory, self.url = directory, url
        source = APPLICATION.format(url=url, max_tries=max_tries)
        (directory / "app.py").write_text(textwrap.dedent(source))

    def worker(self):
        # Not the command: in the tests of an older version it is that of the newer one.
        code = "from arq.worker import run_worker; from app import WorkerSettings; run_worker(WorkerSettings)"

        return process([sys.executable, "-c", code], self.directory, log="worker.log")

    def send(self, name):
        connected(self.url, lambda client: client.enqueue_job("work", name, _job_id=name))

    def starts(self, name):
        path = self.directory / name
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def result(self, name):
        """Wait until the worker has taken the job out of the queue, and return what it kept."""

        async def is_ended(client: ArqRedis):
            # A killed worker is taken for alive as long as this key is there.
            if len(self.starts(name)) == 1 and name == "is killed":
                await client.delete(in_progress_key_prefix + name)
            return await client.zscore("arq:queue", name) is None

        wait_until(lambda: connected(self.url, is_ended), f"the end of {name}", every=0.05)
        (found,) = (
            each for each in connected(self.url, ArqRedis.all_job_results) if each.job_id == name
        )
        return found


@pytest.fixture
def service(tmp_path, redis_url):
    connected(redis_url, ArqRedis.flushdb)
    return lambda max_tries: Service(tmp_path, redis_url, max_tries)


def declared(max_tries):
    async def work(ctx, name):
        """Be asked for."""

    return func(work, name="work", max_tries=max_tries)


@pytest.mark.parametrize("max_tries", [1, 5])
def test_a_job_is_delivered_again_as_the_bridge_says(service, open_over, settings, max_tries):
    service = service(max_tries)
    (bridge,) = open_over(settings(declared(max_tries))).harness.bridges
    expected = bridge.delivery_semantics("work")

    with service.worker() as worker:
        service.send("raises")
        service.result("raises")
        service.send("is killed")
        wait_until(lambda: service.starts("is killed"), "the first run")
        kill_group(worker)
    with service.worker():
        result = service.result("is killed")

    assert (len(service.starts("raises")) > 1) is expected.redelivered_on_raise
    assert (len(service.starts("is killed")) > 1) is expected.redelivered_on_kill
    assert (len(service.starts("is killed")) > 1) is expected.redelivered_on_outage
    assert result.success is expected.redelivered_on_kill


def test_the_harness_predicts_what_a_worker_does(service, open_over, settings, client, run):
    from arq import Retry

    service = service(4)
    with service.worker():
        service.send("retries")
        result = service.result("retries")
    starts = service.starts("retries")

    async def work(ctx, name):
        raise Retry(defer=ctx["job_try"] / 10)

    with open_over(settings(func(work, name="work", max_tries=4))) as jobs:
        job = run(client.enqueue_job("work", "retries"))
        jobs.drain(raise_errors=False)
        waits = [each.wait for each in jobs.retried]
        with pytest.raises(type(result.result)) as predicted:
            run(job.result())

        assert len(jobs.deliveries) == len(starts) == 4
    assert str(predicted.value) == str(result.result) == "max 4 retries exceeded"
    for n, wait in enumerate(waits):
        assert wait == timedelta(milliseconds=100 * (n + 1))
        assert starts[n + 1] - starts[n] >= wait.total_seconds() - 0.005
