"""What the syntax tree of one file says: what declares and enqueues jobs, and what stands around them.

A name counts only for a library that the project depends on, and only where what it is called on can be of that
library: `pool.apply_async(...)` is of nobody here if `pool` is made by `multiprocessing`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from ...bridges.libraries.known import EVERY, Library, library_named, names_by
from ..source.jobs import constant, entries, keywords, recurs, without_none
from ..source.module import Function, Module, arguments_of
from .facts import Declared, Evidence, Facts, Sent, note

#: Schemes of addresses, and what listens there. Addresses hold passwords, so only the kind is kept.
SCHEMES: Final = {
    "redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ", "pyamqp": "RabbitMQ",
    "sqs": "Amazon SQS", "kafka": "Kafka", "memory": "memory", "nats": "NATS", "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL", "db+postgresql": "PostgreSQL", "django-db": "Django's database",
    "rpc": "RabbitMQ", "mongodb": "MongoDB", "db+sqlite": "sqlite", "sqlite": "sqlite",
}  # fmt: skip
#: What is said of a broker whose address the source does not have.
ENVIRONMENT: Final = "as the environment says"
_FROM_ENVIRONMENT: Final = re.compile(r"\b(?:environ|getenv|env|config)\b")
_CLASSES: Final = {
    "RedisBroker": "Redis", "RabbitmqBroker": "RabbitMQ", "ListQueueBroker": "Redis",
    "RedisStreamBroker": "Redis", "PubSubBroker": "Redis", "AioPikaBroker": "RabbitMQ", "NatsBroker": "NATS",
    "RedisHuey": "Redis", "PriorityRedisHuey": "Redis", "SqliteHuey": "sqlite",
    "SqliteConnector": "sqlite",
}  # fmt: skip
TENANT: Final = re.compile(
    r"(?:current_)?(?:tenant|account|organi[sz]ation|workspace)(?:_id)?", re.IGNORECASE
)
_DUMMY: Final = re.compile(r"tasks\.backends\.(?:immediate|dummy)\.")
_SESSION: Final = re.compile(r"[sS]ession\w*(?:\.begin)?$")
#: Settings with a value that says something by itself: the library that has them, what its name is given to, the
#: group of the fact, and the fact. `immediate` and `is_async` are names of others, too.
_SWITCHES: Final[Mapping[tuple[str, object], tuple[str, str, str, str]]] = {
    ("atomic_requests", True): ("", "", "transactions", "ATOMIC_REQUESTS"),
    ("enqueue_after_commit", True): ("", "", "transactions", "enqueue_after_commit"),
    ("task_always_eager", True): ("celery", "", "tests", "task_always_eager"),
    ("celery_task_always_eager", True): ("celery", "", "tests", "task_always_eager"),
    ("celery_always_eager", True): ("celery", "", "tests", "task_always_eager"),
    ("immediate", True): ("huey", "huey", "tests", "immediate mode of Huey"),
    ("is_async", False): ("rq", "queue", "tests", "is_async=False of RQ"),
    ("with_scheduler", True): ("rq", "", "schedulers", "the scheduler of RQ's workers"),
}
#: What makes a view wait for somebody else: only what changes something there could be a job.
_WAITS: Final = re.compile(
    r"django\.core\.mail\.(?:send_mail|send_mass_mail|mail_admins|mail_managers)|"
    r"(?:requests|httpx)\.(?:post|put|patch|delete)|smtplib\.SMTP(?:_SSL)?"
)
_ROUTES: Final = re.compile(r"\.(?:route|get|post|put|patch|delete|websocket)$|^api_view$")
_VIEWS: Final = ("View", "ViewSet", "Resource")
_VIEW_METHODS: Final = frozenset(("get", "post", "put", "patch", "delete", "form_valid"))
_RETRIES: Final = frozenset(
    ("autoretry_for", "max_retries", "retries", "retry", "retry_on_error", "max_tries", "max_attempts",
     "retry_when")
)  # fmt: skip
#: Names of what is told that a job has failed.
_FAILURES: Final = frozenset(("on_failure", "exception_handlers", "exc_handler", "after_failure"))
_LOGS: Final = re.compile(r"(?:^|\.)(?:log|logger|logging|_logger|LOGGER|LOG)\.\w+$")
_LOOPS: Final = (
    ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
)  # fmt: skip
_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
#: Fixtures of Celery that start a worker.
_WORKER: Final = re.compile("celery_(?:session_)?(?:worker|app)")
_ATOMIC: Final = "transaction.atomic"


@dataclass(frozen=True)
class Reading:
    """What is known before the files are parsed, and what all of them add to."""

    facts: Facts
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
    #: Columns that lead to a table of tenants, by their name.
    columns: dict[str, list[Evidence]] = field(default_factory=dict)
    #: The names that mocks take the place of.
    mocked: list[tuple[list[str], Evidence]] = field(default_factory=list)

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


#: The words by which a text has to do with a library.
_KINDS: Final[Mapping[str, Callable[[Library], Iterable[str]]]] = {
    "decorating": lambda row: row.decorating,
    "bases": lambda row: [name.rpartition(".")[2] for name in row.bases],
    "sending": lambda row: row.sending,
    "queueing": lambda row: row.queueing,
    "lists": lambda row: row.lists,
    "schedules": lambda row: row.schedules,
    "test_broker": lambda row: [row.test_broker] if row.test_broker else [],
}


class CodeReader:
    """Reads one file."""

    def __init__(
        self, module: Module, reading: Reading, *, is_own: bool, is_production: bool
    ) -> None:
        """Begin with a file.

        Args:
            module: the file.
            reading: what is known, and is added to.
            is_own: whether its jobs count: it is no test and no demo.
            is_production: whether it also answers for production, as no migration does.
        """
        self._module = module
        self._reading = reading
        self._facts = reading.facts
        self._is_own, self._is_production = is_own, is_production
        self._has_sessions = "sqlalchemy" in module.text or "sqlmodel" in module.text
        #: The job libraries that it imports, and its functions that are jobs.
        self._used = {library_named(origin) for origin in module.imported.values()}
        self._jobs: set[ast.AST] = set()
        #: What made the object of a name, in a function or outside: its annotation, or what was called.
        self._made: dict[tuple[Function | None, str], str] = {}

    def read(self) -> None:
        """Add what the file says."""
        for node in self._module.parents:
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                self._assign(node)
            elif isinstance(node, ast.With | ast.AsyncWith):
                self._with(node)
            elif isinstance(node, ast.Dict):
                for key, value in entries(node).items():
                    self._setting(key, value, value, "")
            elif isinstance(node, Function):
                self._function(node)
            elif isinstance(node, ast.ClassDef):
                self._class(node)

    # What stands in the file.

    def _function(self, node: Function) -> None:
        name = self._inside(node, node.name)
        if any(_path(one).endswith("atomic") for one in node.decorator_list):
            self._note("transactions", _ATOMIC, node, _ATOMIC)
        if node.name in _FAILURES:
            self._note("failures", node.name, node, node.name)
        if name.endswith("_later") and self._is_production:
            self._facts.later.append(self._at(node, name))
        for one in arguments_of(node):
            if "celery" in self._reading.libraries and _WORKER.fullmatch(one.arg):
                self._note("tests", "a real worker in tests", node, one.arg)
            self._made[node, one.arg] = self._origin(without_none(one.annotation))
        if self._declared(node, name):
            self._jobs.add(node)

    def _class(self, node: ast.ClassDef) -> None:
        name, bases = self._inside(node, node.name), [*map(_path, node.bases)]
        self._declared(node, name)
        origins = {self._origin(base) for base in node.bases}
        if "pytest_jobs.CurrentAttributes" in origins:
            self._note("tenants", "current attributes", node, node.name)
        # Which classes are jobs is known when those of all files are.
        words = self._reading.words["bases"]
        libraries = {library_named(one) for one in origins if one.rpartition(".")[2] in words}
        if bases and self._is_own:
            said = {_path(one).rpartition(".")[2] for one in node.decorator_list}
            said.update(_path(one.targets[0]) for one in node.body if isinstance(one, ast.Assign))
            retries = not said.isdisjoint({*_RETRIES, "retry_on"})
            body = {getattr(one, "name", "") for one in node.body} & {"perform", "run"}
            one = self._shape(node, frozenset(libraries), name, retries=retries)
            named = [base.rpartition(".")[2] for base in bases] + [""] * bool(body)
            self._reading.classes.setdefault(node.name, (one._replace(is_derived=True), named))

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            text, name = _path(item.context_expr), _path(item.optional_vars)
            if text.rpartition(".")[2] == "atomic":
                self._note("transactions", _ATOMIC, node, _ATOMIC)
            elif self._has_sessions and _SESSION.search(text):
                self._note("transactions", "sessions of SQLAlchemy", node, text)
            if name:
                around = self._module.function_around(node)
                self._made[around, name] = self._maker(item.context_expr, node)

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        around = self._module.function_around(node)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            path, value = _path(target), node.value
            name = path.rpartition(".")[2]
            if isinstance(value, ast.Call | ast.Await):
                self._made[around, path] = self._maker(value, node)
            if isinstance(value, ast.Call) and around is None and name:
                # `on_paid = dramatiq.actor(OnPaid())` and `send = app.task(options)(function)`.
                is_called = isinstance(value.func, ast.Call)
                maker = value.func.func if isinstance(value.func, ast.Call) else value.func
                libraries = self._libraries_of(maker, node)
                if libraries and self._is_own and (value.args or is_called):
                    one = self._shape(node, libraries, self._inside(node, name))
                    self._facts.declared.append(one)
            if value is not None:
                self._setting(name, node, value, path)

    def _call(self, node: ast.Call) -> None:
        origin, path = self._origin(node.func), _path(node.func)
        short, library = path.rpartition(".")[2], library_named(origin)
        self._sent(node, path)
        for keyword in node.keywords:
            self._setting(keyword.arg or "", keyword.value, keyword.value, path)
        if short in self._reading.words["decorating"]:
            self._wraps(node, self._libraries_of(node.func, node))
        if short in _CLASSES and library in self._reading.libraries:
            self._note("brokers", _CLASSES[short], node, f"{short}(...)")
        if short in self._reading.words["test_broker"] and not self._is_production:
            self._note("tests", short, node, f"{short}(...)")
        for one in self._reading.words["schedules"].get(short, ()):
            # Django-Q2 has one call for what is sent once and for what is sent again and again.
            if library in ("", one) and (one != "django_q" or ("chedule" in path and recurs(node))):
                self._note("schedulers", EVERY[one].recurring, node, path)
        if short in ("on_commit", "delay_on_commit", "apply_async_on_commit"):
            self._note("transactions", "on_commit", node, short)
        if self._is_production and _WAITS.fullmatch(origin) and self._is_in_view(node):
            self._facts.waiting.append(self._at(node, f"{path}(...)"))
        if short in ("patch", "object", "setattr") and node.args:
            text = constant(node.args[0])
            if not isinstance(text, str) and len(node.args) > 1:
                text = f"{_path(node.args[0])}.{constant(node.args[1])}"
            place = self._at(node, f"{short}({text!r})")
            self._reading.mocked.append((str(text).split("."), place))

    # What stands around it.

    def _inside(self, node: ast.AST, name: str) -> str:
        """Return a name with those of the classes and functions around it."""
        around = [one for one in self._module.around(node) if isinstance(one, _NAMED)]
        return ".".join([*(one.name for one in reversed(around)), name])

    def _is_in_view(self, node: ast.AST) -> bool:
        """Say whether a node stands in a function that answers a request, and in no job."""
        function = self._module.function_around(node)
        if function is None or not self._jobs.isdisjoint(self._module.around(node)):
            return False
        names = (one.arg for one in arguments_of(function) if one.arg not in ("self", "cls"))
        around = (one for one in self._module.around(function) if isinstance(one, _NAMED))
        cls = next(around, None)
        bases = map(_path, cls.bases) if isinstance(cls, ast.ClassDef) else ()
        return (
            (function.name in _VIEW_METHODS and any(one.endswith(_VIEWS) for one in bases))
            or next(names, "") == "request"
            or any(_ROUTES.search(_path(one)) for one in function.decorator_list)
        )

    def _is_in(self, node: ast.AST) -> tuple[bool, bool]:
        """Say whether a node stands in a loop of its function, and in a transaction of Django there."""
        in_loop, opened = False, list[ast.expr]()
        for one in self._module.around(node):
            if isinstance(one, ast.With | ast.AsyncWith):
                opened += [item.context_expr for item in one.items]
            elif isinstance(one, Function):
                opened += one.decorator_list
            in_loop |= isinstance(one, _LOOPS)
            if isinstance(one, Function | ast.Lambda):
                break
        return in_loop, any(_path(one).endswith("atomic") for one in opened)

    # What is behind a name.

    def _origin(self, node: ast.AST | None) -> str:
        """Return the dotted name that an expression stands for; empty if it is not imported."""
        path = _path(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        first, dot, rest = path.partition(".")
        imported = self._module.imported.get(first)
        return f"{imported}{dot}{rest}" if imported else ""

    def _maker(self, node: ast.expr, near: ast.AST) -> str:
        """Return what an object is made by, as a dotted name; empty if nobody knows."""
        while isinstance(node, ast.Await | ast.Call):
            node = node.value if isinstance(node, ast.Await) else node.func
        path = _path(node)
        made = self._made_at(path, near)
        if made is not None or self._origin(node):
            return self._origin(node) or made or ""
        value = self._module.assigned.get(path)
        return self._maker(value, near) if isinstance(value, ast.Call | ast.Await) else ""

    def _made_at(self, path: str, near: ast.AST) -> str | None:
        """Return what made the object of a name, as the functions around say, and the file; None if unknown."""
        scopes = (one for one in self._module.around(near) if isinstance(one, Function))
        found = (self._made.get((scope, path)) for scope in (*scopes, None))
        return next((one for one in found if one is not None), None)

    def _is_foreign(self, node: ast.expr, libraries: Iterable[str], near: ast.AST) -> bool:
        """Say whether an object is of a package that is neither the project nor one of these libraries."""
        path = _path(node)
        # What an object of another package holds may be anybody's: `flask.current_app.queues["mail"]`.
        is_name = "." not in path or isinstance(node, ast.Call)
        is_held = not is_name and self._made_at(path, near) is None
        origin = "" if is_held else self._maker(node, near)
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
        named = library_named(self._origin(called))
        receiver = called.value if isinstance(called, ast.Attribute) else called
        made = named or library_named(self._maker(receiver, near))
        if made:
            return libraries & {made}
        return (
            frozenset() if self._is_foreign(receiver, libraries, near) else self._likely(libraries)
        )

    def _likely(self, libraries: frozenset[str]) -> frozenset[str]:
        """Return those of some libraries that the file imports; all of them if it imports none."""
        return libraries & self._used or libraries

    # What it says.

    def _declared(self, node: Function | ast.ClassDef, name: str) -> bool:
        """Note what declares a function or class as a job; say whether anything does."""
        is_declared = False
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            libraries = self._libraries_of(called, node)
            is_own = isinstance(called, ast.Name) and not hasattr(builtins, called.id)
            if not libraries and (not is_own or self._is_foreign(called, (), node)):
                continue
            self._wraps(node, libraries)
            if is_declared or not self._is_own:
                continue
            options = keywords(decorator) if isinstance(decorator, ast.Call) else {}
            one = self._shape(node, libraries, name, retries=not _RETRIES.isdisjoint(options))
            queue = constant(options.get("queue", options.get("queue_name")))
            if "cron" in options and "oban" in libraries:
                self._note("schedulers", EVERY["oban"].recurring, node, name)
            if libraries:
                self._facts.declared.append(one._replace(queue=str(queue or "")))
                is_declared = True
            else:
                self._reading.decorated.setdefault(_path(called), []).append(one)
        return is_declared

    def _shape(
        self, node: ast.AST, libraries: frozenset[str], name: str, *, retries: bool = False
    ) -> Declared:
        inner = [*ast.walk(node)] if isinstance(node, Function) else []
        statements = sum(1 for one in inner[1:] if isinstance(one, ast.stmt))
        logs = any(isinstance(one, ast.Call) and _LOGS.search(_path(one.func)) for one in inner)
        place = self._at(node, name)
        return Declared(libraries, place, name, False, statements, logs, retries)

    def _wraps(self, node: ast.AST, libraries: Iterable[str]) -> None:
        """Note the libraries whose jobs the outermost function around a node declares or enqueues."""
        outer = [one for one in self._module.around(node) if isinstance(one, Function)][-1:]
        if self._is_own and outer:
            self._reading.wrappers.setdefault(outer[0].name, set()).update(libraries)

    def _sent(self, node: ast.Call, path: str) -> None:
        """Note a call that may enqueue. Whether the method is one of a job, the declarations of all files say."""
        words, verb = self._reading.words, path.rpartition(".")[2]
        methods = words["sending"].get(verb, frozenset())
        functions = words["queueing"].get(verb, frozenset())
        if not self._is_production or not (methods or functions):
            return
        if not isinstance(node.func, ast.Attribute):
            functions &= {library_named(self._origin(node.func))}
            methods = frozenset()
        elif self._is_foreign(node.func.value, methods | functions, node):
            return
        else:
            functions = functions & {library_named(self._maker(node.func.value, node))} or functions
        if functions:
            self._wraps(node, functions)
        libraries = functions or self._likely(methods)
        if libraries:
            place, names = self._at(node, path), path.split(".")[:-1]
            one = Sent(libraries, place, bool(functions), names, *self._is_in(node))
            self._facts.sent.append(one)

    def _setting(self, name: str, node: ast.AST, value: ast.expr, of: str) -> None:
        """Note what a name says that gets a value: by an assignment, a keyword, or as a key of a dictionary."""
        lower, text, libraries = name.lower(), constant(value), self._reading.libraries
        has_address = "broker" in lower or lower.endswith(("result_backend", "resultbackend"))
        if has_address or (lower == "backend" and "elery" in of):
            self._address(name, node, value)
        if lower == "backend" and isinstance(text, str) and _DUMMY.search(text):
            self._note("tests", "a backend of tasks for tests", node, name)
        if lower.endswith(("beat_schedule", "beatschedule")) and "celery" in libraries:
            self._note("schedulers", EVERY["celery"].recurring, node, name)
        if lower in _FAILURES:
            self._note("failures", lower, node, name)
        library, given_to, group, fact = _SWITCHES.get((lower, text), ("", "", "", ""))
        if fact and (not library or library in libraries) and given_to in (of.lower() or given_to):
            self._note(group, fact, node, name)
        if isinstance(value, ast.Call) and self._is_production and TENANT.fullmatch(name):
            if self._origin(value.func) == "contextvars.ContextVar":
                self._note("tenants", "a context variable", node, name)
            elif "ForeignKey" in ast.unparse(value):
                self._reading.columns.setdefault(name, []).append(self._at(node, name))
        self._list(name, value)

    def _list(self, name: str, value: ast.expr) -> None:
        """Note the functions in a list of a worker."""
        libraries = self._reading.words["lists"].get(name, frozenset())
        if libraries and self._is_production and isinstance(value, ast.List | ast.Tuple):
            for item in value.elts:
                if not isinstance(item, ast.Constant):
                    place = self._at(item, ast.unparse(item))
                    self._facts.listed.append((min(self._likely(libraries)), place))

    def _address(self, name: str, node: ast.AST, value: ast.expr) -> None:
        """Note what listens at the addresses in the value of a setting."""
        group = "brokers" if "broker" in name.lower() else "backends"
        if not any(EVERY[one].has_address for one in self._reading.libraries):
            return
        kinds: list[str] = []
        for one in ast.walk(value):
            named = self._module.assigned.get(one.id) if isinstance(one, ast.Name) else None
            for inner in [one] if named is None else ast.walk(named):
                scheme = str(constant(inner)).partition(":")[0]
                if scheme in SCHEMES and (f"{constant(inner)}" != scheme or "-" in scheme):
                    kinds.append(SCHEMES[scheme])
        for kind in kinds:
            self._note(group, kind, node, f"{name} is {kind}")
        is_url = not kinds and name.lower().endswith("broker_url")
        if is_url and _FROM_ENVIRONMENT.search(ast.unparse(value)):
            self._note(group, ENVIRONMENT, node, name)

    def _note(self, group: str, name: str, node: ast.AST, text: str) -> None:
        """Note a fact, about production where tests, migrations and demos say nothing of it."""
        if self._is_production or group == "tests":
            facts: dict[str, list[Evidence]] = getattr(self._facts, group)
            note(facts, name, self._at(node, text))

    def _at(self, node: ast.AST, text: str) -> Evidence:
        shown = " ".join(text.split())
        line = getattr(node, "lineno", 1)
        return Evidence(self._module.shown, line, shown if len(shown) <= 60 else f"{shown[:57]}...")


def _path(node: ast.AST | None) -> str:
    """Return a name with its dots, without the calls in it; `ast.unparse` would take too long."""
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return ".".join([node.id, *names] if isinstance(node, ast.Name) else names)
