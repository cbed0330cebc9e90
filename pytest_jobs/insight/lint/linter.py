"""Reads a project, asks the rules, and leaves out what comments and settings switch off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from ...harness.records.home import is_of_tests
from ...harness.records.texts import counted
from ..source.handoffs import Handoffs, handoffs
from ..source.module import Module
from ..source.project import Project
from ..source.running import Running
from ..source.tree import Tree
from .baseline import Key, Section
from .rules import declaring, enqueueing, performing, retrying, scheduling
from .rules.rule import Check, Context, Fault, Finding, Rule
from .settings import LintSettings
from .watching import WATCHED

_FILES: Final = (declaring, enqueueing, performing, retrying, scheduling)
_ASKED: Final = [each for file in _FILES for each in vars(file).values() if isinstance(each, Rule)]
RULES: Final = sorted([*_ASKED, *(Rule(one, None) for one in WATCHED)], key=lambda rule: rule.id)
#: A file that cannot be read, and a comment that switches nothing off.
UNREADABLE: Final = "JOB001"
USELESS: Final = "JOB002"
_IGNORE: Final = re.compile(r"#\s*jobs:\s*ignore(?:\[([^]\n]*)\])?")


class Findings(NamedTuple):
    """What a run has found, and how much it looked at."""

    found: list[Finding]
    files: int
    jobs: int
    #: What became of the baseline; empty without one.
    said: str
    #: What the text shows beside the jobs that were judged.
    handoffs: Handoffs


def lint(
    paths: Sequence[Path],
    settings: LintSettings,
    *,
    base: Path,
    running: Running,
) -> Findings:
    """Look at the jobs that the running libraries know, and at the calls that enqueue them.

    Args:
        paths: files and folders.
        settings: which rules count, and what they allow.
        base: names of files are relative to it.
        running: what the processes of a test session have imported.
    """
    tree = Tree(*paths)
    project = Project(
        tree, base=base, jobs=settings.jobs, exclude=settings.exclude, running=running
    )
    context = Context(project)
    comments = {module.shown: _Comments(module) for module in project.modules}
    found = [
        Finding(UNREADABLE, shown, line, 1, f"{shown} {why}")
        for shown, line, why in project.unreadable
    ]
    for rule in RULES:
        if rule.check is None or not settings.wants(rule.id):
            continue
        for fault in _faults(rule.id, rule.check, context):
            own = comments.get(fault.path)
            # Tests enqueue wrongly on purpose.
            if not is_of_tests(PurePath(fault.path)) and not (
                own is not None and own.covers(rule.id, fault.line)
            ):
                found.append(Finding(rule.id, *fault))
    found += [Finding(UNREADABLE, shown, 1, 1, why) for shown, why in context.workers.unreadable]
    for name, one in comments.items():
        found += one.useless(name, settings)
    ordered = sorted(set(found), key=lambda one: (one.path, one.line, one.column, one.rule))
    files = sum(1 for _ in tree.named(".py"))
    jobs = len(project.jobs) + len(project.without_text)
    return Findings(ordered, files, jobs, "", handoffs(project)[0])


def with_baseline(
    findings: Findings,
    section: Section | None,
    settings: LintSettings,
    running: Running,
    base: Path,
) -> Findings:
    """Return the findings without those that a baseline accepts; an update writes the baseline.

    A finding of the file is gone where the rule was asked, and the module was imported or is not there any more.

    Raises:
        BaselineError: when the file cannot be written.
    """
    if section is None:
        return findings
    asked = {rule.id for rule in RULES if settings.wants(rule.id) and rule.check}

    def was_looked_at(key: Key) -> bool:
        path, rule = base / key[0], key[1]
        return not path.exists() or (rule in asked and str(path.resolve()) in running.files)

    keys = [one.key for one in findings.found]
    accepted, gone = section.accepted(keys), section.gone(keys, was_looked_at)
    said = [f"{section.file} accepts {counted(accepted.total(), 'finding')}."]
    unexplained = sum(section.reason(key) == "" for key in set(keys))
    if unexplained:
        said.append(
            f"It lists {counted(unexplained, 'finding')} without a reason: write one for each."
        )
    if gone and not section.updates:
        said.append(f"{counted(len(gone), 'entry')} of it can go, by an update: not found again.")
    if section.updates:
        section.update(keys, was_looked_at)
    left: list[Finding] = []
    # Of equal ones the first are accepted.
    for one in findings.found:
        if accepted[one.key]:
            accepted[one.key] -= 1
        else:
            left.append(one)
    return findings._replace(found=left, said=" ".join(said))


def _faults(rule_id: str, check: Check, context: Context) -> Iterator[Fault]:
    """Yield what a rule finds. Source that is nested too deeply ends the rule, and that is a finding too."""
    try:
        yield from check(context)
    except RecursionError:
        yield Fault(
            "pyproject.toml",
            1,
            1,
            f"{rule_id} was not looked for everywhere: some source is nested too deeply. Add the file to "
            "`exclude`.",
        )


class _Comments:
    """The comments of a module that switch rules off: `# jobs: ignore[JOB301]`."""

    def __init__(self, module: Module) -> None:
        self._used: set[tuple[int, str]] = set()
        #: The ids in a line; an empty list for all rules.
        self._by_line = {
            number: [name.strip() for name in (match[1] or "").split(",") if name.strip()]
            for number, line in enumerate(
                module.text.splitlines() if "jobs:" in module.text else (), 1
            )
            if (match := _IGNORE.search(line))
        }

    def covers(self, rule_id: str, line: int) -> bool:
        """Say whether a comment on the line, or alone on the line above, switches a rule off."""
        for number in (line, line - 1):
            ids = self._by_line.get(number)
            if ids is not None and (not ids or rule_id in ids):
                self._used.add((number, rule_id if ids else ""))
                return True
        return False

    def useless(self, shown: str, settings: LintSettings) -> Iterator[Finding]:
        """Yield the comments that switched nothing off."""
        for line, ids in self._by_line.items():
            for name in ids or [""]:
                # What the settings switch off cannot be found, so the comment is not known to be useless.
                has_all = not settings.select and not settings.ignore
                is_asked = settings.wants(name) if name else has_all
                if is_asked and (line, name) not in self._used:
                    what = f"ignore[{name}]" if name else "ignore"
                    text = f"`# jobs: {what}` switches nothing off here. Remove it."
                    yield Finding(USELESS, shown, line, 1, text)
