"""What comes of the job of a real worker, killed ones too, is what the bridge says; attempts and waits as well."""

import asyncio
import json
import sys
import textwrap
from datetime import timedelta

import pytest

pytest.importorskip("oban")

import psycopg
from column_values import VALUES
from oban import Cancel, Job, Oban, Snooze, schema, worker
from psycopg_pool import AsyncConnectionPool
from servers import kill_group, process, wait_until

pytestmark = pytest.mark.slow

APPLICATION = """
import asyncio, pathlib, sys, time
from oban import Cancel, Oban, Snooze, worker
from psycopg_pool import AsyncConnectionPool

def run(name):
    with pathlib.Path(name).open("a") as file:
        file.write(f"{{time.time()}}\\n")
    return len(pathlib.Path(name).read_text().split())

@worker()
class Work:
    async def process(self, job):
        number = run(job.args["name"])
        match job.args["does"]:
            case "raise":
                raise ValueError(number)
            case "snooze":
                return Snooze(1) if number == 1 else None
            case "cancel":
                return Cancel("no")
            case "hang" if number == 1:
                await asyncio.sleep(600)

    def backoff(self, job):
        return job.attempt

async def serve():
    async with AsyncConnectionPool({url!r}, open=False) as pool:
        # A dead node of the same name keeps nobody from being the leader.
        lifeline = {{"interval": 0.2, "rescue_after": float(sys.argv[1])}}
        options = {{"lifeline": lifeline, "stager": {{"interval": 0.05}}}}
        async with Oban(pool=pool, queues={{"default": 5}}, node="one", **options):
            await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(serve())
"""


class Service:
    """An application with a real database, its workers, and what they wrote down."""

    def __init__(self, directory, url):
        self.directory, self.url = directory, url
        (directory / "service.py").write_text(textwrap.dedent(APPLICATION.format(url=url)))

    def worker(self, rescue_after=600):
        """Run a worker that takes a job for dead when it runs longer: a living one may be slow."""
        command = [sys.executable, "service.py", str(rescue_after)]
        return process(command, self.directory, log="worker.log")

    def ask(self, function):
        """Return what a coroutine function returns for an instance that only enqueues."""

        async def ask():
            async with AsyncConnectionPool(self.url, min_size=1, open=False) as pool:
                return await function(Oban(pool=pool))

        return asyncio.run(ask())

    def send(self, name, does, **options):
        job = Job("__main__.Work", args={"name": name, "does": does}, **options)
        return self.ask(lambda oban: oban.enqueue(job)).id

    def starts(self, name):
        path = self.directory / name
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def job(self, job_id):
        return self.ask(lambda oban: oban.get_job(job_id))

    def wait_for(self, job_id, state):
        wait_until(lambda: self.job(job_id).state == state, f"job {job_id}", every=0.1)


@pytest.fixture(scope="module")
def database(postgresql_url):
    """Return the URL of a database with the tables of Oban."""

    async def install():
        async with AsyncConnectionPool(postgresql_url, min_size=1, open=False) as pool:
            await schema.install(pool)

    asyncio.run(install())
    return postgresql_url


@pytest.fixture
def service(tmp_path, database):
    return Service(tmp_path, database)


def test_arguments_come_to_the_job_as_from_the_database(service, open_over):
    async def answer(oban, value):
        try:
            job = await oban.enqueue(Job("__main__.Work", args={"value": value}, queue="unheard"))
        except psycopg.Error as error:
            return type(error), str(error).partition("\n")[0]
        return json.dumps((await oban.get_job(job.id)).args)

    async def answers(oban):
        return {name: await answer(oban, value) for name, value in VALUES.items()}

    real = service.ask(answers)
    with open_over():
        predicted = service.ask(answers)

    assert predicted == real


def test_a_job_is_delivered_again_as_the_bridge_says(service, open_over):
    with open_over() as jobs:
        expected, of_last_attempt = (
            jobs.harness.bridges[0].delivery_semantics(
                worker(max_attempts=most)(type("Work", (), {}))
            )
            for most in (2, 1)
        )

    with service.worker() as running:
        kept = service.send("kept", "hang", max_attempts=2)
        last = service.send("last", "hang", max_attempts=1)
        wait_until(lambda: service.starts("kept") and service.starts("last"), "the first runs")
        states = [service.job(each).state for each in (kept, last)]
        kill_group(running)
    with service.worker(rescue_after=1):
        service.wait_for(kept, "completed")
        service.wait_for(last, "discarded")

    assert states == ["executing", "executing"]
    assert (len(service.starts("kept")) == 2) is expected.redelivered_on_outage
    assert (len(service.starts("last")) == 2) is of_last_attempt.redelivered_on_outage
    # The killed run counts.
    assert service.job(kept).attempt == 2


def test_the_harness_predicts_what_a_queue_does(service, oban, open_over, run):
    does = {"raise": "discarded", "snooze": "completed", "cancel": "cancelled"}
    with service.worker():
        sent = {each: service.send(each, each, max_attempts=3) for each in does}
        for each, state in does.items():
            service.wait_for(sent[each], state)
    rows = {each: service.job(job_id) for each, job_id in sent.items()}

    @worker(max_attempts=3)
    class Work:
        async def process(self, job):
            match job.args["does"]:
                case "raise":
                    raise ValueError
                case "snooze":
                    return None if job.meta.get("snoozed") else Snooze(1)
            return Cancel("no")

        def backoff(self, job):
            return job.attempt

    with open_over() as jobs:
        for each in does:
            enqueued = run(oban.enqueue(Work.new({"does": each})))
            jobs.drain(raise_errors=False)
            predicted, real = run(oban.get_job(enqueued.id)), rows[each]
            for name in ("state", "attempt", "max_attempts", "meta"):
                assert getattr(predicted, name) == getattr(real, name), (each, name)
            assert len(predicted.errors) == len(real.errors)
            deliveries = [one for one in jobs.deliveries if one.record.job_id == str(enqueued.id)]
            starts = service.starts(each)
            assert len(deliveries) == len(starts)
            for n, delivery in enumerate(deliveries[:-1]):
                assert delivery.wait == timedelta(seconds=n + 1)
                assert starts[n + 1] - starts[n] >= delivery.wait.total_seconds() - 0.005


def test_the_stand_in_answers_as_the_database_does(service, oban, open_over, run):
    async def outcomes(instance):
        def job(**options):
            return Job("elsewhere.Work", queue="unserved", **options)

        for value in (float("nan"), float("inf"), "\0", "\\u0000", "é", {"a": [1, 2.5, None]}):
            try:
                enqueued = await instance.enqueue(job(args={"value": value}, tags=["B", "a"]))
                found = await instance.get_job(enqueued.id)
                yield found.args, found.tags, found.state, found.attempt, found.errors, found.meta
            except psycopg.DataError as error:
                yield type(error)
        later = await instance.enqueue(job(scheduled_in=60, meta={"n": 1}))
        yield later.state
        yield await instance.cancel_many_jobs([later, 999_999])
        yield await instance.cancel_many_jobs([later])
        meta = (await instance.get_job(later.id)).meta
        yield sorted(meta), meta["cancel_attempted_at"][19:20], meta["cancel_attempted_at"][26:]
        yield await instance.retry_many_jobs([later])
        yield await instance.retry_many_jobs([later])
        again = await instance.get_job(later.id)
        yield again.state, again.max_attempts, again.cancelled_at
        changed = await instance.update_job(again, {"args": {"n": 2}, "scheduled_in": 60})
        yield changed.state, changed.args
        try:
            await instance.update_job(999_999, {})
        except ValueError as error:
            yield str(error)
        yield await instance.delete_many_jobs([later, 999_999])
        yield await instance.get_job(later.id)
        counted = await instance._query.count_jobs(["available", "scheduled"])
        yield sorted(each for each in counted if each[1] == "unserved")

    async def listed(instance):
        return [each async for each in outcomes(instance)]

    real = service.ask(listed)

    with open_over():
        assert run(listed(oban)) == real
