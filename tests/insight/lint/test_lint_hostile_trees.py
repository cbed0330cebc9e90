"""Trees that somebody made to hurt: the lint ends, runs nothing, and says what it could not read."""

from __future__ import annotations

import sys
from functools import partial

import pytest

from pytest_jobs.insight.source.tree import Tree


@pytest.fixture
def read(linted):
    """Return a function that lints files which nobody has imported."""
    return partial(linted, imports=False)


def test_nothing_is_imported_or_run(read, tmp_path):
    trap = f"import celery\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n"

    read({"app.py": trap, "conftest.py": trap, "setup.py": trap, "sitecustomize.py": trap})

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "import celery\ndef broken(:\n",
            "app.py is not Python {version}: invalid syntax. Run this with the Python of the project",
        ),
        ("import celery\n" + "(" * 400, "app.py is not Python {version}: "),
        ("import celery\nx = " + "-" * 200_000 + "1\n", "app.py cannot be parsed: "),
        ("import celery\nx = '\0'\n", "app.py "),
    ],
    ids=["syntax", "brackets", "depth", "null"],
)
def test_a_file_that_cannot_be_parsed_is_a_finding(read, text, why):
    (found,) = read(text)

    assert found.rule == "JOB001"
    assert found.message.startswith(why.format(version=".".join(map(str, sys.version_info[:2]))))


def test_a_file_that_is_not_utf_8_is_a_finding(read, tmp_path):
    (tmp_path / "app.py").write_bytes(b"# -*- coding: latin-1 -*-\nimport celery  # \xe4\n")

    (found,) = read({})

    assert found.rule == "JOB001"
    assert "cannot be read" in found.message


def test_a_very_long_file_is_a_finding(read):
    (found,) = read("import celery\n" + "#" * (1 << 20))

    assert found.rule == "JOB001"
    assert found.message.endswith("is longer than 1 MiB")


def test_links_are_not_followed(read, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("import celery\ndef (", "utf-8")
    (tmp_path / "out").symlink_to(outside)
    (tmp_path / "out.py").symlink_to(outside / "secret.py")
    (tmp_path / "round").symlink_to(tmp_path)

    assert read({"app.py": "import celery\n"}) == []


def test_virtual_environments_and_caches_are_left_out(read):
    broken = "import celery\ndef ("
    files = {
        "env1/pyvenv.cfg": "",
        "env1/lib/a.py": broken,
        "node_modules/a.py": broken,
        ".tox/a.py": broken,
        "__pycache__/a.py": broken,
    }

    assert read(files) == []


def test_depth_and_number_of_files_have_bounds(tmp_path):
    folder = tmp_path
    for _ in range(5):
        folder /= "d"
    folder.mkdir(parents=True)
    for number in range(5):
        (tmp_path / f"{number}.py").write_text("", "utf-8")

    deep, many = Tree(tmp_path, max_depth=2), Tree(tmp_path, max_files=3)

    assert len(deep.files) == 5
    assert deep.left_out == [f"{tmp_path / 'd/d/d'} lies more than 2 folders deep"]
    assert len(many.files) == 3
    assert many.left_out == [f"{tmp_path} has more than 3 files"]


def test_a_schedule_that_is_not_yaml_is_a_finding(read):
    (found,) = read({"config/recurring.yml": "a: [", "app.py": ""})

    assert found.rule == "JOB001"
    assert "config/recurring.yml is not a YAML" in found.message


def test_classes_and_names_that_lead_in_circles_end(read):
    files = {
        "a.py": "from b import X\nclass A(X): ...\nimport celery\ny = y\n@y.task\ndef f(): ...\n",
        "b.py": "from a import A as X\nimport celery\n",
        "d.py": "from e import D as E\nimport celery\nclass D(E): ...\ndef f(x: D): f.delay(x)\n",
        "e.py": "from d import D as X\nimport celery\nclass D(X): ...\n",
        "c.py": "class C(C): ...\nimport celery\ndef f(x: C): f.delay(x.id)\n",
    }

    assert read(files) == []
