"""What a user can write: the flags and lines of the ini file, declared to pytest, and the marker."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from ...assertions.options import OPTIONS

_SAID = pytest.StashKey[bool]()
#: A line of an ini file that sets a name like ours, and a table of pyproject.toml that is called like us.
_LIKE_OURS: Final = r"""(?m)^\s*(["']?jobs?[-_]|\[.*pytest.jobs)"""
#: Why a marker of a test is wrong. The test fails by it, and no other test does.
WRONG_MARKER = pytest.StashKey[str]()
MARKER: Final = (
    "jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', jitter='zero'|'seeded'|'live', "
    "queues=file, repeatable=names, audit=bool): open a job harness for the test, with these settings. "
    "audit=False keeps --jobs-audit away, and repeatable names effects that may happen again in checks; these two "
    "alone open none."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare each option of the table as a flag and as a line of the ini file.

    `dest` is what it would be without being named: pytest then compares it with that of every other option.
    """
    group = parser.getgroup("jobs", "background jobs")
    for option in OPTIONS:
        name = f"jobs_{option.name.replace('-', '_')}"
        if option.flag:
            given: dict[str, Any] = {"action": option.action, "dest": name, "help": option.text}
            if option.action != "store_true":
                given["metavar"] = option.metavar
            # None says that nobody has given the flag.
            group.addoption(option.flag, default=None, **given)
        if option.ini:
            parser.addini(option.ini, option.text, type=option.ini_type, default=None)


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Say of an option that has no flag where to write it: pytest itself only says that the flag is unknown.

    The audit hears of the temporary folders that conftests make from now on.

    Raises:
        pytest.UsageError: with both.
    """
    if early_config.known_args_namespace.jobs_audit:
        from ...exploration.worlds.files import temporary_folders

        temporary_folders.follow()
    names = {f"--jobs-{one.name}": one.ini for one in OPTIONS if one.ini and not one.flag}
    for written in args:
        flag = written.partition("=")[0]
        if flag in names:
            raise pytest.UsageError(
                f"unrecognized arguments: {written}\n{flag}: write {names[flag]} in the ini file, or -o "
                f"{names[flag]}=..."
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
        any(option.flag and config.getoption(option.flag) is not None for option in OPTIONS)
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
