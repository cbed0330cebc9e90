"""Reads a project: dependency files, source, settings of workers, cron files. Nothing is imported or run."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from typing import Final

from ....bridges.libraries.floors import floors_of, is_below
from ....bridges.libraries.known import EVERY, ONLY_MADE, library_named
from ....integrations.recurring.yaml import read_documents
from ....integrations.requirements import Requirement
from ...lint.basis.settings import LintSettings
from ...lint.linter import lint_project
from ...source.dependencies import Requirements, required
from ...source.handoffs import handoffs
from ...source.jobs import DeclaredJob
from ...source.project import Project
from ...source.tree import Tree
from .code import is_test, read_code
from .facts import Evidence, Facts, FirstJob, UsedLibrary, note

_SCHEDULERS: Final = {
    "django-celery-beat": "django-celery-beat",
    "celery-redbeat": "RedBeat",
    "rq-scheduler": "rq-scheduler",
    "apscheduler": "APScheduler",
    "django-apscheduler": "APScheduler",
    "django-crontab": "django-crontab",
    "taskiq-cron": "taskiq-cron",
}
_LOCKS: Final = {
    "celery-once": "celery-once",
    "celery-singleton": "celery-singleton",
    "python-redis-lock": "python-redis-lock",
    "pottery": "pottery",
    "django-pglocks": "django-pglocks",
    "sherlock": "sherlock",
    "django-concurrency": "django-concurrency",
}
_TENANTS: Final = ("django-tenants", "django-tenant-schemas", "django-multitenant", "django-scopes")
_TEST_TOOLS: Final = (
    "pytest",
    "pytest-django",
    "pytest-celery",
    "pytest-xdist",
    "pytest-jobs",
    "freezegun",
    "time-machine",
)
_BACKENDS: Final = {"django-celery-results": "Django's database"}
#: Seconds: a tree that takes longer is read no further.
TIME: Final = 60.0


def read_project(root: Path, *, seconds: float = TIME) -> Facts:
    """Return what is found in a folder."""
    facts = Facts()
    deadline = time.monotonic() + seconds
    tree = Tree(root)
    project = Project(tree, base=root, seconds=seconds, everything=True)
    found, unread = required(tree, project.shown, deadline)
    facts.unread += unread
    _libraries(found, project, facts)
    for name, requirements in found.items():
        _known_packages(name, requirements, facts)
    facts.handoffs = handoffs(project, found)
    read_code(project, facts)
    _configuration(tree, project, facts, deadline)
    _jobs(project, facts)
    facts.unread += [why for why in tree.left_out if why not in facts.unread]
    facts.unread += [
        f"{shown}:{line} {why}" for shown, line, why in project.unreadable if shown not in why
    ]
    return facts


def _libraries(found: Requirements, project: Project, facts: Facts) -> None:
    imports: dict[str, list[Evidence]] = {}
    for module in project.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [one.name for one in node.names]
                if isinstance(node, ast.ImportFrom):
                    # Of FastAPI one name is about jobs.
                    own = node.module or ""
                    names = [own] if library_named(own) else [f"{own}.{name}" for name in names]
                for name in names:
                    library = library_named(name)
                    if library == "core" and not _is_of_jobs(node):
                        continue
                    if library:
                        note(
                            imports, library, Evidence(module.shown, node.lineno, f"imports {name}")
                        )
    for name, known in sorted(EVERY.items()):
        asked = [one for each in known.own_distributions for one in found.get(each, ())]
        evidence = [
            Evidence(path, one.line, f"{one.name} {one.version}".strip()) for path, one in asked
        ]
        places = evidence + imports.get(name, [])
        if not places:
            continue
        own = next(iter(known.own_distributions), "")
        locked = [one.version for _, one in asked if one.is_locked and one.name == own]
        written = [one.version for _, one in asked if one.version and one.name == own]
        pinned = [version for version in written if version.startswith("==")]
        version = (locked or pinned or written or [""])[0]
        floor = floors_of(name).get(own, "") if known.is_bridged else ""
        is_old = bool(locked or pinned) and is_below(floor, version.strip("="))
        needed = f"{own}{floor}" if is_old else ""
        facts.libraries.append(
            UsedLibrary(name, known.title, version, known.is_bridged, places, needed)
        )


def _is_of_jobs(node: ast.Import | ast.ImportFrom) -> bool:
    """Say whether an import takes what declares jobs from pytest-jobs, and not what tests them."""
    return isinstance(node, ast.ImportFrom) and any(
        one.name in ("Job", "job", "later") for one in node.names
    )


def _known_packages(name: str, requirements: list[tuple[str, Requirement]], facts: Facts) -> None:
    path, one = requirements[0]
    place = Evidence(path, one.line, f"{name} {one.version}".strip())
    if name in _SCHEDULERS:
        note(facts.schedulers, _SCHEDULERS[name], place)
    if name in _LOCKS:
        note(facts.locks, _LOCKS[name], place)
    if name in _TENANTS:
        note(facts.tenants, name, place)
    if name in _TEST_TOOLS:
        note(facts.tests, name, place)
    if name in _BACKENDS:
        note(facts.backends, _BACKENDS[name], place)


def _configuration(tree: Tree, project: Project, facts: Facts, deadline: float) -> None:
    for path in tree.files:
        shown, name = project.shown(path), path.name
        if time.monotonic() > deadline:
            facts.unread.append(f"{shown} and later files: the time was over")
            return
        if name == "crontab" or name.endswith((".cron", ".crontab")) or "cron.d" in path.parts:
            note(facts.schedulers, "cron", Evidence(shown, 1, name))
        elif path.suffix in (".yml", ".yaml"):
            _read_yaml(path, shown, tree.text(path) or "", facts)
        elif name == "settings.py" or "settings" in path.parts[-2:-1]:
            text = tree.text(path) or ""
            found = re.search(r"django_celery_beat|django_tenants", text)
            if found:
                line = text.count("\n", 0, found.start()) + 1
                group = facts.schedulers if "beat" in found[0] else facts.tenants
                note(group, found[0].replace("_", "-"), Evidence(shown, line, found[0]))


def _read_yaml(path: Path, shown: str, text: str, facts: Facts) -> None:
    if path.stem in ("recurring", "sidekiq_schedule", "schedule"):
        note(
            facts.schedulers,
            f"a file of recurring jobs ({path.name})",
            Evidence(shown, 1, path.name),
        )
        note(facts.files, "recurring", Evidence(shown, 1, path.name))
    elif path.stem in ("queue", "solid_queue", "sidekiq"):
        note(facts.files, "queues", Evidence(shown, 1, path.name))
    if "CronJob" not in text:
        return
    try:
        documents = read_documents(text, shown)
    except ValueError as error:
        facts.unread.append(str(error))
        return
    if any(isinstance(one, dict) and one.get("kind") == "CronJob" for one in documents):
        line = text.count("\n", 0, text.index("CronJob")) + 1
        note(facts.schedulers, "CronJobs of Kubernetes", Evidence(shown, line, "kind: CronJob"))


def _may_be_first(job: DeclaredJob) -> bool:
    """Say whether a test can import a job, and simulate it without knowing more than its name."""
    module = job.module
    return (
        EVERY[job.library].is_simulated_alone
        and module.path.name != "__init__.py"
        and job.name == f"{module.name}.{job.short}"
        and "django" not in {origin.partition(".")[0] for origin in module.imported.values()}
    )


def _jobs(project: Project, facts: Facts) -> None:
    for job in project.jobs:
        if not is_test(job.module.shown):
            facts.jobs.append(Evidence(job.module.shown, job.body.lineno, job.name))
            if facts.first_job is None and _may_be_first(job):
                module = job.module
                facts.first_job = FirstJob(module.shown, module.name, job.short)
            rules = {
                "autoretry_for",
                "max_retries",
                "retries",
                "retry",
                "retry_on_error",
                "max_tries",
                "max_attempts",
            }
            decorators = _decorators(job, project)
            if rules & job.options.keys() or any(
                text.startswith("retry_on") for text in decorators
            ):
                facts.retries.append(Evidence(job.module.shown, job.body.lineno, job.short))
            if job.library == "oban" and "cron" in job.options:
                place = Evidence(job.module.shown, job.body.lineno, job.short)
                note(facts.schedulers, "cron= of Oban's workers", place)
    for enqueue in project.enqueues:
        shown = enqueue.module.shown
        if is_test(shown) or enqueue.verb in ONLY_MADE:
            continue
        around = list(enqueue.module.around(enqueue.call))
        cut = next(
            (
                i
                for i, one in enumerate(around)
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            ),
            None,
        )
        if any(isinstance(one, ast.For | ast.AsyncFor | ast.ListComp) for one in around[:cut]):
            facts.loops.append(Evidence(shown, enqueue.call.lineno, ast.unparse(enqueue.named)))
    groups = {"JOB104": facts.fat, "JOB201": facts.records, "JOB205": facts.early}
    groups |= dict.fromkeys(("JOB320", "JOB321", "JOB322", "JOB323", "JOB324"), facts.unguarded)
    for one in lint_project(project, LintSettings(select=(*groups,))):
        if one.rule in groups:
            groups[one.rule].append(Evidence(one.path, one.line, one.rule))


def _decorators(job: DeclaredJob, project: Project) -> list[str]:
    """Return the decorators of the class of a job, and of its base classes in the project."""
    found: list[str] = []
    waiting = [] if job.cls is None else [(job.module, job.cls)]
    # Classes can derive from each other in a text that nobody has run.
    for _ in range(50):
        if not waiting:
            break
        module, cls = waiting.pop(0)
        found += [ast.unparse(one) for one in cls.decorator_list]
        waiting += [
            home
            for base in cls.bases
            if (home := project.find_class(module, base)) is not None and home[1] is not cls
        ]
    return found
