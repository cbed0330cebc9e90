"""JOB320 and above: a body that is delivered twice, or that dies half-way. These rules read stories."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ....bridges.libraries.known import EVERY
from ...source.jobs import DeclaredJob, constant, is_true
from ..basis.rule import Context, Example, Fault, Rule
from ..basis.story import Event, Story, sql_of

_RETRIES: Final = (
    "autoretry_for",
    "max_retries",
    "retries",
    "retry",
    "retry_on_error",
    "acks_late",
)
_LOOKS: Final = frozenset(
    ("find", "exists", "get", "lookup", "look_up", "search", "retrieve", "fetch", "count")
)
_MAKES: Final = frozenset(
    ("create", "acreate", "charge", "insert", "add", "open_ticket", "refund", "send", "publish")
)
_TIMEOUTS: Final = re.compile(r"Timeout|TimedOut|ReadError|ConnectionError")


def _stories(context: Context) -> Iterator[Story]:
    for job in context.project.jobs:
        yield context.story(job)


def _comes_again(job: DeclaredJob) -> bool:
    """Say whether a job may be delivered again although nobody asked for it."""
    if job.comes_again is not None:
        return job.comes_again
    if EVERY[job.library].is_at_least_once:
        return True
    return any(name in job.options and constant(job.options[name]) != 0 for name in _RETRIES)


def _is_acknowledged_late(job: DeclaredJob) -> bool:
    return job.library == "celery" and is_true(job.options.get("acks_late"))


def _unguarded(story: Story) -> Event | None:
    """Return the first effect that nothing keeps from happening again."""
    for event in story.events:
        if event.kind == "guard":
            return None
        if event.kind in ("effect", "change") and not event.is_keyed:
            return event
    return None


def _effect_without_a_guard(context: Context) -> Iterator[Fault]:
    for story in _stories(context):
        job = story.job
        event = _unguarded(story) if _comes_again(job) and not _is_acknowledged_late(job) else None
        if event is not None:
            yield Fault(
                job.module,
                event.node,
                f"{job.short} does `{event.text}` once for each delivery, and a job is delivered more than "
                "once. Pass an idempotency key, or look first whether it was done, under a lock.",
            )


def _acknowledged_late(context: Context) -> Iterator[Fault]:
    for story in _stories(context):
        job = story.job
        event = _unguarded(story) if _is_acknowledged_late(job) else None
        if event is not None:
            yield Fault(
                job.module,
                event.node,
                f"acks_late=True delivers {job.short} again when its worker is killed, and `{event.text}` "
                "happens again then. Pass an idempotency key, or look first whether it was done.",
            )


def _effect_before_its_guard(context: Context) -> Iterator[Fault]:
    for story in _stories(context):
        found = _before_guard(story)
        if found is not None:
            guard, effect = found
            yield Fault(
                story.job.module,
                effect.node,
                f"`{effect.text}` happens before {story.job.short} writes what `{guard.text}` asks for: a "
                "worker that dies between the two does it again. Pass an idempotency key that is made of "
                "the arguments.",
            )


def _before_guard(story: Story) -> tuple[Event, Event] | None:
    events = story.events
    for position, guard in enumerate(events):
        if guard.kind != "guard" or not guard.words:
            continue
        written = [
            index
            for index, one in enumerate(events)
            if one.kind == "write" and one.words & guard.words
        ]
        last = max(written, default=-1)
        for effect in events[position + 1 : max(last, 0)]:
            counts = effect.kind in ("effect", "enqueue") or (
                effect.kind == "mail" and effect.in_loop
            )
            if counts and not effect.is_keyed:
                # One that is committed together with its mark is another matter, and JOB205.
                if effect.kind == "enqueue" and _marked_before(events[position:], guard, effect):
                    continue
                return guard, effect
    return None


def _marked_before(events: list[Event], guard: Event, effect: Event) -> bool:
    before = events[: next(i for i, one in enumerate(events) if one is effect)]
    return any(one.kind == "write" and one.words & guard.words for one in before)


def _effect_after_its_mark(context: Context) -> Iterator[Fault]:
    for story in _stories(context):
        events = story.events
        for position, guard in enumerate(events):
            if guard.kind != "guard" or not guard.values:
                continue
            mark: Event | None = None
            is_committed = False
            for event in events[position + 1 :]:
                if event.kind == "write" and event.values & guard.values and mark is None:
                    mark = event
                elif event.kind == "commit" and mark is not None:
                    is_committed = True
                elif event.kind in ("effect", "enqueue") and mark is not None and is_committed:
                    yield Fault(
                        story.job.module,
                        event.node,
                        f"{story.job.short} has committed what `{guard.text}` asks for before it does "
                        f"`{event.text}`: a worker that dies between the two has lost it for good. Write "
                        "the mark afterwards, and pass an idempotency key; or write an outbox in the same "
                        "commit.",
                    )
                    break
            else:
                continue
            break


def _check_then_act(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        story = context.story(job)
        if story.is_locked:
            continue
        for node in ast.walk(job.body):
            if isinstance(node, ast.If):
                act = _act_on_what_was_looked_up(node, job)
                if act:
                    yield Fault(
                        job.module,
                        node,
                        f"{job.short} looks, and then does `{act}`: two deliveries at once both look "
                        "before either acts. Take a lock, or let a unique key or an idempotency key "
                        "decide.",
                    )
        yield from _selected_then_inserted(job, context)


def _act_on_what_was_looked_up(node: ast.If, job: DeclaredJob) -> str:
    looked: set[str] = set()
    for call in ast.walk(node.test):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _LOOKS
        ):
            text = ast.unparse(call.func.value)
            looked.add(text.split(".objects")[0] if ".objects" in text else text)
    returns = any(isinstance(one, ast.Return) for one in node.body)
    following: list[ast.stmt] = list(node.body)
    if returns and node in job.body.body:
        following = job.body.body[job.body.body.index(node) + 1 :]
    for statement in following:
        for call in ast.walk(statement):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in _MAKES
            ):
                text = ast.unparse(call.func.value)
                receiver = text.split(".objects")[0] if ".objects" in text else text
                has_key = any(one.arg and re.search("key|unique", one.arg) for one in call.keywords)
                if receiver in looked and not has_key:
                    return ast.unparse(call)
    return ""


def _selected_then_inserted(job: DeclaredJob, context: Context) -> Iterator[Fault]:
    selected: set[str] = set()
    for call in job.calls():
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "execute"):
            continue
        sql = sql_of(call, job.module)
        looked = re.match(r"\s*select\b.*?\bfrom\s+(\w+)", sql, re.IGNORECASE | re.DOTALL)
        inserted = re.match(r"\s*insert\s+into\s+(\w+)", sql, re.IGNORECASE)
        if looked:
            selected.add(looked[1])
        elif inserted and inserted[1] in selected and not _has_unique_key(inserted[1], context):
            yield Fault(
                job.module,
                call,
                f"{job.short} looks into {inserted[1]} and then inserts: two deliveries at once both look "
                "before either inserts. Add a unique key, or lock a row first.",
            )


def _has_unique_key(table: str, context: Context) -> bool:
    created = re.search(
        rf"create table (?:if not exists )?{table}\s*\((.*?)\)\s*;",
        context.project.text,
        re.IGNORECASE | re.DOTALL,
    )
    return bool(
        created
        and re.search(r"unique|primary key\s*\(|text primary key", created[1], re.IGNORECASE)
    )


def _retried_without_a_key(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        functions = [(job.module, job.body)]
        functions += [
            (found[0], found[2])
            for call in job.calls()
            if (found := context.project.find_function(job.module, call.func)) is not None
        ]
        for module, function in functions:
            for loop in ast.walk(function):
                if not isinstance(loop, ast.For | ast.While):
                    continue
                for attempt in loop.body:
                    if not isinstance(attempt, ast.Try) or not attempt.handlers:
                        continue
                    goes_on = not any(
                        isinstance(one, ast.Raise | ast.Return | ast.Break)
                        for handler in attempt.handlers
                        for one in ast.walk(handler)
                    )
                    effect = _effect_in(attempt.body, job, context)
                    if goes_on and effect and not effect.is_keyed:
                        yield Fault(
                            module,
                            attempt,
                            f"{job.short} tries `{effect.text}` again after an error: a call whose answer "
                            "was lost has happened. Pass an idempotency key.",
                        )


def _no_answer_is_no_failure(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for node in ast.walk(job.body):
            if not isinstance(node, ast.Try) or _effect_in(node.body, job, context) is None:
                continue
            for handler in node.handlers:
                if handler.type is None or not _TIMEOUTS.search(ast.unparse(handler.type)):
                    continue
                acts = any(
                    isinstance(one, ast.Expr) and isinstance(one.value, ast.Call | ast.Await)
                    for one in handler.body
                    if not re.search(r"\b(?:log\w*|sleep)\b", ast.unparse(one))
                )
                if acts and not any(isinstance(one, ast.Raise) for one in ast.walk(handler)):
                    yield Fault(
                        job.module,
                        handler,
                        f"{job.short} takes {ast.unparse(handler.type)} for a failure: the answer is lost, "
                        "and the call may have happened. Raise, so that the job comes again with the same "
                        "key, or ask the other side.",
                    )


def _mark_in_any_case(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for node in ast.walk(job.body):
            if not isinstance(node, ast.Try) or not node.finalbody:
                continue
            inner = _part(node.finalbody, job, context)
            if _effect_in(node.body, job, context) is not None and any(
                event.kind == "write" for event in inner
            ):
                yield Fault(
                    job.module,
                    node.finalbody[0],
                    f"`finally` writes that {job.short} was done, also when its effect failed. Write it "
                    "behind the effect, and leave `finally` to what must be released.",
                )


def _effect_in(statements: list[ast.stmt], job: DeclaredJob, context: Context) -> Event | None:
    return next((one for one in _part(statements, job, context) if one.kind == "effect"), None)


def _part(statements: list[ast.stmt], job: DeclaredJob, context: Context) -> list[Event]:
    """Return the events that begin in some statements of a job, or of a helper of it."""
    nodes = {id(node) for statement in statements for node in ast.walk(statement)}
    story = context.story(job)
    found = [event for event in story.events if id(event.node) in nodes]
    if found:
        return found
    # The statements stand in a helper, whose events are told at the call in the job.
    texts = {
        ast.unparse(node)
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
    }
    return [event for event in story.events if event.kind == "effect" and event.text in texts]


_HEAD: Final = "from pytest_jobs import job\n\n\n@job\n"
_KEYED: Final = "    gateway.charge(payment_id, idempotency_key=f'payment-{payment_id}')\n"
_FETCH: Final = (
    "    payment = Payment.objects.get(pk=payment_id)\n"
    "    if payment.status == 'paid':\n        return\n"
)
_MARK: Final = "    payment.status = 'paid'\n    payment.save()\n"

RULES: Final = (
    Rule(
        "JOB320",
        "effect-without-a-guard",
        "An effect happens once for each delivery.",
        "Queues deliver at least once: a worker is killed after the effect and before it acknowledges, "
        "and another worker does all of it again. `check_idempotent` shows it at the line.",
        (
            Example(
                _HEAD + "def charge(payment_id: int) -> None:\n    gateway.charge(payment_id)\n",
                _HEAD + "def charge(payment_id: int) -> None:\n" + _KEYED,
            ),
            Example(
                "import requests\n\nimport dramatiq\n\n\n@dramatiq.actor\ndef call(webhook_id, url):\n"
                "    requests.post(url, json={'id': webhook_id})\n",
                "import requests\n\nimport dramatiq\n\n\n@dramatiq.actor\ndef call(webhook_id, url):\n"
                "    requests.post(url, json={'id': webhook_id}, headers={'Idempotency-Key': "
                "str(webhook_id)})\n",
            ),
            Example(
                _HEAD + "def count(database, page: str) -> None:\n"
                "    database.execute('update pages set views = views + 1 where name = ?', (page,))\n",
                _HEAD + "def count(database, page: str) -> None:\n"
                "    database.execute('update pages set views = (select count(*) from visits)')\n",
            ),
            Example(
                "from rq.decorators import job\n\n\n@job('low', connection=None, retry=3)\ndef note(text):\n"
                "    with open('notes', 'a') as notes:\n        notes.write(text)\n",
                "from rq.decorators import job\n\n\n@job('low', connection=None, retry=3)\ndef note(text):\n"
                "    with open('notes', 'w') as notes:\n        notes.write(text)\n",
            ),
        ),
        _effect_without_a_guard,
    ),
    Rule(
        "JOB321",
        "acks-late-without-a-guard",
        "A Celery task is acknowledged late, and is not idempotent.",
        "`acks_late=True` trades a lost task for one that may run twice. That is the right trade for a "
        "task that can be repeated.",
        (
            Example(
                "from celery import shared_task\n\n\n@shared_task(acks_late=True)\ndef charge(payment_id):\n"
                "    gateway.charge(payment_id)\n",
                "from celery import shared_task\n\n\n@shared_task(acks_late=True)\ndef charge(payment_id):\n"
                + _KEYED,
            ),
        ),
        _acknowledged_late,
    ),
    Rule(
        "JOB322",
        "effect-before-its-guard",
        "An effect happens before the job writes what its guard asks for.",
        "The guard keeps a second delivery away once the mark is written. A worker that dies between the "
        "effect and the mark leaves no mark, and the next delivery does the effect again.",
        (
            Example(
                _HEAD
                + "def charge(payment_id: int) -> None:\n"
                + _FETCH
                + "    gateway.charge(payment_id)\n"
                + _MARK,
                _HEAD + "def charge(payment_id: int) -> None:\n" + _FETCH + _KEYED + _MARK,
            ),
            Example(
                "from celery import shared_task\n\nfrom shop import redis\n\n\n@shared_task\ndef "
                "call(id): ...\n\n\n"
                "@shared_task\ndef deliver(id):\n    if redis.exists(f'called:{id}'):\n        return\n"
                "    call.delay(id)\n    redis.set(f'called:{id}', 1)\n",
                "from celery import shared_task\n\nfrom shop import redis\n\n\n@shared_task\ndef "
                "call(id): ...\n\n\n"
                "@shared_task\ndef deliver(id):\n    if redis.exists(f'called:{id}'):\n        return\n"
                "    call.apply_async((id,), task_id=f'call-{id}')\n    redis.set(f'called:{id}', 1)\n",
            ),
        ),
        _effect_before_its_guard,
    ),
    Rule(
        "JOB323",
        "effect-after-its-mark",
        "A job commits that it was done, and does it afterwards.",
        "A worker that dies between the commit and the effect leaves a mark for work that never happened: "
        "each later delivery sees the mark and returns.",
        (
            Example(
                _HEAD + "def charge(database, id: int) -> None:\n"
                "    (status,) = database.execute('select status from payments').fetchone()\n"
                "    if status == 'paid':\n        return\n"
                "    database.execute('update payments set status = ?', ('paid',))\n    database.commit()\n"
                "    gateway.charge(id, idempotency_key=f'payment-{id}')\n",
                _HEAD + "def charge(database, id: int) -> None:\n"
                "    (status,) = database.execute('select status from payments').fetchone()\n"
                "    if status == 'paid':\n        return\n"
                "    gateway.charge(id, idempotency_key=f'payment-{id}')\n"
                "    database.execute('update payments set status = ?', ('paid',))\n    database.commit()\n",
            ),
        ),
        _effect_after_its_mark,
    ),
    Rule(
        "JOB324",
        "check-then-act",
        "A job looks and then acts, without a lock.",
        "Two workers with the same job look at the same time. Both see that nothing is there, and both act.",
        (
            Example(
                "from django.tasks import task\n\n\n@task\ndef invoice(order_id):\n"
                "    if not Invoice.objects.filter(order=order_id).exists():\n        "
                "Invoice.objects.create(order=order_id)\n",
                "from django.tasks import task\n\n\n@task\ndef invoice(order_id):\n"
                "    Invoice.objects.get_or_create(order=order_id)\n",
            ),
            Example(
                _HEAD + "def charge(payment_id: int) -> None:\n"
                "    if not gateway.find(payment_id):\n        gateway.charge(payment_id)\n",
                _HEAD + "def charge(payment_id: int) -> None:\n    with row.lock():\n"
                "        if not gateway.find(payment_id):\n            gateway.charge(payment_id)\n",
            ),
            Example(
                _HEAD + "def publish(database, item: int) -> None:\n"
                "    (found,) = database.execute('select count(*) from feed').fetchone()\n    if found:\n"
                "        return\n"
                "    database.execute('insert into feed values (?)', (item,))\n",
                _HEAD + "def publish(database, item: int) -> None:\n"
                "    (found,) = database.execute('select count(*) from feed').fetchone()\n    if found:\n"
                "        return\n"
                "    database.execute('insert or ignore into feed values (?)', (item,))\n",
            ),
        ),
        _check_then_act,
    ),
    Rule(
        "JOB325",
        "tried-again-without-a-key",
        "A job tries an effect again after an error, without a key.",
        "A timeout says that no answer came, and not that nothing happened. The second try does it once "
        "more.",
        (
            Example(
                _HEAD
                + "def charge(payment_id: int) -> None:\n    if done(payment_id):\n        return\n"
                "    for _ in range(3):\n        try:\n            gateway.charge(payment_id)\n"
                "        except OSError:\n            pause()\n        else:\n            break\n",
                _HEAD
                + "def charge(payment_id: int) -> None:\n    if done(payment_id):\n        return\n"
                "    for _ in range(3):\n        try:\n            gateway.charge(payment_id, "
                "idempotency_key=str(payment_id))\n"
                "        except OSError:\n            pause()\n        else:\n            break\n",
            ),
        ),
        _retried_without_a_key,
    ),
    Rule(
        "JOB326",
        "no-answer-is-no-failure",
        "A job takes a lost answer for a failure.",
        "After a timeout the payment may have been made. A job that marks it as failed, or refunds it, is "
        "wrong in each such case.",
        (
            Example(
                _HEAD
                + "def charge(payment_id: int) -> None:\n    try:\n    "
                + _KEYED
                + "    except TimeoutError:\n        mark(payment_id, 'failed')\n",
                _HEAD
                + "def charge(payment_id: int) -> None:\n    try:\n    "
                + _KEYED
                + "    except CardDeclined:\n        mark(payment_id, 'failed')\n",
            ),
        ),
        _no_answer_is_no_failure,
    ),
    Rule(
        "JOB327",
        "mark-in-any-case",
        "A job writes in `finally` that it was done.",
        "`finally` runs after an error too. The mark says done, and the effect never happened.",
        (
            Example(
                _HEAD
                + "def charge(database, payment_id: int) -> None:\n    try:\n    "
                + _KEYED
                + "    finally:\n        database.execute('update payments set status = 1')\n",
                _HEAD
                + "def charge(database, payment_id: int) -> None:\n"
                + _KEYED
                + "    database.execute('update payments set status = 1')\n",
            ),
        ),
        _mark_in_any_case,
    ),
)
