"""What comes of the job of a real worker, killed ones too, is what the bridge says; attempts and waits as well."""

import asyncio
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

pytest.importorskip("saq")
pytest.importorskip("redis")

from saq import Queue, Status
from servers import kill_group, process, wait_until

APPLICATION = """
import asyncio, functools, pathlib, sys
from saq import Queue, Worker

queue = Queue.from_url({url!r}, name="real")
# It would wait for five seconds for an answer of the dead worker.
queue.sweep = functools.partial(queue.sweep, abort=0.1)

async def work(ctx, *, name):
    with pathlib.Path(name).open("a") as file:
        file.write(f"{{asyncio.get_running_loop().time()}}\\n")
    if name == "raises":
        raise ValueError(name)
    if name.startswith("is killed") and ctx["job"].attempts == 1:
        await asyncio.Event().wait()
    return name

if __name__ == "__main__":
    # A worker that looks for stuck jobs at once, and again after seconds.
    timers = {{"sweep": int(sys.argv[1])}}
    asyncio.run(Worker(queue, [work], timers=timers).start())
"""


class Service:
    """An application with a real server, its workers, and what they wrote down."""

    def __init__(self, directory, url):
        self.directory, self.url = directory, url
        (directory / "app.py").write_text(APPLICATION.format(url=url))

    @contextmanager
    def worker(self, *, sweep=60):
        """Run a worker that has looked for stuck jobs: it takes one that is just being dequeued for stuck."""
        swept = "saq:real:sweep"
        self.do(lambda queue: queue.redis.delete(swept))
        command = [sys.executable, "app.py", str(sweep)]
        with process(command, self.directory, log="worker.log") as running:
            has_looked = partial(self.do, lambda queue: queue.redis.exists(swept))
            wait_until(has_looked, "the start of a worker", every=0.05)
            yield running

    def do(self, act):
        async def done():
            queue = Queue.from_url(self.url, name="real")
            await queue.connect()
            try:
                return await act(queue)
            finally:
                await queue.disconnect()

        return asyncio.run(done())

    def send(self, name, **options):
        self.do(lambda queue: queue.enqueue("work", name=name, key=name, timeout=0, **options))

    def starts(self, name):
        path = self.directory / name
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def ended(self, name):
        """Wait until a job has ended, and return it."""
        over = {Status.COMPLETE, Status.FAILED, Status.ABORTED}
        found = []

        def is_over():
            found[:] = [self.do(lambda queue: queue.job(name))]
            return found[0].status in over

        wait_until(is_over, f"the end of {name}", every=0.05)
        return found[0]


@pytest.fixture
def service(tmp_path, redis_url):
    return Service(tmp_path, redis_url)


async def work(ctx, *, name):
    raise ValueError(name)


def test_a_job_of_a_killed_worker_is_delivered_again_as_the_bridge_says(
    service, open_over, queue, run
):
    expected = {}
    with open_over(("work", work)) as jobs:
        for retries in (1, 2):
            run(queue.enqueue("work", name="any", retries=retries))
            expected[retries] = jobs.harness.bridges[0].delivery_semantics("work")

    with service.worker() as worker:
        for retries in expected:
            name = f"is killed {retries}"
            service.send(name, retries=retries, heartbeat=1)
            wait_until(lambda name=name: service.starts(name), f"the start of {name}")
        kill_group(worker)
    with service.worker(sweep=1):
        ended = {retries: service.ended(f"is killed {retries}") for retries in expected}

    for retries, semantics in expected.items():
        is_redelivered = len(service.starts(f"is killed {retries}")) > 1
        assert is_redelivered is semantics.redelivered_on_kill
        assert is_redelivered is semantics.redelivered_on_outage
        assert (ended[retries].status == Status.COMPLETE) is is_redelivered


def test_the_harness_predicts_what_a_worker_does(service, open_over, queue, run):
    options = {"retries": 3, "retry_delay": 0.1}
    with service.worker():
        service.send("raises", **options)
        ended = service.ended("raises")
    starts = service.starts("raises")

    with open_over(("work", work)) as jobs:
        job = run(queue.enqueue("work", name="raises", **options))
        jobs.drain(raise_errors=False)
        run(job.refresh())

    assert len(jobs.deliveries) == len(starts) == ended.attempts == job.attempts == 3
    assert (ended.status, job.status) == (Status.FAILED, Status.FAILED)
    assert [each.wait for each in jobs.retried] == [timedelta(milliseconds=100)] * 2
    for n in range(2):
        assert starts[n + 1] - starts[n] >= 0.095


async def abort_and_update(queue):
    """Abort a job that is due and one that is not, and change one that waits; return their keys."""
    now = await queue.enqueue("work", name="now", key="now")
    later = await queue.enqueue("work", name="later", key="later", scheduled=time.time() + 2)
    updated = await queue.enqueue("work", name="first", key="updated", scheduled=time.time() + 2)
    for job in (now, later):
        await job.abort("never mind")
    await updated.update(meta={"seen": True}, kwargs={"name": "second"})


def fates(statuses):
    return [(each.status, each.error, each.meta) for each in statuses]


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_what_is_changed_while_it_waits_is_what_a_worker_finds(service, open_over, queue, run):
    keys = ("now", "later", "updated")
    service.do(abort_and_update)
    with service.worker():
        service.ended("updated")
    real = fates(service.do(lambda queue: queue.jobs(keys)))

    ran = []

    async def work(ctx, *, name):
        ran.append(name)

    with open_over(("work", work)) as jobs:
        run(abort_and_update(queue))
        jobs.drain()

        assert fates(run(queue.jobs(keys))) == real
    assert service.starts("first") == service.starts("now") == service.starts("later") == []
    assert len(service.starts("second")) == 1
    assert ran == ["second"]
    assert [status for status, *_ in real] == ["aborted", "aborting", "complete"]


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_the_sweep_of_a_starting_worker_puts_back_a_job_with_one_attempt_that_was_just_taken(
    redis_url, open_over
):
    async def swept():
        queue = Queue.from_url(redis_url, name="swept")
        await queue.connect()
        await queue.enqueue("work", key="once")
        taken = await queue.dequeue(timeout=1)
        found = await queue.sweep(abort=0.01)
        again = await queue.dequeue(timeout=1)
        await queue.disconnect()
        return taken, found, again

    taken, found, again = asyncio.run(swept())

    assert found == [taken.id]
    assert (again.key, again.retries) == ("once", 1)
    with open_over(("work", work)) as jobs:
        assert jobs.harness.bridges[0].delivery_semantics("work").acknowledged == "after"
