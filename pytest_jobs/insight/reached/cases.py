"""What can happen to a job, by its declaration: its rules, callbacks and schedules.

They are read from the source, so the same are there whether one test runs or all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ...bridges.libraries.known import EVERY, library_named
from ..source.jobs import DeclaredJob, constant, keywords, recurs
from ..source.module import Function, Module
from ..source.project import Project
from ..source.workers import workers_of

Kind: TypeAlias = Literal[
    "retried", "exhausted", "discarded", "rescued", "callback", "halted", "fired"
]
#: How a delivery of the core has ended whose callbacks ran.
_BODY_RAN: Final = frozenset(("performed", "retried", "exhausted", "discarded", "failed"))
_FAILED: Final = frozenset(("exhausted", "failed"))
#: Callbacks and hooks, each with the statuses that show that it ran.
_CALLBACKS: Final[Mapping[str, frozenset[str]]] = {
    "before_enqueue": frozenset(("enqueued",)),
    "around_enqueue": frozenset(("enqueued",)),
    "after_enqueue": frozenset(("enqueued",)),
    "before_perform": _BODY_RAN | {"halted"},
    "around_perform": _BODY_RAN | {"halted"},
    "after_perform": frozenset(("performed",)),
    "on_success": frozenset(("performed",)),
    "on_failure": _FAILED,
    "on_retry": frozenset(("retried",)),
}
#: Those that Celery, RQ and Dramatiq have.
_HOOKS: Final = ("on_success", "on_failure", "on_retry")
#: Calls that make a recurring task of the function that is their first argument.
_CRON_JOBS: Final = ("arq.cron", "arq.cron.cron", "saq.CronJob", "saq.job.CronJob")
_REPEATED: Final = ("interval", "cron", "IntervalTrigger", "CronTrigger")


@dataclass(eq=False)
class Case:
    """One thing that can happen to a job, and whether it was seen."""

    kind: Kind
    #: How a table names it.
    text: str
    #: The statuses of deliveries that show it.
    statuses: frozenset[str] = frozenset()
    #: The classes of errors that a rule names; empty for every error, and where they are computed.
    errors: tuple[str, ...] = ()
    #: The function that must have run; of a recurring task its key.
    name: str = ""
    is_seen: bool = False


#: A class, and the module in which it is.
Base: TypeAlias = tuple[Module, ast.ClassDef]


class Cases:
    """Finds the cases of the jobs of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        #: The recurring tasks of each job, by its body: the keys, "" for a task of the job's library.
        self._recurring: dict[int, dict[str, None]] = {}
        #: The calls that make a job recur, by identity: they enqueue nothing.
        self.schedules: set[int] = set()
        for task in workers_of(project).recurring:
            job = project.job_named(task.runs)
            if job is not None:
                self._recur(job, task.key)
        for job in project.jobs:
            if job.recurs or _recurs_by_declaration(job):
                self._recur(job, "")
        for module in project.modules:
            for call in module.calls:
                function = _recurring_function(call, module, project)
                if function is None:
                    continue
                self.schedules.add(id(call))
                named = constant(function)
                found = (
                    project.job_named(named)
                    if isinstance(named, str)
                    else project.job_at(module, function)
                )
                if found is not None:
                    self._recur(found, "")

    def _recur(self, job: DeclaredJob, key: str) -> None:
        # Libraries do not say which entry of their schedule has fired.
        self._recurring.setdefault(id(job.body), {})[key if job.library == "core" else ""] = None

    def of(self, job: DeclaredJob) -> list[Case]:
        """Return the cases of a job, in the order in which a table lists them."""
        declared = self._of_core(job) if job.library == "core" else self._of_library(job)
        fired = [
            Case("fired", f"recurring {key}" if key else "recurring", name=key)
            for key in self._recurring.get(id(job.body), ())
        ]
        return [*declared, *fired]

    def bases(self, job: DeclaredJob) -> list[Base]:
        """Return the classes of the project that a job derives from, near ones first."""
        nodes = [(job.module, base) for base in (job.cls.bases if job.cls is not None else ())]
        nodes += [(job.module, job.options["base"])] if "base" in job.options else []
        return [*dict.fromkeys(base for _, base in self._project.bases(nodes) if base is not None)]

    def of_base(self, base: Base) -> list[Case]:
        """Return the cases that a base class declares for all jobs that derive from it."""
        module, cls = base
        hooks = [
            Case("callback", one.name, _CALLBACKS[one.name])
            for one in cls.body
            if isinstance(one, ast.FunctionDef) and one.name in _HOOKS
        ]
        return [*self._of_class(module, cls), *hooks]

    # The core

    def _of_core(self, job: DeclaredJob) -> Iterator[Case]:
        if job.cls is not None:
            yield from self._of_class(job.module, job.cls)
        else:
            for decorator in job.body.decorator_list:
                yield from self._rule(job.module, decorator)
        yield from _by_calls_of_retry(job)

    def _of_class(self, module: Module, cls: ast.ClassDef) -> Iterator[Case]:
        methods = [
            one for one in cls.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for decorator in cls.decorator_list:
            yield from self._rule(module, decorator)
        for method in methods:
            yield from self._method(module, method)
        if any(_may_halt(module, method) for method in methods):
            yield Case("halted", "halted", frozenset(("halted",)))

    def _rule(self, module: Module, decorator: ast.expr) -> Iterator[Case]:
        name = _ours(module, decorator)
        if name not in ("retry_on", "discard_on") or not isinstance(decorator, ast.Call):
            return
        errors, named = self._errors(module, decorator.args), keywords(decorator)
        shown = ", ".join(errors) or "..."
        if name == "retry_on":
            yield Case("retried", f"retry_on {shown}", frozenset(("retried",)), errors)
            if not _is_none(named.get("attempts")):
                yield Case("exhausted", f"exhausted {shown}", frozenset(("exhausted",)), errors)
        else:
            yield Case("discarded", f"discard_on {shown}", frozenset(("discarded",)), errors)
        if isinstance(named.get("then"), ast.Name | ast.Attribute):
            function = ast.unparse(named["then"]).rpartition(".")[2]
            yield Case("callback", f"then {function}", name=function)

    def _method(self, module: Module, method: Function) -> Iterator[Case]:
        for decorator in method.decorator_list:
            name = _ours(module, decorator)
            if name == "rescue_from" and isinstance(decorator, ast.Call):
                errors = self._errors(module, decorator.args)
                shown = f"rescue_from {', '.join(errors) or '...'}"
                yield Case("rescued", shown, frozenset(("performed", "retried")), errors)
            elif name == "after_discard":
                yield Case("callback", f"after_discard {method.name}", name=method.name)
            elif name in _CALLBACKS:
                yield Case("callback", f"{name} {method.name}", _CALLBACKS[name])

    # The other libraries

    def _of_library(self, job: DeclaredJob) -> Iterator[Case]:
        options = job.options
        if job.library == "celery" and "autoretry_for" in options:
            errors = self._errors(job.module, [options["autoretry_for"]])
            shown = ", ".join(errors) or "..."
            is_limited = not _is_none(options.get("max_retries"))
            yield from _retries(f"autoretry_for {shown}", errors, is_limited)
        elif job.library == "celery":
            yield from _by_calls_of_retry(job)
        option = EVERY[job.library].retry_option
        said = options.get(option)
        if said is not None and (constant(said) or not isinstance(said, ast.Constant)):
            # Of Procrastinate True is for ever.
            is_endless = job.library == "procrastinate" and constant(said) is True
            yield from _retries(option, (), not is_endless)
        if job.library == "arq" and _raises(job.body, "Retry"):
            yield from _retries("Retry", (), True)
        if (
            job.library == "rq"
            and option not in options
            and any(
                job.module.origin(call.func) in ("rq.Retry", "rq.job.Retry") for call in job.calls()
            )
        ):
            yield from _retries("Retry", (), True)
        if "throws" in options:
            errors = self._errors(job.module, [options["throws"]])
            yield Case("discarded", f"throws {', '.join(errors) or '...'}", _FAILED, errors)
        for name in _HOOKS:
            if name in options:
                yield Case("callback", name, _CALLBACKS[name])

    def _errors(self, module: Module, nodes: Iterable[ast.expr]) -> tuple[str, ...]:
        """Return the names of the classes that expressions stand for; empty if one of them is computed."""
        found: list[str] = []
        for node in nodes:
            value = node.value if isinstance(node, ast.Starred) else node
            if isinstance(value, ast.Tuple | ast.List):
                inner = self._errors(module, value.elts)
                if value.elts and not inner:
                    return ()
                found += inner
                continue
            origin = module.origin(value)
            place = self._project.resolve(origin)
            assigned = None if place is None else place[0].assigned.get(place[1])
            if place is not None and assigned is not None:
                inner = self._errors(place[0], [assigned])
                if not inner:
                    return ()
                found += inner
            elif origin:
                found.append(origin.rpartition(".")[2])
            else:
                return ()
        return tuple(found)


def _retries(text: str, errors: tuple[str, ...], is_limited: bool) -> Iterator[Case]:
    yield Case("retried", text, frozenset(("retried",)), errors)
    if is_limited:
        yield Case("exhausted", "exhausted", _FAILED, errors)


def _by_calls_of_retry(job: DeclaredJob) -> Iterator[Case]:
    if job.retry_calls():
        is_limited = job.library == "celery" and not _is_none(job.options.get("max_retries"))
        yield from _retries("self.retry", (), is_limited)


def _ours(module: Module, decorator: ast.expr) -> str:
    """Return the name of a decorator of the core; empty for others."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    origin = module.origin(called)
    return origin.rpartition(".")[2] if origin.startswith("pytest_jobs.") else ""


def _may_halt(module: Module, method: Function) -> bool:
    names = [_ours(module, one) for one in method.decorator_list]
    return any(name in ("before_perform", "around_perform") for name in names) and _raises(
        method, "Halt"
    )


def _raises(function: Function, name: str) -> bool:
    """Say whether a function raises an error of this name."""
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(raised).rpartition(".")[2] == name:
                return True
    return False


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _recurs_by_declaration(job: DeclaredJob) -> bool:
    """Say whether decorators or options make a job a recurring task."""
    decorators = [ast.unparse(_called(one)).rpartition(".")[2] for one in job.body.decorator_list]
    if any("periodic" in name for name in decorators):
        return True
    if job.library == "apscheduler":
        calls = [one for one in job.body.decorator_list if isinstance(one, ast.Call)]
        return any(_is_repeated(one, 0) for one in calls)
    return EVERY[job.library].recurring_option in job.options


def _recurring_function(call: ast.Call, module: Module, project: Project) -> ast.expr | None:
    """Return the function of which a call makes a recurring task; None for other calls."""
    origin, named = module.origin(call.func), keywords(call)
    first = call.args[0] if call.args else None
    if origin in _CRON_JOBS:
        return first or named.get("coroutine") or named.get("function")
    if origin == "django_q.tasks.schedule" and recurs(call):
        return first or named.get("func")
    if origin in ("rq.cron.register", "rq.register"):
        return first or named.get("func")
    if not isinstance(call.func, ast.Attribute):
        return None
    made_by = project.type_of(module, call.func.value)
    if call.func.attr == "register" and made_by.startswith("rq."):
        return first or named.get("func")
    if call.func.attr in ("cron", "schedule") and made_by.startswith("rq_scheduler"):
        return named.get("func")
    if call.func.attr == "add_job" and library_named(made_by) in ("apscheduler", ""):
        return first if _is_repeated(call, 1) else None
    return None


def _is_repeated(call: ast.Call, place: int) -> bool:
    """Say whether a call of APScheduler names a trigger that fires again and again."""
    trigger = keywords(call).get("trigger")
    if trigger is None and len(call.args) > place:
        trigger = call.args[place]
    if trigger is None:
        return False
    text = constant(trigger) or ast.unparse(_called(trigger)).rpartition(".")[2]
    return text in _REPEATED


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node
