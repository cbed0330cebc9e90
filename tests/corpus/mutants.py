"""Mutants of the safe twins: each lacks one thing that made its twin safe."""

from __future__ import annotations
import __future__

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

#: A receiver, or a store, tells repetitions and other holders by these.
_KEYS: Final = frozenset(("idempotency_key", "unique", "nx", "ex"))
_LOCKING: Final = ("begin immediate",)
#: What lets a statement be repeated, and what it becomes.
_STATEMENTS: Final = (
    (re.compile(r"insert or (ignore|replace)"), "insert"),
    (re.compile(r" on conflict.*"), ""),
    (re.compile(r" and version (=|<) \?"), " and ? is not null"),
    (re.compile(r" and version < \d"), ""),
    (re.compile(r" where not exists .*\)"), " where ? is not null"),
    (
        re.compile(r"delete from payments where id = \?"),
        "delete from payments where ? and id = (select min(id) from payments)",
    ),
    (re.compile(r"balance = \?"), "balance = balance + ?"),
    (re.compile(r"balance = \(select count\(\*\) from entries\)"), "balance = balance + 1"),
)
#: Methods that may be repeated, and what they become.
_METHODS: Final = {"sadd": "rpush"}
_WRITING: Final = re.compile(r"\s*(insert|update|delete)")
_FUTURE: Final = __future__.annotations.compiler_flag


@dataclass(frozen=True)
class Mutant:
    """A twin without one thing."""

    twin: Any
    #: What it lacks.
    without: str
    job: Any

    @property
    def id(self) -> str:
        return f"{self.twin.id} without {self.without}"


def mutants_of(twin: Any) -> Iterator[Mutant]:
    """Give the twin without each of its keys, locks, guards and transactions in turn.

    Args:
        twin: whose job is changed; its own function, not what that calls.
    """
    function = _function(twin.job)
    lines, first = inspect.getsourcelines(function)
    source = textwrap.dedent("".join(lines))
    for number in range(len(list(_changes(ast.parse(source), source)))):
        tree = ast.parse(source)
        without, change = list(_changes(tree, source))[number]
        change()
        yield Mutant(twin, without, _built(twin.job, tree, first))


def _changes(tree: ast.AST, source: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Give what can be taken out of a function, each with its name."""
    seen: dict[str, int] = {}
    for name, change in (
        *_keys(tree, source),
        *_statements(tree, source),
        *_texts(tree),
        *_methods(tree),
    ):
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), change


def _keys(tree: ast.AST, source: str) -> Iterator[tuple[str, Callable[[], object]]]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg in _KEYS:
                yield (
                    ast.get_source_segment(source, keyword) or keyword.arg,
                    lambda call=call, keyword=keyword: call.keywords.remove(keyword),
                )


def _statements(tree: ast.AST, source: str) -> Iterator[tuple[str, Callable[[], object]]]:
    for block in _blocks(tree):
        for place, statement in enumerate(block):
            text = (ast.get_source_segment(source, statement) or "").splitlines()[0].rstrip(":")
            if _is_guard(statement) or _is_lock(statement):
                yield text, lambda block=block, place=place: _drop(block, place)
            elif isinstance(statement, ast.If) and not statement.orelse:
                yield text, lambda block=block, place=place: _unfold(block, place)
            elif isinstance(statement, ast.Try) and any(map(_is_of_key, statement.handlers)):
                yield (
                    "except IntegrityError",
                    lambda block=block, place=place: _unfold(block, place),
                )
            if _writes(statement) and _goes_on(block, place):
                yield (
                    "one transaction",
                    lambda block=block, place=place: block.insert(place + 1, _commit()),
                )


def _methods(tree: ast.AST) -> Iterator[tuple[str, Callable[[], object]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _METHODS:
            yield node.attr, lambda node=node: setattr(node, "attr", _METHODS[node.attr])


def _texts(tree: ast.AST) -> Iterator[tuple[str, Callable[[], object]]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        for pattern, replacement in _STATEMENTS:
            found = pattern.search(node.value)
            if found:
                changed = pattern.sub(replacement, node.value)
                yield found[0].strip(), lambda node=node, changed=changed: _say(node, changed)


def _say(node: ast.Constant, text: str) -> None:
    node.value = text


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Module | ast.ClassDef):
                yield block


def _drop(block: list[ast.stmt], place: int) -> None:
    block[place] = ast.copy_location(ast.Pass(), block[place])


def _unfold(block: list[ast.stmt], place: int) -> None:
    body: list[ast.stmt] = block[place].body  # type: ignore[attr-defined]
    block[place : place + 1] = body


def _is_of_key(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and "IntegrityError" in ast.unparse(handler.type)


def _is_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and _ends(statement.body) and not statement.orelse


def _ends(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Return | ast.Raise)


def _is_lock(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and any(
        isinstance(node, ast.Constant) and node.value in _LOCKING for node in ast.walk(statement)
    )


def _writes(statement: ast.stmt) -> bool:
    """Say whether a statement changes the database: by SQL of its own, or by a helper named after it."""
    if not any(isinstance(node, ast.Call) for node in ast.walk(statement)):
        return False
    if isinstance(statement, ast.If | ast.With | ast.Try | ast.For):
        return False
    return any(
        (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _WRITING.match(node.value)
        )
        or (isinstance(node, ast.Name) and node.id in ("_mark", "_mark_done", "_book", "_deposit"))
        for node in ast.walk(statement)
    )


def _goes_on(block: list[ast.stmt], place: int) -> bool:
    """Say whether a statement is followed by another that is not a commit."""
    return len(block) > place + 1 and not _commits(block[place + 1])


def _commits(statement: ast.stmt) -> bool:
    return "database.commit()" in ast.unparse(statement)


def _commit() -> ast.stmt:
    return ast.parse("database.commit()").body[0]


def _function(job: Any) -> Any:
    if isinstance(job, type):
        return job
    return inspect.unwrap(job)


def _built(job: Any, tree: ast.Module, first: int) -> Any:
    """Compile a changed function where the original stands, so that its lines are those of the file."""
    module = sys.modules[_function(job).__module__]
    ast.increment_lineno(ast.fix_missing_locations(tree), first - 1)
    made: dict[str, Any] = {}
    code = compile(tree, module.__file__ or "", "exec", flags=_FUTURE, dont_inherit=True)
    exec(code, vars(module), made)
    return made[tree.body[0].name]  # type: ignore[attr-defined]
