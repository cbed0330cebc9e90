"""Under pytest-xdist every worker has harnesses of its own, and its findings reach the report."""

import re

import pytest
from test_explorations import CHECKS, PART, PAYING

pytest.importorskip("xdist")
pytestmark = [
    pytest.mark.usefixtures("shop", "without_colour"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

INI = """
[pytest]
jobs_mode = inline
jobs_apps = celery:proj:app
"""
PROJ = """
from celery import Celery

app = Celery("proj", broker="redis://127.0.0.1:1/0", set_as_current=False)

@app.task(name="proj.add", shared=False)
def add(a):
    return a
"""
WORKERS = """
import pytest
from proj import add
from shop import Pay

@pytest.mark.parametrize("number", range(8))
def test_each_has_its_own(jobs, assert_enqueued, number):
    Pay.set(wait=60).perform_later(number)
    assert assert_enqueued(Pay).args == (number,)
    jobs.drain()

@pytest.mark.parametrize("number", range(4))
def test_so_it_is_with_an_application(jobs, number):
    add.delay(number)
    assert len(jobs.performed) == 1
"""
FAILED = """
import pytest
from shop import Pay, Refuse

@pytest.fixture(scope="module")
def customer():
    Pay.set(wait=3600).perform_later(1)
    yield
    Refuse.perform_later("no card")

def test_it(customer):
    Refuse.perform_later()
    assert 1 == 2
"""
MANY = """
from shop import Pay

def test_many(jobs, assert_not_enqueued):
    for payment_id in range(19):
        Pay.perform_later(payment_id)
    assert_not_enqueued(Pay)
"""
EXPLORED = f"""
{CHECKS}
def test_safe(): check(paying.charge_with_key)
def test_some(): check(paying.charge_with_key, histories=["late"])
{PART}
def test_unsafe(): check(paying.charge)
"""


@pytest.mark.slow
def test_one_run_shows_what_its_workers_found(pytester):
    pytester.makeini(INI)
    pytester.makepyfile(proj=PROJ, paying=PAYING, test_workers=WORKERS, test_failed=FAILED)
    pytester.makepyfile(test_many=MANY, test_explored=EXPLORED)

    result = pytester.runpytest_subprocess(
        *("-n", "2", "--color=yes", "--junitxml=found.xml"),
        *("-W", "default::pytest_jobs.errors.JobsWarning"),
    )
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in result.outlines]
    plain = pytest.LineMatcher(lines)
    coloured = "\n".join(result.outlines)

    result.assert_outcomes(passed=15, failed=3, warnings=1)
    # Jobs that failed in a test, and what was left outside of tests.
    plain.fnmatch_lines(
        [
            "E *assert 1 == 2",
            "-* Jobs that failed -*",
            "ValueError: no money",
            "=* jobs enqueued outside of tests and never performed =*",
            "#0 Pay(1) queue='payments' wait=1h",
            "=* jobs that failed outside of tests =*",
            "ValueError: no card",
        ]
    )
    # What checks explored, and what they left out.
    plain.fnmatch_lines_random(
        [
            "*PartialExploration: The check of charge_with_key passed, and did not explore: * for want of time.",
            "=* explored jobs =*",
            "passed: 3 checks of *, * histories; *",
            "*; not explored: lease_expires, out_of_order",
            "test_explored.py::test_part: charge_with_key: left out * of * histories, for want of time",
        ]
    )
    # Long messages are cut, and failures coloured, as they are without workers.
    plain.fnmatch_lines(["E       Shortened: -v shows everything."])
    assert re.search(r"\x1b\[31m  now:  2 x \('charge', 1\)\x1b\[0m", coloured)
    assert "#x1B" not in (pytester.path / "found.xml").read_text("utf-8")
    alone = pytester.runpytest("--color=no", "test_explored.py::test_unsafe").outlines
    shown = [line.rstrip() for line in alone if line.startswith("E")]
    assert len(shown) > 15
    assert set(shown) < set(lines)


@pytest.mark.slow
def test_a_job_that_failed_outside_of_tests_fails_the_run(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")
    pytester.makepyfile("""
        import pytest
        from shop import Refuse

        @pytest.fixture(scope="module")
        def customer():
            yield
            Refuse.perform_later("no card")

        def test_it(customer):
            pass
    """)

    result = pytester.runpytest("-n", "1")

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow
def test_a_history_that_passes_now_when_it_is_replayed_says_so(pytester):
    pytester.makepyfile(
        paying=PAYING.replace("def charge(number)", "def unsafe(number)").replace("_with_key", "")
    )
    pytester.makepyfile(CHECKS + "def test_it(): check(paying.charge)\n")

    result = pytester.runpytest("-n", "1", "--jobs-replay=twice:charge")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*.py::test_it: the replayed history passes now"])
    assert result.ret == 0


@pytest.mark.slow
def test_a_session_that_replays_nothing_fails(pytester):
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest("-n", "1", "--jobs-replay=twice:charge")

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--jobs-replay=twice:charge: it did not pass in any test."])


@pytest.mark.slow
def test_an_application_that_does_not_import_is_told(pytester):
    pytester.makeini("[pytest]\njobs_apps = celery:proj:app\n")
    pytester.makepyfile(proj="import no_such_module\n", test_it="def test_it(): pass")

    result = pytester.runpytest_subprocess("-n", "1")

    assert result.ret != pytest.ExitCode.OK
    assert "No module named 'no_such_module'" in result.stdout.str() + result.stderr.str()


def test_wrong_settings_stop_the_run(pytester):
    pytester.makeini("[pytest]\njobs_mode = inlien")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest("-n", "2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: jobs_mode is 'inlien'; valid are record, inline, off."])
