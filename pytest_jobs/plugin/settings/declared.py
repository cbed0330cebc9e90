"""What a user can write: the flags and lines of the ini file, declared to pytest, and the marker."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import pytest

from ...integrations.ini_options import OPTIONS, ini_name

_SAID = pytest.StashKey[bool]()
#: A line of an ini file that sets a name like ours, and a table of pyproject.toml that is called like us.
_LIKE_OURS: Final = r"""(?m)^\s*(["']?jobs?[-_]|\[.*pytest.jobs)"""
#: The keywords of the marker.
KEYWORDS: Final = (
    *("mode", "raise_at", "jitter", "queues", "repeatable"),
    *("strict", "idempotent", "crash", "audit"),
)
#: Why a marker of a test is wrong. The test fails by it, and no other test does.
WRONG_MARKER = pytest.StashKey[str]()
MARKER: Final = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live', "
    "queues=file, repeatable=names, idempotent=bool, crash=bool, audit=bool): open a job harness for the test, "
    "with these settings. idempotent=False keeps --jobs-twice and --jobs-crash away, crash=False the latter, "
    "audit=False keeps --jobs-audit away, and repeatable names effects that may happen again in checks; these "
    "four alone open none."
)


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
