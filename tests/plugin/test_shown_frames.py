"""The frames of pytest-jobs are hidden; the last line shown is the job's or the test's."""

import re

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def places(result):
    """Return the lines of the report that name where the traceback goes."""
    text = (
        result.stdout.str().partition("-- Jobs that failed")[0].partition("short test summary")[0]
    )
    return [
        (name, source)
        for name, source in re.findall(r"^([\w./\\-]+\.py):\d+: ?(.*)$", text, re.MULTILINE)
    ]


def names(result):
    return [re.split(r"[/\\]", name)[-1] for name, _ in places(result)]


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


@pytest.mark.parametrize("style", ["long", "short"])
@pytest.mark.parametrize("failure", FAILURES)
def test_no_frame_of_ours_is_shown_for(pytester, failure, style):
    code, expected = FAILURES[failure]
    pytester.makepyfile(
        test_it=f"""
        from datetime import datetime
        from pytest_jobs import (
            Schedule, check_idempotent, configure, hooks, perform_all_later, retry_on,
        )
        from shop import Pay, Refuse

        def test_it(
            jobs, assert_enqueued, assert_not_enqueued, assert_delivered, assert_followed_by,
            assert_batched, assert_enqueued_in_order,
        ):
            {code}
    """
    )

    result = pytester.runpytest(f"--tb={style}")

    result.assert_outcomes(failed=1)
    assert names(result) == expected
    result.stdout.no_fnmatch_line("*NameError*")


def test_the_importable_assertions_show_the_line_of_the_test(pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_jobs import assert_enqueued
        from shop import Pay

        def test_it(jobs):
            assert_enqueued(Pay)
    """
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    assert names(result) == ["test_it.py"]


def test_a_helper_of_the_test_is_shown(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Pay

        def check(assert_enqueued):
            assert_enqueued(Pay)

        def test_it(assert_enqueued):
            check(assert_enqueued)
    """
    )

    result = pytester.runpytest()

    assert names(result) == ["test_it.py", "test_it.py"]


def test_the_error_of_an_inline_job_shows_the_job_alone(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Refuse

        def test_it():
            Refuse.perform_later()
    """
    )

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    assert names(result) == ["shop.py", "shop.py"]


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


def test_the_error_of_an_inline_block_shows_its_end_and_the_job(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Refuse

        def test_it(jobs):
            with jobs.inline():
                Refuse.perform_later()
    """
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    assert names(result) == ["test_it.py", "shop.py", "shop.py"]


def test_an_assertion_in_a_job_shows_its_line(pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_jobs import job

        @job
        def check():
            assert 1 == 2, "in the job"

        def test_it(jobs):
            check.perform_later()
            jobs.drain()
    """
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: in the job"])
    assert names(result) == ["test_it.py", "test_it.py"]


def test_full_trace_shows_everything(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Pay

        def test_it(jobs, assert_enqueued):
            assert_enqueued(Pay)
    """
    )

    result = pytester.runpytest("--full-trace")

    assert "asserts.py" in names(result)


def test_a_job_without_an_adapter_shows_the_line_that_enqueues_it(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Pay

        def test_it():
            Pay.perform_later(7)
    """
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["*NoAdapterError: No adapter is configured*"])
    assert names(result) == ["test_it.py"]


def test_a_wrong_declaration_shows_its_own_line(pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_jobs import Job

        class Broken(Job):
            def __init__(self): ...
    """
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["*DeclarationError: Broken defines __init__*"])
    assert names(result) == ["test_it.py"]


def test_every_frame_is_shown_when_asked_for(pytester):
    pytester.makepyfile(
        test_it="""
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(object())
    """
    )

    result = pytester.runpytest("--full-trace")

    assert {"job.py", "encoding.py"}.issubset(names(result))


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


def test_a_wrong_declaration_in_a_test_module_shows_no_frame_of_ours(pytester):
    pytester.makepyfile(
        test_it="from pytest_jobs import Job, retry_on\n\n@retry_on(7)\nclass Pay(Job): pass"
    )

    result = pytester.runpytest()

    assert names(result) == ["test_it.py"]


@pytest.mark.parametrize("option", ["--full-trace", "--tb=native"])
def test_an_option_shows_every_frame(pytester, option):
    pytester.makepyfile(test_it="def test_it(assert_enqueued):\n    assert_enqueued('shop.Pay')")

    result = pytester.runpytest(option)

    result.stdout.fnmatch_lines(["*asserts.py*"])
