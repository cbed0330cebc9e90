"""Every module is small, and says what it is."""

import ast

import pytest
from package_modules import modules

MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_at_most_380_lines(module):
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 380


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is(module):
    described = ast.get_docstring(ast.parse(MODULES[module].read_text("utf-8")))

    assert described
    assert described.splitlines()[0].endswith(".")
