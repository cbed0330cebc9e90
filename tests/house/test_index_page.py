"""What the package index shows: the README with links that lead somewhere, and the addresses of the repository."""

import re
import tomllib
from pathlib import Path

import pytest

core = pytest.importorskip("hatchling.metadata.core")
manager = pytest.importorskip("hatchling.plugin.manager")

ROOT = Path(__file__).parents[2]
HOME = "https://forge.example/owner/pytest-jobs"
README = (ROOT / "README.md").read_text("utf-8")
#: Where links lead, and pictures lie.
TARGET = re.compile(r"\]\(([^)]*)\)")


def project():
    """Return what `pyproject.toml` says, and the part of it that has the address."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return found, found["tool"]["hatch"]["metadata"]["hooks"]["custom"]


def built(home):
    """Return the metadata of a build with this address."""
    found, hook = project()
    hook["home"] = home
    return core.ProjectMetadata(str(ROOT), manager.PluginManager(), found)


def test_the_links_of_the_readme_lead_to_files_of_the_repository():
    targets = [target.partition("#")[0] for target in TARGET.findall(README)]

    assert targets
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_with_a_home_links_lead_to_the_files_of_this_version():
    metadata = built(HOME)
    version = metadata.version
    targets = TARGET.findall(metadata.core.readme)

    assert len(targets) == len(TARGET.findall(README))
    assert f"{HOME}/raw/v{version}/docs/pictures/report.png" in targets
    assert f"{HOME}/blob/v{version}/docs/tutorial/celery.md" in targets
    assert [target for target in targets if not target.startswith(HOME)] == []
    assert metadata.core.urls == {
        "Source": HOME,
        "Documentation": f"{HOME}/blob/v{version}/docs/index.md",
        "Changelog": f"{HOME}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{HOME}/issues",
    }


def test_without_a_home_links_are_plain_text_and_no_address_is_named():
    metadata = built("")
    text = metadata.core.readme

    assert TARGET.findall(text) == []
    assert "Dramatiq 1.17 to 2.2" in text
    # A row of links, or a picture, says nothing without them.
    assert "Celery in twenty minutes" not in text
    assert "A page with the jobs of a test" not in text
    assert metadata.core.urls == {}


def test_the_home_of_the_project_is_an_address_or_empty():
    _, hook = project()

    assert re.fullmatch(r"(https://\S+[^/\s])?", hook["home"])
