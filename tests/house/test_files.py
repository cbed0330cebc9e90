"""Every module is small, and says what it is."""

import ast

import pytest
from package_modules import modules, room

MODULES = modules()
#: What runs between the line of a test and that of a job. The suite of a bridge is itself made of tests.
BETWEEN = [name for name in MODULES if room(name) not in ("", "errors", "plugin", "conformance")]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_at_most_380_lines(module):
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 380


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is(module):
    described = ast.get_docstring(ast.parse(MODULES[module].read_text("utf-8")))

    assert described
    assert described.splitlines()[0].endswith(".")


@pytest.mark.parametrize("module", BETWEEN)
def test_a_module_hides_its_frames_from_the_report_of_a_test(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    has_code = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)
    )
    hides = any(ast.unparse(node) == "__tracebackhide__ = True" for node in tree.body)

    assert hides or not has_code
