"""Every exception derives from `JobsError`, and its docstring is its default message."""

import ast
import builtins
import inspect

import pytest
from package_modules import modules

from pytest_jobs import errors

#: What is raised there is no error of ours: that of the suite's jobs, what ends a dead delivery, and what
#: ends a search.
NO_ERRORS = (
    "pytest_jobs.conformance.bodies",
    "pytest_jobs.exploration.live_watching",
    "pytest_jobs.exploration.watching",
    "pytest_jobs.exploration.machine_worker",
)
CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and value.__module__ == errors.__name__
]
EXCEPTIONS = [cls for cls in CLASSES if not issubclass(cls, Warning)]
WARNINGS = [cls for cls in CLASSES if issubclass(cls, Warning)]


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_an_exception_derives_from_jobs_error(exception):
    assert issubclass(exception, errors.JobsError)


@pytest.mark.parametrize("warning", WARNINGS)
def test_a_warning_derives_from_jobs_warning(warning):
    assert issubclass(warning, errors.JobsWarning)
    assert warning.__doc__


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_its_docstring_is_its_default_message(exception):
    assert "__doc__" in vars(exception)
    assert exception.__doc__
    assert str(exception()) == inspect.cleandoc(exception.__doc__)


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_another_message_takes_its_place(exception):
    assert str(exception("what was done")) == "what was done"
    assert exception("what was done").args == ("what was done",)


def test_an_empty_message_is_a_message():
    assert str(errors.JobsError("")) == ""


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
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).rpartition(".")[2] in known for base in node.bases)
    ]

    assert elsewhere == []
