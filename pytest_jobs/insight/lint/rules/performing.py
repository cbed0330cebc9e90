"""JOB301 to JOB310: the body of a job by itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ...source.jobs import DeclaredJob, constant
from ...source.module import Module
from ..basis.rule import Context, Example, Fault, Rule
from ..basis.story import sql_of

_BROAD: Final = ("Exception", "BaseException", "")
_LOGS: Final = re.compile(r"\b(?:log|logger|logging|_log|_logger|LOG|LOGGER|structlog)\b|^print$")
_CANCELLED: Final = "CancelledError"
#: Calls that hold a loop up, by their origin; what ends with a dot stands for all below.
_BLOCKING: Final = (
    "time.sleep", "requests.", "urllib.request.urlopen", "subprocess.run", "subprocess.call",
    "subprocess.check_call", "subprocess.check_output", "os.system", "socket.create_connection",
    "smtplib.", "django.core.mail.send_mail", "psycopg2.connect", "sqlite3.connect", "shutil.copytree",
)  # fmt: skip
_PROCESS_LOCKS: Final = ("threading.Lock", "threading.RLock", "threading.Semaphore", "asyncio.Lock",
                         "multiprocessing.Lock", "threading.BoundedSemaphore")  # fmt: skip
_TODAY: Final = ("datetime.date.today", "django.utils.timezone.localdate")
_NOW: Final = (
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "pendulum.now",
    "django.utils.timezone.now", "django.utils.timezone.localtime", "arrow.utcnow",
)  # fmt: skip
_RANDOM: Final = ("uuid.uuid4", "uuid.uuid1", "random.", "secrets.", "os.urandom")
_VOLATILE: Final = (*_RANDOM, "time.time", "time.time_ns", *_NOW, *_TODAY)
_KEY: Final = re.compile(
    r"idempotency|dedup|unique_?key|client_?(?:request_?)?token", re.IGNORECASE
)
_WAITS: Final = frozenset(("get", "join", "wait", "wait_result", "get_result", "collect", "result"))
_BOUNDS: Final = ("lt", "lte", "gt", "gte")
_RESULTS: Final = ("AsyncResult", "GroupResult", "ResultSet")


def _swallowed(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for node in ast.walk(job.body):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and _does_nothing(node):
                caught = f"except {ast.unparse(node.type)}" if node.type else "except"
                yield Fault(
                    job.module,
                    node,
                    f"`{caught}` swallows every error of {job.short}: the job is performed successfully, "
                    "and is neither retried nor seen. Catch the errors that you expect, or raise again.",
                )
            if isinstance(node, ast.With | ast.AsyncWith) and _suppresses(
                node, job.module, "Exception"
            ):
                yield Fault(
                    job.module,
                    node,
                    f"suppress(Exception) swallows every error of {job.short}: the job is performed "
                    "successfully, and is neither retried nor seen. Suppress the errors that you expect.",
                )


def _is_broad(handler: ast.ExceptHandler) -> bool:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any((ast.unparse(one) if one else "") in _BROAD for one in types)


def _does_nothing(handler: ast.ExceptHandler) -> bool:
    for node in handler.body:
        if isinstance(node, ast.Pass | ast.Continue | ast.Break):
            continue
        if isinstance(node, ast.Return) and (
            node.value is None or isinstance(node.value, ast.Constant)
        ):
            continue
        if isinstance(node, ast.Expr) and (
            isinstance(node.value, ast.Constant)
            or (isinstance(node.value, ast.Call) and _LOGS.search(ast.unparse(node.value.func)))
        ):
            continue
        return False
    return True


def _suppresses(node: ast.With | ast.AsyncWith, module: Module, name: str) -> bool:
    return any(
        isinstance(call := item.context_expr, ast.Call)
        and module.origin(call.func) == "contextlib.suppress"
        and any(ast.unparse(one).rpartition(".")[2] == name for one in call.args)
        for item in node.items
    )


def _cancellation_swallowed(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        if not job.is_coroutine:
            continue
        for node in ast.walk(job.body):
            caught = (
                isinstance(node, ast.ExceptHandler)
                and node.type is not None
                and _CANCELLED in ast.unparse(node.type)
                and not any(isinstance(one, ast.Raise) for one in ast.walk(node))
            )
            if caught or (
                isinstance(node, ast.With | ast.AsyncWith)
                and _suppresses(node, job.module, _CANCELLED)
            ):
                yield Fault(
                    job.module,
                    node,
                    f"{job.short} swallows CancelledError: a worker that shuts down cancels the job, and "
                    "the job goes on as if its step had been done. Clean up, and raise again.",
                )


def _blocking(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        if not job.is_coroutine:
            continue
        for call in job.calls():
            if job.module.function_around(call) is not job.body:
                continue
            origin = job.module.origin(call.func)
            if any(
                origin.startswith(one) if one[-1] == "." else origin == one for one in _BLOCKING
            ):
                better = (
                    "await asyncio.sleep(...)"
                    if origin == "time.sleep"
                    else "await asyncio.to_thread(...)"
                )
                yield Fault(
                    job.module,
                    call,
                    f"{ast.unparse(call.func)} blocks the loop of the worker, and all of its other jobs "
                    f"wait. Write {better}, or a client for asyncio.",
                )


def _result_inside(context: Context) -> Iterator[Fault]:
    calls = {id(one.call) for one in context.project.enqueues}
    for job in context.project.jobs:
        for call in job.calls():
            if not isinstance(call.func, ast.Attribute) or call.func.attr not in _WAITS:
                continue
            made = call.func.value
            if isinstance(made, ast.Name):
                made = job.module.local_value(made.id, call) or made
            if isinstance(made, ast.Await):
                made = made.value
            is_result = id(made) in calls or (
                isinstance(made, ast.Call)
                and (
                    ast.unparse(made.func).rpartition(".")[2] in _RESULTS
                    or (
                        isinstance(made.func, ast.Attribute)
                        and made.func.attr in ("delay", "apply_async")
                    )
                    or (isinstance(made.func, ast.Call) and "group" in ast.unparse(made.func))
                )
            )
            if is_result:
                yield Fault(
                    job.module,
                    call,
                    f"{job.short} waits for the result of another job and keeps its worker busy meanwhile: "
                    "when all workers wait, nothing goes on. Let the other job enqueue what follows, or "
                    "write a chain.",
                )


def _process_lock(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for node in ast.walk(job.body):
            held: list[ast.expr] = []
            if isinstance(node, ast.With | ast.AsyncWith):
                held = [item.context_expr for item in node.items]
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "acquire"
            ):
                held = [node.func.value]
            for lock in held:
                made = context.project.constructor(job.module, lock)
                if made in _PROCESS_LOCKS and not isinstance(lock, ast.Call):
                    yield Fault(
                        job.module,
                        node,
                        f"{ast.unparse(lock)} is a {made}: it keeps out the threads of this process, and "
                        "no other worker. Take a lock of the database or of redis.",
                    )


def _lock_without_ttl(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for call in job.calls():
            if not isinstance(call.func, ast.Attribute):
                continue
            named = {keyword.arg for keyword in call.keywords}
            is_set = (
                call.func.attr == "set"
                and any(one.arg == "nx" and constant(one.value) is True for one in call.keywords)
                and not named & {"ex", "px", "exat", "pxat"}
            )
            is_lock = (
                call.func.attr == "lock"
                and "redis" in ast.unparse(call.func.value).lower()
                and "timeout" not in named
                and len(call.args) < 2
            )
            if is_set or is_lock or call.func.attr == "setnx":
                yield Fault(
                    job.module,
                    call,
                    f"The lock of {job.short} never ends by itself: after a killed worker nobody gets it "
                    f"again. Give it a time to live, `{'timeout' if is_lock else 'ex'}=...`.",
                )


def _date_in_the_worker(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for call in job.calls():
            if not _is_today(call, job.module):
                continue
            if _is_bound(call, job):
                continue
            yield Fault(
                job.module,
                call,
                f"{job.short} asks for the date while it runs: a retry or a backlog after midnight does "
                "the work of another day. Pass the date as an argument.",
            )


def _is_bound(call: ast.Call, job: DeclaredJob) -> bool:
    """Say whether a date only bounds something: what is older than today is so tomorrow, too."""
    assigned = job.module.parents.get(call)
    uses: list[ast.AST] = [call]
    if isinstance(assigned, ast.Assign) and isinstance(assigned.targets[0], ast.Name):
        name = assigned.targets[0].id
        uses = [
            node
            for node in ast.walk(job.body)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]
    return bool(uses) and all(
        isinstance(one, ast.Compare)
        or (isinstance(one, ast.keyword) and str(one.arg).rpartition("__")[2] in _BOUNDS)
        for one in (_holder(use, job) for use in uses)
    )


def _holder(node: ast.AST, job: DeclaredJob) -> ast.AST | None:
    """Return the comparison or the keyword that a node stands in, or the nearest other call or statement."""
    for outer in job.module.around(node):
        if isinstance(outer, ast.Compare | ast.keyword | ast.Call | ast.stmt):
            return outer
    return None


def _is_today(call: ast.Call, module: Module) -> bool:
    origin = module.origin(call.func)
    if origin in _TODAY:
        return True
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "date"
        and isinstance(call.func.value, ast.Call)
        and module.origin(call.func.value.func) in _NOW
    )


def _volatile_key(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for call in job.calls():
            for name, value in _keys_of(call):
                source = volatile(value, job.module, _VOLATILE)
                if source:
                    yield Fault(
                        job.module,
                        value,
                        f"{name} has {source} in it: each delivery has another key, so that it keeps "
                        "nothing away. Make the key of the arguments of the job.",
                    )


def _keys_of(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for keyword in call.keywords:
        if keyword.arg and _KEY.search(keyword.arg):
            yield keyword.arg, keyword.value
        for node in ast.walk(keyword.value):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    text = constant(key)
                    if isinstance(text, str) and "idempotency-key" in text.lower():
                        yield text, value


def volatile(node: ast.expr, module: Module, origins: tuple[str, ...], depth: int = 0) -> str:
    """Return the call by which a value differs each time that it is computed; empty when there is none."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            origin = module.origin(inner.func)
            if any(origin.startswith(one) if one[-1] == "." else origin == one for one in origins):
                return ast.unparse(inner)
        if isinstance(inner, ast.Name) and depth < 4 and inner.id not in module.imported:
            value = module.local_value(inner.id, inner)
            # A value that was asked for, as `redis.get(key)`, is another thing than a value that was drawn.
            if value is not None:
                found = volatile(value, module, origins, depth + 1)
                if found:
                    return found
    return ""


def _new_value_for_a_follow_up(context: Context) -> Iterator[Fault]:
    bodies = {id(job.body): job for job in context.project.jobs}
    for enqueue in context.project.enqueues:
        job: DeclaredJob | None = bodies.get(id(enqueue.function))
        if job is None:
            continue
        for value in enqueue.values:
            source = volatile(value, enqueue.module, _RANDOM)
            if source:
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{job.short} passes {source} to the next job: a redelivery enqueues one with another "
                    "value, which nobody can recognise as a repetition. Make the value of the arguments.",
                )


def _lost_update(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        if _LOCKED.search(ast.unparse(job.body)):
            continue
        for call in job.calls():
            if not isinstance(call.func, ast.Attribute):
                continue
            name = ""
            if call.func.attr == "set" and len(call.args) > 1:
                name = _read_before(call.args[0], call.args[1], job)
            elif call.func.attr == "execute" and len(call.args) > 1:
                name = _selected_before(call, job)
            if name:
                yield Fault(
                    job.module,
                    call,
                    f"{job.short} reads {name}, computes, and writes it back: two deliveries at once read "
                    "the same value, and one change is lost. Let the store add, or lock the row first.",
                )
        yield from _field_written_back(job)


_LOCKED: Final = re.compile(
    r"begin immediate|for update|select_for_update|with_for_update|nx=True|\.lock\(|\.watch\(|where.*version",
    re.IGNORECASE,
)


def _read_before(key: ast.expr, value: ast.expr, job: DeclaredJob) -> str:
    for inner in ast.walk(value):
        if not isinstance(inner, ast.Name):
            continue
        source = job.module.local_value(inner.id, inner)
        if source is not None and any(
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "get"
            and call.args
            and ast.unparse(call.args[0]) == ast.unparse(key)
            for call in ast.walk(source)
        ):
            return f"{ast.unparse(key)} of redis"
    return ""


def _selected_before(call: ast.Call, job: DeclaredJob) -> str:
    """Return the column that a statement sets to a sum with what a `select` found in it."""
    updated = re.match(
        r"\s*update\s+(\w+)\s+set\s+(\w+)\s*=\s*[?:%$]", sql_of(call, job.module), re.IGNORECASE
    )
    if updated is None:
        return ""
    table, column = updated.groups()
    has_sum = any(
        isinstance(node, ast.BinOp) for argument in call.args[1:] for node in ast.walk(argument)
    )
    selected = re.compile(
        rf"\s*select\b.*\b{column}\b.*\bfrom\s+{table}\b", re.IGNORECASE | re.DOTALL
    )
    for other in job.calls():
        if other.lineno < call.lineno and selected.match(sql_of(other, job.module)) and has_sum:
            return f"{table}.{column}"
    return ""


def _field_written_back(job: DeclaredJob) -> Iterator[Fault]:
    fetched = {
        target.id
        for node in ast.walk(job.body)
        if isinstance(node, ast.Assign) and ".objects" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(job.body):
        if (
            isinstance(node, ast.AugAssign)
            and isinstance(node.target, ast.Attribute)
            and isinstance(node.target.value, ast.Name)
            and node.target.value.id in fetched
        ):
            field = ast.unparse(node.target)
            yield Fault(
                job.module,
                node,
                f"{job.short} reads {field}, computes, and writes it back: two deliveries at once read the "
                "same value, and one change is lost. Write an F() expression, or select_for_update().",
            )


_HEAD: Final = "from pytest_jobs import job\n\n\n@job\n"
_ASYNC: Final = "from taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()\n\n\n@broker.task\n"

RULES: Final = (
    Rule(
        "JOB301",
        "error-swallowed",
        "A job swallows every error.",
        "A library retries a job that raises. A job that catches everything and only logs is recorded as "
        "performed: its work is lost, and no dead letter shows it.",
        (
            Example(
                _HEAD + "def bill(order_id: int) -> None:\n"
                "    try:\n        invoice(order_id)\n"
                "    except Exception:\n        log.exception('no invoice')\n",
                _HEAD + "def bill(order_id: int) -> None:\n"
                "    try:\n        invoice(order_id)\n"
                "    except Exception:\n        log.exception('no invoice')\n        raise\n",
            ),
            Example(
                "import contextlib\n\nimport dramatiq\n\n\n@dramatiq.actor\ndef bill(order_id):\n"
                "    with contextlib.suppress(Exception):\n        invoice(order_id)\n",
                "import contextlib\n\nimport dramatiq\n\n\n@dramatiq.actor\ndef bill(order_id):\n"
                "    with contextlib.suppress(FileNotFoundError):\n        invoice(order_id)\n",
            ),
            Example(
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n@huey.task(retries=3, "
                "retry_delay=60)\n"
                "def bill(order_id):\n    try:\n        invoice(order_id)\n    except:\n        return "
                "None\n",
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n@huey.task(retries=3, "
                "retry_delay=60)\n"
                "def bill(order_id):\n    try:\n        invoice(order_id)\n    except LookupError:\n     "
                "   return None\n",
            ),
        ),
        _swallowed,
    ),
    Rule(
        "JOB302",
        "cancellation-swallowed",
        "A coroutine job swallows its cancellation.",
        "A worker that shuts down, and a timeout, cancel the task of the job. When the job swallows that, "
        "it marks work as done that was interrupted, and is not delivered again.",
        (
            Example(
                "import asyncio\nimport contextlib\n"
                + _ASYNC
                + "async def ship(order_id: int) -> None:\n"
                "    with contextlib.suppress(asyncio.CancelledError):\n        await hand_over(order_id)\n",
                "import asyncio\nimport contextlib\n"
                + _ASYNC
                + "async def ship(order_id: int) -> None:\n"
                "    try:\n        await hand_over(order_id)\n"
                "    except asyncio.CancelledError:\n        await take_back(order_id)\n        raise\n",
            ),
        ),
        _cancellation_swallowed,
    ),
    Rule(
        "JOB303",
        "blocking-call",
        "A coroutine job blocks its loop.",
        "One loop runs all jobs of an asynchronous worker. While one of them sleeps or waits for an "
        "answer without `await`, the others stand still, and so do heartbeats.",
        (
            Example(
                "import time\n\n"
                + _ASYNC
                + "async def poll(url: str) -> None:\n    time.sleep(5)\n",
                "import asyncio\n\n"
                + _ASYNC
                + "async def poll(url: str) -> None:\n    await asyncio.sleep(5)\n",
            ),
            Example(
                "import requests\n\n\nasync def poll(ctx, url):\n    return requests.get(url).text\n\n\n"
                "class WorkerSettings:\n    functions = [poll]\n",
                "import httpx\n\n\nasync def poll(ctx, url):\n    async with httpx.AsyncClient() as web:\n"
                "        return (await web.get(url)).text\n\n\nclass WorkerSettings:\n    functions = "
                "[poll]\n",
            ),
        ),
        _blocking,
    ),
    Rule(
        "JOB304",
        "result-inside-a-job",
        "A job waits for the result of another job.",
        "The worker that waits cannot perform the job that it waits for. With as many waiting jobs as "
        "workers everything stands still for ever.",
        (
            Example(
                "from celery import shared_task\n\n\n@shared_task\ndef fetch(url: str) -> str: ...\n\n\n"
                "@shared_task\ndef count(url: str) -> int:\n    return len(fetch.delay(url).get())\n",
                "from celery import chain, shared_task\n\n\n@shared_task\ndef fetch(url: str) -> str: "
                "...\n\n\n"
                "@shared_task\ndef count(page: str) -> int:\n    return len(page)\n\n\n"
                "def count_later(url: str) -> None:\n    chain(fetch.s(url), count.s())()\n",
            ),
            Example(
                _ASYNC + "async def fetch(url: str) -> str: ...\n\n\n"
                "@broker.task\nasync def count(url: str) -> int:\n"
                "    task = await fetch.kiq(url)\n    return len((await task.wait_result()).return_value)\n",
                _ASYNC
                + "async def fetch(url: str) -> None:\n    await count.kiq(await get(url))\n\n\n"
                "@broker.task\nasync def count(page: str) -> int:\n    return len(page)\n",
            ),
        ),
        _result_inside,
    ),
    Rule(
        "JOB305",
        "lock-of-one-process",
        "A job takes a lock of its process.",
        "Workers are processes, often on several machines. Each has a lock of its own, so that two of "
        "them do the same work at the same time.",
        (
            Example(
                "import threading\n\nfrom dramatiq import actor\n\n_lock = threading.Lock()\n\n\n"
                "@actor\ndef import_rows(file_id):\n    with _lock:\n        load(file_id)\n",
                "from dramatiq import actor\n\nfrom shop import redis\n\n\n"
                "@actor\ndef import_rows(file_id):\n    with redis.lock('import', timeout=600):\n        "
                "load(file_id)\n",
            ),
        ),
        _process_lock,
    ),
    Rule(
        "JOB306",
        "lock-without-ttl",
        "A job takes a lock that never ends.",
        "A worker that is killed does not release its locks. Without a time to live the lock stays for "
        "ever, and every later job finds it taken.",
        (
            Example(
                "from shop import redis\n" + _HEAD + "def sync(user_id: int) -> None:\n"
                "    if not redis.set(f'lock:{user_id}', 'held', nx=True):\n        raise Locked\n    "
                "pull(user_id)\n",
                "from shop import redis\n" + _HEAD + "def sync(user_id: int) -> None:\n"
                "    if not redis.set(f'lock:{user_id}', 'held', nx=True, ex=60):\n        raise Locked\n"
                "    pull(user_id)\n",
            ),
            Example(
                "from shop import redis\n" + _HEAD + "def sync(user_id: int) -> None:\n"
                "    with redis.lock(f'lock:{user_id}'):\n        pull(user_id)\n",
                "from shop import redis\n" + _HEAD + "def sync(user_id: int) -> None:\n"
                "    with redis.lock(f'lock:{user_id}', timeout=60):\n        pull(user_id)\n",
            ),
        ),
        _lock_without_ttl,
    ),
    Rule(
        "JOB307",
        "date-in-the-worker",
        "A job asks for the date while it runs.",
        "A job that was enqueued at 23:59, is retried or waits in a backlog runs on another day. It makes "
        "the report of the wrong day, or two of one day.",
        (
            Example(
                "from datetime import date\n\n"
                + _HEAD
                + "def report(kind: str) -> None:\n    make_report(date.today(), kind)\n",
                "from datetime import date\n\n"
                + _HEAD
                + "def report(day: date, kind: str) -> None:\n    make_report(day, kind)\n",
            ),
            Example(
                "from django.tasks import task\nfrom django.utils import timezone\n\n\n@task\ndef "
                "report(kind):\n"
                "    make_report(timezone.now().date(), kind)\n",
                "from django.tasks import task\nfrom django.utils import timezone\n\n\n@task\ndef forget():\n"
                "    Row.objects.filter(day__lt=timezone.now().date()).delete()\n",
            ),
        ),
        _date_in_the_worker,
    ),
    Rule(
        "JOB308",
        "volatile-key",
        "An idempotency key differs with each delivery.",
        "A key works because a repetition has the same one. One that is drawn or made of the time is new "
        "each time, and the payment is made twice.",
        (
            Example(
                "import uuid\n\n" + _HEAD + "def charge(payment_id: int) -> None:\n"
                "    gateway.charge(payment_id, idempotency_key=str(uuid.uuid4()))\n",
                "import uuid\n\n" + _HEAD + "def charge(payment_id: int) -> None:\n"
                "    gateway.charge(payment_id, idempotency_key=f'payment-{payment_id}')\n",
            ),
            Example(
                "import time\n\nimport httpx\n\nfrom celery import shared_task\n\n\n@shared_task\ndef "
                "charge(payment_id):\n"
                "    hour = int(time.time() // 3600)\n"
                "    httpx.post('https://bank', headers={'Idempotency-Key': f'{payment_id}-{hour}'})\n",
                "import httpx\n\nfrom celery import shared_task\n\n\n@shared_task\ndef charge(payment_id):\n"
                "    httpx.post('https://bank', headers={'Idempotency-Key': f'{payment_id}'})\n",
            ),
        ),
        _volatile_key,
    ),
    Rule(
        "JOB309",
        "new-value-for-a-follow-up",
        "A job enqueues another with a value that it draws.",
        "When the first job is delivered twice, the second is enqueued twice, with different values. "
        "Nobody can see that they are the same.",
        (
            Example(
                "import uuid\n\n" + _HEAD + "def call(webhook_id: int, key: str) -> None: ...\n\n\n"
                "@job\ndef deliver(webhook_id: int) -> None:\n    call.perform_later(webhook_id, "
                "str(uuid.uuid4()))\n",
                "import uuid\n\n" + _HEAD + "def call(webhook_id: int, key: str) -> None: ...\n\n\n"
                "@job\ndef deliver(webhook_id: int) -> None:\n    call.perform_later(webhook_id, "
                "f'webhook-{webhook_id}')\n",
            ),
        ),
        _new_value_for_a_follow_up,
    ),
    Rule(
        "JOB310",
        "lost-update",
        "A job reads a value, and writes back what it computed.",
        "Two deliveries at once read the same value, and the second write removes the first change. A "
        "redelivery after half of the work adds twice.",
        (
            Example(
                "from django.tasks import task\n\n\n@task\ndef count(page_id):\n"
                "    page = Page.objects.get(pk=page_id)\n    page.views += 1\n    page.save()\n",
                "from django.db.models import F\nfrom django.tasks import task\n\n\n@task\ndef "
                "count(page_id):\n"
                "    Page.objects.filter(pk=page_id).update(views=F('views') + 1)\n",
            ),
            Example(
                "from shop import redis\n" + _HEAD + "def sell(order_id: int) -> None:\n"
                "    stock = int(redis.get('stock'))\n    redis.set('stock', stock - 1)\n",
                "from shop import redis\n" + _HEAD + "def sell(order_id: int) -> None:\n"
                "    if redis.sadd('sold', order_id):\n        redis.decr('stock')\n",
            ),
            Example(
                _HEAD + "def deposit(database, amount: int) -> None:\n"
                "    (balance,) = database.execute('select balance from accounts').fetchone()\n"
                "    database.execute('update accounts set balance = ?', (balance + amount,))\n",
                _HEAD + "def deposit(database, amount: int) -> None:\n"
                "    database.execute('begin immediate')\n"
                "    (balance,) = database.execute('select balance from accounts').fetchone()\n"
                "    database.execute('update accounts set balance = ?', (balance + amount,))\n",
            ),
        ),
        _lost_update,
    ),
)
