"""Every exception derives from `JobsError`, and its docstring is its default message."""

import ast
import builtins
import inspect
from pathlib import Path

import pytest
from package_modules import modules, tree

from pytest_jobs import errors

ROOT = Path(__file__).parents[2]
#: What is raised there is no error of ours: that of the suite's jobs, what ends a dead delivery, and what
#: collects the way to a part of a state.
NO_ERRORS = (
    "pytest_jobs.bridges.celery.attempt",
    "pytest_jobs.conformance.bodies",
    "pytest_jobs.exploration.engine.sameness.renaming",
    "pytest_jobs.exploration.engine.unwinding",
)
CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and value.__module__ == errors.__name__
]
EXCEPTIONS = [cls for cls in CLASSES if not issubclass(cls, Warning)]
WARNINGS = [cls for cls in CLASSES if issubclass(cls, Warning)]


def test_the_page_of_errors_names_each():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")

    assert [cls.__name__ for cls in CLASSES if f"`{cls.__name__}`" not in page] == []


def test_an_exception_derives_from_jobs_error():
    assert [cls for cls in EXCEPTIONS if not issubclass(cls, errors.JobsError)] == []


def test_a_warning_derives_from_jobs_warning_and_is_described():
    assert [
        cls for cls in WARNINGS if not (issubclass(cls, errors.JobsWarning) and cls.__doc__)
    ] == []


def test_the_docstring_of_an_exception_is_its_default_message():
    assert [
        cls
        for cls in EXCEPTIONS
        if not vars(cls).get("__doc__") or str(cls()) != inspect.cleandoc(cls.__doc__)
    ] == []


def test_another_message_takes_its_place():
    said = {cls: cls("what was done") for cls in EXCEPTIONS}

    assert {str(error) for error in said.values()} == {"what was done"}
    assert {error.args for error in said.values()} == {("what was done",)}


def test_an_empty_message_is_a_message():
    assert str(errors.JobsError("")) == ""


@pytest.mark.wide
def test_no_exception_is_defined_elsewhere():
    known = {cls.__name__ for cls in CLASSES} | {
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    elsewhere = [
        f"{module}.{node.name}"
        for module, path in modules().items()
        if module not in (errors.__name__, *NO_ERRORS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).rpartition(".")[2] in known for base in node.bases)
    ]

    assert elsewhere == []
