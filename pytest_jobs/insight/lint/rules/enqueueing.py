"""JOB2xx: how and when jobs are enqueued, and with which arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ....bridges.libraries.known import EVERY, ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import constant, keywords, receiver_of
from ...source.module import Module
from .rule import Context, Fault, of_enqueues, rule
from .values import date_made_by, is_naive, is_query, record_in, seconds_of

_SECRET: Final = re.compile(
    r"(?:^|_)(?:password|passwd|secret|secret_key|api_key|private_key|access_token|refresh_token|"
    r"card_number|cvc|cvv|iban|ssn)$",
    re.IGNORECASE,
)
_COROUTINES: Final = frozenset(("kiq", "aenqueue", "enqueue_job", "defer_async"))
#: How long brokers of redis wait for an acknowledgement, in seconds.
_VISIBILITY: Final = 3600
_DUE: Final = ("eta", "expires", "run_after", "scheduled", "schedule_at", "at", "_defer_until")
_READS: Final = ("read", "read_text", "read_bytes", "getvalue")
#: What waits for another machine or process, by its origin.
_WAITS: Final = re.compile(
    r"(?:requests|httpx)\.(?:get|post|put|patch|delete|head|options|request)|urllib\.request\.urlopen|"
    r"time\.sleep|subprocess\.(?:run|call|check_call|check_output)"
)
_WRAPPED: Final = ("apply_async", "apply_async_on_commit", "send_with_options")


@of_enqueues("JOB201")
def record_instead_of_id(enqueue: Enqueue, context: Context) -> Iterator[str]:
    library = EVERY[enqueue.library]
    as_json = not (library.pickles or library.reads_annotations or "pickle" in context.project.text)
    # The core writes a record as its id.
    for value in enqueue.values if enqueue.library != "core" else ():
        name = record_in(value, enqueue.module, context.project, as_json=as_json)
        if name:
            yield (
                f"{ast.unparse(value)} is {name}, which a message cannot carry, or which is old when "
                "the job begins. Pass its id, and let the job fetch it."
            )


@of_enqueues("JOB202")
def wrong_arguments(enqueue: Enqueue, context: Context) -> Iterator[str]:
    job, verb = enqueue.job, enqueue.verb
    # A signature has arguments of its own, and a chain adds the result of the task before.
    is_signature = enqueue.library == "celery" and enqueue.named is not receiver_of(enqueue.call)
    if job is None or verb in ONLY_MADE or (is_signature and verb != "send_task"):
        return
    given = keywords(enqueue.call).get("args", (*enqueue.call.args, ast.Constant(None))[0])
    is_one = isinstance(given, ast.Attribute) and given.attr in ("id", "pk")
    if verb in _WRAPPED and (is_one or constant(given) is not None):
        problem = (
            f"args={ast.unparse(given)} is no list of arguments: write ({ast.unparse(given)},)"
        )
    elif enqueue.args is None or enqueue.kwargs is None:
        return
    else:
        problem = context.facts_of(job).refusal(len(enqueue.args), [*enqueue.kwargs])
    if problem:
        yield f"{job.short}: {problem}. The call fails, or the worker does."


@of_enqueues("JOB204")
def whole_file_or_table(enqueue: Enqueue, _: Context) -> Iterator[str]:
    for value in enqueue.values:
        node = value
        if isinstance(node, ast.Name):
            node = enqueue.module.local_value(node.id, enqueue.call) or value
        if not isinstance(node, ast.Call):
            continue
        is_list = ast.unparse(node.func) in ("list", "tuple") and node.args
        inner = node.args[0] if is_list else node
        is_all = is_query(inner)
        if is_all or (getattr(node.func, "attr", "") in _READS and not node.args):
            kind = "all rows that a query finds" if is_all else "a whole file"
            yield (
                f"{ast.unparse(inner)} puts {kind} into the message. Pass ids, or the place of the file."
            )


@of_enqueues("JOB205")
def in_a_transaction(enqueue: Enqueue, context: Context) -> Iterator[str]:
    library, facts = EVERY[enqueue.library], context.facts_of(enqueue.job)
    if (
        enqueue.verb in ONLY_MADE
        or enqueue.verb.endswith("on_commit")
        or library.is_transactional
        or not facts.is_plain
    ):
        return
    opened = _block_around(enqueue.module, enqueue.call) or _session_around(enqueue)
    words = library.is_a_table_with
    if opened and not (words and re.search(words, context.project.text)):
        yield (
            f"The job is enqueued while {opened} is open: a worker may begin before the commit and not "
            "find the rows, and a rollback leaves the job behind. Enqueue it on commit."
        )


def _block_around(module: Module, call: ast.Call) -> str:
    """Return the transaction of Django, or of a session of SQLAlchemy, in whose block a call stands."""
    for outer in module.around(call):
        nodes: list[ast.expr] = []
        if isinstance(outer, ast.With | ast.AsyncWith):
            nodes = [item.context_expr for item in outer.items]
        elif isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes = outer.decorator_list
        elif isinstance(outer, ast.Lambda):
            return ""
        for node in nodes:
            called = node.func if isinstance(node, ast.Call) else node
            text = ast.unparse(called)
            is_session = text.lower().endswith(("session.begin", "session().begin"))
            # Which database another alias is, nobody knows here: a replica has no rows to wait for.
            is_other = isinstance(node, ast.Call) and "using" in keywords(node)
            if (
                module.origin(called) == "django.db.transaction.atomic" and not is_other
            ) or is_session:
                return f"`{ast.unparse(node)}`"
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            return ""
    return ""


def _session_around(enqueue: Enqueue) -> str:
    """Return the session that adds a row before an enqueue, and commits it afterwards."""
    added = ""
    statements = [] if enqueue.function is None else enqueue.function.body
    for call in [one for each in statements for one in ast.walk(each) if isinstance(one, ast.Call)]:
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        receiver = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        is_before = call.lineno < enqueue.call.lineno
        if method == "add" and receiver.lower().endswith("session") and is_before:
            added = receiver
        elif method == "commit" and receiver == added and added:
            if not is_before:
                return (
                    f"the transaction of `{receiver}`" if call.lineno > enqueue.call.lineno else ""
                )
            added = ""
    return ""


@of_enqueues("JOB206")
def naive_due_time(enqueue: Enqueue, _: Context) -> Iterator[str]:
    for name in _DUE if not EVERY[enqueue.library].naive_is_local else ():
        node = enqueue.options.get(name)
        if isinstance(node, ast.Name):
            node = enqueue.module.local_value(node.id, enqueue.call)
        if node is not None and is_naive(node, enqueue.module):
            yield (
                f"{name}={ast.unparse(node)} has no timezone: the job comes hours early or late, or is "
                "refused. Write datetime.now(UTC), or pass a wait."
            )


@of_enqueues("JOB207")
def beyond_the_visibility_timeout(enqueue: Enqueue, context: Context) -> Iterator[str]:
    node = enqueue.options.get("countdown") if enqueue.library == "celery" else None
    seconds = None if node is None else seconds_of(node, enqueue.module, enqueue.call)
    if seconds is None or seconds <= _VISIBILITY or context.running.has_visibility:
        return
    if re.search(r"rediss?://|sqs://", context.project.text):
        yield (
            f"The task waits {seconds / 3600:.3g} h, and a Redis broker delivers what is not "
            "acknowledged again after one hour: it is performed several times. Set "
            "broker_transport_options visibility_timeout, or let a recurring task look for what is "
            "due."
        )


@of_enqueues("JOB208")
def called_at_once(enqueue: Enqueue, context: Context) -> Iterator[str]:
    outer = enqueue.module.parents.get(enqueue.call)
    is_passed = isinstance(outer, ast.Call) and getattr(outer.func, "attr", "") == "on_commit"
    inner = ast.unparse(enqueue.call)
    if is_passed:
        yield (
            f"{inner} runs now, and its result is passed to on_commit. Write on_commit(lambda: "
            f"{inner}), or functools.partial."
        )
    elif (
        EVERY[enqueue.library].takes_functions
        and isinstance(enqueue.named, ast.Call)
        and context.project.has_function(enqueue.module, enqueue.named.func)
    ):
        yield (
            f"{ast.unparse(enqueue.named)} runs now, and its result is enqueued. Pass the "
            "function, and then its arguments."
        )


@of_enqueues("JOB209")
def late_loop_variable(enqueue: Enqueue, _: Context) -> Iterator[str]:
    outer = list(enqueue.module.around(enqueue.call))
    cut = next((i for i, one in enumerate(outer) if isinstance(one, ast.Lambda)), len(outer))
    inner = [one for one in outer[cut : cut + 1] if isinstance(one, ast.Lambda)]
    own = {one.arg for each in inner for one in each.args.args}
    for loop in outer[cut:]:
        if isinstance(loop, ast.FunctionDef | ast.AsyncFunctionDef):
            break
        if isinstance(loop, ast.For | ast.AsyncFor):
            names = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
            used = {one.id for one in ast.walk(enqueue.call) if isinstance(one, ast.Name)}
            late = next(iter(sorted((names & used) - own)), "")
            if late:
                yield (
                    f"The lambda reads {late!r} when the loop is over: all jobs get the last value. "
                    f"Write functools.partial, or `lambda {late}={late}: ...`."
                )


@of_enqueues("JOB210")
def enqueue_not_awaited(enqueue: Enqueue, _: Context) -> Iterator[str]:
    is_coroutine = enqueue.verb in _COROUTINES or enqueue.library == "saq"
    if is_coroutine and isinstance(enqueue.module.parents.get(enqueue.call), ast.Expr):
        yield (
            f"{enqueue.verb} is a coroutine function and nobody awaits it: nothing is enqueued. Write "
            "`await`."
        )


@of_enqueues("JOB212")
def secret_in_a_message(enqueue: Enqueue, _: Context) -> Iterator[str]:
    for value in enqueue.values:
        name = getattr(value, "id", getattr(value, "attr", ""))
        if _SECRET.search(name):
            yield (
                f"{ast.unparse(value)} goes into the message, and who sees the queue, its logs or an error "
                "report reads it. Pass the id of its owner, and let the job fetch it."
            )


@of_enqueues("JOB213")
def date_in_a_message(enqueue: Enqueue, _: Context) -> Iterator[str]:
    for value in enqueue.values if EVERY[enqueue.library].refuses_dates else ():
        if date_made_by(value, enqueue.module):
            yield (
                f"{ast.unparse(value)} is a date, and the message is JSON: the enqueue fails. Pass "
                "`.isoformat()`, and read it in the job."
            )


@rule("JOB214")
def result_in_a_request(context: Context) -> Iterator[Fault]:
    for enqueue, wait in context.waits:
        function = enqueue.function
        arguments = [] if function is None else [one.arg for one in function.args.args]
        is_view = "request" in arguments[:2] and id(function) not in context.bodies
        # Other libraries do not wait where nothing is said.
        if is_view and enqueue.library == "celery":
            yield Fault.at(
                enqueue.module,
                wait,
                f"{ast.unparse(wait)} keeps a process of the web server until a worker has performed the job. "
                "Answer at once, and let the browser ask for the result.",
            )


@rule("JOB215")
def result_that_nobody_keeps(context: Context) -> Iterator[Fault]:
    for enqueue, wait in context.waits:
        if enqueue.job is not None and context.facts_of(enqueue.job).options.get("ignore_result"):
            yield Fault.at(
                enqueue.module,
                wait,
                f"{enqueue.job.short} ignores its result, so {ast.unparse(wait)} returns None at once. Take "
                "ignore_result away, or do not ask.",
            )


@rule("JOB216")
def slow_call_in_a_transaction(context: Context) -> Iterator[Fault]:
    for module in context.project.modules:
        for call in module.calls:
            slow = _WAITS.fullmatch(module.origin(call.func))
            opened = _block_around(module, call) if slow else ""
            if opened:
                yield Fault.at(
                    module,
                    call,
                    f"{ast.unparse(call.func)} waits while {opened} is open: its rows stay locked meanwhile, and "
                    "what it has done outside stays when the transaction is rolled back. Call it before or after.",
                )
