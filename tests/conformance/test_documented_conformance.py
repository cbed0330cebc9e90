"""The bridge that the documentation writes does what every bridge must, on the toolkit alone."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bridge-your-own.md"
FILES = dict(
    re.findall(r"\*\*`(\w+)\.py`\*\*\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
)


def load(name):
    """Return a file of the page as a module."""
    module = sys.modules[name] = ModuleType(name)
    exec(compile(FILES[name], f"{PAGE}:{name}.py", "exec"), vars(module))
    return module


load("tinyqueue")
load("tinyqueue_bridge")


class TestDocumented(load("test_tinyqueue").TestTinyQueue):
    pass


def test_the_bridge_has_at_most_120_lines():
    assert len(FILES["tinyqueue_bridge"].splitlines()) <= 120


def test_the_bridge_imports_the_toolkit_alone():
    imported = {
        node.module
        for node in ast.walk(ast.parse(FILES["tinyqueue_bridge"]))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("pytest_jobs")
    }

    assert imported == {"pytest_jobs.bridges.toolkit"}
