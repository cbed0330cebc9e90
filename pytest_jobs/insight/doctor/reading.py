"""Reads a project in one pass: its dependencies, source, and the files of its deployment. Nothing is run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Final, Literal, TypeAlias

from ...bridges.libraries.floors import floors_of, is_below
from ...bridges.libraries.known import EVERY, library_named
from ...harness.records.home import is_of_tests
from ...harness.records.texts import counted
from ..source.dependencies import Requirements, required, required_libraries
from ..source.tree import Tree
from .code import CodeReader, Reading
from .facts import Declared, Facts, Place, UsedLibrary
from .options import ROOT, Sources
from .rows import (
    BROKER,
    CONTEXT,
    ENVIRONMENT,
    INSTEAD,
    MOCKS,
    QUEUES,
    RECURRING,
    ROWS,
    SCHEMES,
    Sign,
    conclude,
)
from .tenants import tenants_in

#: The files of a project: Python of production and of tests, and what else the deployment may have.
Kind: TypeAlias = Literal["code", "tests", "files"]
#: By the place where a sign counts: the kinds of files that are searched.
_KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "code": ("code",),
    "tests": ("code", "tests"),
    "files": ("files",),
    "all": ("code", "files"),
}
#: Folders whose files answer for nothing.
_ASIDE: Final = frozenset(
    ("demo", "demos", "example", "examples", "docs", "doc", "benchmarks", "sandbox", "alembic")
)
#: The project may have a decorator of its own around that of a library.
_OWN_DECORATOR: Final = re.compile(r"@[\w.]*(?:task|job|actor)")
_IMPORTS: Final = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+([\w.]+)(?:[ \t]+import[ \t(]+([\w, \t]+))?", re.MULTILINE
)
#: The names of files that may start workers, or say where a broker is.
_FILES: Final = re.compile(
    r"(?:^|/)(?:Procfile|Makefile|Dockerfile|justfile|crontab|cron\.d/)[^/]*$|"
    r"\.(?:env|sh|service|ya?ml|toml|conf|ini|tf|cron|crontab)\b[^/]*$",
    re.IGNORECASE,
)
#: A longer script is none that a person wrote.
_MOST_BYTES: Final = 1 << 16
#: What stands before a command that starts nothing.
_UNSTARTED: Final = re.compile(r"#| install |\becho\b")
#: What a mock takes the place of: a dotted name, or an attribute of an object.
_MOCKED: Final = re.compile(
    r"\b(?:patch|object|setattr)\(\s*(?:[\"']([\w.]+)[\"']|([\w.]+),\s*[\"'](\w+)[\"'])"
)
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def read_project(root: Path) -> Facts:
    """Return what is found in a folder."""
    facts = Facts()
    tree = Tree(root)
    start = len(root.as_posix().rstrip("/")) + 1

    def shown(path: Path) -> str:
        return path.as_posix()[start:]

    found, facts.unread = required(tree, shown)
    found = {
        name: places
        for name, asked in found.items()
        if (places := [one for one in asked if _kind(PurePath(one[0])) in ("code", "files")])
    }
    texts: dict[Kind, dict[str, str]] = {"code": {}, "tests": {}, "files": {}}
    for path in tree.files:
        name = shown(path)
        kind = _kind(PurePath(name))
        # Any file without a suffix may be a script.
        is_script = kind == "files" and not _FILES.search(name)
        if kind is None or (is_script and path.suffix):
            continue
        unread = len(tree.left_out)
        text = tree.text(path, _MOST_BYTES) if is_script else tree.text(path)
        if text is not None and (not is_script or text.startswith("#!")):
            texts[kind][name] = text
        if is_script:
            del tree.left_out[unread:]
    _read_libraries(found, texts["code"], facts)
    _read_rows(found, texts, facts)
    for name, text in texts["files"].items():
        _read_file(PurePath(name), text, facts)
    for what, place in tenants_in(texts["code"]):
        facts.note(CONTEXT, what, [place])
    reading = _read_code(texts["code"], facts)
    _read_mocks(texts["tests"], reading)
    conclude(facts)
    facts.unread += tree.left_out
    return facts


def _kind(path: PurePath) -> Kind | None:
    # What lies below the folder of migrations may be jobs that they need.
    if not _ASIDE.isdisjoint(path.parts[:-1]) or path.parent.name == "migrations":
        return None
    if path.stem in ("test", "testing") or is_of_tests(path):
        return "tests" if path.suffix == ".py" else None
    return "code" if path.suffix == ".py" else "files"


def _read_libraries(found: Requirements, texts: Mapping[str, str], facts: Facts) -> None:
    """Note the libraries that dependency files ask for, and those that the source imports."""
    imports: dict[str, dict[Place, None]] = {}
    for shown, text in texts.items():
        for match in _IMPORTS.finditer(text):
            # Of FastAPI one name is about jobs, and of pytest-jobs those that declare them.
            names = (name.split()[0] for name in (match[2] or "").split(",") if name.strip())
            for name in [match[1], *(f"{match[1]}.{name}" for name in names)]:
                library = library_named(name)
                if library and (library != "core" or name.endswith((".Job", ".job", ".later"))):
                    line = text.count("\n", 0, match.start()) + 1
                    imports.setdefault(library, {})[Place(shown, line)] = None
    required_here = {*required_libraries(found)}
    for name in sorted(EVERY):
        known = EVERY[name]
        distributions = known.own_distributions
        asked = [one for distribution in distributions for one in found.get(distribution, ())]
        if name not in required_here and name not in imports:
            continue
        places = [Place(path, one.line) for path, one in asked]
        own = distributions[0] if distributions else ""
        locked = [one.version for _, one in asked if one.is_locked and one.name == own]
        written = [one.version for _, one in asked if one.version and one.name == own]
        pinned = [version for version in written if version.startswith("==")]
        version = (locked or pinned or written or [""])[0]
        floor = floors_of(name).get(own, "") if known.is_bridged else ""
        is_old = bool(locked or pinned) and is_below(floor, version.strip("="))
        needed = f"{own}{floor}" if is_old else ""
        places += imports.get(name, {})
        facts.libraries.append(
            UsedLibrary(name, known.title, version, known.is_bridged, places, needed)
        )


def _read_rows(found: Requirements, texts: Mapping[Kind, Mapping[str, str]], facts: Facts) -> None:
    """Look for what each row names: packages, and signs in the text."""
    names = [library.name for library in facts.libraries]
    for row in ROWS:
        for package, what in row.packages.items():
            # One that only a lock names is there for another package.
            for name, one in [one for one in found.get(package, ()) if not one[1].is_locked][:1]:
                facts.note(row.name, what or package, [Place(name, one.line)])
        signs = [sign for sign in row.signs if not sign.library or sign.library in names]
        signs += [sign for name in names if row.of for sign in row.of(EVERY[name])]
        for sign in signs:
            for kind in _KINDS[sign.where]:
                _read_sign(row.name, sign, texts[kind], facts)
    for library in facts.libraries:
        if EVERY[library.name].broker:
            facts.note(BROKER, EVERY[library.name].broker, library.places[:1])
    if len(facts.seen.get(BROKER, ())) > 1:
        facts.seen[BROKER].pop(ENVIRONMENT, None)


def _read_sign(row: str, sign: Sign, texts: Mapping[str, str], facts: Facts) -> None:
    pattern, found = re.compile(sign.pattern, re.MULTILINE), dict[str, list[Place]]()
    for shown, text in texts.items():
        if sign.words and not any(word in text for word in sign.words):
            continue
        for match in pattern.finditer(text):
            before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            if not _UNSTARTED.search(before):
                # Of a command in a list, or in several lines, the words; no address that may have a password.
                said = match[1] if match.re.groups else ""
                said = " ".join(re.sub(r"[\"'],?\s*[\"']?|\\\n", " ", said).split())
                said = re.sub(r"://[^\s@]*@", "://", said)
                what = sign.what or SCHEMES.get(said.lower(), said)
                line = text.count("\n", 0, match.start()) + 1
                found.setdefault(what, []).append(Place(shown, line))
    for what, places in found.items():
        facts.note(row, what, places)


def _read_file(path: PurePath, text: str, facts: Facts) -> None:
    """Read a file of the deployment: schedules and queues."""
    name, shown = path.name, path.as_posix()
    if name == "crontab" or name.endswith((".cron", ".crontab")) or "cron.d" in path.parts:
        facts.note(RECURRING, "cron", [Place(shown, 1)])
    if path.suffix not in (".yml", ".yaml"):
        return
    if path.stem in ("recurring", "schedule"):
        facts.note(RECURRING, f"a file of recurring jobs ({name})", [Place(shown, 1)])
        facts.files.setdefault("recurring", shown)
    elif path.stem in ("queue", "solid_queue"):
        # A file of several environments is read for one of them, which stands behind its name.
        of = " production" if re.search(r"^production:", text, re.MULTILINE) else ""
        facts.note(QUEUES, f"a file of queues ({name})", [Place(shown, 1)])
        facts.files.setdefault("queues", f"{shown}{of}")


def _read_code(texts: Mapping[str, str], facts: Facts) -> Reading:
    """Parse the files that have a word about jobs, one after the other: their trees take most of the memory."""
    own = {part for shown in texts for part in shown.removesuffix(".py").split("/")}
    libraries = frozenset(library.name for library in facts.libraries)
    reading = Reading(facts, Sources(texts), libraries, frozenset((*own, ROOT)))
    has_word = _words_of(libraries)
    broken: list[str] = []
    for shown, text in texts.items():
        if has_word(text):
            try:
                CodeReader(reading.sources.module(shown), reading).read()
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
    return reading


def _words_of(libraries: Iterable[str]) -> Callable[[str], bool]:
    """Return what says whether a file of production has a word about jobs."""
    words = ["CurrentAttributes"]
    for name in sorted(libraries):
        row = EVERY[name]
        words += [f".{word}(" for word in (*sorted(row.calls), *sorted(row.decorating))]
        words += [f" {word}(" for word in sorted(row.decorating)]
        words += [f"{word}(" for word in (*sorted(row.queueing), *row.schedules)]
        words += [*row.lists, *row.looks]
    return lambda text: (
        any(word in text for word in words) or ("@" in text and bool(_OWN_DECORATOR.search(text)))
    )


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
            options = frozenset[str]().union(*(each.options for each in above))
            facts.declared.append(one._replace(libraries=of, options=options))
    declared = {one.name.rpartition(".")[2] for one in facts.declared}
    facts.sent = [
        one for one in facts.sent if one.is_of_queue or not declared.isdisjoint(one.names)
    ]


def _above(name: str, reading: Reading) -> list[Declared]:
    """Return a class and its base classes, as far as the project has them. They may derive in a circle."""
    waiting, found = [name], dict[str, Declared]()
    while waiting:
        each = waiting.pop()
        if each in reading.classes and each not in found:
            found[each], bases = reading.classes[each]
            waiting += bases
    return [*found.values()]


def _read_mocks(texts: Mapping[str, str], reading: Reading) -> None:
    """Note the mocks of tests that take the place of what enqueues."""
    methods, functions = reading.words["sending"], reading.words["queueing"]
    declared = {one.name.rpartition(".")[2] for one in reading.facts.declared}
    for shown, text in texts.items():
        for match in _MOCKED.finditer(text) if "patch" in text or "setattr" in text else ():
            *before, last = (match[1] or f"{match[2]}.{match[3]}").split(".")
            if last in functions or (last in methods and declared.intersection(before[-1:])):
                line = text.count("\n", 0, match.start()) + 1
                reading.facts.note(INSTEAD, MOCKS, [Place(shown, line)])
