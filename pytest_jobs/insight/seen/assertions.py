"""Where a test asserts something for the last time: what it looks at was delivered before."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, Final

#: How many functions of the project may lie between a test and its assertion.
_DEPTH: Final = 3
#: Calls that fail when something is not as it should be, beside those whose name begins with `assert`.
_FAILING: Final = ("raises", "warns", "fail", "check_idempotent")
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)


def last_assertion(test: Callable[..., Any]) -> int:
    """Return the last line of a test at which an assertion may follow what has happened; 0 if it has none.

    An assertion of a helper counts where the test calls the helper by its name.
    """
    return _last_in(test, _DEPTH)


@cache
def _last_in(function: Any, depth: int) -> int:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return 0
    found = _last(tree, function, depth)
    return found and found + first - 1


def _last(node: ast.AST, function: Any, depth: int) -> int:
    found = max((_last(one, function, depth) for one in ast.iter_child_nodes(node)), default=0)
    if isinstance(node, ast.Assert) or (
        isinstance(node, ast.Call) and _asserts(node.func, function, depth)
    ):
        return node.end_lineno or node.lineno
    # What a loop asserts follows what it did before; `with raises(...)` asserts when its block ends.
    is_around = isinstance(node, _LOOPS) and found
    if isinstance(node, ast.With | ast.AsyncWith):
        is_around = any(_last(one, function, depth) for one in node.items)
    return (node.end_lineno or 0) if is_around and isinstance(node, ast.stmt) else found


def _asserts(called: ast.expr, function: Any, depth: int) -> bool:
    """Say whether a call asserts: by its name, or in the body of a function of the project."""
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name.lstrip("_").startswith("assert") or name in _FAILING:
        return True
    # A method of the test's own class is looked for where the class was defined.
    names = getattr(function, "__globals__", {})
    owner = names.get(function.__qualname__.partition(".")[0])
    is_method = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "self"
    helper = getattr(owner, name, None) if is_method else names.get(name)
    return depth > 0 and isinstance(helper, FunctionType) and _last_in(helper, depth - 1) > 0
