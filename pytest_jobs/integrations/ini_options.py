"""The options in the ini file of pytest, each with its sentence of help.

They are read without pytest too: by a `JobsTestCase` under unittest.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

#: How many points of one test --jobs-crash tries.
CRASH_POINTS: Final = 50
#: How many seconds of computing the checks of --jobs-audit take, all together.
AUDIT_SECONDS: Final = 600

#: One value; true or false; several names; names that may have spaces, one a line; several reports; or the name of
#: a file and one word more.
Kind: TypeAlias = Literal["value", "switch", "words", "lines", "reports", "file"]


class Option:
    """An option of the ini file, with a flag of the same name: `jobs_crash_points`, `--jobs-crash-points`."""

    # No named tuple: making the class takes ten times as long, at every start-up.

    __slots__ = ("default", "kind", "metavar", "name", "text")

    def __init__(
        self, name: str, kind: Kind, text: str, metavar: str = "", default: str = ""
    ) -> None:
        #: As the flag has it, after `--jobs-`.
        self.name = name
        self.kind = kind
        self.text = text
        #: What stands for the value in the help.
        self.metavar = metavar
        self.default = default


OPTIONS: Final = (
    Option(
        "mode",
        "value",
        "Open a harness for every test: record keeps jobs until a verb performs them, inline performs each job as "
        "soon as it is due, off opens none.",
        "MODE",
    ),
    Option("strict", "switch", "Fail a test that leaves jobs it neither looked at nor performed."),
    Option(
        "raise",
        "value",
        "Raise the error of an inline job at the end of the test, or where the job was enqueued: end or enqueue.",
        "WHERE",
        "end",
    ),
    Option(
        "apps",
        "words",
        "Load these applications, such as celery:proj.celery:app or django, and record their jobs in every test.",
        "APP",
    ),
    Option(
        "ignore",
        "words",
        "Leave the jobs of these libraries alone, such as celery, so that they reach the real broker.",
        "LIBRARY",
    ),
    Option(
        "jitter",
        "value",
        "Add jitter to waits: zero for none, seeded for the same in every run, live for that of production.",
        "JITTER",
        "zero",
    ),
    Option(
        "queues",
        "file",
        "Take jobs in the order of queues that this file of the workers has, such as config/sidekiq.yml.",
        "FILE",
    ),
    Option(
        "recurring",
        "file",
        "Fire the recurring jobs of this file, such as config/recurring.yml, in tests that ask for the fixture "
        "jobs_recurring.",
        "FILE",
    ),
    Option(
        "lint",
        "switch",
        "Find habits of jobs that will hurt, in the source below the root and in the jobs that tests perform; "
        "findings fail the session.",
    ),
    Option(
        "lint-baseline",
        "file",
        "Report only findings that this file does not have; it is written if it is not there, and only shrinks.",
        "FILE",
    ),
    Option(
        "cov",
        "switch",
        "Measure job coverage: which jobs of the project the tests enqueue and perform, and which of their rules "
        "and callbacks ran.",
    ),
    Option(
        "cov-report",
        "reports",
        "Write job coverage as term (the default), term-all or json:FILE; may be given several times.",
        "FORMAT",
    ),
    Option(
        "cov-fail-under",
        "value",
        "Fail the session when fewer than N in a hundred cases of the jobs were seen.",
        "N",
    ),
    Option(
        "cov-baseline",
        "file",
        "Fail the session when something was not seen that is not in this file either; it is written once, and "
        "only shrinks then.",
        "FILE",
    ),
    Option(
        "report",
        "value",
        "Write one HTML page about the jobs of the session into this file: timelines, retries, checks, lint.",
        "FILE",
    ),
    Option(
        "messages",
        "file",
        "Write what every registered job accepts into this file, for `python -m pytest_jobs compat`.",
        "FILE",
    ),
    Option(
        "annotations",
        "value",
        "Write each failure of a check or of an assertion about jobs as an annotation too: github.",
        "FORMAT",
    ),
    Option(
        "audit",
        "switch",
        "After the tests, check the jobs that they reach: kill them, make their effects fail, deliver them twice; "
        "findings fail the session.",
    ),
    Option(
        "audit-time",
        "value",
        f"Begin no check of --jobs-audit after so many seconds of computing; {AUDIT_SECONDS} by default.",
        "SECONDS",
        str(AUDIT_SECONDS),
    ),
    Option(
        "audit-report",
        "file",
        "Write what --jobs-audit finds into this file, after each check: SARIF if it is named *.sarif, else JSON.",
        "FILE",
    ),
    Option(
        "audit-baseline",
        "file",
        "Accept the findings of --jobs-audit that this file lists with a reason: only others fail the session.",
        "FILE",
    ),
    Option(
        "audit-update",
        "switch",
        "Write the findings of --jobs-audit into its baseline: those that are gone leave it, and new ones wait "
        "there for a reason.",
    ),
    Option("twice", "switch", "Deliver each job that a test performs once more."),
    Option(
        "crash",
        "switch",
        "Repeat each test that performs jobs, and kill a job at another line each time; from Python 3.12 on.",
    ),
    Option(
        "repeatable",
        "lines",
        "Let these effects happen again in each check: names or patterns with commas between them, such as "
        "mail, enqueue shop.ship, POST hooks.example/*.",
        "EFFECTS",
    ),
    Option(
        "crash-points",
        "value",
        f"Try at most so many points of one test with --jobs-crash; {CRASH_POINTS} by default.",
        "N",
        str(CRASH_POINTS),
    ),
    Option(
        "attack-calls",
        "switch",
        "Let --jobs-twice and --jobs-crash treat direct calls of a task in a test, such as task(1) or "
        "task.apply((1,)), as deliveries too.",
    ),
    Option(
        "crash-atomic",
        "words",
        "Kill no job at a line of these modules, such as fakes, with --jobs-crash.",
        "MODULE",
    ),
)


def ini_name(name: str) -> str:
    """Return what an option is called in the ini file."""
    return f"jobs_{name.replace('-', '_')}"


#: What the options are called in the ini file.
NAMES: Final = tuple(ini_name(option.name) for option in OPTIONS)


def nearest_option(name: str, cutoff: float = 0.6) -> str | None:
    """Return the option whose name in the ini file is nearest to another one; None if none is near."""
    import difflib

    # Without what all of them begin with, which would make any two alike.
    word = re.sub("^jobs?[-_]?", "", name).replace("-", "_")
    known = {option.removeprefix("jobs_"): option for option in NAMES}
    alike = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    return known[alike[0]] if alike else None
