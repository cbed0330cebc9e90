"""Under unittest and `manage.py test` a `JobsTestCase` is configured by the ini file of pytest."""

import subprocess
import sys

import pytest

from pytest_jobs.assertions.options import NAMES

pytestmark = pytest.mark.usefixtures("shop")

INLINE = """
    from pytest_jobs import JobsTestCase
    from shop import Pay

    class OrderTest(JobsTestCase):
        def test_inline(self):
            Pay.perform_later(1)
            self.assert_performed(Pay)
"""
QUEUES = """
    from pytest_jobs import JobsTestCase, Queues
    from shop import send_receipt

    class OrderTest(JobsTestCase):
        def taken(self):
            for queue in ("low", "default", "critical"):
                send_receipt.set(queue=queue).perform_later(1)
            self.jobs.drain()
            return [delivery.record.queue for delivery in self.jobs.deliveries]

        def test_taken(self):
            assert self.taken() == ["critical", "default", "low"]

    class OwnTest(OrderTest):
        jobs_queues = Queues(["low", "critical", "default"])

        def test_taken(self):
            assert self.taken() == ["low", "critical", "default"]
"""


@pytest.fixture
def run(pytester):
    """Return a function that runs a module in a process without pytest, and returns what that printed."""

    def run(source, *files, directory="."):
        for name, text in files:
            path = pytester.path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        pytester.makepyfile(test_cases=source)
        script = f"import sys; sys.modules['pytest'] = None; sys.path.insert(0, {str(pytester.path)!r}); "
        run_it = "import unittest; unittest.main(module=None)"
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", script + run_it, "test_cases"],
            cwd=pytester.path / directory,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stderr

    return run


def is_green(output):
    return output.endswith("OK\n")


INI = "[pytest]\njobs_mode = inline\n"
#: What a project has of files, and where it runs its tests.
PLACES = {
    "pytest.ini": ([("pytest.ini", INI)], "."),
    ".pytest.ini": ([(".pytest.ini", INI)], "."),
    "pytest.toml": ([("pytest.toml", "[pytest]\njobs_mode = 'inline'\n")], "."),
    "pyproject.toml": (
        [("pyproject.toml", "[tool.pytest.ini_options]\njobs_mode = 'inline'\n")],
        ".",
    ),
    "a table of pytest 9": ([("pyproject.toml", "[tool.pytest]\njobs_mode = 'inline'\n")], "."),
    "options of another plugin": (
        [("tox.ini", f"{INI}jobs_directory = here\njob_mode = x\n")],
        ".",
    ),
    "files without a section of pytest": (
        [
            ("pyproject.toml", "[tool.other]\njobs_mode = 'record'\n"),
            ("tox.ini", "[tox]\njobs_mode = record\n"),
            ("setup.cfg", "[tool:pytest]\njobs_mode = inline\n"),
        ],
        ".",
    ),
    "a directory above": ([("tox.ini", INI), ("app/setup.cfg", "[other]\n")], "app"),
}


@pytest.mark.parametrize(("files", "directory"), PLACES.values(), ids=PLACES)
def test_each_file_that_pytest_reads_is_read_where_pytest_finds_it(run, files, directory):
    assert is_green(run(INLINE, *files, directory=directory))


def test_the_first_file_is_the_only_one(run):
    files = [("pytest.ini", ""), ("tox.ini", INI)]

    assert "FAILED (failures=1)" in run(INLINE, *files)


SETTINGS = """
    from pytest_jobs import Job, JobsTestCase, retry_on
    from shop import Pay, Refuse

    @retry_on(TimeoutError, wait=100, jitter=0.5, attempts=2)
    class Sync(Job):
        def perform(self):
            if self.attempt == 1:
                raise TimeoutError

    class OrderTest(JobsTestCase):
        def test_errors_are_raised_where_the_file_says(self):
            with self.assertRaises(ValueError):
                Refuse.perform_later()

        def test_the_jitter_of_the_file(self):
            Sync.perform_later()
            self.jobs.drain()
            self.assertGreater(self.jobs.retried[0].wait.total_seconds(), 100)

    class RecordTest(JobsTestCase):
        jobs_mode = "record"
        jobs_strict = False

        def test_the_class_goes_before_the_file(self):
            Pay.perform_later(1)
            self.assert_not_performed(Pay)

    class StrictTest(JobsTestCase):
        jobs_mode = "record"

        def test_left_alone(self):
            Pay.perform_later(1)
"""


@pytest.mark.parametrize(
    ("strict", "ends"), [("true", "FAILED (failures=1)"), ("off", "OK"), ("0", "OK")]
)
def test_each_setting_of_the_file_holds_unless_the_class_says_another(run, strict, ends):
    ini = f"{INI}jobs_raise = enqueue\njobs_jitter = seeded\njobs_strict = {strict}\n"
    output = run(SETTINGS, ("tox.ini", ini))

    assert output.endswith(f"{ends}\n")
    assert ("FAIL: test_left_alone" in output) == (strict == "true")


def test_the_queues_lie_beside_the_file(run):
    files = [
        ("tox.ini", "[pytest]\njobs_queues = config/queues.yml production\n"),
        ("config/queues.yml", "production:\n  :queues: [critical, default, low]\n"),
        ("app/empty.txt", ""),
    ]

    assert is_green(run(QUEUES, *files, directory="app"))


def test_under_pytest_the_class_goes_before_the_file_too(pytester):
    pytester.mkdir("config").joinpath("queues.yml").write_text(
        ":queues: [critical, default, low]\n", "utf-8"
    )
    pytester.makeini("[pytest]\njobs_queues = config/queues.yml\n")
    pytester.makepyfile(QUEUES)

    pytester.runpytest().assert_outcomes(passed=2)


def test_under_pytest_an_override_reaches_what_the_class_enqueues(pytester):
    pytester.path.joinpath("queues.yml").write_text(":queues: [critical, low]\n", "utf-8")
    pytester.makepyfile("""
        from pytest_jobs import JobsTestCase

        class OrderTest(JobsTestCase):
            def test_it(self):
                self.assertEqual(self.class_jobs.queues, self.jobs.queues)
                self.assertIn("critical", self.class_jobs.queues.described)
    """)

    pytester.runpytest("-o", "jobs_queues=queues.yml").assert_outcomes(passed=1)


def test_the_applications_of_the_file_and_those_of_the_class(pytester, run):
    pytest.importorskip("celery")
    for name in ("proj", "other"):
        pytester.makepyfile(
            **{
                name: f"""
                from celery import Celery

                app = Celery("{name}", broker="redis://127.0.0.1:1/0", set_as_current=False)

                @app.task(name="{name}.add", shared=False)
                def add(a, b):
                    return a + b
            """
            }
        )
    source = """
    import other, proj
    from pytest_jobs import JobsTestCase

    class OrderTest(JobsTestCase):
        jobs_apps = [other.app, "celery:proj:app"]

        def test_it(self):
            proj.add.delay(1, 2)
            other.add.delay(3, 4)
            self.jobs.drain()
            self.assertEqual([delivery.result for delivery in self.jobs.performed], [3, 7])
    """

    assert is_green(run(source, ("tox.ini", "[pytest]\njobs_apps = celery:proj:app,\n")))


IGNORED = """
    from celery import Celery
    from pytest_jobs import JobsTestCase

    app = Celery("proj", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.conf.task_always_eager = True

    @app.task(shared=False)
    def add(a, b):
        return a + b

    class Case(JobsTestCase):
        def enqueued(self):
            add.delay(1, 2)
            return len(self.jobs.enqueued)

    class OrderTest(Case):
        def test_it(self):
            self.assertEqual(self.enqueued(), OF_THE_FILE)

    class OwnTest(Case):
        jobs_ignore = ["celery"]

        def test_it(self):
            self.assertEqual(self.enqueued(), 0)

    class NoneTest(Case):
        jobs_ignore = ()

        def test_it(self):
            self.assertEqual(self.enqueued(), 1)
"""


@pytest.mark.wide
@pytest.mark.parametrize(
    ("ini", "of_the_file"),
    [("jobs_ignore = celery, rq", "0"), ("jobs_strict = no", "1")],
)
def test_libraries_that_are_let_through(pytester, run, ini, of_the_file):
    pytest.importorskip("celery")
    source = IGNORED.replace("OF_THE_FILE", of_the_file)

    assert is_green(run(source, ("tox.ini", f"[pytest]\n{ini}\n")))
    pytester.runpytest_subprocess("test_cases.py").assert_outcomes(passed=3)


def test_manage_py_test(pytester):
    pytest.importorskip("django")
    pytester.makepyfile(
        manage="""
            import os, sys
            from django.core.management import execute_from_command_line

            os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
            execute_from_command_line(sys.argv)
        """,
        project_settings="""
            DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
            SECRET_KEY = "tests"
            USE_TZ = True
        """,
        test_orders="""
            from django.test import TestCase
            from pytest_jobs import JobsTestCase
            from shop import Pay

            class OrderTest(JobsTestCase, TestCase):
                @classmethod
                def setUpTestData(cls):
                    Pay.perform_later(0)

                def test_inline(self):
                    Pay.perform_later(1)
                    self.assert_performed(Pay, args=[1])
        """,
    )
    pytester.makeini("[pytest]\njobs_mode = inline\n")
    result = pytester.run(sys.executable, "manage.py", "test")

    assert result.ret == 0
    assert "OK" in result.errlines


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jobs_mode = inlien", "jobs_mode is 'inlien'; valid are record, inline, off."),
        (
            "jobs_mode = off",
            (
                "jobs_mode is 'off'; a JobsTestCase cannot do without a harness: set jobs_mode to 'record' or "
                "'inline' in the class."
            ),
        ),
        (
            "jobs_mdoe = inline",
            (
                "jobs_mdoe is not an option of pytest-jobs: did you mean jobs_mode? The options are "
                f"{', '.join(NAMES)}."
            ),
        ),
        ("jobs_strict = maybe", "jobs_strict is 'maybe'; valid are true and false."),
        (
            "jobs_queues = a b c",
            "jobs_queues is 'a b c'; it is a file, and its environment where it has any.",
        ),
    ],
)
def test_a_wrong_value_is_an_error(run, line, message):
    output = run(INLINE, ("tox.ini", f"[pytest]\n{line}\n"))

    assert "FAILED (errors=1)" in output
    assert f"pytest_jobs.errors.DeclarationError: tox.ini: {message}" in output.splitlines()
