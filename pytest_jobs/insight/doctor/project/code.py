"""What the syntax trees of a project say: brokers, schedulers, transactions, tenants and tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ...source.jobs import constant, is_true, keywords
from ...source.module import Function, Module
from ...source.project import Project
from .facts import Evidence, Facts, note

#: Schemes of addresses, and what listens there. Addresses hold passwords, so only the kind is kept.
_SCHEMES: Final = {
    "redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ", "pyamqp": "RabbitMQ",
    "sqs": "Amazon SQS", "kafka": "Kafka", "memory": "memory", "nats": "NATS", "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL", "db+postgresql": "PostgreSQL", "django-db": "Django's database",
    "rpc": "RabbitMQ", "mongodb": "MongoDB", "db+sqlite": "sqlite", "sqlite": "sqlite",
}  # fmt: skip
_CLASSES: Final = {
    "RedisBroker": "Redis", "RabbitmqBroker": "RabbitMQ", "ListQueueBroker": "Redis",
    "RedisStreamBroker": "Redis", "PubSubBroker": "Redis", "AioPikaBroker": "RabbitMQ", "NatsBroker": "NATS",
    "RedisHuey": "Redis", "PriorityRedisHuey": "Redis", "SqliteHuey": "sqlite",
    "PsycopgConnector": "PostgreSQL", "SyncPsycopgConnector": "PostgreSQL", "AiopgConnector": "PostgreSQL",
    "DjangoConnector": "Django's database", "RedisSettings": "Redis", "SqliteConnector": "sqlite",
}  # fmt: skip
_TENANT: Final = re.compile(
    r"^(?:current_)?(?:tenant|account|organization|organisation|workspace)(?:_id)?$", re.IGNORECASE
)
_MOCKED: Final = re.compile(
    r"\.(?:delay|apply_async|send|kiq|enqueue|defer|perform_later|send_with_options)$"
)
_CELERY_FIXTURES: Final = (
    "celery_worker",
    "celery_session_worker",
    "celery_app",
    "celery_session_app",
)
_TEST_BROKERS: Final = ("StubBroker", "InMemoryBroker", "MemoryHuey", "InMemoryConnector")
_DUMMY: Final = re.compile(r"\.(?:Immediate|Dummy)Backend$|backends\.(?:immediate|dummy)\.")

#: Calls that make a schedule of Django-Q2.
_Q_SCHEDULES: Final = re.compile(
    r"django_q\.tasks\.schedule|django_q\.models\.Schedule\.objects\.(?:create|get_or_create|update_or_create)"
)

#: Settings with a value that says something by itself: the group of the fact, and the fact.
_SWITCHES: Final[Mapping[tuple[str, object], tuple[str, str]]] = {
    ("atomic_requests", True): ("transactions", "ATOMIC_REQUESTS"),
    ("enqueue_after_commit", True): ("transactions", "enqueue_after_commit"),
    ("task_always_eager", True): ("tests", "task_always_eager"),
    ("celery_task_always_eager", True): ("tests", "task_always_eager"),
    ("celery_always_eager", True): ("tests", "task_always_eager"),
    ("immediate", True): ("tests", "immediate mode of Huey"),
    ("is_async", False): ("tests", "is_async=False of RQ"),
}


def read_code(project: Project, facts: Facts) -> None:
    """Add what the modules of a project say."""
    for module in project.modules:
        for name, node, value in _settings(module):
            _read_setting(name, node, value, module, facts)
        for call in module.calls:
            _read_call(call, module, facts)
        _read_definitions(module, facts)


def _settings(module: Module) -> Iterator[tuple[str, ast.AST, ast.expr]]:
    """Yield names with the values that they get: by assignment, by keyword, and as keys of dictionaries."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                name = target.attr if isinstance(target, ast.Attribute) else ""
                yield (target.id if isinstance(target, ast.Name) else name), node, node.value
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg, node.value, node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                text = constant(key)
                if isinstance(text, str):
                    yield text, value, value


def _read_setting(name: str, node: ast.AST, value: ast.expr, module: Module, facts: Facts) -> None:
    lower = name.lower()
    place = _at(module, node, name)
    if "broker" in lower:
        for kind in _kinds(value, module):
            note(facts.brokers, kind, _at(module, node, f"{name} is {kind}"))
    if re.search(r"result_?backend|^backend$", lower):
        for kind in _kinds(value, module):
            note(facts.backends, kind, _at(module, node, f"{name} is {kind}"))
    text = constant(value)
    if lower == "backend" and isinstance(text, str) and _DUMMY.search(text):
        note(facts.tests, "a backend of tasks for tests", place)
    if lower in ("beat_schedule", "celery_beat_schedule", "celerybeat_schedule"):
        note(facts.schedulers, "Celery beat", place)
    if name == "cron_jobs":
        note(facts.schedulers, "cron jobs of the worker", place)
    if (lower, text) in _SWITCHES:
        group, fact = _SWITCHES[lower, text]
        note(facts.tests if group == "tests" else facts.transactions, fact, place)
    if _TENANT.match(name) and isinstance(value, ast.Call):
        made = module.origin(value.func)
        if made == "contextvars.ContextVar":
            note(facts.tenants, "a context variable", place)
        elif re.search(r"Column|Field|ForeignKey|mapped_column", ast.unparse(value.func)):
            note(facts.tenants, "a column of models", place)


def _read_call(call: ast.Call, module: Module, facts: Facts) -> None:
    called = ast.unparse(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else ""
    short = called.rpartition(".")[2]
    if short in _CLASSES:
        note(facts.brokers, _CLASSES[short], _at(module, call, f"{short}(...)"))
    if short.endswith("ResultBackend"):
        kind = next(
            (kind for kind in ("Redis", "PostgreSQL", "NATS") if kind.lower() in short.lower()),
            short,
        )
        note(facts.backends, kind, _at(module, call, f"{short}(...)"))
    scheduler = _scheduler_of(call, module.origin(call.func), short)
    if scheduler:
        note(facts.schedulers, scheduler, _at(module, call, called))
    if short == "configure" and any(one.arg == "transactions" for one in call.keywords):
        note(
            facts.transactions,
            "units of work of the project",
            _at(module, call, "configure(transactions=...)"),
        )
    if short in _TEST_BROKERS:
        note(facts.tests, f"{short}", _at(module, call, f"{short}(...)"))
    if short in ("on_commit", "delay_on_commit", "apply_async_on_commit"):
        note(facts.transactions, "on_commit", _at(module, call, short))
    if short in ("select_for_update", "with_for_update"):
        note(facts.locks, short, _at(module, call, short))
    if short == "set" and any(one.arg == "nx" and is_true(one.value) for one in call.keywords):
        note(facts.locks, "redis SET NX", _at(module, call, "set(..., nx=True)"))
    if short == "lock" and "redis" in called.lower():
        note(facts.locks, "locks of redis", _at(module, call, called))
    if short in ("patch", "patch.object", "object", "setattr") and call.args:
        text = constant(
            call.args[1] if short in ("object", "setattr") and len(call.args) > 1 else call.args[0]
        )
        if isinstance(text, str) and _MOCKED.search(f".{text}"):
            note(
                facts.tests,
                "mocks in the place of enqueues",
                _at(module, call, f"{short}({text!r})"),
            )


def _scheduler_of(call: ast.Call, origin: str, short: str) -> str:
    """Return what recurring jobs a call declares, or the scheduler that it makes; empty for another call."""
    if short == "TaskiqScheduler":
        return short
    if origin.startswith("apscheduler."):
        return "APScheduler"
    return "schedules of Django-Q2" if _Q_SCHEDULES.fullmatch(origin) and _recurs(call) else ""


def _recurs(call: ast.Call) -> bool:
    """Say whether a schedule of Django-Q2 sends its task again and again: by default it does once."""
    given = keywords(call)
    defaults = given.get("defaults")
    if isinstance(defaults, ast.Dict):
        given |= zip((str(constant(key)) for key in defaults.keys), defaults.values, strict=True)
    kind = given.get("schedule_type")
    return kind is not None and constant(kind) != "O" and not ast.unparse(kind).endswith("ONCE")


def _read_definitions(module: Module, facts: Facts) -> None:
    for node in ast.walk(module.tree):
        for item in node.items if isinstance(node, ast.With | ast.AsyncWith) else ():
            text = ast.unparse(item.context_expr)
            if re.search(r"\batomic(?:\(|$)", text):
                note(facts.transactions, "transaction.atomic", _at(module, item.context_expr, text))
            elif re.search(r"[sS]ession\w*(?:\.begin)?\(", text) and "sqlalchemy" in module.text:
                note(
                    facts.transactions,
                    "sessions of SQLAlchemy",
                    _at(module, item.context_expr, text),
                )
    for name, function in module.functions.items():
        _read_function(name, function, module, facts)
    for cls in module.classes.values():
        _read_class(cls, module, facts)
    for origin in module.imported.values():
        top = origin.partition(".")[0]
        if top in ("freezegun", "time_machine"):
            tool = top.replace("_", "-")
            note(facts.tests, tool, Evidence(module.shown, 1, f"imports {top}"))
        if top == "rq_scheduler":
            note(
                facts.schedulers, "rq-scheduler", Evidence(module.shown, 1, "imports rq_scheduler")
            )


def _read_function(name: str, function: Function, module: Module, facts: Facts) -> None:
    for decorator in function.decorator_list:
        text = ast.unparse(decorator)
        if re.search(r"(?:^|\.)atomic(?:\(|$)", text):
            note(facts.transactions, "transaction.atomic", _at(module, decorator, f"@{text}"))
        if re.search(r"periodic_task|\.periodic\(", text):
            kind = "Huey" if "periodic_task" in text else "Procrastinate"
            note(facts.schedulers, f"periodic tasks of {kind}", _at(module, decorator, f"@{text}"))
    if name.endswith("_later") and not is_test(module.shown):
        facts.later.append(_at(module, function, name))
    for argument in function.args.args:
        if argument.arg in _CELERY_FIXTURES:
            note(facts.tests, "a real worker in tests", _at(module, function, argument.arg))


def _read_class(cls: ast.ClassDef, module: Module, facts: Facts) -> None:
    if any(module.origin(base) == "pytest_jobs.CurrentAttributes" for base in cls.bases):
        note(facts.tenants, "current attributes", _at(module, cls, cls.name))
    for one in cls.body:
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and _TENANT.match(one.target.id)
            and "Mapped" in ast.unparse(one.annotation)
        ):
            note(facts.tenants, "a column of models", _at(module, one, one.target.id))


def is_test(shown: str) -> bool:
    """Say whether a file has tests, as far as its name tells."""
    name = shown.rpartition("/")[2]
    folders = shown.split("/")[:-1]
    return (
        name.startswith("test_")
        or name.endswith("_test.py")
        or name == "conftest.py"
        or "tests" in folders
    )


def _kinds(value: ast.expr, module: Module) -> Iterator[str]:
    """Yield what listens at the addresses in an expression."""
    for node in ast.walk(value):
        one: ast.AST | None = module.assigned.get(node.id) if isinstance(node, ast.Name) else node
        for inner in ast.walk(one) if one is not None and one is not node else [node]:
            text = constant(inner)
            if isinstance(text, str):
                scheme = text.partition("://")[0]
                if scheme in _SCHEMES and ("://" in text or scheme in ("django-db", "rpc")):
                    yield _SCHEMES[scheme]


def _at(module: Module, node: ast.AST, text: str) -> Evidence:
    shown = " ".join(text.split())
    return Evidence(
        module.shown, getattr(node, "lineno", 1), shown if len(shown) <= 60 else f"{shown[:57]}..."
    )
