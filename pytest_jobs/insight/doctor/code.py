"""What the syntax tree of one file says: what declares and enqueues jobs, and what stands around them.

A name counts only for a library that the project depends on, and only where what it is called on can be of that
library: `table.apply(...)` is of nobody here if `table` is made by another package.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from ...bridges.libraries.known import EVERY, Library, library_named, names_by
from ..source.jobs import constant, entries, keywords, recurs, without_none
from ..source.module import Function, Module
from .facts import Declared, Facts, Place, Sent
from .options import Sources
from .rows import CONTEXT, RECURRING

_LOOPS: Final = (
    ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
)  # fmt: skip
_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
#: So many names are followed from one to the next.
_MOST_NAMES: Final = 8
#: The words by which a text has to do with a library.
_KINDS: Final[Mapping[str, Callable[[Library], Iterable[str]]]] = {
    "decorating": lambda row: row.decorating,
    "bases": lambda row: [name.rpartition(".")[2] for name in row.bases],
    "sending": lambda row: row.sending,
    "queueing": lambda row: row.queueing,
    "lists": lambda row: row.lists,
    "schedules": lambda row: row.schedules,
}


@dataclass(frozen=True)
class Reading:
    """What is known before the files are parsed, and what all of them add to."""

    facts: Facts
    #: The files of production.
    sources: Sources
    #: The libraries that the project depends on.
    libraries: frozenset[str]
    #: The first names of the modules of the project.
    own: frozenset[str]
    #: By the name of a decorator of the project: its uses.
    decorated: dict[str, list[Declared]] = field(default_factory=dict)
    #: The functions of the project that declare or enqueue, as decorators around those of a library do.
    wrappers: dict[str, set[str]] = field(default_factory=dict)
    #: Classes with base classes, by their name, and the names of these; one more that is empty if it has a body.
    classes: dict[str, tuple[Declared, list[str]]] = field(default_factory=dict)

    @cached_property
    def words(self) -> dict[str, dict[str, frozenset[str]]]:
        """By the kind of a word, and the word: the libraries that have it."""
        return {
            kind: {
                word: self.libraries & {*libraries}
                for word, libraries in names_by(words).items()
                if not self.libraries.isdisjoint(libraries)
            }
            for kind, words in _KINDS.items()
        }


class CodeReader:
    """Reads one file of production."""

    def __init__(self, module: Module, reading: Reading) -> None:
        """Begin with a file.

        Args:
            module: the file.
            reading: what is known, and is added to.
        """
        self._module = module
        self._reading = reading
        self._facts = reading.facts
        #: The job libraries that it imports.
        self._used = {library_named(origin) for origin in module.imported.values()}

    def read(self) -> None:
        """Add what the file says."""
        for name, function in self._module.functions.items():
            self._declared(function, name)
        for name, cls in self._module.classes.items():
            self._class(cls, name)
        for name, value in self._module.assigned.items():
            self._assigned(name, value)
        for call in self._module.calls:
            self._call(call)
        if self._reading.words["lists"]:
            for node in self._module.parents:
                self._listed(node)

    # What stands in the file.

    def _class(self, node: ast.ClassDef, name: str) -> None:
        self._declared(node, name)
        bases = [*map(_path, node.bases)]
        origins = {self._origin(base, node) for base in node.bases}
        if "pytest_jobs.CurrentAttributes" in origins:
            self._facts.note(CONTEXT, "current attributes", [self._at(node)])
        # Which classes are jobs is known when those of all files are.
        words = self._reading.words["bases"]
        libraries = {library_named(one) for one in origins if one.rpartition(".")[2] in words}
        if bases:
            assigned = (one.targets[0] for one in node.body if isinstance(one, ast.Assign))
            said = {_path(one).rpartition(".")[2] for one in (*node.decorator_list, *assigned)}
            has_body = {getattr(each, "name", "") for each in node.body} & {"perform", "run"}
            named = [base.rpartition(".")[2] for base in bases] + [""] * bool(has_body)
            options = frozenset(said)
            one = Declared(frozenset(libraries), self._at(node), name, "derived job", options)
            self._reading.classes.setdefault(node.name, (one, named))

    def _assigned(self, name: str, value: ast.expr) -> None:
        """Note what a call declares: `on_paid = dramatiq.actor(OnPaid())`, `send = app.task(options)(send)`."""
        if isinstance(value, ast.Call):
            maker = value.func.func if isinstance(value.func, ast.Call) else value.func
            libraries = self._libraries_of(maker, value)
            if libraries and (value.args or maker is not value.func):
                self._facts.declared.append(Declared(libraries, self._at(value), name))

    def _call(self, node: ast.Call) -> None:
        path = _path(node.func)
        short = path.rpartition(".")[2]
        self._sent(node, path)
        if short in self._reading.words["decorating"]:
            self._wraps(node, self._libraries_of(node.func, node))
        for one in self._reading.words["schedules"].get(short, ()):
            # Django-Q2 has one call for what is sent once and for what is sent again and again.
            is_again = one != "django_q" or ("chedule" in path and recurs(node))
            if is_again and library_named(self._origin(node.func, node)) in ("", one):
                self._facts.note(RECURRING, EVERY[one].recurring, [self._at(node)])

    def _listed(self, node: ast.AST) -> None:
        """Note the jobs in a list of a worker: by an assignment, as a keyword, or by a key of a dictionary."""
        found: dict[str, ast.expr] = {}
        if isinstance(node, ast.Assign):
            found = {_path(node.targets[0]).rpartition(".")[2]: node.value}
        elif isinstance(node, ast.keyword | ast.AnnAssign):
            name = node.arg if isinstance(node, ast.keyword) else _path(node.target)
            found = {str(name): node.value} if node.value is not None else {}
        elif isinstance(node, ast.Dict):
            found = entries(node)
        for name, value in found.items():
            libraries = self._reading.words["lists"].get(name, frozenset())
            if libraries and isinstance(value, ast.List | ast.Tuple):
                library = frozenset((min(self._likely(libraries)),))
                self._facts.declared += [
                    Declared(library, self._at(item), "", "listed function")
                    for item in value.elts
                    if not isinstance(item, ast.Constant)
                ]

    # What stands around it.

    def _is_in(self, node: ast.AST) -> tuple[bool, bool, bool]:
        """Say whether a node stands in a loop of its function, in a transaction of Django, in a scheduler."""
        in_loop, opened = False, list[ast.expr]()
        for one in self._module.around(node):
            if isinstance(one, ast.With | ast.AsyncWith):
                opened += [item.context_expr for item in one.items]
            elif isinstance(one, Function):
                opened += one.decorator_list
            in_loop |= isinstance(one, _LOOPS) and not _sleeps(one)
            if isinstance(one, Function | ast.Lambda):
                break
        in_transaction = any(_path(one).endswith("atomic") for one in opened)
        in_scheduler = any(
            (isinstance(one, _NAMED) and "scheduler" in one.name.lower()) or _sleeps(one)
            for one in self._module.around(node)
        )
        return in_loop, in_transaction, in_scheduler

    # What is behind a name.

    def _origin(self, node: ast.AST | None, near: ast.AST) -> str:
        """Return where an expression comes from: what its name imports, or what made it; empty if unknown."""
        for _ in range(_MOST_NAMES):
            while isinstance(node, ast.Await | ast.Call):
                node = node.value if isinstance(node, ast.Await) else node.func
            first, dot, rest = _path(node).partition(".")
            imported = self._module.imported.get(first)
            if imported:
                return f"{imported}{dot}{rest}"
            if not isinstance(node, ast.Name):
                return ""
            name = node.id
            opened = (
                item.context_expr
                for one in self._module.around(near)
                if isinstance(one, ast.With | ast.AsyncWith)
                for item in one.items
                if _path(item.optional_vars) == name
            )
            annotation = without_none(self._module.annotation(name, near))
            node = annotation or next(opened, None) or self._module.local_value(name, near)
            if annotation is None and not isinstance(node, ast.Await | ast.Call):
                return ""
        return ""

    def _is_foreign(self, node: ast.expr, libraries: Iterable[str], near: ast.AST) -> bool:
        """Say whether an object is of a package that is neither the project nor one of these libraries."""
        # What an object of another package holds may be anybody's: `flask.current_app.queues["mail"]`.
        origin = "" if isinstance(node, ast.Attribute | ast.Subscript) else self._origin(node, near)
        return (
            origin != ""
            and library_named(origin) not in libraries
            and origin.partition(".")[0] not in self._reading.own
        )

    def _libraries_of(self, called: ast.expr, near: ast.AST) -> frozenset[str]:
        """Return the libraries whose decorator something may be."""
        short = _path(called).rpartition(".")[2]
        libraries = self._reading.words["decorating"].get(short, frozenset())
        if not libraries or isinstance(called, ast.Call):
            return frozenset()
        receiver = called.value if isinstance(called, ast.Attribute) else called
        made = library_named(self._origin(called, near)) or library_named(
            self._origin(receiver, near)
        )
        if made:
            return libraries & {made}
        return (
            frozenset() if self._is_foreign(receiver, libraries, near) else self._likely(libraries)
        )

    def _likely(self, libraries: frozenset[str]) -> frozenset[str]:
        """Return those of some libraries that the file imports; all of them if it imports none."""
        return libraries & self._used or libraries

    # What it says.

    def _declared(self, node: Function | ast.ClassDef, name: str) -> None:
        """Note what declares a function or class as a job."""
        is_declared = False
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            libraries = self._libraries_of(called, node)
            is_own = isinstance(called, ast.Name) and not hasattr(builtins, called.id)
            if not libraries and (not is_own or self._is_foreign(called, (), node)):
                continue
            self._wraps(node, libraries)
            if is_declared:
                continue
            one = Declared(libraries, self._at(node), name)
            if isinstance(decorator, ast.Call):
                given = keywords(decorator)
                queue = constant(given.get("queue", given.get("queue_name")))
                options, unread = self._reading.sources.options_of(decorator, self._module)
                one = one._replace(
                    options=frozenset(options), unread=tuple(unread), queue=str(queue or "")
                )
            if "cron" in one.options and "oban" in libraries:
                self._facts.note(RECURRING, EVERY["oban"].recurring, [one.place])
            if libraries:
                self._facts.declared.append(one)
                is_declared = True
            else:
                self._reading.decorated.setdefault(_path(called), []).append(one)

    def _wraps(self, node: ast.AST, libraries: Iterable[str]) -> None:
        """Note the libraries whose jobs the outermost function around a node declares or enqueues."""
        outer = [one for one in self._module.around(node) if isinstance(one, Function)][-1:]
        if outer:
            self._reading.wrappers.setdefault(outer[0].name, set()).update(libraries)

    def _sent(self, node: ast.Call, path: str) -> None:
        """Note a call that may enqueue. Whether the method is one of a job, the declarations of all files say."""
        words, verb = self._reading.words, path.rpartition(".")[2]
        methods = words["sending"].get(verb, frozenset())
        functions = words["queueing"].get(verb, frozenset())
        if not (methods or functions):
            return
        if not isinstance(node.func, ast.Attribute):
            functions &= {library_named(self._origin(node.func, node))}
            methods = frozenset()
        elif self._is_foreign(node.func.value, methods | functions, node):
            return
        else:
            made = library_named(self._origin(node.func.value, node))
            functions = functions & {made} or functions
        self._wraps(node, functions)
        libraries = functions or self._likely(methods)
        if libraries:
            names = path.split(".")[:-1]
            one = Sent(libraries, self._at(node), bool(functions), names, *self._is_in(node))
            self._facts.sent.append(one)

    def _at(self, node: ast.AST) -> Place:
        return Place(self._module.shown, getattr(node, "lineno", 1))


def _sleeps(node: ast.AST) -> bool:
    """Say whether a node is a loop that sleeps between its rounds, as a scheduler does."""
    return isinstance(node, ast.While) and any(
        isinstance(one, ast.Call) and _path(one.func).endswith("sleep") for one in ast.walk(node)
    )


def _path(node: ast.AST | None) -> str:
    """Return a name with its dots, without the calls in it; `ast.unparse` would take too long."""
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return ".".join([node.id, *names] if isinstance(node, ast.Name) else names)
