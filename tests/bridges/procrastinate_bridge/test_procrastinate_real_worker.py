"""What comes of the job of a real worker, killed ones too, is what the bridge says; attempts and waits as well."""

import json
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("procrastinate")

import procrastinate
from column_values import VALUES
from procrastinate import RetryStrategy
from servers import kill_group, process, wait_until

APPLICATION = """
import pathlib, time
import procrastinate
from procrastinate import RetryStrategy

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo={url!r}))

def run(name):
    with pathlib.Path(name).open("a") as file:
        file.write(f"{{time.time()}}\\n")
    return len(pathlib.Path(name).read_text().split())

@app.task(name="work")
def work(name):
    run(name)
    if name == "raises":
        raise ValueError(name)
    if name == "is killed":
        time.sleep(600)

@app.task(name="step", pass_context=True, retry=RetryStrategy(max_attempts=1, wait=1))
def step(context, name, fails=False):
    with pathlib.Path("steps").open("a") as file:
        file.write(name + "\\n")
    if fails and context.job.attempts == 0:
        raise ValueError(name)

@app.task(name="retries", retry=RetryStrategy(max_attempts=3, linear_wait=1))
def retries(name):
    run(name)
    raise ValueError(name)

if __name__ == "__main__":
    app.run_worker(fetch_job_polling_interval=0.02, listen_notify=False)
"""


@pytest.fixture(scope="module")
def database(postgresql_url):
    """Return the URL of a database with the tables of Procrastinate."""
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=postgresql_url))
    with app.open():
        app.schema_manager.apply_schema()
    return postgresql_url


class Service:
    """An application with a real database, its workers, and what they wrote down."""

    def __init__(self, directory, url):
        self.directory = directory
        self.app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url))
        (directory / "service.py").write_text(textwrap.dedent(APPLICATION.format(url=url)))

    def worker(self):
        return process([sys.executable, "service.py"], self.directory, log="worker.log")

    def send(self, name, task="work"):
        return self.app.configure_task(task).defer(name=name)

    def starts(self, name):
        path = self.directory / name
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def status(self, job_id):
        return self.app.job_manager.get_job_status(job_id).value

    def wait_for(self, job_id, *statuses):
        wait_until(lambda: self.status(job_id) in statuses, f"job {job_id}", every=0.05)


@pytest.fixture
def service(tmp_path, database):
    service = Service(tmp_path, database)
    with service.app.open():
        yield service


def test_a_job_is_delivered_again_as_the_bridge_says(service, make_app, open_over):
    declared = make_app()
    task = declared.task(lambda name: None, name="work")
    expected = open_over(declared).harness.bridges[0].delivery_semantics(task)

    with service.worker() as worker:
        raised = service.send("raises")
        service.wait_for(raised, "failed")
        killed = service.send("is killed")
        wait_until(lambda: service.starts("is killed"), "the first run")
        kill_group(worker)
    with service.worker():
        service.wait_for(service.send("after the outage"), "succeeded")

    assert (len(service.starts("raises")) > 1) is expected.redelivered_on_raise
    assert (len(service.starts("is killed")) > 1) is expected.redelivered_on_kill
    assert (len(service.starts("is killed")) > 1) is expected.redelivered_on_outage
    assert (service.status(killed) == "doing") is (expected.acknowledged == "before")


def test_the_harness_predicts_what_a_worker_does(service, make_app, open_over):
    with service.worker():
        job_id = service.send("retried", "retries")
        service.wait_for(job_id, "failed")
    starts, status = service.starts("retried"), service.status(job_id)

    app = make_app()

    @app.task(name="retries", retry=RetryStrategy(max_attempts=3, linear_wait=1))
    def retries(name):
        raise ValueError(name)

    with open_over(app) as jobs:
        predicted = retries.defer(name="retried")
        jobs.drain(raise_errors=False)
        waits = [each.wait for each in jobs.retried]

        assert app.job_manager.get_job_status(predicted).value == status == "failed"
        assert len(jobs.deliveries) == len(starts) == 4
    assert waits == [timedelta(seconds=n) for n in (0, 1, 2)]
    for n, wait in enumerate(waits):
        assert starts[n + 1] - starts[n] >= wait.total_seconds() - 0.005


def defer_with_locks(app):
    """Defer jobs that wait for one another."""
    soon = {"schedule_in": {"seconds": 1}}
    for lock, name, options, given in (
        ("retried", "a1", {}, {"fails": True}),
        ("retried", "a2", {}, {}),
        ("later", "b1", soon, {}),
        ("later", "b2", {}, {}),
        ("urgent", "c1", {}, {}),
        ("urgent", "c2", {"priority": 1, **soon}, {}),
        ("urgent", "c3", {"priority": 2}, {}),
        (None, "d1", {}, {"fails": True}),
        (None, "d2", {}, {}),
    ):
        app.configure_task("step", lock=lock, **options).defer(name=name, **given)


def by_lock(steps):
    return {first: [step for step in steps if step[0] == first] for first in "abcd"}


def test_a_lock_orders_its_jobs_as_a_worker_does(service, make_app, open_over):
    """A job waits while one of its lock that comes first waits for its time, or for its retry."""
    defer_with_locks(service.app)
    steps = service.directory / "steps"
    with service.worker():
        wait_until(
            lambda: steps.exists() and len(steps.read_text().split()) == 11, "11 runs", every=0.05
        )

    app = make_app()
    ran = []

    @app.task(name="step", pass_context=True, retry=RetryStrategy(max_attempts=1, wait=1))
    def step(context, name, fails=False):
        ran.append(name)
        if fails and context.job.attempts == 0:
            raise ValueError(name)

    with open_over(app) as jobs:
        defer_with_locks(app)
        jobs.drain()

    assert by_lock(ran) == by_lock(steps.read_text().split())
    assert by_lock(ran)["a"] == ["a1", "a1", "a2"]


def test_arguments_come_to_the_job_as_from_the_database(service, make_app, open_over):
    app = make_app()
    app.task(lambda **given: None, name="work")

    def answer(app, value):
        try:
            job_id = app.configure_task("work").defer(value=value)
        except procrastinate.exceptions.ConnectorException as error:
            return type(error.__cause__)
        return json.dumps(app.job_manager.list_jobs(id=job_id)[0].task_kwargs)

    real = {name: answer(service.app, value) for name, value in VALUES.items()}
    with open_over(app):
        predicted = {name: answer(app, value) for name, value in VALUES.items()}

    assert predicted == real


def test_the_stand_in_refuses_what_the_database_refuses(service, make_app, open_over):
    """A queueing lock that is taken, a job that is not there, one that is done."""

    def outcomes(app):
        deferrer = app.configure_task("elsewhere", queueing_lock="taken")
        first = deferrer.defer(x=1)
        yield refusal(lambda: deferrer.defer(x=2))
        yield app.job_manager.cancel_job_by_id(first)
        yield app.job_manager.cancel_job_by_id(first)
        yield app.job_manager.cancel_job_by_id(999_999)
        second = deferrer.defer(x=3)
        yield app.job_manager.get_job_status(second).value
        yield refusal(lambda: retry(app, second))
        yield app.job_manager.get_job_status(second).value
        yield app.job_manager.cancel_job_by_id(second, delete_job=True)
        yield refusal(lambda: retry(app, second))
        yield refusal(lambda: finish(app, second))
        yield refusal(lambda: app.job_manager.get_job_status(second))
        yield refusal(lambda: deferrer.defer(x=object()))
        done = deferrer.defer(x=4)
        yield finish(app, done)
        yield app.job_manager.get_job_status(done).value
        yield app.job_manager.list_jobs(id=done)[0].attempts
        yield refusal(lambda: finish(app, done))
        for options in (
            {"priority": 2**31},
            {"priority": -(2**31)},
            {"queue": "q" * 129},
            {"queue": "a\0b"},
            {"lock": "a\0b"},
            {"lock": "l" * 1000},
            {"queueing_lock": "\ud800"},
        ):
            yield refusal(lambda: app.configure_task("elsewhere", **options).defer() > 0)  # noqa: B023
        yield refusal(lambda: app.configure_task("t" * 129).defer())

    real = list(outcomes(service.app))

    app = make_app()
    with open_over(app):
        assert list(outcomes(app)) == real


def retry(app, job_id):
    return app.job_manager.retry_job_by_id(job_id, datetime(2020, 1, 1, tzinfo=UTC))


def finish(app, job_id):
    given = {"job_id": job_id, "status": "succeeded", "delete_job": False}
    connector = app.job_manager.connector.get_sync_connector()
    return connector.execute_query(procrastinate.sql.queries["finish_job"], **given)


def refusal(call):
    try:
        return call()
    except Exception as error:
        return type(error)
