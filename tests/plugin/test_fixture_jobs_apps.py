"""The fixture `jobs_apps` is overridden where applications are made by a factory."""

import pytest

pytest.importorskip("celery")

# Here, since a run inside a test drops the modules that it imported, and Celery cannot be there twice.
import pytest_jobs.bridges.celery.bridge  # noqa: F401

FACTORY = """
from celery import Celery

def make_app(name="made"):
    app = Celery(name, broker="redis://127.0.0.1:1/0", set_as_current=False)

    @app.task(name=name + ".add", shared=False)
    def add(a, b=0):
        return a + b

    return app
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(factory=FACTORY)
    pytester.syspathinsert()
    return pytester


def test_it_returns_applications(project):
    project.makeconftest("""
        import pytest
        from factory import make_app

        @pytest.fixture(scope="session")
        def app():
            return make_app()

        @pytest.fixture(scope="session")
        def jobs_apps(app):
            return [app]
    """)
    project.makepyfile("""
        def test_it(jobs, app):
            app.tasks["made.add"].delay(1, 2)
            jobs.drain()
            assert jobs.performed[0].result == 3
    """)

    project.runpytest().assert_outcomes(passed=1)


def test_it_may_be_of_some_tests_and_names_and_applications_mix(project):
    project.makepyfile("""
        import pytest
        import factory
        from factory import make_app

        factory.app = make_app("named")
        made = make_app()

        def test_without_it_there_is_only_the_core(jobs, jobs_apps):
            assert tuple(jobs_apps) == ()

        class TestMixed:
            @pytest.fixture
            def jobs_apps(self):
                return ["celery:factory:app", made]

            @pytest.mark.parametrize("n", [1, 2])
            def test_it(self, jobs, n):
                made.send_task("made.add", (n,))
                factory.app.send_task("named.add", (2,))
                jobs.drain()
                assert [d.result for d in jobs.performed] == [n, 2]

        class TestNone:
            @pytest.fixture
            def jobs_apps(self):
                return [7]

            def test_it(self, jobs):
                pass
    """)

    result = project.runpytest()

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        ["*ApplicationError: 7 is not an application of a library that pytest-jobs knows*"]
    )


def test_with_a_guard_the_session_is_guarded_as_soon_as_the_application_is_made(project):
    project.makeini("[pytest]\njobs_mode = record\n")
    project.makeconftest("""
        import pytest
        from factory import make_app

        @pytest.fixture(scope="session")
        def app():
            return make_app()

        @pytest.fixture(scope="session")
        def jobs_apps(app):
            return [app]

        @pytest.fixture(scope="module", autouse=True)
        def seed(jobs_apps, app, session_jobs):
            app.send_task("made.add", (7,))
            session_jobs.drain()
            assert session_jobs.performed[0].result == 7
    """)
    project.makepyfile("""
        def test_it(jobs, app):
            assert len(jobs.enqueued) == 0
            app.send_task("made.add", (8,))
            assert len(jobs.enqueued) == 1
    """)

    project.runpytest().assert_outcomes(passed=1)
