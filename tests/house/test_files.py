"""Every file says what it is, and a folder holds no more than a reader can take in."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from package_modules import PACKAGE, modules, private_imports, private_reads, tree
from picture import PAGE, drawn

from pytest_jobs.bridges.libraries.known import LIBRARIES


def test_a_module_says_what_it_is():
    described = {name: ast.get_docstring(tree(path)) for name, path in modules().items()}

    assert [
        name for name, text in described.items() if not text or text.splitlines()[0][-1] != "."
    ] == []


def test_a_folder_holds_at_most_15_files():
    held = Counter(str(path.parent.relative_to(PACKAGE)) for path in modules().values())

    assert {folder: count for folder, count in held.items() if count > 15} == {}


def test_a_room_has_a_map_of_itself():
    """The docstring of an `__init__` says what is inside, in which order to read it, and who uses it."""
    maps = {
        name: len((ast.get_docstring(tree(path)) or "").splitlines())
        for name, path in modules().items()
        if path.name == "__init__.py" and path.parent != PACKAGE
    }

    assert {name: lines for name, lines in maps.items() if not 5 <= lines <= 18} == {}


def test_nothing_reads_a_private_attribute_of_the_objects_of_another_module():
    assert private_reads() == []


def test_nothing_imports_a_private_name():
    assert private_imports() == []


@pytest.mark.wide
def test_the_picture_of_the_house_is_as_its_imports_are():
    """`python tests/house/picture.py` draws it anew."""
    page = PAGE.read_text("utf-8")

    assert drawn(page) == page


def test_the_files_that_the_architecture_names_exist():
    named = re.findall(r"\(\.\./\.\./(pytest_jobs/[\w/.]+)\)", PAGE.read_text("utf-8"))

    assert len(named) > 30
    assert [name for name in named if not (PACKAGE.parent / name).is_file()] == []


def test_each_module_of_tests_has_a_name_of_its_own():
    """The folders of tests are no packages, so pytest imports two modules of one name as one, and stops."""
    names = Counter(path.name for path in Path(__file__).parents[1].rglob("test_*.py"))

    assert [name for name, count in names.items() if count > 1] == []


def test_what_is_known_of_libraries_stands_in_one_table():
    """`bridges.libraries.known` has a row for each. The integrations lie beside it, and cannot read it."""
    lists = [
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        if not name.startswith(("pytest_jobs.bridges.libraries.known", "pytest_jobs.integrations"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Dict | ast.Set | ast.Tuple | ast.List)
        if len({*_texts(node)} & LIBRARIES.keys()) > 1
    ]

    assert lists == []


def _texts(node):
    parts = node.keys if isinstance(node, ast.Dict) else node.elts
    return [one.value for one in parts if isinstance(one, ast.Constant)]
