"""`jobs_apps` names the applications whose jobs are recorded, in every test."""

import pytest

pytest.importorskip("celery")

# Here, since a run inside a test drops the modules that it imported, and Celery cannot be there twice.
import pytest_jobs.bridges.celery.bridge  # noqa: F401
from pytest_jobs.bridges.libraries.known import LIBRARIES

BRIDGED = [name for name, library in LIBRARIES.items() if library.is_bridged]

APP = """
from celery import Celery

app = Celery(
    "proj", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1", set_as_current=False
)

@app.task(name="proj.add", shared=False)
def add(a, b=0):
    return a + b
"""
INI = "[pytest]\njobs_apps = celery:proj:app\n"


@pytest.fixture
def project(pytester):
    pytester.makepyfile(proj=APP)
    pytester.makeini(INI)
    pytester.syspathinsert()
    return pytester


def test_one_line_guards_every_test_and_the_session(project):
    project.makepyfile("""
        import unittest
        import pytest
        from proj import add, app
        from pytest_jobs import current_jobs

        @pytest.fixture(scope="session", autouse=True)
        def seed():
            add.delay(70)

        def test_with_fixtures(jobs, assert_enqueued):
            add.delay(1, b=2)
            assert_enqueued(add, args=(1, 2))
            jobs.drain()
            assert jobs.performed[0].result == 3

        def test_that_asks_for_nothing():
            add.delay(1)

        class TestIt:
            def test_it(self):
                add.delay(1)

        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.result = add.delay(80)

            def setUp(self):
                add.delay(1)

            def test_it(self):
                add.delay(2)
                assert [record.args for record in current_jobs().enqueued] == [(1,), (2,)]

        @pytest.mark.jobs(mode="inline")
        def test_inline():
            assert add.delay(1, 2).get() == 3

        @pytest.mark.jobs(mode="off")
        def test_eager_mode_is_left_to_a_test_that_takes_itself_out():
            app.conf.task_always_eager = True
            try:
                assert add.delay(1, 2).get() == 3
            finally:
                app.conf.task_always_eager = False
    """)

    result = project.runpytest()

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        [
            "jobs: celery 5.*",
            "*jobs enqueued outside of tests and never performed*",
            "*add(70)*",
            "*add(80)*",
        ]
    )


@pytest.mark.parametrize(
    "named", ["\n    celery:proj:app\n    celery:other:app", "celery:proj:app, celery:other:app,"]
)
def test_several_applications_are_mixed(project, named):
    project.makepyfile(other=APP.replace('"proj', '"other'))
    project.makeini(f"[pytest]\njobs_apps = {named}\n")
    project.makepyfile("""
        import other
        import proj

        def test_it(jobs, assert_enqueued):
            proj.add.delay(1)
            other.add.delay(2)
            jobs.drain()
            assert [d.record.name for d in jobs.performed] == ["proj.add", "other.add"]
    """)

    result = project.runpytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["jobs: celery 5.*"])


def test_the_mode_off_leaves_the_application_alone(project):
    project.makeini(INI + "jobs_mode = off\n")
    project.makepyfile("""
        from proj import app

        def test_it():
            assert app.amqp._producer_pool is None
    """)

    result = project.runpytest()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("jobs: celery*")


def test_an_application_is_not_loaded_at_start_up(project):
    project.makepyfile(proj=APP + "\nraise RuntimeError('loaded')\n")
    project.makepyfile("def test_it(): pass")

    project.runpytest("--collect-only").assert_outcomes()
    result = project.runpytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_an_application_that_does_not_import_is_told_with_its_error_whole(project):
    project.makepyfile(proj="import no_such_module\n")
    project.makepyfile("def test_it(): pass")

    result = project.runpytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: jobs_apps: 'celery:proj:app': proj cannot be imported.",
            "*proj.py*line 1*",
            "*import no_such_module*",
            "ModuleNotFoundError: No module named 'no_such_module'",
        ]
    )


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("celery:proj:nothing", "'celery:proj:nothing': proj has no 'nothing'."),
        (
            "celery:porj:app",
            (
                "'celery:porj:app': there is no module 'porj': did you mean 'proj'? Is its folder among those "
                "that pytest imports from, as by pythonpath = . in the ini file?"
            ),
        ),
        (
            "celery:importlib.metdata:app",
            (
                "'celery:importlib.metdata:app': there is no module 'importlib.metdata': did you mean "
                "'importlib.metadata'?"
            ),
        ),
        ("celery:proj.celery:app", "'celery:proj.celery:app': there is no module 'proj.celery'."),
        (
            "celery:proj:add.name",
            "'celery:proj:add.name' is 'proj.add', which is no app of celery.",
        ),
        (
            "celery:proj",
            "'celery:proj' does not say where the app is: write \"celery:package.module:app\".",
        ),
        ("celery", "'celery' does not say where the app is: write \"celery:package.module:app\"."),
        (
            "django:proj",
            "'django:proj': django has one application, which it finds itself: write 'django' alone.",
        ),
        (
            "proj:app",
            (
                f"'proj:app' names no library that pytest-jobs knows: begin with one of {', '.join(BRIDGED)}, as "
                'in "celery:proj.celery:app". A bridge of your own comes in by the pytest_jobs_bridges hook.'
            ),
        ),
        (
            "celery:proj:app celery:proj:app",
            "'celery:proj:app' is named twice: each application is bridged once, so drop one of the two.",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(project, named, message):
    project.makeini(f"[pytest]\njobs_apps = {named}\n")
    project.makepyfile("def test_it(): pass")

    result = project.runpytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: jobs_apps: {message}" in result.stderr.str()


def test_a_library_that_is_not_installed_is_told_with_what_installs_it(project):
    project.makeconftest("""
        import sys

        sys.modules["taskiq"] = None
    """)
    project.makeini("[pytest]\njobs_apps = taskiq:proj:app\n")
    project.makepyfile("def test_it(): pass")
    project.makepyfile(
        proj="class Broker: pass\nBroker.__module__ = 'taskiq.abc.broker'\napp = Broker()\n"
    )

    result = project.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert 'taskiq is not installed: pip install "pytest-jobs[taskiq]".' in result.stderr.str()


@pytest.mark.slow
def test_a_suite_without_a_job_fixture_never_opens_a_connection(project):
    project.makeconftest("""
        import socket
        import pytest

        connections = []
        connect = socket.socket.connect

        def noted(self, address):
            connections.append(address)
            return connect(self, address)

        socket.socket.connect = noted

        @pytest.fixture(scope="session", autouse=True)
        def start_up():
            from proj import app

            app.connection_for_write().ensure_connection(max_retries=1)
            app.send_task("proj.add", (0,))

        def pytest_unconfigure():
            print("connections:", connections)
    """)
    project.makepyfile("""
        import threading
        import unittest
        from celery import chord, group
        from proj import add, app

        def test_delay():
            add.delay(1)
            add.apply_async((1,), countdown=60, expires=120)

        def test_canvas():
            group(add.s(1), add.s(2)).delay()
            chord([add.s(1), add.s(2)])(add.si(3))

        def test_thread():
            thread = threading.Thread(target=add.delay, args=(1,))
            thread.start()
            thread.join()

        def test_result():
            result = add.delay(1)
            assert result.state == "PENDING"
            result.revoke()

        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                add.delay(1)

            def test_control(self):
                assert app.control.ping(timeout=0.01) == []
    """)

    result = project.runpytest_subprocess("-s")

    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["connections: []"])
