"""Tables in Markdown that say of each case which tests of ours answer it, and whether these are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
_ROW = re.compile(
    r"^\| (?P<case>[^|]+) \|(?: [^|]+ \|)? (?P<where>[a-z_]+/[^|]+) \|$", re.MULTILINE
)
_SKIPS = frozenset(("skip", "skipif", "xfail"))


def rows(text: str) -> dict[str, list[str]]:
    """Return the tests that a table names for each case: of its rows the first column, and the last."""
    found: dict[str, list[str]] = {}
    for row in _ROW.finditer(text):
        found.setdefault(row["case"], []).extend(row["where"].split(", "))
    return found


@cache
def functions_of(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions of a file by their names."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name: node for node in ast.walk(tree) if isinstance(node, kinds)}


def skips(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """Return where tests are skipped."""
    return [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in _SKIPS]


def is_there(named: str, tests: Path = TESTS) -> bool:
    """Say whether a file, or a test of one, exists and is not skipped."""
    file, _, name = named.partition("::")
    if not name or not (tests / file).is_file():
        return (tests / file).is_file()
    test = functions_of(tests / file).get(name)
    return test is not None and not skips(ast.walk(test))
