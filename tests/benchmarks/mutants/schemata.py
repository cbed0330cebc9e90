"""Mutants of the package: where one can stand, which are drawn, and how all of them are compiled in at once.

A mutant is a small fault: `<` for `<=`, a condition that always holds, a call that is left out. Each mutated
expression is compiled as `mutated if number is active else original`, so one process holds every mutant, a forked
child switches one on, and asking tells which test reaches it.
"""

from __future__ import annotations

import ast
import atexit
import builtins
import contextlib
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

PACKAGE = Path(__file__).parents[3] / "pytest_jobs"
#: The rooms of which mutants are drawn.
ROOMS = ("core", "harness", "bridges", "assertions", "exploration")

_Place: TypeAlias = "tuple[str, str, str, int]"

#: Names among the builtins: the switch, and its two sets.
SWITCH, _ACTIVE, _REACHED = "_mutant_switch", "_mutants_active", "_mutants_reached"
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}


class Mutant(NamedTuple):
    """Where one mutant stands. No line number is part of it, so that it is found again in a later version."""

    file: str
    function: str
    fault: str
    #: Which of the like faults of the function, from 0.
    ordinal: int
    #: The expression or statement that is mutated, as source.
    text: str

    @property
    def room(self) -> str:
        return self.file.partition("/")[0]

    @property
    def place(self) -> tuple[str, str, str, int]:
        """What tells it from every other. The text of a mutant that has another within it changes."""
        return self[:4]


def candidates() -> Iterator[Mutant]:
    """Yield every mutant that could be drawn."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            visitor = _Mutating(path.relative_to(PACKAGE).as_posix())
            visitor.visit(ast.parse(path.read_text("utf-8")))
            yield from visitor.found


def drawn(count: int, seed: int) -> list[Mutant]:
    """Draw so many mutants, each place in the rooms being as likely as any other."""
    return sorted(random.Random(seed).sample(list(candidates()), count))


class Switch:
    """Which mutant is on in this process, and which were reached.

    Compiled code asks two sets by themselves: a function of ours would be a line of the project to explorations.
    """

    def __init__(self) -> None:
        self._active: set[int] = set()
        self.reached: set[int] = set()
        setattr(builtins, _ACTIVE, self._active)
        setattr(builtins, _REACHED, self.reached)
        if "MUTANT_ACTIVE" in os.environ:
            self._active.add(int(os.environ["MUTANT_ACTIVE"]))
        if "MUTANT_REACHED" in os.environ:
            atexit.register(self._tell, int(os.environ["MUTANT_REACHED"]))

    def on(self, number: int) -> None:
        self._active.add(number)
        os.environ["MUTANT_ACTIVE"] = str(number)

    def tell_children(self, descriptor: int) -> None:
        """Let processes that a test starts write into a file what they have reached when they end."""
        os.set_inheritable(descriptor, True)
        os.environ["MUTANT_REACHED"] = str(descriptor)

    def _tell(self, descriptor: int) -> None:
        # The process may have been started without what its parent had open.
        with contextlib.suppress(OSError):
            os.write(descriptor, "".join(f"{number}\n" for number in self.reached).encode())


def install(path: str) -> None:
    """Compile the drawn mutants into each module that is imported from now on.

    Args:
        path: a JSON file with the mutants, which are numbered by their order.
    """
    numbers: dict[str, dict[_Place, int]] = {}
    for number, fields in enumerate(json.loads(Path(path).read_text("utf-8"))):
        mutant = Mutant(*fields)
        numbers.setdefault(mutant.file, {})[mutant.place] = number
    setattr(builtins, SWITCH, Switch())
    genuine = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> Any:
        if name.partition(".")[0] == "pytest_jobs":
            file = Path(self.path).resolve()
            wanted = numbers.get(file.relative_to(PACKAGE).as_posix(), {})
            if wanted:
                visitor = _Mutating(file.relative_to(PACKAGE).as_posix(), wanted)
                tree = visitor.visit(ast.parse(file.read_text("utf-8")))
                return compile(
                    ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True
                )
        return genuine(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


class _Mutating(ast.NodeTransformer):
    """Finds each place of a module for a mutant, and puts in those that have a number."""

    def __init__(self, file: str, numbers: dict[_Place, int] | None = None) -> None:
        self.found: list[Mutant] = []
        self._file = file
        self._numbers = numbers or {}
        self._names: list[str] = []
        self._is_in_function = False
        self._counts: Counter[tuple[str, str]] = Counter()

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._scoped(node, self._is_in_function)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._scoped(node, True)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._scoped(node, True)

    def _scoped(self, node: Any, in_function: bool) -> ast.AST:
        # Decorators, defaults and annotations run when the module is imported.
        before = self._is_in_function
        self._names.append(node.name)
        self._is_in_function = in_function
        node.body = [new for old in node.body for new in self._statements(old)]
        self._is_in_function = before
        self._names.pop()
        return node

    def _statements(self, node: ast.stmt) -> list[ast.stmt]:
        visited = self.visit(node)
        return visited if isinstance(visited, list) else [visited]

    def _place(self, fault: str, node: ast.AST) -> int | None:
        """Return the number of the mutant at this place, if it has one."""
        function = ".".join(self._names)
        ordinal = self._counts[function, fault]
        self._counts[function, fault] += 1
        mutant = Mutant(self._file, function, fault, ordinal, ast.unparse(node)[:200])
        self.found.append(mutant)
        return self._numbers.get(mutant.place)

    def _either(self, fault: str, node: ast.expr, mutated: ast.expr) -> ast.expr:
        if not self._is_in_function:
            return node
        number = self._place(fault, node)
        if number is None:
            return node
        return ast.copy_location(ast.IfExp(_asked(number), mutated, node), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        other = _COMPARISONS.get(type(node.ops[0]))
        if len(node.ops) > 1 or other is None:
            return node
        mutated = ast.Compare(node.left, [other()], node.comparators)
        return self._either("other comparison", node, mutated)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._either("and for or", node, ast.BoolOp(other, node.values))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            return node
        return self._either("no not", node, node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        other = _OPERATORS.get(type(node.op))
        if other is None or any(
            isinstance(side, ast.JoinedStr)
            or (isinstance(side, ast.Constant) and isinstance(side.value, str))
            for side in (node.left, node.right)
        ):
            return node
        return self._either("other operator", node, ast.BinOp(node.left, other(), node.right))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) is bool:
            return self._either("other constant", node, ast.Constant(not node.value))
        if type(node.value) in {int, float}:
            return self._either("other constant", node, ast.Constant(node.value + 1))
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        # What stands in a message is pinned by tests; its format specifications are constants, too.
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        self.generic_visit(node)
        if node.value is not None and not (
            isinstance(node.value, ast.Constant) and node.value.value is None
        ):
            node.value = self._either("nothing returned", node.value, ast.Constant(None))
        return node

    def visit_If(self, node: ast.If) -> ast.stmt:
        fault = ("always", "never")[len(ast.unparse(node.test)) % 2]
        self.generic_visit(node)
        node.test = self._either(
            f"condition holds {fault}", node.test, ast.Constant(fault == "always")
        )
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        self.generic_visit(node)
        return self._left_out("call left out", node, isinstance(node.value, (ast.Call, ast.Await)))

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        self.generic_visit(node)
        return self._left_out("no error raised", node, True)

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        # A pattern holds constants, not expressions.
        if node.guard is not None:
            node.guard = self.visit(node.guard)
        node.body = [new for old in node.body for new in self._statements(old)]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def _left_out(self, fault: str, node: ast.stmt, can_be: bool) -> ast.stmt:
        if not can_be or not self._is_in_function:
            return node
        number = self._place(fault, node)
        if number is None:
            return node
        kept = ast.If(ast.UnaryOp(ast.Not(), _asked(number)), [node], [])
        return ast.copy_location(kept, node)


def _asked(number: int) -> ast.expr:
    # `reached.add` returns None.
    return ast.parse(f"{_REACHED}.add({number}) or {number} in {_ACTIVE}", mode="eval").body
