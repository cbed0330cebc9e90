"""`jobs_recurring` names the schedule of the application, and the fixture of that name fires it in `run_for`."""

import pytest

pytest.importorskip("cronsim")
pytest.importorskip("yaml")

# Imported here, or each run inside a test would import it anew.
from pytest_jobs import Schedule, job  # noqa: F401

SCHEDULE = """\
production:
  tidy:
    class: shop_jobs.tidy
    schedule: every hour
staging:
  tidy:
    class: shop_jobs.tidy
    schedule: every day
"""
JOBS = """
from pytest_jobs import job

@job
def tidy(): ...
"""
AN_HOUR = """
from datetime import UTC, datetime, timedelta

from shop_jobs import tidy

def test_a_day(jobs, jobs_recurring, assert_performed):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jobs.run_for(timedelta(days=1))

    assert_performed(tidy, count={count})
    assert len(jobs_recurring.fired) == {count}
"""


@pytest.fixture
def project(pytester, monkeypatch, request):
    """Return a function that runs a test in a project with a schedule, whose jobs no other test knows."""
    module = f"jobs_of_{request.node.originalname}"

    def run(
        source,
        *arguments,
        line="jobs_recurring = config/recurring.yml",
        schedule=SCHEDULE,
    ):
        pytester.makeini(f"[pytest]\n{line}\n")
        written = schedule.replace("shop_jobs", module)
        (pytester.mkdir("config") / "recurring.yml").write_text(written, "utf-8")
        pytester.makepyfile(**{module: JOBS, "test_it": source.replace("shop_jobs", module)})
        monkeypatch.syspath_prepend(pytester.path)
        return pytester.runpytest(*arguments)

    return run


OTHERS = """
from pathlib import Path

import pytest
from pytest_jobs import Schedule

def test_without_the_fixture_nothing_fires(jobs):
    assert jobs.run_for(timedelta(days=1)) == {}

@pytest.mark.parametrize("number", range(2))
def test_each_has_a_scheduler_of_its_own_and_the_file_is_read_once(jobs, jobs_recurring, number):
    Path("config/recurring.yml").write_text("")
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jobs.run_for(timedelta(hours=1))
    assert len(jobs_recurring.fired) == 1

class TestOverridden:
    @pytest.fixture
    def jobs_recurring(self, jobs):
        return jobs.recurring(Schedule({"tidy": {"class": tidy, "every": "30m"}}))

    def test_an_hour(self, jobs, jobs_recurring):
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.run_for(timedelta(hours=1))
        assert len(jobs_recurring.fired) == 2
"""


def test_the_fixture_fires_the_schedule_of_the_ini_file(project):
    result = project(AN_HOUR.format(count=24) + OTHERS)

    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["jobs: recurring jobs of config/recurring.yml"])


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "jobs_recurring = config/recurring.yml staging"),
        (
            ["-o", "jobs_recurring=config/recurring.yml staging"],
            "jobs_recurring = config/recurring.yml",
        ),
    ],
)
def test_its_environment_may_stand_behind_it_and_the_flag_goes_before_the_file(
    project, flags, line
):
    project(AN_HOUR.format(count=1), *flags, line=line).assert_outcomes(passed=1)


def test_without_a_file_the_fixture_says_what_to_write(project):
    result = project("def test_it(jobs_recurring): pass", line="")

    result.assert_outcomes(errors=1)
    told = (
        "jobs_recurring fires a schedule, and no option names its file: write jobs_recurring = "
        "config/recurring.yml into the ini file, or override the fixture and return "
        "jobs.recurring(Schedule({...}))."
    )
    assert told in result.stdout.str()


def test_a_schedule_that_cannot_be_meant_fails_the_tests_that_ask_for_it(project):
    schedule = "tidy:\n  class: shop_jobs.tidy\n  schedule: every blue moon\n"
    result = project(
        "def test_it(jobs_recurring): pass\n\ndef test_other(jobs): pass", schedule=schedule
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*jobs_recurring: recurring.yml: task 'tidy': *blue moon*"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "config/recurring.yml a b",
            "jobs_recurring is 'config/recurring.yml a b'; it is a file, and ",
        ),
        ("config/other.yml", "jobs_recurring: there is no file *other.yml."),
    ],
)
def test_a_file_that_is_none_stops_the_run(project, setting, message):
    result = project("def test_it(): pass", line=f"jobs_recurring = {setting}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}*"])
