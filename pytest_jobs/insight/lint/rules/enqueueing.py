"""JOB2xx: how and when jobs are enqueued, and with which arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from ....bridges.libraries.known import EVERY, ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import DeclaredJob, constant, keywords
from ...source.module import Module
from ...source.project import without_none
from ..basis.rule import Context, Example, Fault, Rule
from ..basis.story import sql_of

#: Method names of managers and sessions that return one record.
_FETCHES: Final = frozenset(
    ("get", "first", "last", "create", "earliest", "latest", "get_or_create", "one", "one_or_none", "scalar_one",
     "aget", "afirst", "acreate", "get_object_or_404")
)  # fmt: skip
_QUERIES: Final = frozenset(("all", "filter", "exclude", "order_by", "values", "values_list"))
#: Base classes whose instances are plain values.
_VALUES: Final = (
    "Enum",
    "StrEnum",
    "IntEnum",
    "NamedTuple",
    "TypedDict",
    "Protocol",
    "BaseModel",
    "Struct",
)
_EAGER_COROUTINES: Final = frozenset(("kiq", "aenqueue", "enqueue_job", "defer_async"))
_DATABASE_BACKEND: Final = re.compile(
    r"django_tasks_db|DatabaseBackend|django_tasks\.backends\.database"
)
_ATOMIC: Final = re.compile(r"(?:^|\.)(?:atomic|begin|begin_nested|transaction)$")
_VISIBILITY: Final = 3600
_DUE: Final = (
    "eta",
    "at",
    "run_after",
    "scheduled",
    "schedule_at",
    "_defer_until",
    "expires",
    "run_date",
)
_OPENS: Final = ("read", "read_text", "read_bytes", "getvalue", "content")


def _record(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        if enqueue.library == "core":
            continue
        for value in enqueue.values:
            name = _record_in(value, enqueue, context)
            if name:
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(value)} is a {name}, which a message cannot carry, or which is old when "
                    "the job begins. Pass its id, and let the job fetch it.",
                )


def _record_in(value: ast.expr, enqueue: Enqueue, context: Context) -> str:
    module, project = enqueue.module, context.project
    if not isinstance(value, ast.Name):
        return ""
    if value.id == "self":
        cls = next(
            (one for one in module.around(enqueue.call) if isinstance(one, ast.ClassDef)), None
        )
        return f"{cls.name} (a model)" if cls is not None and project.is_model(module, cls) else ""
    annotation = module.annotation(value.id, enqueue.call)
    assigned = module.local_value(value.id, enqueue.call)
    if annotation is not None:
        found = project.find_class(module, without_none(annotation))
        return _named(found, enqueue.library, context)
    if isinstance(assigned, ast.Await):
        assigned = assigned.value
    if not isinstance(assigned, ast.Call):
        return ""
    found = project.find_class(module, assigned.func)
    if found is not None:
        return _named(found, enqueue.library, context)
    if isinstance(assigned.func, ast.Attribute) and assigned.func.attr in _FETCHES:
        receiver = ast.unparse(assigned.func.value)
        root = receiver.partition(".")[0].partition("(")[0]
        if ".objects" in receiver:
            return f"{root} (a model)"
    return "record" if ast.unparse(assigned.func) == "get_object_or_404" else ""


def _named(found: tuple[Module, ast.ClassDef] | None, library: str, context: Context) -> str:
    if found is None:
        return ""
    module, cls = found
    if context.project.is_model(module, cls):
        return f"{cls.name} (a model)"
    bases = context.project.bases(module, cls)
    is_value = any(base.rpartition(".")[2] in _VALUES for base in bases)
    is_value = is_value or _has_only_constants(module, cls, context)
    # A worker that reads annotations gets dataclasses, and pickle writes all objects.
    if is_value or EVERY[library].pickles or EVERY[library].reads_annotations:
        return ""
    return cls.name


def _has_only_constants(
    module: Module, cls: ast.ClassDef, context: Context, depth: int = 0
) -> bool:
    """Say whether a class only names texts and numbers: an annotation with it stands for one of them."""
    # Classes can derive from each other in a text that nobody has run.
    if depth > 20 or not all(isinstance(one, ast.Assign | ast.Pass | ast.Expr) for one in cls.body):
        return False
    found = [context.project.find_class(module, base) for base in cls.bases]
    return all(
        one is not None and one[1] is not cls and _has_only_constants(*one, context)
        for one in found
    )


def _wrong_arguments(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        job = enqueue.job
        if job is None or enqueue.args is None or enqueue.kwargs is None:
            continue
        # A chain passes the result of the task before, and an application may fill in dependencies.
        if enqueue.verb in ("s", "signature", "message", "message_with_options"):
            continue
        problem = _problem(job, enqueue)
        if problem:
            yield Fault(enqueue.module, enqueue.call, problem)


def _problem(job: DeclaredJob, enqueue: Enqueue) -> str:
    arguments = job.body.args
    parameters = job.parameters
    # The arguments are fields of a row, which the body reads as it likes.
    if job.library == "oban":
        return ""
    names = [one.arg for one in [*parameters, *arguments.kwonlyargs]]
    given = list((enqueue.kwargs or {}).keys())
    if arguments.kwarg is None:
        unknown = [name for name in given if name not in names]
        if unknown:
            return (
                f"{job.short} has no parameter {unknown[0]!r}: the call fails, or the worker does. Its "
                f"parameters are {', '.join(names) or 'none'}."
            )
    count = len(enqueue.args or [])
    if arguments.vararg is None and count > len(parameters):
        return (
            f"{job.short} takes {len(parameters)} arguments, and {count} are passed: the call fails, or the "
            "worker does."
        )
    # Dependencies are filled in by the worker.
    if job.library == "taskiq" or enqueue.verb in ("enqueue_job", "add_job"):
        return ""
    needed = (
        parameters[: len(parameters) - len(arguments.defaults)]
        if arguments.defaults
        else parameters
    )
    missing = [one.arg for one in needed[count:] if one.arg not in given]
    if missing and arguments.vararg is None:
        return f"{job.short} needs {missing[0]!r}, and the call does not pass it."
    return ""


def _large_literal(context: Context) -> Iterator[Fault]:
    limit = context.settings.max_literal
    for enqueue in context.project.enqueues:
        for value in enqueue.values:
            node = value
            if isinstance(value, ast.Name):
                node = enqueue.module.assigned.get(value.id, value)
            if _literal_bytes(node) > limit:
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"An argument has about {_literal_bytes(node)} bytes, and each delivery carries them "
                    "through the broker. Store it, and pass its id or its address.",
                )


def _literal_bytes(node: ast.expr) -> int:
    if isinstance(node, ast.Constant):
        return len(str(node.value)) if isinstance(node.value, str | bytes) else 8
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return 2 + sum(_literal_bytes(one) + 2 for one in node.elts)
    if isinstance(node, ast.Dict):
        return sum(_literal_bytes(one) + 2 for one in [*filter(None, node.keys), *node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for text, times in ((node.left, node.right), (node.right, node.left)):
            number = constant(times)
            if isinstance(number, int):
                return _literal_bytes(text) * max(number, 0)
    return 0


def _whole_file_or_table(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        for value in enqueue.values:
            node = value
            if isinstance(node, ast.Name):
                node = enqueue.module.local_value(node.id, enqueue.call) or value
            inner = node
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("list", "tuple")
                and node.args
            ):
                inner = node.args[0]
            text = ast.unparse(inner)
            is_query = (
                isinstance(inner, ast.Call)
                and isinstance(inner.func, ast.Attribute)
                and inner.func.attr in _QUERIES
                and ".objects." in text
                and "values_list" not in text
            )
            is_file = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _OPENS
                and not node.args
            )
            if is_query or is_file:
                kind = "all rows that a query finds" if is_query else "a whole file"
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{text} puts {kind} into the message. Pass ids, or the place of the file.",
                )


def _in_a_transaction(context: Context) -> Iterator[Fault]:
    project = context.project
    waits = bool(_DATABASE_BACKEND.search(project.text))
    for enqueue in project.enqueues:
        if (
            enqueue.verb in ONLY_MADE
            or EVERY[enqueue.library].is_transactional
            or enqueue.verb.endswith("on_commit")
            or (enqueue.library == "django" and waits)
            or (enqueue.library == "core" and _waits_for_commit(enqueue, context))
        ):
            continue
        opened = _transaction_around(enqueue) or _statement_before(enqueue, context)
        if opened:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"The job is enqueued while {opened} is open: a worker may begin before the commit and not "
                "find the rows, and a rollback leaves the job behind. Enqueue it on commit.",
            )


def _waits_for_commit(enqueue: Enqueue, context: Context) -> bool:
    job = enqueue.job
    if job is None:
        return True
    if "enqueue_after_commit" in job.options:
        return constant(job.options["enqueue_after_commit"]) is not False
    if job.cls is None:
        return "base" in job.options
    inherited = [
        found
        for base in job.cls.bases
        if (found := context.project.find_class(job.module, base)) is not None
    ]
    return any("enqueue_after_commit = True" in ast.unparse(cls) for _, cls in inherited)


def _transaction_around(enqueue: Enqueue) -> str:
    module = enqueue.module
    for outer in module.around(enqueue.call):
        if isinstance(outer, ast.Lambda):
            return ""
        if isinstance(outer, ast.With | ast.AsyncWith):
            for item in outer.items:
                node = item.context_expr
                called = node.func if isinstance(node, ast.Call) else node
                if isinstance(called, ast.Attribute | ast.Name) and _ATOMIC.search(
                    ast.unparse(called)
                ):
                    return f"`{ast.unparse(node)}`"
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in outer.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if ast.unparse(called).rpartition(".")[2] == "atomic":
                    return f"`@{ast.unparse(decorator)}`"
            return ""
    return ""


def _statement_before(enqueue: Enqueue, context: Context) -> str:
    """Return the open transaction of a connection: statements before the enqueue, their commit after it."""
    function = enqueue.function
    if function is None:
        return ""
    module, line = enqueue.module, enqueue.call.lineno
    written: dict[str, int] = {}
    for call in sorted(
        (one for one in ast.walk(function) if isinstance(one, ast.Call)),
        key=lambda one: (one.lineno, one.col_offset),
    ):
        if call.lineno == line:
            continue
        receiver = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if call.lineno > line:
            if method == "commit" and receiver in written:
                return f"the transaction of `{receiver}`"
            continue
        if method == "commit":
            written.pop(receiver, None)
        elif (
            method == "execute"
            and re.match(r"\s*(?:insert|update|delete)", sql_of(call, module), re.IGNORECASE)
        ) or (method == "add" and "session" in receiver.lower()):
            written[receiver] = call.lineno
        else:
            helper = context.project.find_function(module, call.func)
            if helper is not None:
                for parameter, argument in zip(helper[2].args.args, call.args, strict=False):
                    if _writes(helper[0], helper[2], parameter.arg) and isinstance(
                        argument, ast.Name
                    ):
                        written[argument.id] = call.lineno
    return ""


def _writes(module: Module, function: ast.AST, connection: str) -> bool:
    calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
    texts = [(ast.unparse(one.func), one) for one in calls if isinstance(one.func, ast.Attribute)]
    return any(
        text == f"{connection}.execute"
        and re.match(r"\s*(?:insert|update|delete)", sql_of(one, module), re.IGNORECASE)
        for text, one in texts
    ) and not any(text == f"{connection}.commit" for text, _ in texts)


def _naive_due(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        if EVERY[enqueue.library].naive_is_local:
            continue
        for name in _DUE:
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


def is_naive(node: ast.expr, module: Module) -> bool:
    """Say whether an expression is a datetime without a timezone: `datetime.now()`, also plus something."""
    while isinstance(node, ast.BinOp):
        node = node.left
    if not isinstance(node, ast.Call):
        return False
    origin = module.origin(node.func)
    if origin in ("datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"):
        return True
    named = keywords(node)
    if origin == "datetime.datetime.now":
        return not node.args and "tz" not in named
    return origin == "datetime.datetime" and len(node.args) < 8 and "tzinfo" not in named


def _beyond_visibility(context: Context) -> Iterator[Fault]:
    text = context.project.text
    if not re.search(r"redis://|sqs://", text) or "visibility_timeout" in text:
        return
    for enqueue in context.project.enqueues:
        if enqueue.library != "celery":
            continue
        node = enqueue.options.get("countdown")
        seconds = _seconds(node, enqueue.module, enqueue.call) if node is not None else None
        if seconds is not None and seconds > _VISIBILITY:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"The task waits {timedelta(seconds=seconds)}, and a Redis broker delivers what is not "
                "acknowledged again after one hour: it is performed several times. Set "
                "broker_transport_options visibility_timeout, or let a recurring task look for what is "
                "due.",
            )


def _seconds(node: ast.expr, module: Module, near: ast.AST) -> float | None:
    if isinstance(node, ast.Name):
        value = module.local_value(node.id, near)
        return None if value is None else _seconds(value, module, near)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Add):
        left, right = _seconds(node.left, module, near), _seconds(node.right, module, near)
        if left is None or right is None:
            return None
        return left * right if isinstance(node.op, ast.Mult) else left + right
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "total_seconds":
            return _seconds(node.func.value, module, near)
        if module.origin(node.func) == "datetime.timedelta":
            units = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1, "weeks": 604_800}
            total = 0.0
            given = keywords(node) | ({"days": node.args[0]} if node.args else {})
            for name, value in given.items():
                number = constant(value)
                if name not in units or not isinstance(number, int | float):
                    return None
                total += number * units[name]
            return total
        return None
    number = constant(node)
    return float(number) if isinstance(number, int | float) else None


def _called_at_once(context: Context) -> Iterator[Fault]:
    calls = {id(enqueue.call): enqueue for enqueue in context.project.enqueues}
    for module in context.project.modules:
        for call in module.calls:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if name == "on_commit" and call.args and id(call.args[0]) in calls:
                inner = ast.unparse(call.args[0])
                yield Fault(
                    module,
                    call,
                    f"{inner} runs now, and its result is passed to on_commit. Write on_commit(lambda: "
                    f"{inner}), or functools.partial.",
                )
    for enqueue in context.project.enqueues:
        if EVERY[enqueue.library].takes_functions and isinstance(enqueue.named, ast.Call):
            called = context.project.find_function(enqueue.module, enqueue.named.func)
            if called is not None:
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{ast.unparse(enqueue.named)} runs now, and its result is enqueued. Pass the "
                    "function, and then its arguments.",
                )


def _late_loop_variable(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        outer = list(enqueue.module.around(enqueue.call))
        cut = next((i for i, one in enumerate(outer) if isinstance(one, ast.Lambda)), None)
        if cut is None:
            continue
        function = outer[cut]
        own = {one.arg for one in function.args.args} if isinstance(function, ast.Lambda) else set()
        for loop in outer[cut:]:
            if isinstance(loop, ast.FunctionDef | ast.AsyncFunctionDef):
                break
            if isinstance(loop, ast.For | ast.AsyncFor):
                names = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
                used = {one.id for one in ast.walk(enqueue.call) if isinstance(one, ast.Name)}
                late = sorted((names & used) - own)
                if late:
                    yield Fault(
                        enqueue.module,
                        enqueue.call,
                        f"The lambda reads {late[0]!r} when the loop is over: all jobs get the last value. "
                        f"Write functools.partial, or `lambda {late[0]}={late[0]}: ...`.",
                    )


def _not_awaited(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        is_coroutine = enqueue.verb in _EAGER_COROUTINES or enqueue.library == "saq"
        parent = enqueue.module.parents.get(enqueue.call)
        if is_coroutine and isinstance(parent, ast.Expr):
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{enqueue.verb} is a coroutine function and nobody awaits it: nothing is enqueued. Write "
                "`await`.",
            )


def _a_lambda(context: Context) -> Iterator[Fault]:
    for enqueue in context.project.enqueues:
        is_named = EVERY[enqueue.library].takes_functions == "by name"
        if is_named and isinstance(enqueue.named, ast.Lambda):
            yield Fault(
                enqueue.module,
                enqueue.call,
                "A message carries the name of a function, and a lambda has none that a worker could "
                "import. Write a function at the top of a module.",
            )


_CELERY: Final = "from celery import shared_task\n\n\n@shared_task\ndef send_receipt(order_id: int) -> None: ...\n"
_TASKS: Final = (("tasks.py", _CELERY),)
_SHOP: Final = (
    "from celery import shared_task\nfrom django.db import models\n\n\n"
    "class Order(models.Model): ...\n\n\n"
    "@shared_task\ndef send_receipt(order_id: int) -> None: ...\n"
)

RULES: Final = (
    Rule(
        "JOB201",
        "record-instead-of-id",
        "A job gets a record instead of an id.",
        "A message is text: a record is refused, or pickled. A pickled record shows the row as it was "
        "when the job was enqueued; saving it writes old values back.",
        (
            Example(
                "from shop import Order, send_receipt\n\n\n"
                "def checkout(order_id: int) -> None:\n"
                "    order = Order.objects.get(pk=order_id)\n"
                "    send_receipt.delay(order)\n",
                "from shop import Order, send_receipt\n\n\n"
                "def checkout(order_id: int) -> None:\n"
                "    order = Order.objects.get(pk=order_id)\n"
                "    send_receipt.delay(order.pk)\n",
                (
                    (
                        "shop.py",
                        _SHOP,
                    ),
                ),
            ),
            Example(
                "from rq import Queue\n"
                "from django.db import models\n\n\n"
                "def bill(order): ...\n\n\n"
                "class Order(models.Model):\n"
                "    def bill_later(self, queue: Queue) -> None:\n"
                "        queue.enqueue(bill, self)\n",
                "from rq import Queue\n"
                "from django.db import models\n\n\n"
                "def bill(order): ...\n\n\n"
                "class Order(models.Model):\n"
                "    def bill_later(self, queue: Queue) -> None:\n"
                "        queue.enqueue(bill, self.pk)\n",
            ),
            Example(
                "import dramatiq\n\n\n"
                "class Order:\n    id: int\n\n\n"
                "@dramatiq.actor\ndef bill(order): ...\n\n\n"
                "def bill_later(order: Order | None) -> None:\n"
                "    bill.send(order)\n",
                "import dramatiq\n\n\n"
                "class Order:\n    id: int\n\n\n"
                "@dramatiq.actor\ndef bill(order): ...\n\n\n"
                "def bill_later(order: Order) -> None:\n"
                "    bill.send(order.id)\n",
            ),
        ),
        _record,
    ),
    Rule(
        "JOB202",
        "wrong-arguments",
        "A job is enqueued with arguments that it does not take.",
        "Most libraries look at the signature when the worker calls the function: the request succeeds, "
        "and the job fails, in each of its attempts.",
        (
            Example(
                "from tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    send_receipt.delay(order=order.id)\n",
                "from tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    send_receipt.delay(order_id=order.id)\n",
                _TASKS,
            ),
            Example(
                "from rq import Queue\n\nqueue = Queue()\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "queue.enqueue(bill, 7, 'card', job_timeout=60)\n",
                "from rq import Queue\n\nqueue = Queue()\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "queue.enqueue(bill, 7, job_timeout=60)\n",
            ),
            Example(
                "from django.tasks import task\n\n\n"
                "@task(takes_context=True)\ndef bill(context, order_id): ...\n\n\n"
                "bill.enqueue()\n",
                "from django.tasks import task\n\n\n"
                "@task(takes_context=True)\ndef bill(context, order_id): ...\n\n\n"
                "bill.enqueue(7)\n",
            ),
            Example(
                "from arq import create_pool\n\n\n"
                "async def bill(ctx, order_id): ...\n\n\n"
                "class WorkerSettings:\n    functions = [bill]\n\n\n"
                "async def later():\n"
                "    pool = await create_pool()\n"
                "    await pool.enqueue_job('bill', order=7)\n",
                "from arq import create_pool\n\n\n"
                "async def bill(ctx, order_id): ...\n\n\n"
                "class WorkerSettings:\n    functions = [bill]\n\n\n"
                "async def later():\n"
                "    pool = await create_pool()\n"
                "    await pool.enqueue_job('bill', order_id=7, _defer_by=60)\n",
            ),
            Example(
                "from procrastinate import App\n\napp = App(connector=None)\n\n\n"
                "@app.task\ndef bill(order_id): ...\n\n\n"
                "bill.defer(order=7)\n",
                "from procrastinate import App\n\napp = App(connector=None)\n\n\n"
                "@app.task\ndef bill(order_id): ...\n\n\n"
                "bill.configure(lock='bill').defer(order_id=7)\n",
            ),
            Example(
                "from django_q.tasks import async_task\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "async_task(bill, order=7, hook='done')\n",
                "from django_q.tasks import async_task\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "async_task(bill, order_id=7, hook='done')\n",
            ),
            Example(
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n"
                "@huey.task()\ndef bill(order_id): ...\n\n\n"
                "bill(order=7)\n",
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n"
                "@huey.task()\ndef bill(order_id): ...\n\n\n"
                "bill(order_id=7)\nbill.schedule(args=(7,), delay=60)\n",
            ),
            Example(
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def bill(ctx, *, order_id): ...\n\n\n"
                "settings = {'queue': queue, 'functions': [bill]}\n\n\n"
                "async def later():\n    await queue.enqueue('bill', order=7)\n",
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def bill(ctx, *, order_id): ...\n\n\n"
                "settings = {'queue': queue, 'functions': [bill]}\n\n\n"
                "async def later():\n    await queue.enqueue('bill', order_id=7, timeout=60)\n",
            ),
        ),
        _wrong_arguments,
    ),
    Rule(
        "JOB203",
        "large-literal",
        "A job gets a large literal.",
        "Each delivery carries the arguments through the broker, and each retry once more; brokers have "
        "limits (SQS: 256 KiB). The setting `max-literal` is 1024 bytes.",
        (
            Example(
                "from tasks import send_receipt\n\n\n"
                "def checkout() -> None:\n"
                "    send_receipt.delay('x' * 5000)\n",
                "from tasks import send_receipt\n\n\n"
                "def checkout(text_id: int) -> None:\n"
                "    send_receipt.delay(text_id)\n",
                _TASKS,
            ),
        ),
        _large_literal,
    ),
    Rule(
        "JOB204",
        "whole-file-or-table",
        "A job gets the content of a file, or all rows of a query.",
        "The message grows with the data, until the broker refuses it on the day of the largest file.",
        (
            Example(
                "from tasks import send_receipt\n\n\n"
                "def upload(file) -> None:\n"
                "    send_receipt.delay(file.read())\n",
                "from tasks import send_receipt\n\n\n"
                "def upload(file) -> None:\n"
                "    send_receipt.delay(file.name)\n",
                _TASKS,
            ),
            Example(
                "from django_q.tasks import async_task\n\n"
                "from shop import Order\n\n\n"
                "def bill(orders): ...\n\n\n"
                "async_task(bill, list(Order.objects.filter(paid=False)))\n",
                "from django_q.tasks import async_task\n\n"
                "from shop import Order\n\n\n"
                "def bill(orders): ...\n\n\n"
                "async_task(bill, list(Order.objects.filter(paid=False).values_list('pk', flat=True)))\n",
            ),
        ),
        _whole_file_or_table,
    ),
    Rule(
        "JOB205",
        "in-a-transaction",
        "A job is enqueued inside an open transaction.",
        "A worker is often faster than the commit, and does not find the row. When the transaction is "
        "rolled back, the job runs nevertheless.",
        (
            Example(
                "from django.db import transaction\n\nfrom tasks import send_receipt\n\n\n"
                "@transaction.atomic\n"
                "def checkout(order) -> None:\n"
                "    order.save()\n"
                "    send_receipt.delay(order.pk)\n",
                "from functools import partial\n\nfrom django.db import transaction\n\nfrom tasks import "
                "send_receipt\n\n\n"
                "@transaction.atomic\n"
                "def checkout(order) -> None:\n"
                "    order.save()\n"
                "    transaction.on_commit(partial(send_receipt.delay, order.pk))\n",
                _TASKS,
            ),
            Example(
                "from tasks import send_receipt\n\n\n"
                "def checkout(Session, order) -> None:\n"
                "    with Session.begin() as session:\n"
                "        session.add(order)\n"
                "        send_receipt.delay(order.id)\n",
                "from tasks import send_receipt\n\n\n"
                "def checkout(Session, order) -> None:\n"
                "    with Session.begin() as session:\n"
                "        session.add(order)\n"
                "    send_receipt.delay(order.id)\n",
                _TASKS,
            ),
            Example(
                "from tasks import send_receipt\n\n\n"
                "def checkout(session, order) -> None:\n"
                "    session.add(order)\n"
                "    send_receipt.delay(order.id)\n"
                "    session.commit()\n",
                "from tasks import send_receipt\n\n\n"
                "def checkout(session, order) -> None:\n"
                "    session.add(order)\n"
                "    session.commit()\n"
                "    send_receipt.delay(order.id)\n",
                _TASKS,
            ),
            Example(
                "from django.db import transaction\nfrom pytest_jobs import job\n\n\n"
                "@job\ndef bill(order_id: int) -> None: ...\n\n\n"
                "def checkout(order) -> None:\n"
                "    with transaction.atomic():\n"
                "        bill.perform_later(order.pk)\n",
                "from django.db import transaction\nfrom pytest_jobs import job\n\n\n"
                "@job(enqueue_after_commit=True)\ndef bill(order_id: int) -> None: ...\n\n\n"
                "def checkout(order) -> None:\n"
                "    with transaction.atomic():\n"
                "        bill.perform_later(order.pk)\n",
            ),
        ),
        _in_a_transaction,
    ),
    Rule(
        "JOB206",
        "naive-due-time",
        "A job is due at a datetime without a timezone.",
        "The library takes a naive datetime for UTC or for local time, which is rarely what was meant: "
        "the job comes hours early or late, and differently in summer.",
        (
            Example(
                "from datetime import datetime, timedelta\n\nfrom tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    send_receipt.apply_async((order.id,), eta=datetime.now() + timedelta(hours=1))\n",
                "from datetime import UTC, datetime, timedelta\n\nfrom tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    send_receipt.apply_async((order.id,), eta=datetime.now(UTC) + timedelta(hours=1))\n",
                _TASKS,
            ),
            Example(
                "from datetime import datetime\n\nfrom django.tasks import task\n\n\n"
                "@task\ndef bill(order_id): ...\n\n\n"
                "bill.using(run_after=datetime.utcnow()).enqueue(7)\n",
                "from datetime import UTC, datetime\n\nfrom django.tasks import task\n\n\n"
                "@task\ndef bill(order_id): ...\n\n\n"
                "bill.using(run_after=datetime.now(tz=UTC)).enqueue(7)\n",
            ),
            Example(
                "from datetime import datetime\n\nfrom rq import Queue\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "Queue().enqueue_at(datetime(2030, 1, 1, 6), bill, 7)\n",
                "from datetime import UTC, datetime\n\nfrom rq import Queue\n\n\n"
                "def bill(order_id): ...\n\n\n"
                "Queue().enqueue_at(datetime(2030, 1, 1, 6, tzinfo=UTC), bill, 7)\n",
            ),
        ),
        _naive_due,
    ),
    Rule(
        "JOB207",
        "beyond-the-visibility-timeout",
        "A Celery task waits longer than its broker does.",
        "A worker fetches a task with a countdown at once and acknowledges it when it is due. Redis and "
        "SQS deliver what is not acknowledged again: Redis after an hour. The task is performed once for "
        "each hour that it waited.",
        (
            Example(
                "from celery import Celery\n\n"
                "app = Celery('shop', broker='redis://localhost')\n\n\n"
                "@app.task\ndef remind(user_id: int) -> None: ...\n\n\n"
                "def signup(user_id: int) -> None:\n"
                "    remind.apply_async((user_id,), countdown=3 * 24 * 3600)\n",
                "from celery import Celery\n\n"
                "app = Celery('shop', broker='redis://localhost')\n"
                "app.conf.broker_transport_options = {'visibility_timeout': 4 * 24 * 3600}\n\n\n"
                "@app.task\ndef remind(user_id: int) -> None: ...\n\n\n"
                "def signup(user_id: int) -> None:\n"
                "    remind.apply_async((user_id,), countdown=3 * 24 * 3600)\n",
            ),
        ),
        _beyond_visibility,
    ),
    Rule(
        "JOB208",
        "called-at-once",
        "A job is enqueued, or run, where only its name was to be passed.",
        "`on_commit(task.delay(7))` enqueues before the commit, and passes the result to `on_commit`. "
        "`queue.enqueue(bill(7))` runs the function in the web process.",
        (
            Example(
                "from django.db import transaction\n\nfrom tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    transaction.on_commit(send_receipt.delay(order.pk))\n",
                "from django.db import transaction\n\nfrom tasks import send_receipt\n\n\n"
                "def checkout(order) -> None:\n"
                "    transaction.on_commit(lambda: send_receipt.delay(order.pk))\n",
                _TASKS,
            ),
            Example(
                "from rq import Queue\n\n\ndef bill(order_id): ...\n\n\nQueue().enqueue(bill(7))\n",
                "from rq import Queue\n\n\ndef bill(order_id): ...\n\n\nQueue().enqueue(bill, 7)\n",
            ),
        ),
        _called_at_once,
    ),
    Rule(
        "JOB209",
        "late-loop-variable",
        "A lambda in a loop enqueues with the variable of the loop.",
        "The lambda runs after the commit, when the loop is over. Each of them reads the last value: one "
        "record gets all jobs, and the others get none.",
        (
            Example(
                "from django.db import transaction\n\nfrom tasks import send_receipt\n\n\n"
                "def checkout(orders) -> None:\n"
                "    for order in orders:\n"
                "        transaction.on_commit(lambda: send_receipt.delay(order.pk))\n",
                "from functools import partial\n\nfrom django.db import transaction\n\nfrom tasks import "
                "send_receipt\n\n\n"
                "def checkout(orders) -> None:\n"
                "    for order in orders:\n"
                "        transaction.on_commit(partial(send_receipt.delay, order.pk))\n",
                _TASKS,
            ),
        ),
        _late_loop_variable,
    ),
    Rule(
        "JOB210",
        "enqueue-not-awaited",
        "The call that enqueues is a coroutine, and nobody awaits it.",
        "A coroutine that is not awaited does nothing. Python warns when it is collected, which nobody "
        "reads in production.",
        (
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
            Example(
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def follow(number: str) -> None:\n"
                "    queue.enqueue('track', number=number)\n",
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def follow(number: str) -> None:\n"
                "    await queue.enqueue('track', number=number)\n",
            ),
        ),
        _not_awaited,
    ),
    Rule(
        "JOB211",
        "a-lambda-as-a-job",
        "A lambda is enqueued.",
        "The message has the name of the function, and the worker imports it. A lambda is called `<lambda>`.",
        (
            Example(
                "from rq import Queue\n\nQueue().enqueue(lambda: print(7))\n",
                "from rq import Queue\n\nQueue().enqueue(print, 7)\n",
            ),
        ),
        _a_lambda,
    ),
)
