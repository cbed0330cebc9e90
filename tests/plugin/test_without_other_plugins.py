"""The plugin works with little else, and its texts are the same without assertion rewriting."""

import sys

import pytest

pytestmark = pytest.mark.usefixtures("shop", "without_colour")

TEST = """
    from shop import Pay, send_receipt

    def test_it(jobs, assert_enqueued):
        Pay.perform_later(7)
        send_receipt.perform_later(1)
        assert_enqueued(Pay, args=(8,), queue="low")
"""
TEXT = [
    "E       AssertionError: Pay(7) was enqueued with payment_id=7, not 8, and queue='payments', not 'low'.",
    "E       Expected exactly 1 Pay enqueued with",
    "E         args   (8)",
    "E         queue  'low'",
    "E       ",
    "E       Closest: #0 Pay(7) queue='payments'",
    "E         args   differs  payment_id: expected 8, got 7",
    "E         queue  differs  expected 'low', got 'payments'",
    "E       ",
    (
        "E       Next: correct the code that enqueues it, or the expectation; drop a criterion that does not "
        "matter here."
    ),
    "E       See: python -m pytest_jobs explain several-criteria-differ",
    "",
    "test_it.py:6: AssertionError",
]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--assert=plain"],
        ["-p", "no:cacheprovider"],
        ["-p", "no:xdist", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest"],
        ["-p", "no:unittest", "-p", "no:doctest", "-p", "no:logging"],
    ],
    ids=" ".join,
)
def test_a_failure_has_the_same_text(pytester, arguments):
    pytester.makepyfile(test_it=TEST)

    result = pytester.runpytest(*arguments)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(TEXT, consecutive=True)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["-O"], ["-OO"], ["-X", "dev"]], ids=" ".join)
def test_python_makes_no_difference(pytester, flags):
    pytester.makepyfile(test_it=TEST)

    result = pytester.run(sys.executable, *flags, "-m", "pytest")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(TEXT, consecutive=True)


def test_without_any_other_plugin_everything_is_there(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    pytester.makepyfile(test_it=TEST)

    result = pytester.runpytest_subprocess("-p", "pytest_jobs.plugin", "--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["jobs: strict", *TEXT])


def test_a_run_without_the_plugin_says_that_the_fixture_is_missing(pytester):
    pytester.makepyfile(test_it=TEST)

    result = pytester.runpytest("-p", "no:jobs")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *fixture 'jobs' not found"])
