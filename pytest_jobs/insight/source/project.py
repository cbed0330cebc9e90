"""All modules of a project together: its jobs, its enqueues, and what its names stand for."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Final

from ...bridges.libraries.known import EVERY, library_named
from .enqueues import Enqueue, enqueues
from .jobs import DeclaredJob, unpacked, without_none
from .module import Function, Module, first_line, name_from_root
from .receivers import Place
from .running import RegisteredJob, Running
from .tree import Tree

#: How a file declares or enqueues jobs, whatever the library is. Most files of a project have none of these
#: words, and are parsed only when a name leads to them.
_DECLARES: Final = re.compile(
    rf"\b(?:{'|'.join(each.origins or each.name for each in EVERY.values())}|"
    r"BackgroundTasks?|shared_task|WorkerSettings|async_task|def perform)\b|"
    r"(?i:beat_?schedule)|RQ_QUEUES|^TASKS\b|"
    # Whatever stands before: a project may have a decorator of its own around that of its library.
    r"^\s*@(?:\w+\.)*(?:(?:shared_|db_)?task|actor|\w*periodic\w*|\w*job|worker)\b",
    re.MULTILINE,
)
_IMPORTS: Final = re.compile(r"^\s*(?:from|import)\s+([\w.]+)", re.MULTILINE)
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Deeper hierarchies of classes are not followed.
_MOST_BASES: Final = 50
_MODEL_BASES: Final = (
    "django.db.models.Model",
    "sqlalchemy.orm.DeclarativeBase",
    "sqlmodel.SQLModel",
    "peewee.Model",
    "tortoise.models.Model",
)


class Project:
    """The modules below some paths."""

    def __init__(
        self,
        tree: Tree,
        *,
        base: Path,
        jobs: Sequence[str],
        exclude: Sequence[str],
        running: Running,
    ) -> None:
        """Read the modules.

        Args:
            tree: the files.
            base: where the user stands: names of files are relative to it.
            jobs: patterns of dotted names: further functions that are jobs.
            exclude: patterns of file names that are left out.
            running: what the processes of a test session have imported: its libraries say what is a job.
        """
        self.tree = tree
        self.base = base
        self.modules: list[Module] = []
        #: Files that are not Python, with the line and the reason.
        self.unreadable: list[tuple[str, int, str]] = []
        self._patterns = tuple(jobs)
        self.running = running
        #: The jobs of running libraries whose function is not in the text: a wrapper stands in its place.
        self.without_text: list[RegisteredJob] = []
        #: The files by the names of their modules, and what is parsed of them: most when a name leads to them.
        self._files: dict[str, str] = {}
        self._sources: dict[str, tuple[Path, str, str]] = {}
        self._parsed: dict[str, Module | None] = {}
        packages = {path.parent for path in tree.files if path.name == "__init__.py"}
        for path in tree.named(".py"):
            shown = self.shown(path)
            if any(fnmatch(shown, pattern) for pattern in exclude):
                continue
            text = tree.text(path)
            if text is None:
                self.unreadable.append((shown, 1, tree.left_out[-1]))
            else:
                self._sources[shown] = path, _dotted(path, packages), text
        is_about_jobs = _words_in(text for _, _, text in self._sources.values())
        about = [
            shown for shown, (_, _, text) in self._sources.items() if jobs or is_about_jobs(text)
        ]
        # Of two files of one name the one counts that has to do with jobs.
        for shown in (*about, *self._sources):
            for name in _names_of(shown, self._sources[shown][1]):
                self._files.setdefault(name, shown)
        # A running library may know a job in a file without a word about jobs.
        registered = {self.shown(Path(one.job.file).resolve()) for one in self.running.jobs}
        about += sorted(registered.intersection(self._sources).difference(about))
        self.modules += filter(None, map(self._module_in, about))

    def shown(self, path: Path) -> str:
        """Return the name of a file as the user sees it."""
        try:
            return path.relative_to(self.base).as_posix()
        except ValueError:
            return path.as_posix()

    def _module(self, name: str) -> Module | None:
        """Return the module of a name."""
        return self._module_in(self._files[name]) if name in self._files else None

    def _module_in(self, shown: str) -> Module | None:
        """Return the module of a file; None if it cannot be parsed."""
        if shown not in self._parsed:
            self._parsed[shown] = None
            path, name, text = self._sources[shown]
            try:
                self._parsed[shown] = Module(path, shown, name, text)
            except SyntaxError as error:
                why = (
                    f"is not Python {_PYTHON}: {error.msg}. Run this with the Python of the project"
                )
                self.unreadable.append((shown, error.lineno or 1, why))
            except (ValueError, RecursionError, MemoryError) as error:
                self.unreadable.append((shown, 1, f"cannot be parsed: {type(error).__name__}"))
        return self._parsed[shown]

    @cached_property
    def jobs(self) -> list[DeclaredJob]:
        """What the running libraries say is a job, and the functions that the settings name; each once.

        What the text looks like makes no job: a wrapper, a factory or a list may stand in between.
        """
        modules = {module.file: module for module in self.modules}
        found: dict[int, DeclaredJob] = {}
        scheduled = {("celery", one.name) for one in self.running.named if one.key}
        for one in sorted(self.running.jobs):
            module = modules.get(str(Path(one.job.file).resolve()))
            name, body = ("", None) if module is None else _body(one, module)
            if module is None:
                continue
            if body is None or id(body) in found:
                self.without_text.append(one)
            else:
                found[id(body)] = job = _job(one, module, name, body)
                job.recurs, job.registered = (one.job.bridge, one.job.name) in scheduled, one.job
        for module in self.modules:
            for name, body in module.functions.items() if self._patterns else ():
                dotted = f"{module.name}.{name}"
                is_asked = any(fnmatch(dotted, pattern) for pattern in self._patterns)
                if is_asked and "." not in name and not name.startswith("_"):
                    found.setdefault(id(body), DeclaredJob(dotted, "function", module, body))
        return [*found.values()]

    @cached_property
    def _registered_names(self) -> dict[tuple[str, str], DeclaredJob]:
        """The jobs of running libraries, by the library and their name there."""
        by_place = {(job.module.file, first_line(job.body)): job for job in self.jobs}
        return {
            (one.job.bridge, one.job.name): by_place[place]
            for one in self.running.jobs
            if (place := (str(Path(one.job.file).resolve()), one.job.line)) in by_place
        }

    @cached_property
    def enqueues(self) -> list[Enqueue]:
        """The calls of the project that enqueue a job."""
        return [found for module in self.modules for found in enqueues(module, self)]

    @cached_property
    def _jobs_by_place(self) -> dict[str, DeclaredJob]:
        return {job.name: job for job in self.jobs}

    @cached_property
    def _jobs_by_library_name(self) -> dict[str, DeclaredJob]:
        return {
            **{job.short: job for job in self.jobs},
            **{name: job for (_, name), job in self._registered_names.items()},
        }

    @cached_property
    def text(self) -> str:
        """The source of all modules, for questions such as whether a broker is named anywhere."""
        return "\n".join(module.text for module in self.modules)

    def has(self, dotted: str) -> bool:
        """Say whether a dotted name begins with a module of the project."""
        pieces = dotted.split(".")
        names = (".".join(pieces[:length]) for length in range(1, len(pieces) + 1))
        return any(name in self._files for name in names)

    def resolve(self, dotted: str) -> tuple[Module, str] | None:
        """Return the module and the name inside it that a dotted name stands for, through re-exports."""
        for _ in range(8):
            head, _, name = dotted.rpartition(".")
            inner = [name]
            module = self._module(head)
            while head and module is None:
                head, _, name = head.rpartition(".")
                inner.insert(0, name)
                module = self._module(head)
            if not head or module is None:
                return None
            local = ".".join(inner)
            if local in module.functions or local in module.classes or local in module.assigned:
                return module, local
            first = inner[0]
            if first not in module.imported:
                return None
            followed = ".".join([module.imported[first], *inner[1:]])
            if followed == dotted:
                return None
            dotted = followed
        return None

    def has_function(self, module: Module, node: ast.AST) -> bool:
        """Say whether an expression names a function of the project."""
        found = self.resolve(module.origin(node))
        return found is not None and found[1] in found[0].functions

    def find_class(
        self, module: Module, node: ast.AST | None
    ) -> tuple[Module, ast.ClassDef] | None:
        """Return the class of the project that an expression names."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.Name(node.value.rpartition(".")[2])
        found = self.resolve(module.origin(node))
        if found is None or found[1] not in found[0].classes:
            return None
        return found[0], found[0].classes[found[1]]

    def job_at(self, module: Module, node: ast.AST) -> DeclaredJob | None:
        """Return the job that an expression names."""
        if isinstance(node, ast.expr) and hasattr(node, "lineno"):
            known = self.running.names.get(Place.of(module.file, node))
            if known is not None and known in self._registered_names:
                return self._registered_names[known]
        return self._job_of(module.origin(node))

    def is_known(self, module: Module, node: ast.AST) -> bool:
        """Say whether the namespace of an imported module says what an expression is."""
        return isinstance(node, ast.expr) and Place.of(module.file, node) in self.running.names

    def job_named(self, name: str) -> DeclaredJob | None:
        """Return the job that a text names: its dotted name, or its name in its library."""
        return self._job_of(name) or self._jobs_by_library_name.get(name)

    def _job_of(self, origin: str) -> DeclaredJob | None:
        found = self.resolve(origin)
        return self._jobs_by_place.get(f"{found[0].name}.{found[1]}") if found else None

    def constructor(self, module: Module, node: ast.AST) -> str:
        """Return the origin of the class or function whose call made an object: `celery.Celery`."""
        for _ in range(8):
            if isinstance(node, ast.Call):
                # `Broker(url).with_middlewares(...)` and `Queue.from_url(url)` are made by what stands first.
                inner: ast.AST = node.func
                while isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Call):
                    inner = inner.value.func
                return module.origin(inner)
            origin = module.origin(node)
            found = self.resolve(origin)
            if found is None or found[1] not in found[0].assigned:
                return origin
            module, node = found[0], found[0].assigned[found[1]]
        return ""

    def type_of(self, module: Module, node: ast.AST) -> str:
        """Return the origin of the type of an expression, as far as its function says; empty if unknown."""
        if isinstance(node, ast.Name) and node.id not in module.imported:
            annotation = module.annotation(node.id, node)
            if annotation is not None:
                return module.origin(without_none(annotation))
            value = module.local_value(node.id, node)
            if value is None:
                return ""
            node = value
        if isinstance(node, ast.Await):
            node = node.value
        made = self.constructor(module, node)
        return "arq.create_pool" if made.endswith("arq.create_pool") else made

    def bases(
        self, nodes: Iterable[tuple[Module, ast.expr]]
    ) -> Iterator[tuple[str, tuple[Module, ast.ClassDef] | None]]:
        """Yield the origins of base classes, near ones first, each with its class where the project has it.

        Args:
            nodes: what names the nearest ones, each with its module.
        """
        waiting = [*nodes]
        for _ in range(_MOST_BASES if waiting else 0):
            home, base = waiting.pop(0)
            inner = self.find_class(home, base)
            yield home.origin(base.value if isinstance(base, ast.Subscript) else base), inner
            waiting += [] if inner is None else [(inner[0], further) for further in inner[1].bases]
            if not waiting:
                return

    def is_model(self, module: Module, node: ast.ClassDef) -> bool:
        """Say whether the rows of a database are the instances of a class."""
        bases = [origin for origin, _ in self.bases((module, base) for base in node.bases)]
        is_declared = any(
            isinstance(one, ast.Assign)
            and any(
                isinstance(name, ast.Name) and name.id == "__tablename__" for name in one.targets
            )
            for one in node.body
        )
        return is_declared or any(
            base in _MODEL_BASES or base.endswith(("models.Model", "db.Model")) for base in bases
        )


def _body(one: RegisteredJob, module: Module) -> tuple[str, Function | None]:
    """Return the function of a job, and its name in the module."""
    found = (
        (name, each) for name, each in module.functions.items() if first_line(each) == one.job.line
    )
    name, body = next(found, ("", None))
    short = one.job.name.rpartition(".")[2]
    if (body is None or "." in name) and short in module.functions:
        # A wrapper that does not say what it wraps; the library has the name of the function.
        return short, module.functions[short]
    return name, body


def _job(one: RegisteredJob, module: Module, name: str, body: Function) -> DeclaredJob:
    owner, _, _ = name.rpartition(".")
    cls = module.classes.get(owner)
    said = {
        node.targets[0].id: node.value
        for node in (() if cls is None else cls.body)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    decorators, own = body.decorator_list, {}
    last = one.job.name.rpartition(".")[2]
    if cls is not None and last == cls.name:
        name, decorators, own = owner, cls.decorator_list, said
    elif one.job.bridge == "core" and isinstance(twin := said.get(last), ast.Call):
        # Of `deliver_later = later(deliver, base=ApplicationJob)` the method and the base have the rules.
        name, cls, own = f"{owner}.{last}", None, unpacked(twin, module)
    options: dict[str, ast.expr] = {}
    for decorator in decorators:
        if isinstance(decorator, ast.Call):
            options |= unpacked(decorator, module)
    options |= own
    dotted = f"{module.name}.{name}"
    return DeclaredJob(dotted, one.job.bridge, module, body, cls, options, one.is_bound)


def _words_in(texts: Iterable[str]) -> Callable[[str], bool]:
    """Return what says whether a file has to do with the job libraries that some files import."""
    libraries = {library_named(name) for text in texts for name in _IMPORTS.findall(text)} - {""}
    words = [
        word for name in sorted(libraries) for word in (*EVERY[name].words, *EVERY[name].enqueueing)
    ]
    enqueues = re.compile(rf"\b(?:{'|'.join(words)})\b" if words else r"(?!)")
    return lambda text: bool(_DECLARES.search(text) or enqueues.search(text))


def _names_of(shown: str, name: str) -> Iterator[str]:
    """Yield the names by which a module may be imported, its own first."""
    yield name
    # A folder without `__init__.py` is a package for those who start Python above it.
    further = name_from_root(shown)
    while further:
        yield further
        further = further.partition(".")[2]


def _dotted(path: Path, packages: set[Path]) -> str:
    pieces = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while folder in packages:
        pieces.insert(0, folder.name)
        folder = folder.parent
    return ".".join(pieces) or path.parent.name
