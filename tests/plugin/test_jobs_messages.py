"""`--jobs-messages` writes what every registered job accepts, as the libraries say."""

from __future__ import annotations

import json

import pytest

APPS = {
    "core": (
        """
        from pytest_jobs import Job


        class Send(Job):
            queue = "mail"

            def perform(self, order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.Send",
        "mail",
    ),
    "celery": (
        """
        import functools

        from celery import Celery

        app = Celery("shop", broker="redis://localhost:1")
        app.conf.task_routes = {"app.send": {"queue": "mail"}}


        def traced(function):
            @functools.wraps(function)
            def task(*args, **kwargs):
                return function(*args, **kwargs)

            return app.task(bind=True)(task)


        @traced
        def send(self, order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.send",
        "mail",
    ),
    "rq": (
        """
        from redis import Redis
        from rq.decorators import job


        @job("mail", connection=Redis(port=1))
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.send",
        "mail",
    ),
    "dramatiq": (
        """
        import dramatiq
        from dramatiq.brokers.stub import StubBroker

        broker = StubBroker()


        @dramatiq.actor(broker=broker, queue_name="mail")
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "send",
        "mail",
    ),
    "arq": (
        """
        from arq.connections import RedisSettings


        async def send(ctx, order_id: int, retries: int = 3, *, urgent: bool = False): ...


        class WorkerSettings:
            functions = [send]
            queue_name = "mail"
            redis_settings = RedisSettings(port=1)
        """,
        "send",
        "mail",
    ),
    "taskiq": (
        """
        from taskiq import InMemoryBroker

        broker = InMemoryBroker()


        @broker.task(queue_name="mail")
        async def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app:send",
        "mail",
    ),
    "huey": (
        """
        from huey import MemoryHuey

        huey = MemoryHuey("mail")


        @huey.task()
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.send",
        "mail",
    ),
    "procrastinate": (
        """
        from procrastinate import App
        from procrastinate.testing import InMemoryConnector

        app = App(connector=InMemoryConnector())


        @app.task(queue="mail")
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.send",
        "mail",
    ),
    "saq": (
        """
        from saq import Queue

        queue = Queue.from_url("redis://localhost:1", name="mail")


        async def send(ctx, order_id: int, retries: int = 3, *, urgent: bool = False): ...


        settings = {"queue": queue, "functions": [send]}
        """,
        "send",
        "mail",
    ),
    "oban": (
        """
        from oban import job


        @job(queue="mail")
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app.send",
        "mail",
    ),
    "apscheduler": (
        """
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler()


        @scheduler.scheduled_job("interval", hours=1, args=[7])
        def send(order_id: int, retries: int = 3, *, urgent: bool = False): ...
        """,
        "app:send",
        None,
    ),
}


#: Their messages have the name of each argument.
NAMING = ("oban", "procrastinate", "saq")
#: Those that show what another one does not.
FIRST = ("core", "celery", "rq", "dramatiq", "arq")


@pytest.mark.parametrize(
    "library",
    [pytest.param(each, marks=() if each in FIRST else pytest.mark.wide) for each in APPS],
)
def test_a_job_has_its_parameters_its_queue_and_its_module(pytester, library):
    pytest.importorskip("pytest_jobs" if library == "core" else library)
    source, name, queue = APPS[library]
    pytester.makepyfile(app=source, test_app="import app\n\n\ndef test_nothing(): ...")
    takes = "(order_id, retries=3, *, urgent=False)"
    if library in NAMING:
        takes = "(*, order_id, retries=3, urgent=False)"

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*= --jobs-messages =*", "1 job in *messages.json"])
    assert result.ret == 0
    assert _jobs(pytester) == {library: {name: {"takes": takes, "queue": queue, "module": "app"}}}


def _jobs(pytester):
    return json.loads(pytester.path.joinpath("messages.json").read_text())["jobs"]


def _takes(pytester, library="core"):
    return {name: one["takes"] for name, one in _jobs(pytester)[library].items()}


@pytest.mark.wide
def test_a_task_of_celery_may_name_its_queue_and_a_router_may_raise(pytester):
    pytest.importorskip("celery")
    pytester.makepyfile(
        app="""
        from celery import Celery


        def route(name, *rest, **options):
            if name == "app.lost":
                raise RuntimeError("nowhere")


        app = Celery("shop", broker="redis://localhost:1")
        app.conf.task_routes = [route]


        @app.task(queue="low")
        def named(): ...


        @app.task
        def plain(): ...


        @app.task
        def lost(): ...
        """,
        test_app="import app\n\n\ndef test_nothing(): ...",
    )
    result = pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["app.lost (celery) is left out: nowhere", "2 jobs in *"])
    assert {name: one["queue"] for name, one in _jobs(pytester)["celery"].items()} == {
        "app.named": "low",
        "app.plain": "celery",
    }


@pytest.mark.wide
def test_collecting_is_enough(pytester):
    pytester.makepyfile(app=APPS["core"][0], test_app="import app\n\n\ndef test_nothing(): 1 / 0")

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json", "--collect-only", "-q")

    assert result.ret == 0
    assert [*_takes(pytester)] == ["app.Send"]


def test_a_package_of_the_project_may_be_called_core(pytester):
    package = pytester.mkpydir("core")
    package.joinpath("jobs.py").write_text(
        "from pytest_jobs import Job\n\n\nclass Pay(Job):\n    def perform(self, order_id): ...\n"
    )
    pytester.makepyfile("import core.jobs\n\n\ndef test_nothing(): ...\n")

    pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert _takes(pytester) == {"core.jobs.Pay": "(order_id)"}


def test_jobs_of_the_tests_are_left_out(pytester):
    pytester.makepyfile(
        app=APPS["core"][0],
        test_app="""
        from pytest_jobs import Job
        import app


        class OfATest(Job):
            def perform(self): ...


        def test_nothing(): ...
        """,
    )
    pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert [*_takes(pytester)] == ["app.Send"]


@pytest.mark.wide
def test_a_function_of_rq_that_a_test_enqueues_is_a_job_and_stays_one(pytester):
    pytest.importorskip("rq")
    pytester.makepyfile(
        app="""
        from redis import Redis
        from rq import Queue

        queue = Queue("mail", connection=Redis(port=1))


        def send(order_id): ...
        """,
        test_app="""
        import app


        def test_sent(jobs):
            app.queue.enqueue(app.send, 7)
            jobs.drain()


        def test_nothing(): ...
        """,
    )
    pytester.runpytest_subprocess("--jobs-messages=messages.json")
    result = pytester.runpytest_subprocess("--jobs-messages=messages.json", "-k", "nothing")

    result.stdout.fnmatch_lines(["1 job in *"])
    assert _takes(pytester, "rq") == {"app.send": "(order_id)"}


@pytest.mark.slow
def test_a_job_whose_module_no_test_imports_today_stays_in_the_file(pytester):
    pytest.importorskip("celery")
    pytester.makepyfile(app=APPS["core"][0], test_app="import app\n\n\ndef test_nothing(): ...")
    pytester.makepyfile(
        other=APPS["celery"][0],
        test_other="import other\n\n\ndef test_nothing(): ...",
    )
    pytester.runpytest_subprocess("--jobs-messages=messages.json")
    pytester.runpytest_subprocess("--jobs-messages=messages.json", "test_app.py")

    assert [*_takes(pytester)] == ["app.Send"]
    assert [*_takes(pytester, "celery")] == ["other.send"]

    pytester.makepyfile(other="1 / 0")
    result = pytester.runpytest_subprocess("--jobs-messages=messages.json", "test_app.py")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["other was not imported: ZeroDivisionError: division by zero"])


@pytest.mark.wide
def test_a_job_that_is_gone_leaves_the_file_unless_an_alias_has_its_name(pytester):
    pytester.makepyfile(app=APPS["core"][0], test_app="import app\n\n\ndef test_nothing(): ...")
    pytester.runpytest_subprocess("--jobs-messages=messages.json")
    renamed = APPS["core"][0].replace("Send", "Deliver")
    pytester.makepyfile(app=f"{renamed}\n\n        Send = Deliver\n")
    pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert [*_takes(pytester)] == ["app.Deliver", "app.Send"]

    pytester.makepyfile(app=renamed)
    pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert [*_takes(pytester)] == ["app.Deliver"]


@pytest.mark.wide
def test_a_default_that_is_no_literal_is_the_same_in_every_run(pytester):
    pytester.makepyfile(
        app="""
        from pytest_jobs import Job


        class Send(Job):
            def perform(self, a=object(), b=frozenset("xy"), c={"x", "y"}, d=(1, None), /, **rest): ...
        """,
        test_app="import app\n\n\ndef test_nothing(): ...",
    )
    pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert _takes(pytester) == {"app.Send": "(a=..., b=..., c=..., d=(1, None), /, **rest)"}


@pytest.mark.wide
def test_the_queues_that_workers_serve_are_those_of_jobs_queues(pytester):
    pytester.makepyfile(app=APPS["core"][0], test_app="import app\n\n\ndef test_nothing(): ...")
    pytester.makefile(".yml", sidekiq=":queues:\n  - critical\n  - mail\n")
    pytester.runpytest_subprocess("--jobs-messages=messages.json", "-o", "jobs_queues=sidekiq.yml")

    served = json.loads(pytester.path.joinpath("messages.json").read_text())["served"]
    assert served == ["critical", "mail"]


@pytest.mark.wide
def test_workers_of_xdist_send_what_they_have(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(app=APPS["core"][0], test_app="import app\n\n\ndef test_nothing(): ...")

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json", "-n1", "-pxdist")

    assert result.ret == 0
    assert [*_takes(pytester)] == ["app.Send"]


def test_without_any_job_nothing_is_written(pytester):
    pytester.makepyfile("def test_nothing(): ...")

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*messages.json is not written: no library has a job in what the tests import. Import *by jobs_apps."
        ]
    )
    assert not pytester.path.joinpath("messages.json").exists()


@pytest.mark.wide
def test_nothing_is_written_when_a_module_of_tests_cannot_be_imported(pytester):
    pytester.makepyfile(
        app=APPS["core"][0],
        test_app="import app\n\n\ndef test_nothing(): ...",
        test_other="import nothing_of_this_name",
    )
    result = pytester.runpytest_subprocess(
        "--jobs-messages=messages.json", "--continue-on-collection-errors"
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*messages.json is not written: not all tests were collected."])
    assert not pytester.path.joinpath("messages.json").exists()


def test_two_workers_with_functions_of_one_name_fail_the_session(pytester):
    pytest.importorskip("arq")
    source = APPS["arq"][0].replace('            queue_name = "mail"\n', "")
    pytester.makepyfile(
        app=source, other=source, test_app="import app, other\n\n\ndef test_nothing(): ..."
    )

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "send (arq) is left out: 'send' names a function of each of WorkerSettings and WorkerSettings, *"
        ]
    )


def test_another_file_is_not_overwritten(pytester):
    pytester.makefile(".json", messages="{}")
    pytester.makepyfile("def test_nothing(): ...")

    result = pytester.runpytest_subprocess("--jobs-messages=messages.json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --jobs-messages: *messages.json is there, and it is not overwritten: * did not write it. *"
        ]
    )
