"""JOB3xx: the body of a job. A body that comes twice is the business of `check_idempotent`, which runs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ...source.jobs import DeclaredJob, constant, entries
from ...source.module import Module
from .rule import Context, Fault, Wrong, of_jobs, rule

_BROAD: Final = ("Exception", "BaseException", "")
_LOGS: Final = re.compile(r"\b(?:\w*log|\w*logger|logging|LOG|\w*LOGGER|structlog)\b|^print$")
#: What takes an error up although it gets nothing else.
_TAKES_UP: Final = re.compile(r"retry|reject|fail|abort|raise|exit|cancel", re.IGNORECASE)
_CANCELLED: Final = "CancelledError"
#: Calls that hold a loop up, by their origin; what ends with a dot stands for all below.
_BLOCKING: Final = (
    "time.sleep", "requests.", "urllib.request.urlopen", "subprocess.run", "subprocess.call",
    "subprocess.check_call", "subprocess.check_output", "os.system", "socket.create_connection",
    "smtplib.", "django.core.mail.send_mail", "psycopg2.connect",
)  # fmt: skip
_VOLATILE: Final = (
    "uuid.uuid4", "uuid.uuid1", "random.", "secrets.", "os.urandom", "time.time", "time.time_ns",
    "datetime.datetime.now", "datetime.datetime.utcnow", "django.utils.timezone.now", "datetime.date.today",
)  # fmt: skip
_KEY: Final = re.compile(
    r"idempotency|dedup|unique_?key|client_?(?:request_?)?token", re.IGNORECASE
)
_LOCKED: Final = re.compile(
    r"for update|select_for_update|with_for_update|nx=True|lock\(", re.IGNORECASE
)


@of_jobs("JOB301")
def error_swallowed(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    # What stands before may fetch, compare or log; what stands behind is not guarded, and is work.
    whole = [one for one in job.body.body if not isinstance(one, ast.Return)][-1:]
    caught: ast.AST | None = None
    for node in whole:
        if isinstance(node, ast.Try) and _calls_before(job, node) < 2:
            handlers = (one for one in node.handlers if _is_broad(one) and _only_notes(one))
            caught = next(handlers, None)
        elif _suppresses(node, job.module, "Exception"):
            caught = node if _calls_before(job, node) < 1 else None
    if caught is not None:
        text = "suppress(Exception)"
        if isinstance(caught, ast.ExceptHandler):
            text = f"`except {ast.unparse(caught.type)}`" if caught.type else "`except`"
        yield Wrong(
            caught,
            f"{text} swallows every error of {job.short}: the job is performed successfully, "
            "and is not retried. Catch the errors that you expect, or raise again.",
        )


def _calls_before(job: DeclaredJob, node: ast.stmt) -> int:
    """Return how many statements before a node, and not in it, call something that is no log."""
    return sum(
        any(
            isinstance(one, ast.Call) and not _LOGS.search(ast.unparse(one.func))
            for one in ast.walk(each)
        )
        for each in job.body.body[: job.body.body.index(node)]
    )


def _is_broad(handler: ast.ExceptHandler) -> bool:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any((ast.unparse(one) if one else "") in _BROAD for one in types)


def _only_notes(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler only logs, or gives the error alone to a helper."""
    for node in handler.body:
        value = node.value if isinstance(node, ast.Expr | ast.Return) else None
        if isinstance(node, ast.Pass | ast.Return) and (
            value is None or constant(value) is not None
        ):
            continue
        if isinstance(value, ast.Constant):
            continue
        if not isinstance(value, ast.Call) or isinstance(node, ast.Return):
            return False
        given = [*value.args, *(one.value for one in value.keywords)]
        texts = {ast.unparse(one) for one in given if not isinstance(one, ast.Constant)}
        called = ast.unparse(value.func)
        is_alone = bool(given) and texts <= {handler.name, f"str({handler.name})"}
        if not _LOGS.search(called) and (not is_alone or _TAKES_UP.search(called)):
            return False
    return True


def _suppresses(node: ast.AST, module: Module, name: str) -> bool:
    return isinstance(node, ast.With | ast.AsyncWith) and any(
        isinstance(call := item.context_expr, ast.Call)
        and module.origin(call.func) == "contextlib.suppress"
        and any(ast.unparse(one).rpartition(".")[2] == name for one in call.args)
        for item in node.items
    )


@of_jobs("JOB302")
def cancellation_swallowed(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    for node in ast.walk(job.body) if job.is_coroutine else ():
        is_caught = (
            isinstance(node, ast.ExceptHandler)
            and node.type is not None
            and _CANCELLED in ast.unparse(node.type)
            and not any(isinstance(one, ast.Raise) for one in ast.walk(node))
            # One that the job itself has cancelled is awaited so.
            and "cancel()" not in ast.unparse(job.body)
        )
        if is_caught or _suppresses(node, job.module, _CANCELLED):
            yield Wrong(
                node,
                f"{job.short} swallows CancelledError: a worker that shuts down cancels the job, and "
                "the job goes on as if its step had been done. Clean up, and raise again.",
            )


@of_jobs("JOB303")
def blocking_call(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    for call in job.calls() if job.is_coroutine else ():
        origin = job.module.origin(call.func)
        is_own = job.module.function_around(call) is job.body
        if is_own and _is_among(origin, _BLOCKING):
            is_sleep = origin == "time.sleep"
            better = "asyncio.sleep(...)" if is_sleep else "asyncio.to_thread(...)"
            yield Wrong(
                call,
                f"{ast.unparse(call.func)} blocks the loop of the worker, and all of its other jobs "
                f"wait. Write await {better}, or a client for asyncio.",
            )


@rule("JOB304")
def result_inside_a_job(context: Context) -> Iterator[Fault]:
    for enqueue, wait in context.waits:
        job = context.bodies.get(id(enqueue.function))
        if job is not None:
            yield Fault.at(
                job.module,
                wait,
                f"{job.short} waits for the result of another job and keeps its worker busy meanwhile: "
                "when all workers wait, nothing goes on. Let the other job enqueue what follows, or "
                "write a chain.",
            )


@of_jobs("JOB306")
def lock_without_ttl(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    for call in job.calls():
        if not isinstance(call.func, ast.Attribute):
            continue
        named = {one.arg: constant(one.value) for one in call.keywords}
        is_set = (
            call.func.attr == "set"
            and named.get("nx") is True
            and not named.keys() & {"ex", "px", "exat", "pxat", None}
        )
        is_lock = (
            call.func.attr == "lock"
            and "redis" in ast.unparse(call.func.value).lower()
            and not named.keys() & {"timeout", None}
            and len(call.args) < 2
        )
        if is_set or is_lock:
            yield Wrong(
                call,
                f"The lock of {job.short} never ends by itself: after a killed worker nobody gets it "
                f"again. Give it a time to live, `{'timeout' if is_lock else 'ex'}=...`.",
            )


@of_jobs("JOB308")
def volatile_key(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    for call in job.calls():
        for name, value in _keys_of(call):
            source = _volatile(value, job.module)
            if source:
                yield Wrong(
                    value,
                    f"{name} has {source} in it: each delivery has another key, so that it keeps "
                    "nothing away. Make the key of the arguments of the job.",
                )


def _keys_of(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for keyword in call.keywords:
        if keyword.arg and _KEY.search(keyword.arg):
            yield keyword.arg, keyword.value
        for node in ast.walk(keyword.value):
            for key, value in entries(node).items() if isinstance(node, ast.Dict) else ():
                if "idempotency-key" in key.lower():
                    yield key, value


def _volatile(node: ast.expr, module: Module, depth: int = 0) -> str:
    """Return the call by which a value differs each time that it is computed; empty when there is none."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and _is_among(module.origin(inner.func), _VOLATILE):
            return ast.unparse(inner)
        if isinstance(inner, ast.Name) and depth < 4 and inner.id not in module.imported:
            value = module.local_value(inner.id, inner)
            found = "" if value is None else _volatile(value, module, depth + 1)
            if found:
                return found
    return ""


def _is_among(origin: str, names: tuple[str, ...]) -> bool:
    return any(origin.startswith(one) if one[-1] == "." else origin == one for one in names)


@of_jobs("JOB310")
def lost_update(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    source = ast.unparse(job.body)
    fetched = {
        target.id
        for node in ast.walk(job.body)
        if isinstance(node, ast.Assign) and ".objects" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name) and f"{target.id}.save(" in source
    }
    for node in ast.walk(job.body) if not _LOCKED.search(source) else ():
        changed = node.target if isinstance(node, ast.AugAssign) else None
        if isinstance(changed, ast.Attribute) and ast.unparse(changed.value) in fetched:
            yield Wrong(
                node,
                f"{job.short} reads {ast.unparse(changed)}, computes, and writes it back: two deliveries at "
                "once read the same value, and one change is lost. Write an F() expression, or "
                "select_for_update().",
            )
