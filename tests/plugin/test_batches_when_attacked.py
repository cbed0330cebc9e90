"""Jobs of a batch under `--jobs-twice` and `--jobs-crash`: what is delivered once more is of its batch still."""

import sys

import pytest

JOBS = """
from pytest_jobs import Batch, job

told = []


@job
def load(page):
    if page < 3:
        Batch.current().enqueue([load.new(page + 1)])


@job
def progress(page):
    assert Batch.current().total == 2


@job
def add(page):
    told.append(page)


@job
def report():
    if "report" not in told:
        told.append("report")
"""

TESTS = """
import pytest
import imports
from imports import add, load, progress, report
from pytest_jobs import Batch


@pytest.fixture(autouse=True)
def nothing_told():
    imports.told.clear()


def begin(*loading):
    batch = Batch("import-7", on_success=report.new())
    batch.enqueue(loading)
    return batch


def test_pages(jobs, caplog):
    batch = begin(load.new(1))
    jobs.drain()

    assert (batch.total, batch.failed, batch.finished) == (3, 0, True)
    assert imports.told == ["report"]
    assert caplog.messages == []


def test_progress(jobs):
    begin(progress.new(1), progress.new(2))
    jobs.drain()
    assert imports.told == ["report"]


async def test_pages_awaited(jobs):
    batch = begin(load.new(1))
    await jobs.adrain()
    assert batch.total == 3
"""


@pytest.fixture
def project(pytester, without_colour):
    pytester.makepyfile(imports=JOBS, test_imports=TESTS)
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    return pytester


def test_a_job_that_is_delivered_twice_is_of_its_batch_both_times(project):
    result = project.runpytest("--jobs-twice", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["11 deliveries of 3 jobs made once more, in 3 tests of 3."])


def test_what_a_second_delivery_does_to_a_batch_leaves_the_test_alone(project):
    project.makepyfile(
        test_imports="""
        from imports import load, report
        from pytest_jobs import Batch, job

        count = []

        @job
        def load_another_page_each_time():
            count.append(1)
            Batch.current().enqueue([load.new(100 * len(count))])

        def test_pages(jobs):
            batch = Batch("import-7", on_success=report.new())
            batch.enqueue([load_another_page_each_time.new()])
            jobs.drain()
            assert batch.total == 2
        """
    )
    project.runpytest("--jobs-twice", "-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12")
def test_a_job_that_is_killed_is_of_its_batch_when_it_comes_again(project):
    project.runpytest("--jobs-crash", "-p", "no:cacheprovider").assert_outcomes(passed=3)
