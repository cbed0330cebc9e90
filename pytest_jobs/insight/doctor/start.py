"""The lines with which pytest-jobs is started in a project, and `init`, which writes them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from .facts import Facts
from .rows import INSTEAD, TESTS

if TYPE_CHECKING:
    from ...integrations.ini_file import IniFile

#: How each lock file's tool adds a package for development.
_TOOLS: Final = {
    "uv.lock": "uv add --dev pytest-jobs",
    "poetry.lock": "poetry add --group dev pytest-jobs",
    "pdm.lock": "pdm add -dG test pytest-jobs",
    "Pipfile.lock": "pipenv install --dev pytest-jobs",
    "Pipfile": "pipenv install --dev pytest-jobs",
}


class Start(NamedTuple):
    """What is to be done to begin."""

    #: The command that installs the package; None when it is a requirement already.
    install: str | None
    #: The file of the settings, relative to the project, and its section.
    file: str
    section: str
    #: The lines of the settings that are missing.
    lines: list[str]
    #: What to read, and why.
    reads: list[str]


def base_of(root: Path, file: str) -> Path:
    """Return the folder of the pytest settings that count for a file, or where they would stand.

    Args:
        root: the project.
        file: a file of it.
    """
    above = [root / folder for folder in PurePath(file).parents]
    for folder in above:
        if _own(folder) is not None:
            return folder
    named = ("manage.py", "pyproject.toml", "setup.cfg", "setup.py")
    return next((one for one in above if any((one / name).is_file() for name in named)), root)


def django_settings(base: Path) -> str:
    """Return the settings module that `manage.py` names; empty without one."""
    path = base / "manage.py"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    found = re.search(r"DJANGO_SETTINGS_MODULE['\"],\s*['\"]([\w.]+)", text)
    return found[1] if found else ""


def uses_manage(base: Path, facts: Facts) -> bool:
    """Say whether the tests of a folder run by `manage.py test`, and not by pytest."""
    return (
        bool(django_settings(base))
        and _own(base) is None
        and facts.seen.get(TESTS, {}).keys().isdisjoint(("pytest", "pytest-django"))
    )


def start_of(root: Path, base: Path, facts: Facts, python_path: str = "") -> Start:
    """Return what is to be done in a project.

    Args:
        root: the project.
        base: the folder of the settings of pytest.
        facts: what is found about the project.
        python_path: the folder from which tests import the project, if pytest does not look there.
    """
    from ...integrations.ini_file import ini_file_in

    start = Start(_install(root, facts), "", "", [], [*_reads(facts)])
    if uses_manage(base, facts):
        return start
    try:
        own = ini_file_in(base)
    except ValueError as error:
        return start._replace(reads=[f"{error}. Mend it first."])
    present = set() if own is None else {*own.values}
    if own is not None:
        file, section = own.path, own.section
    elif (base / "pyproject.toml").is_file():
        file, section = base / "pyproject.toml", "[tool.pytest.ini_options]"
    else:
        file, section = base / "pytest.ini", "[pytest]"
    is_toml = file.suffix == ".toml"
    lines = [
        f'{name} = "{value}"' if is_toml else f"{name} = {value}"
        for name, value in _settings(root, base, facts)
        if name not in present
    ]
    if python_path and "pythonpath" not in present:
        lines.append(
            f'pythonpath = ["{python_path}"]' if is_toml else f"pythonpath = {python_path}"
        )
    return start._replace(file=file.relative_to(root).as_posix(), section=section, lines=lines)


def next_command(path: Path, base: Path, facts: Facts, start: Start) -> str:
    """Return the command to run next; empty where another step comes first.

    Args:
        path: the project, as the user names it.
        base: the folder of the settings of pytest.
        facts: what is found about the project.
        start: what is to be done before.
    """
    is_manage = uses_manage(base, facts)
    if not any(one.is_bridged and not one.needed for one in facts.libraries):
        return ""
    if start.lines or (is_manage and not (base / "test_jobs.py").exists()):
        where = "" if path == Path() else f" {path}"
        return f"python -m pytest_jobs init{where}  # writes a first test, and settings that are missing"
    if start.file or is_manage:
        return "pytest --jobs-audit  # checks each job that the tests reach, and changes no test"
    return ""


def _own(folder: Path) -> IniFile | None:
    from ...integrations.ini_file import ini_file_in

    try:
        return ini_file_in(folder)
    except ValueError:
        return None


def _settings(root: Path, base: Path, facts: Facts) -> Iterator[tuple[str, str]]:
    bridged = [library for library in facts.libraries if library.is_bridged and not library.needed]
    is_seen = bool(facts.declared or facts.sent)
    settings = django_settings(base)
    if settings and "pytest-django" in facts.seen.get(TESTS, ()):
        yield "DJANGO_SETTINGS_MODULE", settings
    if bridged and is_seen and INSTEAD not in facts.seen and not _has_background(facts):
        yield "jobs_mode", "record"
    for name, option in (("recurring", "jobs_recurring"), ("queues", "jobs_queues")):
        path, _, of = facts.files.get(name, "").partition(" ")
        if bridged and path and (root / path).is_relative_to(base):
            yield option, f"{(root / path).relative_to(base).as_posix()} {of}".rstrip()


def _has_background(facts: Facts) -> bool:
    """Say whether the project has jobs that it performs itself, so that its tests may wait for their effects."""
    return any(library.name == "background_tasks" for library in facts.libraries)


def _install(root: Path, facts: Facts) -> str | None:
    if "pytest-jobs" in facts.seen.get(TESTS, ()):
        return None
    return next(
        (command for name, command in _TOOLS.items() if (root / name).is_file()),
        "pip install pytest-jobs",
    )


def _reads(facts: Facts) -> Iterator[str]:
    if INSTEAD in facts.seen:
        yield (
            "No jobs_mode yet: older tests use another way, and a harness in every test would change what "
            'they see. New tests ask for the fixture `jobs`; the page "Adopt patterns that fit your project" has '
            "the next steps."
        )
    elif _has_background(facts):
        yield (
            "No jobs_mode: it would keep the background tasks of FastAPI in every test, also where a test waits "
            "for their effects. Tests ask for the fixture `jobs`, or say a mode by their marker."
        )
    for library in facts.libraries:
        if library.needed:
            yield f"pytest-jobs captures no jobs of {library.title} here before it has {library.needed}."
        if not library.is_bridged and library.name != "apscheduler":
            yield (
                f"pytest-jobs has no bridge to {library.title}: a test with a harness refuses its "
                'enqueues. The page "Bridge a library of your own" shows how to write one.'
            )


def written(root: Path, start: Start) -> str | None:
    """Return the text of the settings file with the missing lines; None when nothing is missing.

    Raises:
        ValueError: when the lines have no place that leaves everything else as it is.
    """
    if not start.lines:
        return None
    path = root / start.file
    if path.is_symlink():
        raise ValueError(f"{start.file} is a link, and was not changed. Write the lines yourself.")
    text = path.read_text("utf-8") if path.is_file() else ""
    added = "".join(f"{line}\n" for line in start.lines)
    head, found, rest = _at_section(text, start.section)
    if found:
        new = f"{head}{found}\n{added}{rest}"
    else:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        new = f"{text}{gap}{start.section}\n{added}"
    if path.suffix == ".toml":
        _check_toml(text, new, start)
    return new


def _at_section(text: str, section: str) -> tuple[str, str, str]:
    """Cut a file behind the line of a section; the second part is empty when it has none."""
    head = ""
    for line in text.splitlines(keepends=True):
        if line.partition("#")[0].strip() == section:
            rest = text[len(head) + len(line) :]
            return head, line.rstrip("\r\n"), rest
        head += line
    return text, "", ""


def _check_toml(old: str, new: str, start: Start) -> None:
    """Make sure that a TOML file says the same as before, and the new lines."""
    try:
        before, after = tomllib.loads(old), tomllib.loads(new)
    except ValueError as error:
        raise ValueError(
            f"{start.file} was not changed: with the new lines it would not be TOML ({error}). Write them "
            "yourself."
        ) from None
    table = after
    for name in start.section.strip("[]").split("."):
        table = table[name]
    for line in start.lines:
        table.pop(line.partition(" = ")[0], None)
    if _without_empty(before) != _without_empty(after):
        raise ValueError(
            f"{start.file} was not changed: its section {start.section} lies elsewhere. Write the lines "
            "yourself."
        )


def _without_empty(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inner = {key: _without_empty(one) for key, one in value.items()}
    return {key: one for key, one in inner.items() if one != {}}
