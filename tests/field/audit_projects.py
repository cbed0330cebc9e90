"""Audit public projects, and compare what was found with what `docs/explanation/found.md` says.

    python tests/field/audit_projects.py FOLDER              # all of them, one after the other
    python tests/field/audit_projects.py FOLDER linkding     # some of them

`FOLDER` gets a work tree and an environment of each project, unless they are there. `projects.toml` has the
projects. Neither pytest nor CI runs this file: it clones repositories and installs packages.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
#: What the plugin needs in the environment of a project. The plugin itself is taken from this tree.
_NEEDED = ("pluggy", "pytest", "hypothesis", "time-machine")


class _CannotRun(Exception):
    """A project cannot be audited."""


@dataclass
class Project:
    """One row of `projects.toml`."""

    name: str
    library: str
    #: Its address, or the name of a source distribution that pip downloads.
    repository: str
    #: The commit, or the version of the source distribution.
    commit: str
    #: What pip installs; `{tree}` is the work tree.
    install: Sequence[str]
    #: The arguments of pytest, without and with the audit.
    tests: Sequence[str]
    #: Those of the audit alone.
    audit: Sequence[str] = ()
    python: str = "python3.13"
    #: Where pytest is started, below the work tree.
    folder: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    #: Files that the project's own set-up makes, and their text.
    files: Mapping[str, str] = field(default_factory=dict)
    #: A module `field_settings` that the tests can import.
    settings: str = ""
    #: Servers that have to run, and the ports on which they listen.
    needs: Mapping[str, int] = field(default_factory=dict)
    #: Commands of a shell before the suite runs. `{tree}` is the work tree, `{site}` where its packages are.
    prepare: Sequence[str] = ()
    #: Servers of its own environment, with their arguments, and the ports on which they listen.
    starts: Mapping[str, int] = field(default_factory=dict)
    #: The findings of the page, as `_found` writes them.
    expected: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """One run of a suite."""

    #: How each test ended.
    outcomes: Mapping[str, str]
    seconds: float
    cpu: float

    @property
    def totals(self) -> str:
        totals = Counter(self.outcomes.values())
        return ", ".join(f"{count} {name}" for name, count in sorted(totals.items()))


def main() -> int:
    """Audit the projects. Return 1 if one differs from what is expected of it."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    table = tomllib.loads((_HERE / "projects.toml").read_text("utf-8"))
    unknown = set(given.names) - set(table)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))} is not in projects.toml.")
    differs = False
    for name in given.names or table:
        try:
            differs |= _audit(Project(name, **table[name]), folder)
        except _CannotRun as error:
            _say(f"== {name}: {error}")
            differs = True
    return int(differs)


def _audit(project: Project, folder: Path) -> bool:
    """Run the suite of a project twice, print what came of it, and say whether that differs from the table."""
    missing = [
        f"{name} at port {port}" for name, port in project.needs.items() if not _listens(port)
    ]
    if missing:
        raise _CannotRun(f"it needs {' and '.join(missing)} of localhost, where nothing listens.")
    tree, python = _work_tree(project, folder), _environment(project, folder)
    for command in project.prepare:
        _prepare(command, tree, python)
    results = folder / ".results"
    results.mkdir(exist_ok=True)
    if project.settings:
        (folder / ".settings" / project.name).mkdir(parents=True, exist_ok=True)
        (folder / ".settings" / project.name / "field_settings.py").write_text(project.settings)
    report = results / f"{project.name}.json"
    report.unlink(missing_ok=True)
    flags = ("-p", "pytest_jobs.plugin", "--jobs-audit", f"--jobs-report={report}")
    with ExitStack() as servers:
        for command, port in project.starts.items():
            servers.enter_context(_started(command, port, python))
        plain = _run(project, folder, tree, python, ())
        audited = _run(project, folder, tree, python, (*flags, *project.audit))
    if not report.exists():
        raise _CannotRun(f"no job was audited, and {results / project.name}-audit.txt says why.")
    said = json.loads(report.read_text("utf-8"))["audit"]
    _say(*_lines(project, plain, audited, said))
    return _found(said) != set(project.expected)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _work_tree(project: Project, folder: Path) -> Path:
    tree = folder / project.name
    if "://" not in project.repository:
        if not tree.exists():
            _unpack(project, folder)
        return tree
    if not tree.exists():
        subprocess.run(["git", "clone", "--quiet", project.repository, str(tree)], check=True)
        subprocess.run(["git", "-C", str(tree), "checkout", "--quiet", project.commit], check=True)
    head = subprocess.run(
        ["git", "-C", str(tree), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    for name, text in project.files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, "utf-8")
    if head != project.commit:
        raise _CannotRun(f"{tree} is at {head}, and the table says {project.commit}.")
    return tree


def _unpack(project: Project, folder: Path) -> None:
    """Unpack the source of a version as the work tree."""
    name = project.repository
    wanted = ["--no-deps", "--no-binary", ":all:", "-d", str(folder), f"{name}=={project.commit}"]
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", *wanted], check=True)
    (archive,) = folder.glob(f"{name.lower()}-{project.commit}.tar.gz")
    (folder / project.name).mkdir()
    subprocess.run(
        ["tar", "xzf", str(archive), "-C", str(folder / project.name), "--strip-components=1"],
        check=True,
    )


def _environment(project: Project, folder: Path) -> Path:
    """Return the Python of a project's environment."""
    python = folder / ".envs" / project.name / "bin" / "python"
    if not python.exists():
        subprocess.run([project.python, "-m", "venv", str(python.parent.parent)], check=True)
        wanted = [each.format(tree=folder / project.name) for each in project.install]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *_NEEDED, *wanted], check=True)
    return python


def _prepare(command: str, tree: Path, python: Path) -> None:
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    done = subprocess.run(
        command.format(tree=tree, site=site),
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _CannotRun(f"`{command}` ended with {done.returncode}: {done.stderr.strip()}")


@contextmanager
def _started(command: str, port: int, python: Path) -> Generator[None, None, None]:
    """Run a server of an environment beside a suite."""
    program, *arguments = command.split()
    with subprocess.Popen(
        [str(python.parent / program), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            while not _listens(port):
                if server.poll() is not None:
                    raise _CannotRun(f"`{command}` ended with {server.returncode}.")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("localhost", port)) == 0


def _run(project: Project, folder: Path, tree: Path, python: Path, flags: Sequence[str]) -> Run:
    """Run the suite in a process of its own."""
    kind = "audit" if flags else "plain"
    xml, text = (folder / ".results" / f"{project.name}-{kind}.{end}" for end in ("xml", "txt"))
    xml.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={xml}"]
    places = (*((_ROOT,) if flags else ()), folder / ".settings" / project.name, tree)
    env = {
        **os.environ,
        **{name: value.format(tree=tree) for name, value in project.env.items()},
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    begun, before = time.monotonic(), _cpu()
    with text.open("w") as output:
        subprocess.run(
            [*command, *project.tests, *flags],
            cwd=tree / project.folder,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not xml.exists():
        raise _CannotRun(f"pytest could not run its tests, and {text} says why.")
    return Run(dict(_outcomes(xml)), time.monotonic() - begun, _cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _outcomes(xml: Path) -> Iterator[tuple[str, str]]:
    for case in ET.parse(xml).iter("testcase"):
        ends = {child.tag for child in case} & {"failure", "error", "skipped"}
        yield f"{case.get('classname')}::{case.get('name')}", "".join(sorted(ends)) or "passed"


def _found(said: Mapping[str, Any]) -> set[str]:
    """Return the findings as `kind job: verdict at line`; without names, which tests may draw by chance."""
    return {
        f"{each['kind']} {each['job']}: {each['verdict'].split()[0]}"
        + (f" at {Path(each['file']).name}:{each['line']}" if each["line"] else "")
        for each in said["findings"]
    }


def _lines(project: Project, plain: Run, audited: Run, said: Mapping[str, Any]) -> Iterator[str]:
    found, not_checked = _found(said), said["not_checked"]
    checked = {each["job"] for each in said["findings"]} | {
        each["job"] for each in said["no_finding"]
    }
    reached = len(checked) + len(not_checked)
    broken = [test for test, ended in plain.outcomes.items() if audited.outcomes.get(test) != ended]
    yield f"== {project.name} {project.commit[:9]} ({project.library})"
    yield f"tests: {plain.totals}; differ with the audit: {len(broken)}"
    yield from (
        f"  {test}: {plain.outcomes[test]}, {audited.outcomes.get(test)}" for test in broken
    )
    yield (
        f"jobs: {reached + len(said['unreached'])} known, {reached} reached, {len(checked)} checked"
    )
    reasons = Counter(each["reason"] for each in not_checked)
    yield from (
        f"  not checked, {count}: {reason[:300]}" for reason, count in reasons.most_common()
    )
    yield "findings: " + ", ".join(
        f"{count} {kind}" for kind, count in Counter(each.split()[0] for each in found).items()
    )
    for each in sorted(found):
        yield f"  {'' if each in project.expected else 'NEW '}{each}"
    yield from (f"  GONE {each}" for each in sorted(set(project.expected) - found))
    yield (
        f"seconds of computing: {plain.cpu:.1f} plain, {audited.cpu:.1f} with the audit "
        f"(of the clock: {plain.seconds:.0f}, {audited.seconds:.0f})"
    )


if __name__ == "__main__":
    sys.exit(main())
