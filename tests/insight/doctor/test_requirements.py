"""Requirements are read from every kind of dependency file."""

from __future__ import annotations

import pytest
from tables import each_row

from pytest_jobs.integrations.requirements import holds_requirements, requirements_in

LOCK = '[[package]]\nname = "Celery"\nversion = "5.5.0"\n'


@each_row(
    ("file", "text", "found"),
    [
        ("requirements.txt", "celery[redis]>=5.3,<6 ; python_version > '3.8'\n", "<6,>=5.3"),
        ("requirements/base.in", "Celery == 5.5.0  # why\n", "==5.5.0"),
        ("requirements-dev.txt", "-r base.txt\ncelery==5.5.0 \\\n    --hash=sha256:0\n", "==5.5.0"),
        ("pyproject.toml", '[project]\ndependencies = ["celery>=5"]\n', ">=5"),
        ("pyproject.toml", '[project.optional-dependencies]\njobs = ["celery>=5"]\n', ">=5"),
        (
            "pyproject.toml",
            '[dependency-groups]\ndev = ["celery>=5", {include-group = "x"}]\n',
            ">=5",
        ),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.11"\ncelery = "^5.3"\n',
            "^5.3",
        ),
        ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\ncelery = {version = "*"}\n', ""),
        ("pyproject.toml", '[tool.pdm.dev-dependencies]\ntest = ["celery"]\n', ""),
        ("pyproject.toml", '[tool.uv]\ndev-dependencies = ["celery"]\n', ""),
        ("Pipfile", '[packages]\ncelery = "*"\n', ""),
        ("Pipfile.lock", '{"default": {"celery": {"version": "==5.5.0"}}}', "5.5.0"),
        ("poetry.lock", LOCK, "5.5.0"),
        ("uv.lock", LOCK, "5.5.0"),
        ("pdm.lock", LOCK, "5.5.0"),
        ("setup.cfg", "[options]\ninstall_requires =\n    celery>=5\n", ">=5"),
        ("setup.cfg", "[options.extras_require]\njobs = celery>=5\n", ">=5"),
        (
            "setup.py",
            "from setuptools import setup\nsetup(install_requires=['celery>=5'])\n",
            ">=5",
        ),
        (
            "setup.py",
            (
                "import setuptools\nBASE = ['celery>=5']\n"
                "setuptools.setup(install_requires=BASE + [path for path in ()])\n"
            ),
            ">=5",
        ),
        ("setup.py", "setup(extras_require={'jobs': ['celery>=5']})\n", ">=5"),
        ("setup.py", "setup(install_requires='celery>=5')\n", ">=5"),
    ],
)
def test_a_requirement_is_found_with_its_version(file, text, found):
    (one,) = requirements_in(file, text)

    assert holds_requirements(f"services/a/{file}")
    assert (one.name, one.version) == ("celery", found)
    assert "celery" in text.splitlines()[one.line - 1].lower()


@pytest.mark.parametrize("file", ["requirements.md", "notes.txt", "pyproject.lock", "build.py"])
def test_other_files_hold_none(file):
    assert not holds_requirements(file)


@each_row(
    ("file", "text"),
    [
        ("pyproject.toml", "[project"),
        ("pyproject.toml", "project = 3\n"),
        ("Pipfile.lock", "[]"),
        ("Pipfile.lock", "{"),
        ("poetry.lock", "package = 3\n"),
        ("setup.cfg", "no section\n"),
        ("setup.py", "setup(\n"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_an_error(file, text):
    with pytest.raises(ValueError, match=r"."):
        requirements_in(file, text)


def test_lines_that_name_no_package_are_left_out():
    text = "# a comment\n-e git+https://x/y\nhttps://x/z.whl\n./local\n!!!\n\nrq\n"

    assert [one.name for one in requirements_in("requirements.txt", text)] == ["rq"]


def test_what_a_setup_script_computes_is_not_run(tmp_path):
    text = (
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
        "NAMES = NAMES\n"
        "setup(install_requires=open('requirements.txt').readlines() + NAMES)\n"
    )

    assert requirements_in("setup.py", text) == []
    assert not (tmp_path / "ran").exists()
