"""What a user can write: the flags, the lines of the ini file and the marker, each with its sentence of help."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias

import pytest

_SAID = pytest.StashKey[bool]()
#: A line of an ini file that sets a name like ours, and a table of pyproject.toml that is called like us.
_LIKE_OURS: Final = r"""(?m)^\s*(["']?jobs?[-_]|\[.*pytest.jobs)"""
#: How many points of one test --jobs-crash tries.
CRASH_POINTS: Final = 50
MARKER: Final = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live', "
    "queues=file, repeatable=names, idempotent=bool, crash=bool): open a job harness for the test, with these "
    "settings. idempotent=False keeps --jobs-twice and --jobs-crash away, crash=False the latter, and repeatable "
    "names effects that may happen again in checks; these three alone open none."
)


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
        "cov",
        "switch",
        "Measure job coverage: which jobs of the project the tests enqueue and perform, and which of their rules "
        "and callbacks ran.",
    ),
    Option(
        "cov-report",
        "reports",
        "Write job coverage as term (the default), term-all, xml:FILE or json:FILE; may be given several times.",
        "FORMAT",
    ),
    Option(
        "cov-fail-under",
        "value",
        "Fail the session when fewer than N in a hundred cases of the jobs were seen.",
        "N",
    ),
    Option(
        "report",
        "value",
        "Write one HTML page about the jobs of the session into this file: timelines, retries, checks, lint.",
        "FILE",
    ),
    Option(
        "annotations",
        "value",
        "Write each failure of a check or of an assertion about jobs as an annotation too: github.",
        "FORMAT",
    ),
    Option("twice", "switch", "Deliver each job that a test performs once more."),
    Option(
        "crash",
        "switch",
        "Repeat each test that performs jobs, and kill a job at another line each time.",
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare each option as a flag and as a line of the ini file.

    `dest` is what it would be without being named: pytest then compares it with that of every other option.
    """
    group = parser.getgroup("jobs", "background jobs")
    group.addoption(
        "--jobs-inline",
        action="store_true",
        dest="jobs_inline",
        default=False,
        help="The same as --jobs-mode=inline.",
    )
    for option in OPTIONS:
        flag, name = f"--jobs-{option.name}", ini_name(option.name)
        if option.kind == "switch":
            group.addoption(flag, action="store_true", dest=name, default=False, help=option.text)
            parser.addini(name, option.text, type="bool", default=False)
            continue
        action = "append" if option.kind in ("words", "lines", "reports") else "store"
        group.addoption(
            flag,
            action=action,
            dest=name,
            metavar=option.metavar,
            default=None,
            help=option.text,
        )
        if option.kind == "value":
            parser.addini(name, option.text, default=option.default)
        else:
            kind: Literal["linelist", "args"] = "linelist" if option.kind == "lines" else "args"
            parser.addini(name, option.text, type=kind, default=[])
    group.addoption(
        "--jobs-replay",
        dest="jobs_replay",
        metavar="TOKEN",
        default=None,
        help="Carry out only the history that a report of check_idempotent names in its replay line.",
    )


def is_anything_said(config: pytest.Config) -> bool:
    """Say whether a flag or a file may say something about jobs.

    Most sessions say nothing, and need not pay for the module that reads and checks it.
    """
    said = config.stash.get(_SAID, None)
    if said is None:
        said = config.stash[_SAID] = _may_say_something(config)
    return said


def _may_say_something(config: pytest.Config) -> bool:
    return bool(
        config.getoption("--jobs-inline")
        or config.getoption("--jobs-replay") is not None
        or any(config.getoption(f"--jobs-{option.name}") for option in OPTIONS)
        or any(
            config.getini(ini_name(option.name)) not in (option.default, [], False)
            for option in OPTIONS
        )
        or any("job" in text for text in config.getoption("override_ini") or ())
        or any(
            path is not None
            and path.is_file()
            and "job" in (text := path.read_text("utf-8", "replace"))
            and re.search(_LIKE_OURS, text)
            for path in {config.inipath, config.rootpath / "pyproject.toml"}
        )
    )


def is_jobs_case(item: pytest.Item) -> bool:
    """Say whether a test is a method of a `JobsTestCase`, which need not be imported to be known."""
    # `item.cls` walks up to the session, for each test of each session.
    parent = item.parent
    return isinstance(parent, pytest.Class) and bool(getattr(parent.obj, "_is_jobs_case", False))


def is_verbose(config: pytest.Config) -> bool:
    """Say whether the run has `-v`. `config.get_verbosity()` of pytest 8 fails without the terminal plugin."""
    level: Any = config.getoption("verbose", 0)
    return bool(level > 0)
