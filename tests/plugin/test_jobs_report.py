"""`--jobs-report`: one HTML page about the jobs of a session."""

import json
import re

import pytest
from reached_rows import reached_rows

pytest.importorskip("jinja2")

SHOP = """
from pytest_jobs import job, retry_on

paid = {}

@retry_on(TimeoutError, wait=3, attempts=2)
@job(queue="payments")
def charge(order_id, error=False):
    if error:
        raise TimeoutError("no answer")

@job
def mark(order_id):
    if order_id in paid:
        return
    paid[order_id] = True
"""
CHARGED = """
import shop

def test_charged(jobs):
    shop.charge.perform_later(7, error=True)
    jobs.drain(raise_errors=False)
"""
CHECKED = """
import shop
from pytest_jobs import check_idempotent

def world():
    shop.paid.clear()
    yield lambda: dict(shop.paid)

def test_checked():
    check_idempotent(shop.mark, args=(7,), world=world)
"""


@pytest.fixture
def shop(pytester):
    pytester.makepyfile(shop=SHOP, test_charged=CHARGED, test_checked=CHECKED)
    return pytester


def lanes(text):
    """Return the rows of each test of a page."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return [json.loads(one)["lanes"] for one in found]


def test_a_session_writes_its_page_and_says_where(shop):
    result = shop.runpytest("--jobs-report=out/jobs.html", "-p", "no:cacheprovider")
    path = shop.path / "out" / "jobs.html"
    text = path.read_text("utf-8")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["jobs: report in jobs.html", f"*- jobs report: {path} -*"])
    [[charged]] = lanes(text)
    assert "pytest --jobs-report=out/jobs.html -p no:cacheprovider" in text
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", text)
    assert "2 tests, 0 failed, in " in text
    assert (charged["call"], charged["outcome"]) == ("charge(7, error=True)", "exhausted")
    assert "test_checked.py::test_checked" in text
    assert "shop.py: mark" in text
    # The lint is on the page where somebody asks for it.
    assert "JOB103" not in text
    assert {*reached_rows(text)} >= {
        ("shop.charge", "enqueued, delivered", ""),
        ("shop.mark", "checked", ""),
    }


@pytest.mark.slow
def test_a_finding_that_a_test_expects_is_nothing_wrong(pytester):
    pytester.makepyfile(
        test_expected="""
        import pytest
        from pytest_jobs import check_idempotent
        from pytest_jobs.errors import NotIdempotent

        done = []

        def world():
            done.clear()
            yield lambda: list(done)

        @pytest.mark.parametrize("expects", [True, False])
        def test_add(expects):
            with pytest.raises(NotIdempotent if expects else LookupError):
                check_idempotent(add, args=(7,), world=world)

        def add(number):
            done.append(number)
        """
    )

    result = pytester.runpytest("--jobs-report=jobs.html")

    result.assert_outcomes(passed=1, failed=1)
    text = pytester.path.joinpath("jobs.html").read_text("utf-8")
    assert "1 of 2 checks found that a job is not safe" in text
    assert text.count(", as the test expects") == 1


def test_the_workers_of_xdist_write_one_page_together(shop):
    pytest.importorskip("xdist")
    result = shop.runpytest("--jobs-report=jobs.html", "-n2", "-p", "xdist")
    text = (shop.path / "jobs.html").read_text("utf-8")

    result.assert_outcomes(passed=2)
    assert len(lanes(text)) == 1
    assert "test_checked.py::test_checked" in text
    assert {name: how for name, how, _ in reached_rows(text)}["shop.mark"] == "checked"


def test_the_ini_file_names_the_file_beside_itself_and_findings_of_the_lint_are_taken_over(shop):
    shop.makeini("[pytest]\njobs_report = jobs.html")
    # Another run in this process has left jobs of the same names.
    result = shop.runpytest_subprocess("--jobs-lint", "-p", "no:terminal", "-k", "charged")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "JOB103" in (shop.path / "jobs.html").read_text("utf-8")


def test_a_session_without_jobs_writes_a_page_that_says_so(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest("--jobs-report=jobs.html").assert_outcomes(passed=1)

    assert "No jobs were seen" in (pytester.path / "jobs.html").read_text("utf-8")


def refused(pytester, *arguments):
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    return result.stderr.str()


def test_a_file_that_cannot_be_written_is_refused_at_the_start(pytester):
    (pytester.path / "folder.html").mkdir()
    (pytester.path / "file").touch()

    assert (
        f"--jobs-report: the report cannot be written into {pytester.path / 'folder.html'}: Is a directory. "
        "Name a file that you may write, such as jobs.html."
    ) in refused(pytester, "--jobs-report=folder.html")
    assert "file/jobs.html" in refused(pytester, "--jobs-report=file/jobs.html")


def test_a_file_that_cannot_be_written_in_the_end_fails_the_session(pytester):
    pytester.makepyfile("from pathlib import Path\ndef test_it(): Path('jobs.html').mkdir()")
    result = pytester.runpytest("--jobs-report=jobs.html")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    path = pytester.path / "jobs.html"
    result.stdout.fnmatch_lines([f"*no jobs report: {path} cannot be written: Is a directory*"])


def test_collecting_alone_leaves_the_last_report(pytester):
    path = pytester.path / "jobs.html"
    path.write_text("the last one", "utf-8")
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest("--jobs-report=jobs.html", "--collect-only")

    assert path.read_text("utf-8") == "the last one"


def test_a_missing_library_is_one_line_that_names_the_extra(pytester):
    pytester.makeconftest("import sys; sys.modules['jinja2'] = None")

    assert ("ERROR: --jobs-report needs Jinja2: pip install 'pytest-jobs[report]'.") in refused(
        pytester, "--jobs-report=jobs.html"
    )


def test_a_wrong_setting_of_the_lint_is_refused_at_the_start(pytester):
    pytester.makepyprojecttoml("[tool.pytest-jobs.lint]\nunknown = 1")

    assert "unknown" in refused(pytester, "--jobs-report=jobs.html")
