"""The frames of pytest-jobs are hidden; the last line shown is the job's or the test's."""

import re

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def names(lines):
    """Return the files through which the traceback of a report goes."""
    text = str(lines).partition("-- Jobs that failed")[0].partition("short test summary")[0]
    places = re.findall(r"^([\w./\\-]+\.py):\d+: ?.*$", text, re.MULTILINE)
    return [re.split(r"[/\\]", name)[-1] for name in places]


FAILURES = {
    "a failed assertion": ("assert_enqueued(Pay)", ["test_it.py"]),
    "a failed negative assertion": (
        "Pay.perform_later(7); assert_not_enqueued(Pay)",
        ["test_it.py"],
    ),
    "an unknown criterion": ("assert_enqueued(Pay, queu=7)", ["test_it.py"]),
    "an unknown parameter": ("assert_not_enqueued(Pay, params={'id': 7})", ["test_it.py"]),
    "arguments that do not fit": ("assert_enqueued(Pay, args=(1, 2, 3))", ["test_it.py"]),
    "a wrong number": ("assert_enqueued(Pay, count=-1)", ["test_it.py"]),
    "what is not a job": ("assert_enqueued(print)", ["test_it.py"]),
    "a naive datetime": ("assert_enqueued(Pay, at=datetime(2030, 1, 1))", ["test_it.py"]),
    "a wrong window": ("assert_enqueued(Pay, within=[1])", ["test_it.py"]),
    "a list in another order": (
        "Pay.perform_later(7); assert_enqueued_in_order([Refuse])",
        ["test_it.py"],
    ),
    "what is not a list": ("assert_enqueued_in_order(Pay)", ["test_it.py"]),
    "a chain of a library without": ("assert_followed_by(Pay, [])", ["test_it.py"]),
    "a batch of a library without": ("assert_batched([Pay])", ["test_it.py"]),
    "an unknown status": ("assert_delivered(Pay, status='done')", ["test_it.py"]),
    "a wait in vain": ("assert_enqueued(Pay, timeout=0.01)", ["test_it.py"]),
    "no time to wait": ("assert_enqueued(Pay, timeout=0)", ["test_it.py"]),
    "a wait for nothing": ("assert_enqueued(Pay, timeout=1, count=0)", ["test_it.py"]),
    "a drain that did too little": ("jobs.drain(at_least=1)", ["test_it.py"]),
    "a pass that did too little": ("jobs.perform_due(at_least=1)", ["test_it.py"]),
    "a run that did too little": ("jobs.run_for(1, at_least=1)", ["test_it.py"]),
    "an error of where": (
        "Pay.perform_later(7); assert_enqueued(Pay, where=lambda record: record.colour)",
        ["test_it.py", "test_it.py"],
    ),
    "arguments that do not fit a job": ("Pay.perform_later(1, 2, 3)", ["test_it.py"]),
    "what no payload carries": ("Pay.perform_later(object())", ["test_it.py"]),
    "many of them": ("perform_all_later([Pay.new(object())])", ["test_it.py"]),
    "a wrong wait": ("Pay.set(wait='soon')", ["test_it.py"]),
    "a wrong declaration": ("retry_on(7)(Pay)", ["test_it.py"]),
    "a wrong plugin": ("hooks.register(object())", ["test_it.py"]),
    "a wrong schedule": ("Schedule({'a': {'class': 'shop.Pay', 'schedule': 'x'}})", ["test_it.py"]),
    "a wrong adapter": ("configure(adapter=7)", ["test_it.py"]),
    "a wrong filter": ("jobs.drain(only=7)", ["test_it.py"]),
    "what is not a record": ("jobs.perform(7)", ["test_it.py"]),
    "a wrong fault": ("jobs.fail(Pay, raising=7)", ["test_it.py"]),
    "a wrong duration": ("jobs.run_for('x')", ["test_it.py"]),
    "a place that a view does not have": ("jobs.enqueued[0]", ["test_it.py"]),
    "an importable assertion": ("pytest_jobs.assert_enqueued(Pay)", ["test_it.py"]),
    "a helper of the test": ("check(assert_enqueued)", ["test_it.py", "test_it.py"]),
    "an inline block": (
        "with jobs.inline(): Refuse.perform_later()",
        ["test_it.py", "shop.py", "shop.py"],
    ),
    "an assertion in a job": (
        "claim.perform_later(); jobs.drain()",
        ["test_it.py", "test_it.py"],
    ),
    "a wrong world": ("check_idempotent(Pay, args=(7,), world=7)", ["test_it.py"]),
    "an error of a job that is performed now": (
        "Refuse.perform_now()",
        ["test_it.py", "shop.py", "shop.py"],
    ),
    "an error of a drained job": (
        "Refuse.perform_later(); jobs.drain()",
        ["test_it.py", "shop.py", "shop.py"],
    ),
    "an error of a job that was due": (
        "Refuse.perform_later(); jobs.perform_due()",
        ["test_it.py", "shop.py", "shop.py"],
    ),
    "an error of a job during a run": (
        "Refuse.perform_later(); jobs.run_for(60)",
        ["test_it.py", "shop.py", "shop.py"],
    ),
}


HEADER = """
from datetime import datetime
import pytest_jobs
from pytest_jobs import (
    Schedule, check_idempotent, configure, hooks, job, perform_all_later, retry_on,
)
from shop import Pay, Refuse

def check(assert_enqueued):
    assert_enqueued(Pay)

@job
def claim():
    assert 1 == 2, "in the job"
"""
TEST = """
def test_{number}(
    jobs, assert_enqueued, assert_not_enqueued, assert_delivered, assert_followed_by,
    assert_batched, assert_enqueued_in_order,
):
    {code}
"""


@pytest.mark.parametrize("style", ["long", "short"])
def test_no_frame_of_ours_is_shown(told, style):
    tests = [TEST.format(number=n, code=code) for n, (code, _) in enumerate(FAILURES.values())]
    reports = told(HEADER + "".join(tests), f"--tb={style}", failed=len(FAILURES))

    shown = {what: names(reports[f"test_{n}"]) for n, what in enumerate(FAILURES)}
    assert shown == {what: expected for what, (_, expected) in FAILURES.items()}
    assert "NameError" not in "".join(map(str, reports.values()))
    assert "AssertionError: in the job" in "".join(map(str, reports.values()))


def test_the_error_of_an_inline_job_shows_the_job_alone(told):
    reports = told(
        "from shop import Refuse\n\ndef test_it():\n    Refuse.perform_later()",
        "--jobs-inline",
        failed=1,
    )

    assert names(reports["test_it"]) == ["shop.py", "shop.py"]


@pytest.mark.parametrize(
    ("option", "places"),
    [
        ("--full-trace", {"asserts.py", "job.py", "encoding.py"}),
        ("--tb=native", {"asserts.py"}),
    ],
)
def test_an_option_shows_every_frame(told, option, places):
    reports = told(
        """
        from shop import Pay

        def test_asserting(jobs, assert_enqueued):
            assert_enqueued(Pay)

        def test_enqueueing(jobs):
            Pay.perform_later(object())
        """,
        option,
        failed=2,
    )

    assert all(place in "".join(map(str, reports.values())) for place in places)


def test_a_job_without_an_adapter_shows_the_line_that_enqueues_it(told):
    reports = told("from shop import Pay\n\ndef test_it():\n    Pay.perform_later(7)", failed=1)

    reports["test_it"].fnmatch_lines(["*NoAdapterError: No adapter is configured*"])
    assert names(reports["test_it"]) == ["test_it.py"]


@pytest.mark.parametrize(
    ("declared", "error"),
    [
        ("class Pay(Job):\n    def __init__(self): ...", "Pay defines __init__"),
        ("@retry_on(7)\nclass Pay(Job): pass", ""),
    ],
)
def test_a_wrong_declaration_shows_its_own_line(pytester, declared, error):
    pytester.makepyfile(test_it=f"from pytest_jobs import Job, retry_on\n\n{declared}")

    result = pytester.runpytest()

    result.stdout.fnmatch_lines([f"*DeclarationError: {error}*"])
    assert names(result.stdout) == ["test_it.py"]


def test_a_frame_without_a_line_is_shown_where_its_function_begins(pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_jobs import job

        def pay(number):
            raise ValueError("out of money")

        # Entries of at most eight operations each, which have no place in the source.
        whole, rest = divmod(len(pay.__code__.co_code) // 2, 8)
        table = bytes([0xFF] * whole + [0xF7 + rest] * bool(rest))
        pay.__code__ = pay.__code__.replace(co_linetable=table)
        pay = job(pay)

        def test_it(jobs):
            pay.perform_later(7)
            jobs.drain()
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: out of money"])


def test_the_parts_of_an_exception_group_show_no_frame_of_ours(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Refuse

        def test_it(jobs):
            errors = []
            for _ in range(2):
                Refuse.perform_later()
                try:
                    jobs.drain()
                except Exception as error:
                    errors.append(error)
            raise ExceptionGroup("two jobs", errors)
    """
    )

    result = pytester.runpytest()

    text = result.stdout.str()
    assert "shop.py" in text
    assert re.findall(r"pytest_jobs[/\\][\w/\\]+\.py", text) == []


def test_a_wrong_declaration_in_a_conftest_file_shows_no_frame_of_ours(pytester):
    pytester.makeconftest(
        "from pytest_jobs import Job, retry_on\n\n@retry_on(7)\nclass Pay(Job): pass"
    )

    result = pytester.runpytest_subprocess()

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*conftest.py:3: in <module>*"])
    assert "rules.py" not in result.stderr.str()
