"""Reads a project in one pass: its dependencies, source, workers and cron files. Nothing is run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Final

from ...bridges.libraries.floors import floors_of, is_below
from ...bridges.libraries.known import EVERY, library_named
from ...harness.records.home import is_of_tests
from ...harness.records.texts import counted
from ...integrations.recurring.yaml import read_documents
from ...integrations.requirements import Requirement
from ..source.dependencies import Requirements, required, required_libraries
from ..source.module import Module, name_from_root
from ..source.tree import Tree
from ..source.workers import COMMANDS, queues_in_commands
from .code import ENVIRONMENT, SCHEMES, CodeReader, Reading
from .facts import Declared, Evidence, Facts, UsedLibrary, note

#: What a package is for a project: the group of the fact, and the fact; by itself the name of the package.
_PACKAGES: Final = {
    "django-celery-beat": ("schedulers", ""),
    "celery-redbeat": ("schedulers", "RedBeat"),
    "rq-scheduler": ("schedulers", ""),
    "apscheduler": ("schedulers", "APScheduler"),
    "django-apscheduler": ("schedulers", "APScheduler"),
    "django-crontab": ("schedulers", ""),
    "django-crontask": ("schedulers", ""),
    "taskiq-cron": ("schedulers", ""),
    "django-celery-results": ("backends", "Django's database"),
    **dict.fromkeys(
        ("celery-once", "celery-singleton", "python-redis-lock", "pottery", "django-pglocks", "sherlock",
         "django-concurrency"),
        ("locks", ""),
    ),
    **dict.fromkeys(
        ("django-tenants", "django-tenant-schemas", "django-multitenant", "django-scopes"), ("tenants", "")
    ),
    **dict.fromkeys(
        ("pytest", "pytest-django", "pytest-celery", "pytest-xdist", "pytest-jobs", "freezegun", "time-machine"),
        ("tests", ""),
    ),
    **dict.fromkeys(
        ("sentry-sdk", "rollbar", "bugsnag", "airbrake", "newrelic", "honeybadger", "elastic-apm"),
        ("failures", ""),
    ),
}  # fmt: skip
#: Folders whose files say nothing about production.
_ASIDE: Final = {"demo", "demos", "example", "examples", "docs", "doc", "benchmarks", "sandbox"}
#: The project may have a decorator of its own around that of a library.
_OWN_DECORATOR: Final = re.compile(r"@[\w.]*(?:task|job|actor)")
_MIGRATIONS: Final = frozenset(("migrations", "alembic"))
_IMPORTS: Final = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+([\w.]+)(?:[ \t]+import[ \t(]+([\w, \t]+))?", re.MULTILINE
)
#: What files are parsed for, whichever library the project has. Parts of names: to look for them takes no time.
_WORDS: Final = (
    "on_commit", "atomic", "Session(", "sessionmaker(",
    "send_mail", "send_mass_mail", "requests.", "httpx.", "smtplib", "_later", "ATOMIC_REQUESTS",
    "broker_url", "BROKER",
    "esult_backend", "RESULT_BACKEND", "ContextVar(", "CurrentAttributes", "enqueue_after_commit",
    "on_failure", "exception_handlers", "exc_handler", "after_failure",
)  # fmt: skip
#: A column that leads to a tenant.
_TENANTS: Final = ("tenant", "account", "organization", "organisation", "workspace")
_ENVIRONMENT: Final = re.compile(
    r"^[ \t-]*[\"']?\w*BROKER\w*[\"']?[ \t]*[:=][ \t]*[\"']?(?:\$\{[^}\n]*?-)?(\w[\w+]*)://",
    re.MULTILINE,
)
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def read_project(root: Path) -> Facts:
    """Return what is found in a folder."""
    facts = Facts()
    tree = Tree(root)

    def shown(path: Path) -> str:
        return path.relative_to(root).as_posix()

    found, facts.unread = required(tree, shown)
    found = {
        name: places
        for name, asked in found.items()
        if (places := [one for one in asked if _is_production(one[0])])
    }
    texts: dict[str, str] = {}
    for path in tree.files:
        name = shown(path)
        if path.suffix == ".py":
            text = tree.text(path)
            if text is not None:
                texts[name] = text
        elif _is_production(name):
            _read_file(path, name, tree, facts)
    _libraries(found, texts, facts)
    for name, asked in found.items():
        _package(name, asked, facts)
    _read_code(texts, facts)
    _brokers(facts)
    facts.unread += tree.left_out
    return facts


def _is_own(shown: str) -> bool:
    """Say whether the jobs of a file are those of the project: tests and demos have none."""
    path = PurePath(shown)
    is_aside = not _ASIDE.isdisjoint(path.parts[:-1]) or path.stem in ("test", "testing")
    return not is_aside and not is_of_tests(path)


def _is_production(shown: str) -> bool:
    """Say whether a file may answer for production: no migration does."""
    return _is_own(shown) and _MIGRATIONS.isdisjoint(PurePath(shown).parts[:-1])


def _libraries(found: Requirements, texts: dict[str, str], facts: Facts) -> None:
    """Note the libraries that dependency files ask for, and those that the source imports."""
    imports: dict[str, list[Evidence]] = {}
    for shown, text in texts.items():
        for match in _IMPORTS.finditer(text) if _is_production(shown) else ():
            # Of FastAPI one name is about jobs, and of pytest-jobs those that declare them.
            names = [
                f"{match[1]}.{name.split()[0]}"
                for name in (match[2] or "").split(",")
                if name.strip()
            ]
            for name in [match[1], *names]:
                library = library_named(name)
                if library and (library != "core" or name.endswith((".Job", ".job", ".later"))):
                    line = text.count("\n", 0, match.start()) + 1
                    note(imports, library, Evidence(shown, line, f"imports {match[1]}"))
    required_here = {*required_libraries(found)}
    for name in sorted(EVERY):
        known = EVERY[name]
        distributions = known.own_distributions
        asked = [one for distribution in distributions for one in found.get(distribution, ())]
        if name not in required_here and name not in imports:
            continue
        places = [
            Evidence(path, one.line, f"{one.name} {one.version}".strip()) for path, one in asked
        ]
        own = distributions[0] if distributions else ""
        locked = [one.version for _, one in asked if one.is_locked and one.name == own]
        written = [one.version for _, one in asked if one.version and one.name == own]
        pinned = [version for version in written if version.startswith("==")]
        version = (locked or pinned or written or [""])[0]
        floor = floors_of(name).get(own, "") if known.is_bridged else ""
        is_old = bool(locked or pinned) and is_below(floor, version.strip("="))
        needed = f"{own}{floor}" if is_old else ""
        places += imports.get(name, [])
        facts.libraries.append(
            UsedLibrary(name, known.title, version, known.is_bridged, places, needed)
        )


def _package(name: str, asked: list[tuple[str, Requirement]], facts: Facts) -> None:
    """Note what a package is for the project; one that only a lock names is there for another package."""
    own = [one for one in asked if not one[1].is_locked]
    if name in _PACKAGES and own:
        path, one = own[0]
        group, fact = _PACKAGES[name]
        note(
            getattr(facts, group),
            fact or name,
            Evidence(path, one.line, f"{name} {one.version}".strip()),
        )


def _read_file(path: Path, shown: str, tree: Tree, facts: Facts) -> None:
    """Read a file that is not Python."""
    name = path.name
    if name == "crontab" or name.endswith((".cron", ".crontab")) or "cron.d" in path.parts:
        note(facts.schedulers, "cron", Evidence(shown, 1, name))
    is_environment = name.startswith(".env") or name.endswith(".env")
    if not (COMMANDS.search(name) or is_environment) or path.suffix == ".lock":
        return
    text = tree.text(path) or ""
    for library, queues, start in queues_in_commands(text):
        line = text.count("\n", 0, start) + 1
        note(facts.queues, library, Evidence(shown, line, ", ".join(queues)))
    for found in _ENVIRONMENT.finditer(text):
        kind, line = SCHEMES.get(found[1]), text.count("\n", 0, found.start(1)) + 1
        if kind is not None:
            note(facts.brokers, kind, Evidence(shown, line, f"an address of {kind}"))
    if path.suffix in (".yml", ".yaml"):
        _read_yaml(path, shown, text, facts)


def _read_yaml(path: Path, shown: str, text: str, facts: Facts) -> None:
    if path.stem in ("recurring", "schedule"):
        place = Evidence(shown, 1, path.name)
        note(facts.schedulers, f"a file of recurring jobs ({path.name})", place)
        note(facts.files, "recurring", place)
    elif path.stem in ("queue", "solid_queue"):
        # A file of several environments is read for one of them, which stands behind its name.
        of = " production" if re.search(r"^production:", text, re.MULTILINE) else ""
        note(facts.files, "queues", Evidence(shown, 1, f"{path.name}{of}"))
    if not re.search(r"\bkind:\s*CronJob\b", text):
        return
    try:
        documents = read_documents(text, shown)
    except ValueError as error:
        facts.unread.append(str(error))
        return
    if any(isinstance(one, dict) and one.get("kind") == "CronJob" for one in documents):
        line = text.count("\n", 0, text.index("CronJob")) + 1
        note(facts.schedulers, "CronJobs of Kubernetes", Evidence(shown, line, "kind: CronJob"))


def _read_code(texts: dict[str, str], facts: Facts) -> None:
    """Parse the files that have a word about jobs, one after the other: their trees take most of the memory."""
    own = frozenset(part for shown in texts for part in PurePath(shown).with_suffix("").parts)
    reading = Reading(facts, frozenset(facts.names()), own)
    has_word = _words_of(reading.libraries)
    broken: list[str] = []
    for shown, text in texts.items():
        is_own, is_production = _is_own(shown), _is_production(shown)
        if has_word(text, is_own):
            try:
                module = Module(Path(shown), shown, name_from_root(shown), text)
                CodeReader(module, reading, is_own=is_own, is_production=is_production).read()
            except SyntaxError as error:
                broken.append(f"{shown}:{error.lineno or 1} ({error.msg})")
            except (ValueError, RecursionError, MemoryError) as error:
                facts.unread.append(f"{shown} cannot be parsed: {type(error).__name__}")
    if broken:
        are = "is" if len(broken) == 1 else "are"
        facts.unread.append(
            f"{counted(len(broken), 'file')} that {are} not Python {_PYTHON}, such as {broken[0]}. Run this with "
            "the Python of the project"
        )
    _settle(reading)


def _words_of(libraries: Iterable[str]) -> Callable[[str, bool], bool]:
    """Return what says whether a file, of production or of tests, has a word about jobs."""
    of_libraries: list[str] = []
    decorators: list[str] = []
    for name in sorted(libraries):
        row = EVERY[name]
        of_libraries += [f".{word}" for word in sorted(row.calls)]
        of_libraries += [f"{word}(" for word in (*sorted(row.queueing), *row.schedules)]
        of_libraries += [*row.lists, *row.looks]
        decorators += sorted(row.decorating)
    in_production = (*of_libraries, *(f"{word}(" for word in decorators), *_WORDS)

    def has_word(text: str, is_own: bool) -> bool:
        if not is_own:
            return any(word in text for word in of_libraries)
        return (
            any(word in text for word in in_production)
            or bool(_OWN_DECORATOR.search(text))
            or ("ForeignKey" in text and any(word in text for word in _TENANTS))
        )

    return has_word


def _settle(reading: Reading) -> None:
    """Say what only all files together say."""
    facts = reading.facts
    for name, libraries in reading.wrappers.items():
        facts.declared += [
            one._replace(libraries=frozenset(libraries)) for one in reading.decorated.get(name, ())
        ]
    for name, (one, bases) in reading.classes.items():
        above = _above(name, reading)
        of = frozenset[str]().union(*(each.libraries for each in above))
        if of and "" in bases:
            retries = any(each.retries for each in above)
            facts.declared.append(one._replace(libraries=of, retries=retries))
    declared = {one.name.rpartition(".")[2] for one in facts.declared}
    facts.sent = [
        one for one in facts.sent if one.is_of_queue or not declared.isdisjoint(one.names)
    ]
    methods, functions = reading.words["sending"], reading.words["queueing"]
    for names, place in reading.mocked:
        if names[-1] in functions or (names[-1] in methods and declared.intersection(names[-2:-1])):
            note(facts.tests, "mocks in the place of enqueues", place)
    for places in reading.columns.values():
        # One model may have such a column for any reason.
        if len(places) > 1:
            facts.tenants.setdefault("a column of models", []).extend(places)


def _above(name: str, reading: Reading) -> list[Declared]:
    """Return a class and its base classes, as far as the project has them. They may derive in a circle."""
    waiting, found = [name], dict[str, Declared]()
    while waiting:
        each = waiting.pop()
        if each in reading.classes and each not in found:
            found[each], bases = reading.classes[each]
            waiting += bases
    return [*found.values()]


def _brokers(facts: Facts) -> None:
    """Add the brokers of libraries that have one alone; what the environment says is for those without another."""
    for library in facts.libraries:
        broker = EVERY[library.name].broker
        if broker:
            note(facts.brokers, broker, library.evidence[0])
    if len(facts.brokers) > 1:
        facts.brokers.pop(ENVIRONMENT, None)
