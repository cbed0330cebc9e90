"""A recurring task fires in the tests to which it belongs, whatever other tests have imported."""

import sys

import pytest

#: By the library: the module of an application with a task that recurs each hour.
APPLICATIONS = {
    "apscheduler": """
        from apscheduler.schedulers.background import BackgroundScheduler

        app = BackgroundScheduler()

        @app.scheduled_job("cron", minute=0)
        def hourly():
            pass

        app.start(paused=False)
    """,
    "arq": """
        from arq import cron

        async def hourly(ctx):
            pass

        class app:
            functions = []
            cron_jobs = [cron(hourly, minute=0)]
    """,
    "celery": """
        from celery import Celery
        from celery.schedules import crontab

        app = Celery("proj", broker="redis://127.0.0.1:1/0", set_as_current=False)

        @app.task(name="hourly", shared=False)
        def hourly():
            pass

        app.conf.beat_schedule = {"hourly": {"task": "hourly", "schedule": crontab(minute=0)}}
    """,
    "huey": """
        from huey import MemoryHuey, crontab

        app = MemoryHuey()

        @app.periodic_task(crontab(minute="0"))
        def hourly():
            pass
    """,
    "oban": """
        from oban import worker

        @worker(queue="default", cron="0 * * * *")
        class app:
            async def process(self, job):
                pass
    """,
    "procrastinate": """
        from procrastinate import App, testing

        app = App(connector=testing.InMemoryConnector())

        @app.periodic(cron="0 * * * *")
        @app.task
        def hourly(timestamp):
            pass
    """,
    "rq": """
        import redis
        from rq.cron import CronScheduler

        def hourly():
            pass

        app = CronScheduler(connection=redis.Redis(port=1))
        app.register(hourly, "default", cron="0 * * * *")
    """,
    "saq": """
        from saq import CronJob, Queue

        async def hourly(ctx):
            pass

        app = {
            "queue": Queue.from_url("redis://127.0.0.1:1/0"),
            "functions": [hourly],
            "cron_jobs": [CronJob(hourly, cron="0 * * * *")],
        }
    """,
    "taskiq": """
        from taskiq import InMemoryBroker

        app = InMemoryBroker()

        @app.task(task_name="hourly", schedule=[{"cron": "0 * * * *"}])
        async def hourly():
            pass
    """,
}
TEST = """
    from datetime import timedelta

    import pytest
    from pytest_jobs import job

    {use}

    @job
    def remind():
        pass

    def test_it(jobs):
        remind.set(wait=5 * 3600).perform_later()
        jobs.run_for(timedelta(hours=6))
        assert len(jobs.enqueued) == 1, "too many"
"""
#: By the name of a test: what leads to the application. An object that is asked for anything fails.
LAZY = """
    class Lazy:
        def __getattr__(self, name):
            raise RuntimeError("asked for " + name)

    lazy = Lazy()
"""
LEADING = {
    "test_leading": "from app_tasks import app",
    "test_leading_when_it_runs": "def later():\n        from app_tasks import app",
    "test_other": "",
}


@pytest.fixture
def project(pytester, request):
    """Write an application, a test that imports it and lets no time pass, and tests that let time pass."""
    pytest.importorskip(request.param)
    pytester.makepyfile(
        app_tasks=APPLICATIONS[request.param],
        conftest=LAZY,
        test_app="import app_tasks\n\ndef test_it(jobs):\n    pass\n",
        **{name: TEST.format(use=use) for name, use in LEADING.items()},
    )
    return request.param


@pytest.mark.parametrize("project", APPLICATIONS, indirect=True)
def test_a_schedule_fires_in_the_tests_that_lead_to_its_application(pytester, project):
    result = pytester.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=2, failed=2)
    for name in LEADING.keys() - {"test_other"}:
        result.stdout.fnmatch_lines([f"FAILED {name}.py::test_it - AssertionError: too many*"])


@pytest.mark.parametrize("project", ["celery"], indirect=True)
def test_an_application_that_jobs_apps_names_fires(pytester, project):
    result = pytester.runpytest_subprocess("-o", "jobs_apps=celery:app_tasks:app", "test_other.py")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED test_other.py::test_it - AssertionError: too many*"])


@pytest.mark.parametrize("project", ["celery"], indirect=True)
def test_the_report_names_what_was_not_fired(pytester, project):
    other = pytester.path / "test_other.py"
    other.write_text(other.read_text("utf-8").replace("== 1", "== 7"), "utf-8")
    result = pytester.runpytest_subprocess("test_app.py", "test_other.py")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "recurring, not fired: nothing in the modules of this test leads to their applications. Next: *",
            "  celery:app_tasks:app, due 6 times",
        ]
    )


@pytest.mark.parametrize("project", ["celery"], indirect=True)
def test_each_application_is_asked_about_once_however_often_it_fires(pytester, project):
    pytester.makepyfile(
        test_counting="""
        from datetime import timedelta
        import app_tasks

        class Home:
            asked = 0

            def has(self, thing):
                Home.asked += 1
                return False

            def path_of(self, application):
                return "app_tasks:app"

        def test_it(jobs):
            jobs.harness.find_home = Home
            jobs.run_for(timedelta(days=2))
            assert dict(jobs.harness.recurring.left_out) == {"celery:app_tasks:app": 48}
            assert Home.asked == 1
        """
    )

    pytester.runpytest_subprocess("test_counting.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("project", ["celery"], indirect=True)
def test_under_unittest_too(pytester, project):
    case = """
        from datetime import timedelta
        from pytest_jobs import JobsTestCase

        class ReminderTest(JobsTestCase):
            def test_it(self):
                self.jobs.run_for(timedelta(hours=6))
                self.assertEqual(len(self.jobs.enqueued), 0)
    """
    pytester.makepyfile(test_case=case, test_leading=f"    import app_tasks\n{case}")
    run = [sys.executable, "-m", "unittest", "test_app"]

    assert pytester.run(*run, "test_case").ret == 0
    assert pytester.run(*run, "test_leading").ret == 1
