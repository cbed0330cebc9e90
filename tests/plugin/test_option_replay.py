"""`--jobs-replay` carries out one history of one check, and never passes without having done so."""

import shlex

import pytest
from test_explorations import CHECKS, ONE_SAFE, ONE_UNSAFE, PAYING, checks, run

__all__ = ["checks", "run"]
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
TOKEN = "--jobs-replay=twice:charge"


def test_a_history_that_fails_fails_again(checks, run):
    checks(ONE_UNSAFE)

    result = run("test_it.py::test_unsafe", TOKEN)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *replayed: this one history; no other was looked at.",
            'E *replay: pytest "test_it.py::test_unsafe" --jobs-replay=twice:charge',
        ]
    )


def test_a_history_that_passes_now_says_so(checks, run):
    checks(
        "def test_it():\n    paying.charge_with_key.__qualname__ = 'charge'\n    check(paying.charge_with_key)\n"
    )

    result = run(TOKEN)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it: the replayed history passes now"])
    assert result.ret == 0


def test_the_line_that_a_report_prints_works(checks, run, pytester):
    checks(
        "@pytest.mark.parametrize('job', [paying.charge], ids=['a b'])\n",
        "def test_it(job): check(job)\n",
    )
    (line,) = [line for line in run().outlines if "replay: " in line]
    _, node, token = shlex.split(line.partition("replay: ")[2])

    result = run(node, token)

    result.assert_outcomes(failed=1)
    assert "[twice" in str(result.stdout)


def test_other_checks_of_the_test_are_left_alone(checks, run):
    checks("def test_it():\n    check(paying.charge_with_key)\n    check(paying.charge)\n")

    result = run(TOKEN)

    result.assert_outcomes(failed=1)
    assert "DUPLICATE" in str(result.stdout)


def test_a_test_that_has_other_checks_only_does_not_pass(checks, run):
    checks(ONE_SAFE)

    result = run(TOKEN)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*--jobs-replay=twice:charge is for no check of this test, so nothing was replayed: it *",
        ]
    )


def test_a_session_that_replays_nothing_fails(pytester, run):
    pytester.makepyfile("def test_it(): pass")

    result = run(TOKEN)

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--jobs-replay=twice:charge: it did not pass in any test."])


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("thrice:charge", "there is no history 'thrice': it begins with one of twice, restart, *"),
        ("crash", "it names no job: copy the whole replay line of a report."),
        ("", "there is no history '': it begins with *"),
    ],
)
def test_what_is_no_token_is_a_usage_error(pytester, token, why):
    result = pytester.runpytest(f"--jobs-replay={token}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --jobs-replay={token}: {why}"])


def test_arguments_that_were_drawn_are_replayed(pytester, run):
    pytester.makepyfile(paying=PAYING)
    pytester.makepyfile(
        test_it=CHECKS
        + "from hypothesis import strategies as st\n"
        + "def test_it(): check_idempotent(paying.charge, args=(st.integers(3, 9),), world=world)\n"
    )
    (line,) = [line for line in run().outlines if "replay: " in line]

    result = run(line.split()[-1])

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *charge(3) is not safe to deliver twice*", "E *replayed: *"])


def test_another_process_with_other_data_finds_the_point(pytester, monkeypatch):
    pytester.makepyfile(paying=PAYING)
    pytester.makepyfile(
        test_it=CHECKS
        + "import itertools, time, uuid\n"
        + "numbers = itertools.count()\n"
        + "def test_that_comes_before(): next(numbers)\n"
        + "def test_it():\n"
        + "    order = f'{uuid.uuid4()} {next(numbers)} {time.time_ns()}'\n"
        + "    check_idempotent(paying.charge, args=(order,), world=world, histories=['crash'])\n"
    )
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    (line,) = [line for line in pytester.runpytest().outlines if "replay: " in line]
    monkeypatch.setenv("PYTHONHASHSEED", "2")

    result = pytester.runpytest_subprocess(*shlex.split(line.partition("replay: pytest ")[2]))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *DUPLICATE gateway.charge [[]crash*", line])
