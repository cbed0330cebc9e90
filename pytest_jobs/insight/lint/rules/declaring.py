"""JOB1xx: how jobs are declared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from ...messages.accepted import signature_in
from ...source.jobs import DeclaredJob
from .rule import Context, Wrong, of_jobs

_MAKERS: Final = frozenset(("list", "dict", "set", "defaultdict", "Counter", "deque"))
_CHANGES: Final = frozenset(
    ("append", "add", "update", "extend", "insert", "setdefault", "appendleft",
     "pop", "remove", "discard", "clear")
)  # fmt: skip
#: Pools of Celery that await what a task returns.
_ASYNC_POOLS: Final = ("celery_aio_pool", "celery_pool_asyncio", "celery-aio-pool", "aio_celery")


@of_jobs("JOB101", "celery")
def state_on_the_task(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    first = job.body.args.args[0].arg if job.is_bound and job.body.args.args else ""
    for node in ast.walk(job.body):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AugAssign) else targets
        for target in targets:
            if (
                isinstance(target, ast.Attribute)
                and isinstance(target.value, ast.Name)
                and target.value.id == first
            ):
                yield Wrong(
                    node,
                    f"{job.short} keeps {target.attr!r} on the task, and one task object serves "
                    "all deliveries of a process. Use a local variable, or a row.",
                )


@of_jobs("JOB102")
def container_on_the_class(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    outside = job.module.around(job.body)
    around = next((one for one in outside if isinstance(one, ast.ClassDef)), None)
    shared = (
        set()
        if around is None
        else {
            target.id
            for node in around.body
            if isinstance(node, ast.Assign) and _is_container(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
    )
    for node in ast.walk(job.body) if shared else ():
        name = _changed(node)
        if (
            isinstance(name, ast.Attribute)
            and name.attr in shared
            and around is not None
            and ast.unparse(name.value) in ("self", "cls", "type(self)", around.name)
        ):
            yield Wrong(
                node,
                f"{name.attr!r} belongs to the class {around.name}: all jobs of a process share it, "
                "and other processes do not have it. Use a local variable, or a row.",
            )


@of_jobs("JOB103")
def memory_as_a_guard(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    changed = {
        name.id
        for node in ast.walk(job.body)
        if isinstance(name := _changed(node), ast.Name)
        and _is_container(job.module.assigned.get(name.id))
    }
    for test in ast.walk(job.body) if changed else ():
        if not isinstance(test, ast.If) or not any(
            isinstance(one, ast.Return | ast.Raise) for one in test.body
        ):
            continue
        for compare in ast.walk(test.test):
            kept = compare.comparators[0] if isinstance(compare, ast.Compare) else None
            if isinstance(kept, ast.Name) and kept.id in changed:
                yield Wrong(
                    test,
                    f"{kept.id} says whether {job.short} was done, and only this process has it: "
                    "after a restart, and in other workers, the job is done again. Ask a row.",
                )


@of_jobs("JOB106", "celery")
def coroutine_nobody_awaits(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    # A decorator of the project may await it.
    is_left = job.is_coroutine and len(job.body.decorator_list) < 2
    if is_left and not any(pool in context.project.text for pool in _ASYNC_POOLS):
        yield Wrong(
            job.body,
            f"Celery calls {job.short} and never awaits it: the body does not run, and the task "
            "succeeds. Write `def`, and `asyncio.run(...)` or `async_to_sync(...)` inside.",
        )


@of_jobs("JOB108", "celery")
def self_without_bind(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    takes = context.facts_of(job).takes or "()"
    if next(iter(signature_in(takes).parameters), "") == "self":
        yield Wrong(
            job.body,
            f"{job.short} takes `self`, and its decorator does not say bind=True: Celery passes the "
            "first argument of the caller as `self`. Add bind=True.",
        )


@of_jobs("JOB109", "celery")
def soft_limit_too_late(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    options = context.facts_of(job).options
    soft, hard = options.get("soft_time_limit"), options.get("time_limit")
    if soft and hard and soft >= hard:
        yield Wrong(
            job.body,
            f"{job.short} is killed after {hard:g} s, and its soft limit is {soft:g} s: "
            "SoftTimeLimitExceeded is never raised. Set soft_time_limit below time_limit.",
        )


def _is_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in _MAKERS
    return isinstance(value, ast.List | ast.Dict | ast.Set)


def _changed(node: ast.AST) -> ast.expr | None:
    """Return the container that a node changes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in _CHANGES else None
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AugAssign) else targets
    return next((one.value for one in targets if isinstance(one, ast.Subscript)), None)
