"""What the package exports exists, is documented, and is all that it exports."""

import ast
import inspect
from importlib.metadata import version

import pytest
from package_modules import PACKAGE
from public_api import SNAPSHOT, described

import pytest_jobs
from pytest_jobs import plugin
from pytest_jobs.plugin.hookspecs import JobsHookSpecs


def test_a_public_name_exists_and_is_documented():
    described = {name: inspect.getdoc(getattr(pytest_jobs, name)) for name in pytest_jobs.__all__}

    assert [
        name
        for name, text in described.items()
        if not text or not text.splitlines()[0].endswith((".", ":"))
    ] == []


def test_the_methods_of_a_public_class_are_documented():
    silent = [
        f"{name}.{attribute}"
        for name in pytest_jobs.__all__
        if isinstance(getattr(pytest_jobs, name), type)
        for attribute, value in vars(getattr(pytest_jobs, name)).items()
        if not attribute.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(getattr(pytest_jobs, name), attribute))
    ]

    assert silent == []


def test_fixtures_and_hooks_are_documented():
    silent = [name for name in plugin.__all__ if not inspect.getdoc(getattr(plugin, name))] + [
        name for name, hook in vars(JobsHookSpecs).items() if name[0] != "_" and not hook.__doc__
    ]

    assert silent == []


def test_type_checkers_see_each_name_in_its_home():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    (seen,) = (node.body for node in tree.body if isinstance(node, ast.If))

    assert sorted(
        (found.module, name.name, name.asname) for found in seen for name in found.names
    ) == sorted((home, name, name) for home, names in pytest_jobs._HOMES.items() for name in names)


def test_no_name_is_listed_twice():
    assert len(set(pytest_jobs.__all__)) == len(pytest_jobs.__all__)


def test_all_can_be_imported_at_once():
    namespace = {}
    exec("from pytest_jobs import *", namespace)

    assert namespace.keys() - {"__builtins__"} == set(pytest_jobs.__all__)


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError) as caught:
        pytest_jobs.assert_nothing  # noqa: B018

    assert str(caught.value) == "module 'pytest_jobs' has no attribute 'assert_nothing'"


def test_a_name_is_looked_up_once(monkeypatch):
    monkeypatch.delitem(vars(pytest_jobs), "Tally", raising=False)
    first = pytest_jobs.Tally

    assert vars(pytest_jobs)["Tally"] is first
    assert pytest_jobs.Tally is first


def test_the_public_api_is_as_its_snapshot_says():
    """`python tests/house/public_api.py` writes it anew. CONTRIBUTING says what a line that goes away needs."""
    assert described() == SNAPSHOT.read_text("utf-8")


def test_a_former_name_works_and_names_the_present_one(monkeypatch):
    monkeypatch.setattr(pytest_jobs, "_FORMER", {"Count": ("Tally", "1.3")})

    with pytest.warns(DeprecationWarning, match="now called") as caught:
        from pytest_jobs import Count

    assert Count is pytest_jobs.Tally
    assert str(caught[0].message) == (
        "pytest_jobs.Count is now called Tally, and goes in version 1.3: write pytest_jobs.Tally."
    )
    assert caught[0].filename == __file__


def test_a_former_name_goes_when_its_version_comes():
    now = tuple(map(int, version("pytest-jobs").split(".")[:2]))

    assert {
        name: (present, gone_in)
        for name, (present, gone_in) in pytest_jobs._FORMER.items()
        if present not in pytest_jobs.__all__ or tuple(map(int, gone_in.split("."))) <= now
    } == {}


def test_type_checkers_read_the_package():
    assert (PACKAGE / "py.typed").is_file()
