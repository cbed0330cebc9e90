"""JOB1xx: how jobs are declared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from ....bridges.libraries.known import EVERY
from ...source.jobs import DeclaredJob, constant, lacks
from ..basis.rule import Context, Example, Fault, Rule

_CONTAINERS: Final = (ast.List, ast.Dict, ast.Set)
_MAKERS: Final = (
    "list",
    "dict",
    "set",
    "collections.defaultdict",
    "collections.Counter",
    "collections.deque",
)
_CHANGES: Final = frozenset(
    ("append", "add", "update", "extend", "insert", "setdefault", "appendleft",
     "pop", "remove", "discard", "clear")
)  # fmt: skip
#: The objects of these jobs live as long as their process.
_ONE_OBJECT: Final = ("celery",)


def _state_on_the_task(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        if job.library in _ONE_OBJECT and job.is_bound:
            for node in ast.walk(job.body):
                targets = node.targets if isinstance(node, ast.Assign) else []
                targets = [node.target] if isinstance(node, ast.AugAssign) else targets
                for target in targets:
                    if isinstance(target, ast.Attribute) and _is_self(target.value, job):
                        yield Fault(
                            job.module,
                            node,
                            f"{job.short} keeps {target.attr!r} on the task, and one task object serves "
                            "all deliveries of a process. Use a local variable, or a row.",
                        )


def _container_on_the_class(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        if job.cls is None:
            continue
        shared = {name for name, value in job.options.items() if _is_container(value)}
        for node in ast.walk(job.cls):
            name = _changed(node)
            if (
                isinstance(name, ast.Attribute)
                and name.attr in shared
                and ast.unparse(name.value) in ("self", "cls", "type(self)", job.cls.name)
            ):
                yield Fault(
                    job.module,
                    node,
                    f"{name.attr!r} belongs to the class {job.short}: all jobs of a process share it, and "
                    "other processes do not have it. Use a local variable, or a row.",
                )


def _memory_as_a_guard(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        module = job.module
        for node in ast.walk(job.body):
            if isinstance(node, ast.Global):
                yield Fault(
                    module,
                    node,
                    f"{job.short} assigns the global {', '.join(node.names)}: the next delivery may run in "
                    "another process, which does not see it. Keep it in a row, or in a cache that all "
                    "workers share.",
                )
        changed = {
            name.id
            for node in ast.walk(job.body)
            if isinstance(name := _changed(node), ast.Name)
            and _is_container(module.assigned.get(name.id), module)
        }
        for test in ast.walk(job.body):
            if not isinstance(test, ast.If) or not any(
                isinstance(one, ast.Return | ast.Raise) for one in test.body
            ):
                continue
            for compare in ast.walk(test.test):
                if (
                    isinstance(compare, ast.Compare)
                    and isinstance(compare.comparators[0], ast.Name)
                    and compare.comparators[0].id in changed
                ):
                    yield Fault(
                        module,
                        test,
                        f"{compare.comparators[0].id} says whether {job.short} was done, and only this "
                        "process has it: after a restart, and in other workers, the job is done again. "
                        "Ask a row.",
                    )


def _fat_job(context: Context) -> Iterator[Fault]:
    limit = context.settings.max_statements
    for job in context.project.jobs:
        count = sum(isinstance(node, ast.stmt) for node in ast.walk(job.body)) - 1
        if count > limit:
            yield Fault(
                job.module,
                job.body,
                f"{job.short} has {count} statements, and at most {limit} are a shallow job. Let it call "
                "one method of a model or a service, which can be tested and called without a queue.",
            )


def _missing_later(context: Context) -> Iterator[Fault]:
    project = context.project
    for job in context.project.jobs:
        statements = [one for one in job.body.body if not _is_docstring(one)]
        if len(statements) != 1 or not isinstance(statements[0], ast.Expr | ast.Return):
            continue
        call = statements[0].value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        method, root = call.func.attr, call.func.value
        while isinstance(root, ast.Call | ast.Attribute):
            found = project.find_class(job.module, root)
            if found is not None:
                break
            root = root.func if isinstance(root, ast.Call) else root.value
        found = project.find_class(job.module, root)
        if found is None:
            continue
        module, cls = found
        methods = {
            one.name for one in cls.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if method not in methods or f"{method}_later" in methods or method.endswith("_later"):
            continue
        for enqueue in project.enqueues:
            if enqueue.job is job and enqueue.module not in (module, job.module):
                yield Fault(
                    enqueue.module,
                    enqueue.call,
                    f"{job.short} only calls {cls.name}.{method}, and callers must know the job. Give "
                    f"{cls.name} a method {method}_later that enqueues it, and call that.",
                )


def _coroutine_nobody_awaits(context: Context) -> Iterator[Fault]:
    pools = ("celery_aio_pool", "celery_pool_asyncio", "celery-aio-pool", "aio_celery")
    if any(pool in context.project.text for pool in pools):
        return
    for job in context.project.jobs_of("celery"):
        if job.is_coroutine:
            yield Fault(
                job.module,
                job.body,
                f"Celery calls {job.short} and never awaits it: the body does not run, and the task "
                "succeeds. Write `def`, and `asyncio.run(...)` or `async_to_sync(...)` inside.",
            )


def _same_name(context: Context) -> Iterator[Fault]:
    known: dict[tuple[str, str], DeclaredJob] = {}
    for job in context.project.jobs:
        name = constant(job.options.get(EVERY[job.library].name_option))
        if not isinstance(name, str):
            continue
        first = known.setdefault((job.library, name), job)
        if first is not job:
            yield Fault(
                job.module,
                job.declared,
                f"{first.short} and {job.short} have the name {name!r}: the worker runs the one that is "
                "imported last. Rename one.",
            )


def _self_without_bind(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        is_plain = job.cls is None and lacks(job.options, "bind")
        if is_plain and job.body.args.args and job.body.args.args[0].arg == "self":
            yield Fault(
                job.module,
                job.body,
                f"{job.short} takes `self`, and its decorator does not say bind=True: Celery passes the "
                "first argument of the caller as `self`. Add bind=True.",
            )


def _is_self(node: ast.expr, job: DeclaredJob) -> bool:
    first = job.body.args.args[0].arg if job.body.args.args else ""
    return isinstance(node, ast.Name) and node.id == first


def _is_container(value: ast.expr | None, module: object = None) -> bool:
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func).rpartition(".")[2]
        return any(maker.rpartition(".")[2] == name for maker in _MAKERS)
    return isinstance(value, _CONTAINERS)


def _changed(node: ast.AST) -> ast.expr | None:
    """Return the container that a node changes."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _CHANGES
    ):
        return node.func.value
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AugAssign) else targets
    for target in targets:
        if isinstance(target, ast.Subscript):
            return target.value
    return None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(constant(node.value), str)


_LONG: Final = "\n".join(f"    total += order.part_{number}()" for number in range(31))
_SHOP_JOBS: Final = (
    "from pytest_jobs import Job\n\nfrom .models import Order\n\n\n"
    "class BillOrder(Job):\n"
    "    def perform(self, order_id: int) -> None:\n"
    "        Order.find(order_id).bill()\n"
)
_SHOP_MODELS: Final = (
    "class Order:\n"
    "    @classmethod\n"
    "    def find(cls, id: int): ...\n\n"
    "    def bill(self) -> None: ...\n"
)

RULES: Final = (
    Rule(
        "JOB101",
        "state-on-the-task",
        "A task keeps something on itself.",
        "A process has one object of each Celery task, and all deliveries share it. What one delivery "
        "writes there the next one finds, in the same process only; two threads overwrite each other.",
        (
            Example(
                "from celery import shared_task\n\n\n"
                "@shared_task(bind=True)\n"
                "def import_rows(self, batch_id: int) -> None:\n"
                "    self.batch = batch_id\n"
                "    load(self.batch)\n",
                "from celery import shared_task\n\n\n"
                "@shared_task(bind=True)\n"
                "def import_rows(self, batch_id: int) -> None:\n"
                "    batch = batch_id\n"
                "    load(batch)\n",
            ),
        ),
        _state_on_the_task,
    ),
    Rule(
        "JOB102",
        "container-on-the-class",
        "A job changes a list, a set or a dictionary of its class.",
        "All jobs of a process share the container, so a job finds what others left. Other processes have "
        "another one. The container grows for as long as the worker lives.",
        (
            Example(
                "from pytest_jobs import Job\n\n\n"
                "class ImportRows(Job):\n"
                "    seen = []\n\n"
                "    def perform(self, row: str) -> None:\n"
                "        self.seen.append(row)\n",
                "from pytest_jobs import Job\n\n\n"
                "class ImportRows(Job):\n"
                "    def perform(self, row: str) -> None:\n"
                "        seen = []\n"
                "        seen.append(row)\n",
            ),
            Example(
                "from celery import Task\n\n\n"
                "class ImportRows(Task):\n"
                "    seen = set()\n\n"
                "    def run(self, row):\n"
                "        ImportRows.seen.add(row)\n",
                "from celery import Task\n\n\n"
                "class ImportRows(Task):\n"
                "    kinds = ('csv', 'json')\n\n"
                "    def run(self, row):\n"
                "        return row in self.kinds\n",
            ),
        ),
        _container_on_the_class,
    ),
    Rule(
        "JOB103",
        "memory-as-a-guard",
        "A job asks its process whether it was done.",
        "Workers are restarted, and there are several. A module remembers for one process only, so that a "
        "redelivery in another process does the work again.",
        (
            Example(
                "from dramatiq import actor\n\n"
                "_charged = set()\n\n\n"
                "@actor\n"
                "def charge(payment_id: int) -> None:\n"
                "    if payment_id in _charged:\n"
                "        return\n"
                "    gateway.charge(payment_id)\n"
                "    _charged.add(payment_id)\n",
                "from dramatiq import actor\n\n\n"
                "@actor\n"
                "def charge(payment_id: int) -> None:\n"
                "    gateway.charge(payment_id, idempotency_key=f'payment-{payment_id}')\n",
            ),
            Example(
                "from pytest_jobs import job\n\n"
                "last_page = 0\n\n\n"
                "@job\n"
                "def crawl(site: str) -> None:\n"
                "    global last_page\n"
                "    last_page += 1\n",
                "from pytest_jobs import job\n\n\n"
                "@job\n"
                "def crawl(site: str, page: int) -> None:\n"
                "    crawl.set(wait=60).perform_later(site, page + 1) if page < 9 else None\n",
            ),
        ),
        _memory_as_a_guard,
    ),
    Rule(
        "JOB104",
        "fat-job",
        "A job is long.",
        "Business logic in a job can be run and tested only through the queue. A shallow job fetches a "
        "record and calls one method of it. The setting `max-statements` is 30.",
        (
            Example(
                "from pytest_jobs import job\n\n\n"
                "@job\n"
                "def bill(order_id: int) -> None:\n"
                "    order = Order.find(order_id)\n"
                f"    total = 0\n{_LONG}\n",
                "from pytest_jobs import job\n\n\n"
                "@job\n"
                "def bill(order_id: int) -> None:\n"
                "    Order.find(order_id).bill()\n",
            ),
        ),
        _fat_job,
    ),
    Rule(
        "JOB105",
        "missing-later",
        "A method that a job runs has no twin `_later`.",
        "`order.bill()` and `order.bill_later()` say what is done now and what is done later, and only "
        "one place knows the job, its queue and its arguments.",
        (
            Example(
                "from shop.jobs import BillOrder\n\n\n"
                "def checkout(order) -> None:\n"
                "    BillOrder.perform_later(order.id)\n",
                "def checkout(order) -> None:\n    order.bill_later()\n",
                (
                    ("shop/__init__.py", ""),
                    (
                        "shop/jobs.py",
                        _SHOP_JOBS,
                    ),
                    (
                        "shop/models.py",
                        _SHOP_MODELS,
                    ),
                ),
            ),
        ),
        _missing_later,
    ),
    Rule(
        "JOB106",
        "coroutine-nobody-awaits",
        "A Celery task is a coroutine function.",
        "Celery calls a task and takes what it returns for the result. A coroutine is made and thrown "
        "away: nothing runs, and the task is recorded as successful.",
        (
            Example(
                "from celery import shared_task\n\n\n"
                "@shared_task\n"
                "async def push(user_id: int) -> None:\n"
                "    await send_push(user_id)\n",
                "import asyncio\n\nfrom celery import shared_task\n\n\n"
                "@shared_task\n"
                "def push(user_id: int) -> None:\n"
                "    asyncio.run(send_push(user_id))\n",
            ),
        ),
        _coroutine_nobody_awaits,
    ),
    Rule(
        "JOB107",
        "same-name",
        "Two jobs have the same name.",
        "A message carries the name only. The worker runs the function that was registered last, "
        "whichever was meant.",
        (
            Example(
                "from celery import shared_task\n\n\n"
                "@shared_task(name='mail')\n"
                "def send_mail(user_id: int) -> None: ...\n\n\n"
                "@shared_task(name='mail')\n"
                "def fetch_mail(user_id: int) -> None: ...\n",
                "from celery import shared_task\n\n\n"
                "@shared_task(name='mail.send')\n"
                "def send_mail(user_id: int) -> None: ...\n\n\n"
                "@shared_task(name='mail.fetch')\n"
                "def fetch_mail(user_id: int) -> None: ...\n",
            ),
            Example(
                "import dramatiq\n\n\n"
                "@dramatiq.actor(actor_name='mail')\n"
                "def send_mail(user_id): ...\n\n\n"
                "@dramatiq.actor(actor_name='mail')\n"
                "def fetch_mail(user_id): ...\n",
                "import dramatiq\n\n\n"
                "@dramatiq.actor\n"
                "def send_mail(user_id): ...\n\n\n"
                "@dramatiq.actor\n"
                "def fetch_mail(user_id): ...\n",
            ),
        ),
        _same_name,
    ),
    Rule(
        "JOB108",
        "self-without-bind",
        "A Celery task takes `self` and is not bound.",
        "Without `bind=True` Celery passes only the arguments of the caller. The first one arrives as "
        "`self`, and the last parameter is missing.",
        (
            Example(
                "from celery import shared_task\n\n\n"
                "@shared_task\n"
                "def fetch(self, url: str) -> None:\n"
                "    print(self.request.id, url)\n",
                "from celery import shared_task\n\n\n"
                "@shared_task(bind=True)\n"
                "def fetch(self, url: str) -> None:\n"
                "    print(self.request.id, url)\n",
            ),
        ),
        _self_without_bind,
    ),
)
