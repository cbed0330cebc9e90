"""What checks explored is said in the summary of the session, and a failure in colours."""

import re
import sys

import pytest

from pytest_jobs.exploration.report.audience import CheckNote
from pytest_jobs.plugin.explored import summary

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PAYING = """
class Gateway:
    def charge(self, number, key=None): ...

gateway = Gateway()

def charge(number):
    gateway.charge(number)

def charge_with_key(number):
    gateway.charge(number, key=number)
"""
CHECKS = """
import paying
import pytest
from pytest_jobs import check_idempotent, fake

def world():
    with fake(paying, "gateway", paying.Gateway(), key="key") as gateway:
        yield lambda: {"charges": gateway.calls}

def check(job, **options):
    return check_idempotent(job, args=(1,), world=world, **options)
"""
ONE_SAFE = "def test_safe(): check(paying.charge_with_key)\n"
ONE_UNSAFE = "def test_unsafe(): check(paying.charge)\n"
PART = """
def test_part(monkeypatch):
    limit = "pytest_jobs.exploration.engine.world.TimeLimit.__call__"
    monkeypatch.setattr(limit, lambda limit: False)
    check(paying.charge_with_key, allow_partial=True)
"""


@pytest.fixture
def checks(pytester):
    """Return a function that writes a test module of checks."""
    pytester.makepyfile(paying=PAYING)
    return lambda *tests: pytester.makepyfile(test_it=CHECKS + "".join(tests))


@pytest.fixture
def run(pytester):
    """Return a function that runs pytest."""
    return pytester.runpytest


def test_what_checks_explored_is_said_and_what_they_left_out_warned_of(checks, run):
    checks(
        ONE_SAFE,
        "def test_late(): check(paying.charge_with_key, histories=['late'])\n",
        "def test_twice(): check(paying.charge_with_key, histories=['twice'])\n",
        PART,
        "@pytest.fixture\ndef checked():\n    check(paying.charge_with_key, histories=['twice'])\n",
        "def test_it(checked): pass\n",
    )

    result = run("-W", "default::pytest_jobs.errors.JobsWarning")

    # A default check that passes warns of nothing.
    result.assert_outcomes(passed=5, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*PartialExploration: The check of charge_with_key passed, and did not explore: * for want of time.",
            "=* explored jobs =*",
            "passed: 5 checks of charge_with_key, * histories; not explored: lease_expires, out_of_order",
            "test_it.py::test_part: charge_with_key: left out * of * histories, for want of time",
        ]
    )


def test_where_more_is_asked_for_each_test_and_all_failing_points_are_told(checks, run):
    checks(ONE_SAFE, ONE_UNSAFE)

    result = run("-v")

    result.stdout.fnmatch_lines(
        [
            "* histories failed:*",
            (
                "test_it.py::test_safe: 1 check of charge_with_key, * histories; "
                "not explored: late, lease_expires, out_of_order"
            ),
        ]
    )


def test_what_no_check_of_a_job_explored_is_said_with_the_number_of_jobs():
    def note(job, *left):
        return "test_it.py::test", CheckNote(job, 1, left).to_dict()

    notes = [
        note("pay", "crash", "late"),
        note("pay", "twice", "late"),
        note("mail", "twice", "late"),
    ]
    notes += [note("tell", "twice", "late"), note("tell", "crash")]

    assert list(summary(notes, verbose=False)) == [
        "passed: 5 checks of pay, mail, tell, 5 histories; not explored: twice (of 1 job), late (of 2 jobs)"
    ]


def test_lines_of_the_project_that_were_not_looked_at_are_named(pytester, checks, run):
    pytester.makepyfile(keys="def key_of(number):\n    return number\n")
    pytester.makepyfile(
        paying=PAYING
        + "import keys\ndef charge_with_key(number):\n"
        + "    gateway.charge(number, key=keys.key_of(number))\n"
    )
    checks(
        ONE_SAFE,
        "def test_chosen(): check(paying.charge_with_key, trace=paying)\n",
    )

    result = run("-W", "default::pytest_jobs.errors.JobsWarning")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_chosen: charge_with_key: left out lines of keys.py: key_of"]
    )


def test_a_function_of_the_test_is_no_line_that_was_left_out(pytester, checks, run):
    pytester.makepyfile(conftest="def key_of(number):\n    return number\n")
    pytester.makepyfile(
        paying=PAYING
        + "import conftest\ndef charge_with_key(number):\n"
        + "    gateway.charge(number, key=conftest.key_of(number))\n"
    )
    checks(ONE_SAFE)

    result = run("-W", "error::pytest_jobs.errors.JobsWarning")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["Calls that do not count*: key_of (read, as it changes nothing)"])


@pytest.mark.wide
def test_no_more_than_five_jobs_are_named(checks, run):
    checks(
        "@pytest.mark.parametrize('number', range(7))\n"
        "def test_safe(number):\n"
        "    job = lambda number: paying.gateway.charge(number, key=number)\n"
        "    job.__name__ = job.__qualname__ = f'charge_{number}'\n"
        "    check(job, histories=['twice'])\n",
    )

    run().stdout.fnmatch_lines(
        [
            "passed: 7 checks of charge_0, charge_1, charge_2, charge_3, charge_4 and 2 more, 7 histories; *"
        ]
    )


def test_a_session_without_checks_says_nothing_of_them(pytester, run):
    pytester.makepyfile("def test_it(): pass")

    assert "explored" not in str(run().stdout)


def test_the_replay_line_names_the_test_from_where_pytest_was_started(pytester, run):
    folder = pytester.mkdir("deep")
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(paying=PAYING)
    (folder / "test_it.py").write_text(CHECKS + ONE_UNSAFE)

    run().stdout.fnmatch_lines(
        ['E *replay: pytest "deep/test_it.py::test_unsafe" --jobs-replay=twice:charge']
    )


def test_a_failure_is_coloured_on_a_terminal_and_nowhere_else(checks, pytester, run):
    checks(
        ONE_UNSAFE,
        "def test_plain():\n"
        "    with pytest.raises(AssertionError) as found: check(paying.charge)\n"
        "    assert '\\x1b' not in str(found.value)\n",
    )

    coloured = run("--color=yes", "--junitxml=found.xml")
    plain = run("--color=no")

    coloured.assert_outcomes(failed=1, passed=1)
    text = "\n".join(coloured.outlines)
    assert re.search(r"\x1b\[31m  now:  2 x \('charge', 1\)\x1b\[0m", text)
    assert re.search(r"gateway\.charge\(number\)\x1b\[33m  <- gateway: charge\(1\)\x1b\[0m", text)
    assert re.search(r"\x1b\[36mhint: ", text)
    assert "#x1B" not in (pytester.path / "found.xml").read_text("utf-8")
    assert "\x1b" not in "\n".join(plain.outlines)
    assert " histories failed:" not in str(plain.stdout)
    without = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in coloured.outlines]
    shown = [line for line in without if line.startswith("E")]
    assert len(shown) > 15
    assert shown == [line.rstrip() for line in plain.outlines if line.startswith("E")]


def test_no_colour_is_no_colour(checks, pytester, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    checks(ONE_UNSAFE)

    assert "\x1b" not in "\n".join(pytester.runpytest().outlines)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_stream_that_takes_ascii_only_gets_nothing_else(checks, pytester, monkeypatch, arguments):
    if arguments:
        pytest.importorskip("xdist")
    # Of these the option is not handed on to a worker of pytest-xdist, whose own stream takes everything.
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    checks(
        "def test_it():\n"
        "    with pytest.raises(AssertionError) as found:\n"
        "        check_idempotent(paying.charge, args=('Zo\\u00eb',), world=world)\n"
        "    assert str(found.value).startswith(r\"charge('Zo\\xeb') is not safe\")\n"
    )

    result = pytester.run(sys.executable, "-X", "utf8=0", "-m", "pytest", *arguments)

    result.assert_outcomes(passed=1)


def test_a_check_outside_of_a_test_needs_no_plugin(pytester):
    pytester.makepyfile(paying=PAYING)
    script = pytester.makepyfile(CHECKS + "print(check(paying.charge_with_key))\n")

    result = pytester.runpython(script)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["Explored * histories *"])
