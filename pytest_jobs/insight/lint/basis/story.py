"""What a job does, in order: its guards, effects, writes, commits and enqueues, helpers of the project included.

It is read from the text: no branch is taken or left out, and no value is computed. Rules about deliveries that
come twice or die half-way read stories and not syntax trees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from ....bridges.libraries.known import ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import DeclaredJob, constant
from ...source.module import Function, Module
from ...source.project import Project

Kind: TypeAlias = Literal["guard", "effect", "mail", "change", "write", "commit", "enqueue"]

#: Methods with an effect that counts: money, tickets and messages.
_EFFECTS: Final = frozenset(
    ("charge", "refund", "capture", "transfer", "payout", "open_ticket", "create_ticket", "send_sms",
     "notify", "ship", "publish_message", "place_order", "call_webhook", "create_charge")
)  # fmt: skip
_REQUESTS: Final = frozenset(("post", "put", "patch", "delete", "request"))
_CLIENTS: Final = re.compile(r"(?:client|session|http|api)$", re.IGNORECASE)
_MAIL: Final = re.compile(r"mail|postman|smtp|outbox|message|notification", re.IGNORECASE)
#: Methods of redis that do something else when they are called again.
_REDIS_CHANGES: Final = frozenset(("incr", "decr", "incrby", "decrby", "rpush", "lpush", "hincrby"))
_REDIS_READS: Final = frozenset(("get", "exists", "sismember", "hexists", "hget", "zscore"))
_LOOKS: Final = frozenset(
    ("find", "exists", "get", "lookup", "look_up", "search", "retrieve", "fetch")
)
_SQL_WRITE: Final = re.compile(r"\s*(?:insert|update|delete|replace)\b", re.IGNORECASE)
_SQL_SUM: Final = re.compile(r"\b(\w+)\s*=\s*\1\s*[+-]", re.IGNORECASE)
#: A condition on the old version makes a sum harmless.
_SQL_VERSION: Final = re.compile(r"where\b.*\bversion\s*[=<]", re.IGNORECASE | re.DOTALL)
_SQL_TABLE: Final = re.compile(r"\b(?:from|into|update|join)\s+(\w+)", re.IGNORECASE)
_SQL_TEXT: Final = re.compile(r"'([^']+)'")
_KEY: Final = re.compile(
    r"idempot|dedup|unique|(?:^|_)key$|client_?(?:request_?)?token", re.IGNORECASE
)
_LOCK: Final = re.compile(
    r"begin immediate|for update|select_for_update|with_for_update|nx\s*=\s*True|\.lock\(|\.setnx\(|"
    r"\.watch\(|advisory|with_lock|get_or_create|update_or_create|on conflict|or ignore|unique\(|"
    r"limits_concurrency|queueing_lock|singleton",
    re.IGNORECASE,
)
_EXISTS: Final = re.compile(r"Integrity|Duplicate|AlreadyExists|UniqueViolation|Conflict")
_DEPTH: Final = 3


@dataclass(frozen=True)
class Event:
    """One step of a job."""

    kind: Kind
    #: Where it happens in the body of the job itself.
    node: ast.AST
    #: The source of the step, for sentences.
    text: str
    #: Words by which a guard and the write that it looks for are matched: values, fields, tables, keys.
    words: frozenset[str] = frozenset()
    #: The words without those of tables.
    values: frozenset[str] = frozenset()
    #: Whether whoever receives it takes a repetition for one.
    is_keyed: bool = False
    in_loop: bool = False


@dataclass(frozen=True)
class _Place:
    """Where the reader is: which function, on whose behalf, and inside of what."""

    module: Module
    function: Function
    #: The call in the body of the job that led here; None in the body itself.
    node: ast.AST | None = None
    #: Words of the call that led here.
    words: frozenset[str] = frozenset()
    in_loop: bool = False
    depth: int = 0


class Story:
    """The steps of a job, in the order of the source."""

    def __init__(self, job: DeclaredJob, project: Project, effects: tuple[str, ...] = ()) -> None:
        self.job = job
        self._project = project
        self._effects = effects
        self._enqueues = {id(one.call): one for one in project.enqueues}
        self._looked_up: set[str] = set()
        self._assigned: set[str] = set()
        #: The sources of the body and of the helpers that were followed.
        self.sources: list[str] = []
        place = _Place(job.module, job.body)
        self.events = list(self._function(place))

    @property
    def is_locked(self) -> bool:
        """Whether the job takes a lock, or writes in a way that one delivery alone can do."""
        declared = "" if self.job.cls is None else ast.unparse(self.job.cls)
        decorators = " ".join(ast.unparse(one) for one in self.job.body.decorator_list)
        return any(_LOCK.search(text) for text in (*self.sources, declared, decorators))

    def _function(self, place: _Place) -> Iterator[Event]:
        self.sources.append(ast.unparse(place.function))
        yield from self._statements(place.function.body, place)

    def _statements(self, statements: list[ast.stmt], place: _Place) -> Iterator[Event]:
        for statement in statements:
            yield from self._statement(statement, place)

    def _statement(self, node: ast.stmt, place: _Place) -> Iterator[Event]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        if isinstance(node, ast.If):
            yield from self._if(node, place)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            head = node.test if isinstance(node, ast.While) else node.iter
            inside = replace(place, in_loop=True)
            yield from self._calls(head, place)
            yield from self._statements(node.body, inside)
            yield from self._statements(node.orelse, place)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                yield from self._calls(item.context_expr, place)
            yield from self._statements(node.body, place)
            if any("connect" in ast.unparse(item.context_expr) for item in node.items):
                yield self._event("commit", node.items[0].context_expr, place)
        elif isinstance(node, ast.Try):
            yield from self._try(node, place)
        else:
            yield from self._calls(node, place)
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and not _is_name(target.value, "self"):
                        self._assigned |= {target.attr, *_texts(node.value)}

    def _try(self, node: ast.Try, place: _Place) -> Iterator[Event]:
        if any(
            handler.type is not None
            and _EXISTS.search(ast.unparse(handler.type))
            and any(isinstance(one, ast.Return | ast.Raise) for one in handler.body)
            for handler in node.handlers
        ):
            yield self._event("guard", node, place)
        yield from self._statements(node.body, place)
        for handler in node.handlers:
            yield from self._statements(handler.body, place)
        yield from self._statements(node.orelse, place)
        yield from self._statements(node.finalbody, place)

    def _if(self, node: ast.If, place: _Place) -> Iterator[Event]:
        yield from self._calls(node.test, place)
        words, values = self._words_of_test(node.test, place)
        yield replace(self._event("guard", node.test, place), words=words, values=values)
        looked = {
            ast.unparse(call.func.value)
            for call in ast.walk(node.test)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _LOOKS
        } - self._looked_up
        self._looked_up |= looked
        yield from self._statements(node.body, place)
        if not any(isinstance(one, ast.Return | ast.Raise) for one in node.body):
            self._looked_up -= looked
        yield from self._statements(node.orelse, place)

    def _words_of_test(
        self, test: ast.expr, place: _Place
    ) -> tuple[frozenset[str], frozenset[str]]:
        values = set(_texts(test)) | {
            node.attr
            for node in ast.walk(test)
            if isinstance(node, ast.Attribute)
            and not isinstance(place.module.parents.get(node), ast.Call)
        }
        words = set(values)
        for call in ast.walk(test):
            if isinstance(call, ast.Call):
                found = self._project.find_function(place.module, call.func)
                if found is not None and place.depth < _DEPTH:
                    values |= set(_texts(found[2]))
                    words |= set(_texts(found[2])) | set(_tables(found[2]))
        # What a test reads was often read the line before: `(found,) = database.execute(...)`.
        for name in ast.walk(test):
            if isinstance(name, ast.Name):
                value = place.module.local_value(name.id, test)
                if isinstance(value, ast.expr):
                    words |= set(_tables(value)) | set(_redis_keys(value))
                    for inner in ast.walk(value):
                        if isinstance(inner, ast.Name):
                            words |= set(_tables(place.module.local_value(inner.id, test)))
        words |= set(_redis_keys(test))
        return frozenset(words), frozenset(values)

    def _calls(self, node: ast.AST, place: _Place) -> Iterator[Event]:
        """Yield what the calls in a node do: the arguments of a call come before the call."""
        in_loop = place.in_loop or isinstance(
            node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
        )
        place = replace(place, in_loop=in_loop)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.Lambda):
                yield from self._calls(child, place)
        if isinstance(node, ast.Call):
            yield from self._call(node, place)

    def _call(self, call: ast.Call, place: _Place) -> Iterator[Event]:
        enqueue = self._enqueues.get(id(call))
        if enqueue is not None:
            if enqueue.verb not in ONLY_MADE:
                keyed = self._is_unique(enqueue)
                yield replace(self._event("enqueue", call, place), is_keyed=keyed)
            return
        found = self._project.find_function(place.module, call.func)
        if (
            found is None
            and isinstance(call.func, ast.Attribute)
            and _is_name(call.func.value, "self")
        ):
            found = self._own_method(call.func.attr, place)
        if found is not None:
            if place.depth < _DEPTH and found[2] is not place.function:
                words = place.words | frozenset(
                    text for argument in call.args for text in _texts(argument)
                )
                yield from self._function(
                    _Place(
                        found[0],
                        found[2],
                        place.node or call,
                        words,
                        place.in_loop,
                        place.depth + 1,
                    )
                )
            return
        kind = self._kind(call, place)
        if kind is None:
            return
        event = self._event(kind, call, place)
        if kind == "write":
            words = frozenset({*_texts(call), *_redis_keys(call)}) | place.words | {*self._assigned}
            sql = self._sql(call, place)
            tables = frozenset(_SQL_TABLE.findall(sql))
            words |= frozenset(_SQL_TEXT.findall(sql))
            event = replace(event, words=words | tables, values=words)
        elif kind in ("effect", "mail"):
            event = replace(event, is_keyed=self._is_keyed(call, place))
        yield event

    def _kind(self, call: ast.Call, place: _Place) -> Kind | None:
        origin = place.module.origin(call.func)
        top, _, last = origin.rpartition(".")
        if top in ("requests", "httpx") and last in _REQUESTS:
            return "effect"
        if origin.startswith("stripe.") and last in ("create", "capture", "confirm", "refund"):
            return "effect"
        if origin.startswith("django.core.mail."):
            return "mail"
        if isinstance(call.func, ast.Name):
            return self._kind_of_open(call)
        if not isinstance(call.func, ast.Attribute):
            return None
        return self._kind_of_method(call, call.func, place)

    def _kind_of_method(
        self, call: ast.Call, function: ast.Attribute, place: _Place
    ) -> Kind | None:
        method = function.attr
        receiver = ast.unparse(function.value)
        short = receiver.rpartition(".")[2]
        if f"{short}.{method}" in self._effects or method in _EFFECTS:
            return "effect"
        if method in _REQUESTS and _CLIENTS.search(short) and method != "delete":
            return "effect"
        if method in ("send", "send_mail", "send_email") and _MAIL.search(receiver):
            return "mail"
        if method == "open":
            return self._kind_of_open(call)
        if method in _REDIS_CHANGES:
            return "change"
        if method in ("execute", "executemany"):
            return self._kind_of_statement(self._sql(call, place))
        is_set = method == "set" and len(call.args) >= 2 and "redis" in receiver.lower()
        if is_set or method in ("save", "asave", "sadd"):
            return "write"
        return "commit" if method == "commit" else None

    def _kind_of_statement(self, sql: str) -> Kind | None:
        if not _SQL_WRITE.match(sql):
            return None
        if _SQL_SUM.search(sql) and not _SQL_VERSION.search(sql) and "insert" not in sql.lower():
            return "change"
        return "write"

    def _kind_of_open(self, call: ast.Call) -> Kind | None:
        is_function = isinstance(call.func, ast.Name)
        if is_function and not _is_name(call.func, "open"):
            return None
        mode = next((one.value for one in call.keywords if one.arg == "mode"), None)
        position = 1 if is_function else 0
        mode = mode or (call.args[position] if len(call.args) > position else None)
        text = constant(mode)
        return "change" if isinstance(text, str) and text.startswith("a") else None

    def _sql(self, call: ast.Call, place: _Place) -> str:
        return sql_of(call, place.module)

    def _is_keyed(self, call: ast.Call, place: _Place) -> bool:
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in self._looked_up:
            return True
        if any(keyword.arg and _KEY.search(keyword.arg) for keyword in call.keywords):
            return True
        return "idempotency-key" in ast.unparse(call).lower()

    def _is_unique(self, enqueue: Enqueue) -> bool:
        if any(
            _KEY.search(name) or name in ("job_id", "_job_id", "task_id")
            for name in enqueue.options
        ):
            return True
        job = enqueue.job
        if job is None or job.cls is None:
            return job is not None and any(_KEY.search(name) for name in job.options)
        return any("unique" in ast.unparse(one) for one in job.cls.decorator_list)

    def _own_method(self, name: str, place: _Place) -> tuple[Module, str, Function] | None:
        if self.job.cls is None or place.module is not self.job.module:
            return None
        for dotted, function in place.module.functions.items():
            if dotted.endswith(f"{self.job.cls.name}.{name}"):
                return place.module, dotted, function
        return None

    def _event(self, kind: Kind, node: ast.AST, place: _Place) -> Event:
        text = ast.unparse(node) if isinstance(node, ast.expr) else ""
        text = " ".join(text.split())
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        return Event(kind, place.node or node, shown, in_loop=place.in_loop)


def sql_of(call: ast.Call, module: Module) -> str:
    """Return the statement that a call of `execute` passes; empty when it is not a literal."""
    node = call.args[0] if call.args else None
    for _ in range(2):
        if isinstance(node, ast.Call) and node.args:  # `text("...")` of SQLAlchemy
            node = node.args[0]
        if isinstance(node, ast.Name):
            node = module.local_value(node.id, node)
    text = constant(node)
    return text if isinstance(text, str) else ""


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the words that a node spells: texts of one word, and quoted words in SQL."""
    for inner in ast.walk(node):
        text = constant(inner)
        if isinstance(text, str):
            if re.fullmatch(r"[\w-]+", text):
                yield text
            elif " " in text:
                yield from _SQL_TEXT.findall(text)


def _tables(node: ast.AST | None) -> Iterator[str]:
    for inner in ast.walk(node) if node is not None else ():
        text = constant(inner)
        if isinstance(text, str) and " " in text:
            yield from _SQL_TABLE.findall(text)


def _redis_keys(node: ast.AST) -> Iterator[str]:
    """Yield the texts by which the keys of redis begin: `paid:` of `redis.get(f"paid:{id}")`."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _REDIS_READS | {"set", "sadd"}
            and call.args
        ):
            first = call.args[0]
            piece = first.values[0] if isinstance(first, ast.JoinedStr) and first.values else first
            text = constant(piece)
            if isinstance(text, str) and text:
                yield f"redis {text}"


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
