"""A project that has no setting: its job libraries are captured as soon as they are imported."""

import sys

import pytest

from pytest_jobs.bridges.libraries.floors import floors_of

pytest.importorskip("celery")

PROJECT = """
    from celery import Celery, shared_task

    app = Celery("proj", broker="redis://localhost:1/0")


    @app.task
    def charge(number):
        receipt.delay(number)


    @shared_task
    def receipt(number):
        return number
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(proj=PROJECT)
    pytester.syspathinsert()
    return pytester


def test_the_first_test_of_a_project_with_celery_passes(project):
    """In a process of its own, so that nothing is imported before: the broker at port 1 cannot be reached."""
    project.makepyfile("""
        from proj import charge, receipt

        def test_it(jobs, assert_enqueued, assert_performed):
            charge.delay(7)
            assert_enqueued(charge, args=(7,))

            jobs.drain()
            assert_performed(receipt, args=(7,))
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["jobs: celery 5.*: proj:app; broker redis://localhost:1/0 is not contacted"]
    )


def test_a_library_is_captured_when_no_part_of_it_is_half_imported(project):
    """`celery.canvas` imports `celery.app`, which lacks much of Celery until that has ended."""
    project.makepyfile(
        """
        import sys

        def test_it(jobs):
            assert "celery.app" not in sys.modules
            import celery.canvas
            from celery import Celery

            app = Celery("late", broker="redis://127.0.0.1:1/0")

            @app.task(name="late", shared=False)
            def late():
                pass

            late.delay()

            jobs.drain()
        """
    )

    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)


@pytest.mark.wide
def test_a_library_that_is_imported_in_a_test_is_captured_then(project):
    project.makepyfile("""
        import sys

        def test_it(jobs, assert_enqueued):
            assert "celery.app" not in sys.modules
            from proj import charge

            charge.delay(7)
            assert_enqueued(charge)

        def test_again(jobs, assert_enqueued):
            from proj import charge

            charge.delay(8)
            assert_enqueued(charge, args=(8,))
    """)

    result = project.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("jobs: celery*")


def test_the_libraries_are_as_they_were_after_the_session(project):
    from celery import Celery
    from celery.app.amqp import AMQP
    from celery.app.task import Task

    def seen():
        return [dict(vars(cls)) for cls in (Celery, AMQP, Task)], list(sys.meta_path)

    project.makepyfile("""
        from celery.app.amqp import AMQP
        from proj import charge

        patched = []

        def test_it(jobs):
            charge.delay(7)
            patched.append(dict(vars(AMQP)))

        def test_between_harnesses_it_stays_patched():
            assert dict(vars(AMQP)) == patched[0]
    """)
    before = seen()

    project.runpytest("-p", "no:randomly").assert_outcomes(passed=2)

    assert seen() == before


@pytest.mark.wide
def test_without_a_harness_the_library_is_left_alone(project):
    project.makepyfile("""
        import pytest
        from kombu.exceptions import OperationalError
        from proj import app, charge

        def test_with_a_harness(jobs):
            charge.delay(7)

        def test_without():
            app.conf.broker_transport_options = {"max_retries": 0, "socket_connect_timeout": 1}
            with pytest.raises(OperationalError):
                charge.apply_async((7,), retry=False)
    """)

    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.wide
def test_an_ignored_library_is_let_through(project):
    project.makeini("[pytest]\njobs_ignore = celery\n")
    project.makepyfile("""
        import pytest
        from kombu.exceptions import OperationalError
        from proj import app, charge

        def test_it(jobs):
            app.conf.broker_transport_options = {"max_retries": 0, "socket_connect_timeout": 1}
            with pytest.raises(OperationalError):
                charge.apply_async((7,), retry=False)
            assert not jobs.enqueued
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["jobs: Celery is let through unseen (jobs_ignore)"])


@pytest.mark.wide
def test_an_application_in_the_ini_file_hides_no_other(project):
    project.makeini("[pytest]\njobs_apps = celery:proj:app\n")
    project.makepyfile("""
        from celery import Celery

        other = Celery("other", broker="redis://localhost:1/0")

        @other.task(shared=False)
        def elsewhere():
            pass

        def test_it(jobs, assert_enqueued):
            elsewhere.delay()
            assert_enqueued(elsewhere)
    """)

    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_library_without_a_bridge_is_named_in_the_header(pytester):
    pytester.makepyfile(
        wakaq="class WakaQ: ...",
        test_it="""
        import wakaq

        def test_it(jobs):
            pass
        """,
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["jobs: WakaQ is refused: pytest-jobs has no bridge to WakaQ"])


def test_a_version_below_the_floor_is_refused_with_both_versions(pytester):
    """Not with the import that failed. The extras of pytest-jobs say what it needs."""
    pytester.mkpydir("rq").joinpath("queue.py").write_text(
        "class Queue:\n    def enqueue_call(self, *args): ...\n", "utf-8"
    )
    about = pytester.mkdir("rq-1.16.1.dist-info")
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: rq\nVersion: 1.16.1\n")
    pytester.makepyfile("""
        import rq.queue

        def test_it(jobs):
            rq.queue.Queue().enqueue_call(print)
    """)

    result = pytester.run(sys.executable, "-m", "pytest")

    why = f"pytest-jobs needs rq{floors_of('rq')['rq']}, and 1.16.1 is installed"
    result.stdout.fnmatch_lines(
        [f"jobs: RQ is refused: {why}", f"*Queue.enqueue_call(print) was refused: *{why}. Replace*"]
    )


def test_a_version_that_has_moved_what_the_bridge_imports_is_refused_with_its_number(pytester):
    pytester.mkpydir("rq").joinpath("queue.py").write_text(
        "class Queue:\n    def enqueue_call(self, *args): ...\n", "utf-8"
    )
    about = pytester.mkdir("rq-9.0.0.dist-info")
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: rq\nVersion: 9.0.0\n")
    pytester.makepyfile("import rq.queue\n\ndef test_it(jobs): ...\n")

    result = pytester.run(sys.executable, "-m", "pytest")

    result.stdout.fnmatch_lines(
        [
            "jobs: RQ is refused: pytest-jobs needs rq>=2.8* and does not know 9.0.0, which is installed *upgrade*"
        ]
    )


def test_a_library_that_is_not_as_its_bridge_expects_is_refused_when_it_enqueues(project):
    project.makeconftest("""
        from celery.app.amqp import AMQP

        del AMQP.producer_pool
    """)
    project.makepyfile("""
        from proj import charge

        def test_that_enqueues(jobs):
            charge.delay(7)

        def test_that_does_not(jobs):
            assert not jobs.enqueued
    """)

    result = project.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *RefusedEnqueueError: charge.apply_async(*) was refused: *celery.app.amqp.AMQP.producer_pool*"
        ]
    )


@pytest.mark.wide
def test_a_session_whose_tests_have_no_harness_prints_and_patches_nothing(project):
    project.makepyfile("""
        from celery.app.amqp import AMQP
        from proj import charge

        def test_it():
            assert not any("pytest_jobs" in repr(value) for value in vars(AMQP).values())
    """)

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("jobs: *")


def test_a_job_that_imports_a_library_in_the_middle_of_a_check_is_checked(project):
    """The library joins the sandbox of the history: what it enqueues is an effect, and the test sees nothing."""
    project.makepyfile(r"""
        from pytest_jobs import check_idempotent

        def settle():
            from proj import receipt

            receipt.delay(7)

        def world():
            yield lambda: {}

        def test_it(jobs):
            explored = check_idempotent(settle, world=world, histories=["twice"])
            assert "Explored 1 of 1 histories at 5 points" in str(explored)
            assert not jobs.enqueued
    """)

    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.wide
def test_a_module_that_was_waited_for_looks_like_any_other(pytester):
    pytester.makepyfile("""
        import sys
        from importlib.machinery import SourceFileLoader

        def test_it(jobs):
            assert "taskiq" not in sys.modules
            import taskiq

            assert type(taskiq.__loader__) is type(taskiq.__spec__.loader) is SourceFileLoader
    """)

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_finder_of_the_kind_before_python_3_12_is_passed_over_as_python_does(pytester):
    pytester.makepyfile("""
        import sys

        class Alias:
            def find_module(self, name, path=None):
                return None

        def test_it(jobs, monkeypatch):
            monkeypatch.setattr(sys, "meta_path", [*sys.meta_path[:1], Alias(), *sys.meta_path[1:]])
            import taskiq

            assert "taskiq.kicker" in sys.modules
    """)

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_test_may_put_back_the_finders_from_before_the_harness(pytester):
    pytester.makepyfile("""
        import sys
        import pytest

        before = list(sys.meta_path)

        @pytest.fixture
        def finders():
            yield
            assert sys.meta_path == before

        def test_it(finders, jobs):
            sys.meta_path[:] = before
    """)

    pytester.runpytest().assert_outcomes(passed=1)
