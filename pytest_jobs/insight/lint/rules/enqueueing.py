"""JOB2xx: how and when jobs are enqueued, and with which arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ....bridges.libraries.known import EVERY, ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import constant, keywords, receiver_of
from ..basis.rule import Context, Example, Fault, rule
from ..basis.values import date_made_by, is_naive, is_query, record_in, seconds_of

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
_WRAPPED: Final = ("apply_async", "apply_async_on_commit", "send_with_options")

_CELERY: Final = 'from celery import Celery\n\napp = Celery("shop", broker="memory://")\n\n\n'
_TASK: Final = "@app.task\ndef send_receipt(order_id: int) -> None: ...\n"
_TASKS: Final = (("tasks.py", _CELERY + _TASK),)
_CHECKOUT: Final = "from tasks import send_receipt\n\n\ndef checkout(order) -> None:\n"
_ATOMIC: Final = "from django.db import transaction\n\n"


@rule(
    "JOB201",
    "record-instead-of-id",
    "A job gets a record instead of an id.",
    "A message is text: a record is refused, or pickled. A pickled record shows the row as it was "
    "when the job was enqueued; saving it writes old values back.",
    Example(
        "from tasks import send_receipt\n\n\n"
        "def checkout(Order, order_id: int) -> None:\n"
        "    order = Order.objects.get(pk=order_id)\n"
        "    send_receipt.delay(order)\n",
        "from tasks import send_receipt\n\n\n"
        "def checkout(Order, order_id: int) -> None:\n"
        "    order = Order.objects.get(pk=order_id)\n"
        "    send_receipt.delay(order.pk)\n",
        _TASKS,
    ),
    Example(
        "from tasks import send_receipt\n\n\n"
        "def checkout(request) -> None:\n    send_receipt.delay(request.user)\n",
        "from tasks import send_receipt\n\n\n"
        "def checkout(request) -> None:\n    send_receipt.delay(request.user.pk)\n",
        _TASKS,
    ),
    Example(
        "from tasks import send_receipt\n\n\n"
        "def remind(Order) -> None:\n"
        "    for order in Order.objects.filter(paid=False):\n        send_receipt.s(order).apply_async()\n",
        "from tasks import send_receipt\n\n\n"
        "def remind(Order) -> None:\n"
        "    for order in Order.objects.values_list('pk', flat=True):\n        send_receipt.delay(order)\n",
        _TASKS,
    ),
    Example(
        "from tasks import send_receipt\n\n\n"
        "def on_save(sender, instance, **kwargs) -> None:\n"
        "    send_receipt.apply_async(kwargs={'order_id': instance})\n",
        "from tasks import send_receipt\n\n\n"
        "def on_save(sender, instance, **kwargs) -> None:\n"
        "    send_receipt.apply_async(kwargs={'order_id': instance.pk})\n",
        _TASKS,
    ),
)
def record(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        library = EVERY[enqueue.library]
        as_json = not (
            library.pickles or library.reads_annotations or "pickle" in context.project.text
        )
        # The core writes a record as its id.
        for value in enqueue.values if enqueue.library != "core" else ():
            name = record_in(value, enqueue.module, context.project, as_json=as_json)
            if name:
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(value)} is {name}, which a message cannot carry, or which is old when "
                    "the job begins. Pass its id, and let the job fetch it.",
                )


@rule(
    "JOB202",
    "wrong-arguments",
    "A job is enqueued with arguments that it does not take.",
    "Most libraries look at the signature when the worker calls the function: the request succeeds, "
    "and the job fails, in each of its attempts.",
    Example(
        _CHECKOUT + "    send_receipt.delay(order=order.id)\n",
        _CHECKOUT + "    send_receipt.delay(order_id=order.id)\n",
        _TASKS,
    ),
    Example(
        _CHECKOUT + "    send_receipt.apply_async(order.id)\n",
        _CHECKOUT + "    send_receipt.apply_async((order.id,))\n    send_receipt.si(7).delay()\n",
        _TASKS,
    ),
    Example(
        "from redis import Redis\nfrom rq import Queue\n\nqueue = Queue(connection=Redis())\n\n\n"
        "def bill(order_id): ...\n\n\n"
        "def checkout():\n    queue.enqueue(bill, 7, 'card', job_timeout=60)\n",
        "from redis import Redis\nfrom rq import Queue\n\nqueue = Queue(connection=Redis())\n\n\n"
        "def bill(order_id): ...\n\n\n"
        "def checkout():\n    queue.enqueue(bill, 7, job_timeout=60)\n",
    ),
)
def wrong_arguments(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        job, verb = enqueue.job, enqueue.verb
        # A signature has arguments of its own, and a chain adds the result of the task before.
        is_signature = enqueue.library == "celery" and enqueue.named is not receiver_of(
            enqueue.call
        )
        if job is None or verb in ONLY_MADE or (is_signature and verb != "send_task"):
            continue
        given = keywords(enqueue.call).get("args", (*enqueue.call.args, ast.Constant(None))[0])
        is_one = isinstance(given, ast.Attribute) and given.attr in ("id", "pk")
        if verb in _WRAPPED and (is_one or constant(given) is not None):
            problem = (
                f"args={ast.unparse(given)} is no list of arguments: write ({ast.unparse(given)},)"
            )
        elif enqueue.args is None or enqueue.kwargs is None:
            continue
        else:
            problem = context.facts_of(job).refusal(len(enqueue.args), [*enqueue.kwargs])
        if problem:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{job.short}: {problem}. The call fails, or the worker does.",
            )


@rule(
    "JOB204",
    "whole-file-or-table",
    "A job gets the content of a file, or all rows of a query.",
    "The message grows with the data, until the broker refuses it on the day of the largest file.",
    Example(
        _CHECKOUT.replace("order", "file") + "    send_receipt.delay(file.read())\n",
        _CHECKOUT.replace("order", "file") + "    send_receipt.delay(file.name)\n",
        _TASKS,
    ),
    Example(
        _CHECKOUT + "    send_receipt.delay(list(order.objects.filter(paid=False)))\n",
        _CHECKOUT + "    send_receipt.delay(list(order.objects.values_list('pk', flat=True)))\n",
        _TASKS,
    ),
)
def whole_file_or_table(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
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
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(inner)} puts {kind} into the message. Pass ids, or the place of the file.",
                )


@rule(
    "JOB205",
    "in-a-transaction",
    "A job is enqueued inside an open transaction.",
    "A worker is often faster than the commit, and does not find the row. When the transaction is "
    "rolled back, the job runs nevertheless.",
    Example(
        _ATOMIC + "from tasks import send_receipt\n\n\n"
        "@transaction.atomic\n"
        "def checkout(order) -> None:\n"
        "    order.save()\n"
        "    send_receipt.delay(order.pk)\n",
        "from functools import partial\n\n" + _ATOMIC + "from tasks import send_receipt\n\n\n"
        "@transaction.atomic\n"
        "def checkout(order) -> None:\n"
        "    order.save()\n"
        "    transaction.on_commit(partial(send_receipt.delay, order.pk))\n",
        _TASKS,
    ),
    Example(
        "from tasks import send_receipt\n\n\n"
        "def checkout(session, order) -> None:\n"
        "    session.add(order)\n    send_receipt.delay(order.id)\n    session.commit()\n",
        "from tasks import send_receipt\n\n\n"
        "def checkout(session, order) -> None:\n"
        "    session.add(order)\n    session.commit()\n    send_receipt.delay(order.id)\n",
        _TASKS,
    ),
)
def in_a_transaction(context: Context) -> Iterator[Fault]:
    tables = {
        name
        for name, library in EVERY.items()
        if library.is_transactional
        or (library.is_a_table_with and re.search(library.is_a_table_with, context.project.text))
    }
    for enqueue in context.project.enqueues:
        facts = context.facts_of(enqueue.job)
        if (
            enqueue.verb in ONLY_MADE
            or enqueue.verb.endswith("on_commit")
            or enqueue.library in tables
            or facts.options.get("enqueue_after_commit")
            or not facts.is_plain
        ):
            continue
        opened = _block_around(enqueue) or _session_around(enqueue)
        if opened:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"The job is enqueued while {opened} is open: a worker may begin before the commit and not "
                "find the rows, and a rollback leaves the job behind. Enqueue it on commit.",
            )


def _block_around(enqueue: Enqueue) -> str:
    """Return the transaction of Django, or of a session of SQLAlchemy, in whose block an enqueue stands."""
    module = enqueue.module
    for outer in module.around(enqueue.call):
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


@rule(
    "JOB206",
    "naive-due-time",
    "A job is due at a datetime without a timezone.",
    "The library takes a naive datetime for UTC or for local time, which is rarely what was meant: "
    "the job comes hours early or late, and differently in summer.",
    Example(
        "from datetime import datetime, timedelta\n\n"
        + _CHECKOUT
        + "    due = datetime.now() + timedelta(hours=1)\n"
        "    send_receipt.apply_async((order.id,), eta=due)\n",
        "from datetime import UTC, datetime, timedelta\n\n"
        + _CHECKOUT
        + "    due = datetime.now(UTC) + timedelta(hours=1)\n"
        "    send_receipt.apply_async((order.id,), eta=due)\n",
        _TASKS,
    ),
)
def naive_due(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        for name in _DUE if not EVERY[enqueue.library].naive_is_local else ():
            node = enqueue.options.get(name)
            if isinstance(node, ast.Name):
                node = enqueue.module.local_value(node.id, enqueue.call)
            if node is not None and is_naive(node, enqueue.module):
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{name}={ast.unparse(node)} has no timezone: the job comes hours early or late, or is "
                    "refused. Write datetime.now(UTC), or pass a wait.",
                )


@rule(
    "JOB207",
    "beyond-the-visibility-timeout",
    "A Celery task waits longer than its broker does.",
    "A worker fetches a task with a countdown at once and acknowledges it when it is due. Redis and "
    "SQS deliver what is not acknowledged again: Redis after an hour. The task is performed once for "
    "each hour that it waited.",
    Example(
        _CELERY.replace("memory://", "redis://localhost")
        + "@app.task\ndef remind(user_id: int) -> None: ...\n\n\n"
        "def signup(user_id: int) -> None:\n"
        "    remind.apply_async((user_id,), countdown=3 * 24 * 3600)\n",
        _CELERY.replace("memory://", "redis://localhost")
        + 'app.conf.broker_transport_options = {"visibility_timeout": 4 * 24 * 3600}\n\n\n'
        "@app.task\ndef remind(user_id: int) -> None: ...\n\n\n"
        "def signup(user_id: int) -> None:\n"
        "    remind.apply_async((user_id,), countdown=3 * 24 * 3600)\n",
    ),
)
def beyond_visibility(context: Context) -> Iterator[Fault]:
    if context.facts.has_visibility or not re.search(r"rediss?://|sqs://", context.project.text):
        return
    for enqueue in context.project.enqueues:
        node = enqueue.options.get("countdown") if enqueue.library == "celery" else None
        seconds = None if node is None else seconds_of(node, enqueue.module, enqueue.call)
        if seconds is not None and seconds > _VISIBILITY:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"The task waits {seconds / 3600:.3g} h, and a Redis broker delivers what is not "
                "acknowledged again after one hour: it is performed several times. Set "
                "broker_transport_options visibility_timeout, or let a recurring task look for what is "
                "due.",
            )


@rule(
    "JOB208",
    "called-at-once",
    "A job is enqueued, or run, where only its name was to be passed.",
    "`on_commit(task.delay(7))` enqueues before the commit, and passes the result to `on_commit`. "
    "`queue.enqueue(bill(7))` runs the function in the web process.",
    Example(
        _ATOMIC + _CHECKOUT + "    transaction.on_commit(send_receipt.delay(order.pk))\n",
        _ATOMIC + _CHECKOUT + "    transaction.on_commit(lambda: send_receipt.delay(order.pk))\n",
        _TASKS,
    ),
)
def called_at_once(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        outer = enqueue.module.parents.get(enqueue.call)
        is_passed = isinstance(outer, ast.Call) and getattr(outer.func, "attr", "") == "on_commit"
        inner = ast.unparse(enqueue.call)
        if is_passed:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{inner} runs now, and its result is passed to on_commit. Write on_commit(lambda: "
                f"{inner}), or functools.partial.",
            )
        elif (
            EVERY[enqueue.library].takes_functions
            and isinstance(enqueue.named, ast.Call)
            and context.project.find_function(enqueue.module, enqueue.named.func) is not None
        ):
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{ast.unparse(enqueue.named)} runs now, and its result is enqueued. Pass the "
                "function, and then its arguments.",
            )


@rule(
    "JOB209",
    "late-loop-variable",
    "A lambda in a loop enqueues with the variable of the loop.",
    "The lambda runs after the commit, when the loop is over. Each of them reads the last value: one "
    "record gets all jobs, and the others get none.",
    Example(
        _ATOMIC + _CHECKOUT.replace("(order)", "(orders)") + "    for order in orders:\n"
        "        transaction.on_commit(lambda: send_receipt.delay(order.pk))\n",
        "from functools import partial\n\n"
        + _ATOMIC
        + _CHECKOUT.replace("(order)", "(orders)")
        + "    for order in orders:\n"
        "        transaction.on_commit(partial(send_receipt.delay, order.pk))\n",
        _TASKS,
    ),
)
def late_loop_variable(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
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
                    yield Fault(
                        enqueue.module,
                        enqueue.call,
                        f"The lambda reads {late!r} when the loop is over: all jobs get the last value. "
                        f"Write functools.partial, or `lambda {late}={late}: ...`.",
                    )


@rule(
    "JOB210",
    "enqueue-not-awaited",
    "The call that enqueues is a coroutine, and nobody awaits it.",
    "A coroutine that is not awaited does nothing. Python warns when it is collected, which nobody "
    "reads in production.",
    Example(
        "from taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()\n\n\n"
        "@broker.task\nasync def track(number: str) -> None: ...\n\n\n"
        "async def follow(number: str) -> None:\n"
        "    track.kiq(number)\n",
        "from taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()\n\n\n"
        "@broker.task\nasync def track(number: str) -> None: ...\n\n\n"
        "async def follow(number: str) -> None:\n"
        "    await track.kiq(number)\n",
    ),
)
def not_awaited(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        is_coroutine = enqueue.verb in _COROUTINES or enqueue.library == "saq"
        if is_coroutine and isinstance(enqueue.module.parents.get(enqueue.call), ast.Expr):
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{enqueue.verb} is a coroutine function and nobody awaits it: nothing is enqueued. Write "
                "`await`.",
            )


@rule(
    "JOB212",
    "secret-in-a-message",
    "A job gets a secret.",
    "Arguments stand in the broker as text, and in its logs, in dashboards and in reports of errors. Who may look "
    "at queues reads the secret.",
    Example(
        _CHECKOUT.replace("order", "user") + "    send_receipt.delay(user.password)\n",
        _CHECKOUT.replace("order", "user") + "    send_receipt.delay(user.id)\n",
        _TASKS,
    ),
)
def secret(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        for value in enqueue.values:
            name = getattr(value, "id", getattr(value, "attr", ""))
            if _SECRET.search(name):
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(value)} goes into the message, and who sees the queue, its logs or an error "
                    "report reads it. Pass the id of its owner, and let the job fetch it.",
                )


@rule(
    "JOB213",
    "date-in-a-message",
    "A job gets a date, and its library writes JSON.",
    "JSON has no dates. The enqueue raises an error, or the job gets a text.",
    Example(
        "import datetime\n\nimport dramatiq\n\n\n"
        "@dramatiq.actor\ndef report(day): ...\n\n\n"
        "def report_later() -> None:\n    report.send(datetime.date.today())\n",
        "import datetime\n\nimport dramatiq\n\n\n"
        "@dramatiq.actor\ndef report(day): ...\n\n\n"
        "def report_later() -> None:\n    report.send(datetime.date.today().isoformat())\n",
    ),
)
def date_in_a_message(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        for value in enqueue.values if EVERY[enqueue.library].refuses_dates else ():
            if date_made_by(value, enqueue.module):
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(value)} is a date, and the message is JSON: the enqueue fails. Pass "
                    "`.isoformat()`, and read it in the job.",
                )


@rule(
    "JOB214",
    "result-in-a-request",
    "A view waits for the result of a job.",
    "The visitor waits for the queue and for the worker. When the workers are busy or away, all processes of the "
    "web server wait, and the site is down.",
    Example(
        "from tasks import send_receipt\n\n\n"
        "def checkout(request):\n    return send_receipt.delay(request.POST['id']).get()\n",
        "from tasks import send_receipt\n\n\n"
        "def checkout(request):\n    return send_receipt.delay(request.POST['id']).id\n",
        _TASKS,
    ),
)
def result_in_a_request(context: Context) -> Iterator[Fault]:
    for enqueue, wait in context.waits:
        function = enqueue.function
        arguments = [] if function is None else [one.arg for one in function.args.args]
        is_view = "request" in arguments[:2] and id(function) not in context.bodies
        # Other libraries do not wait where nothing is said.
        if is_view and enqueue.library == "celery":
            yield Fault(
                enqueue.module,
                wait,
                f"{ast.unparse(wait)} keeps a process of the web server until a worker has performed the job. "
                "Answer at once, and let the browser ask for the result.",
            )


@rule(
    "JOB215",
    "result-that-nobody-keeps",
    "The code asks for the result of a task that keeps none.",
    "A task with `ignore_result` stores nothing. `.get()` returns None at once, whether the task has run or not.",
    Example(
        _CELERY + "@app.task(ignore_result=True)\ndef count(page: str) -> int: ...\n\n\n"
        "def show(page: str) -> None:\n    print(count.delay(page).get())\n",
        _CELERY + "@app.task\ndef count(page: str) -> int: ...\n\n\n"
        "def show(page: str) -> None:\n    print(count.delay(page).get())\n",
    ),
)
def result_that_nobody_keeps(context: Context) -> Iterator[Fault]:
    for enqueue, wait in context.waits:
        if enqueue.job is not None and context.facts_of(enqueue.job).options.get("ignore_result"):
            yield Fault(
                enqueue.module,
                wait,
                f"{enqueue.job.short} ignores its result, so {ast.unparse(wait)} returns None at once. Take "
                "ignore_result away, or do not ask.",
            )
