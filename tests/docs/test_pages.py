"""Every example of the README and of the documentation does what the page says."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import DJANGO_PROJECT, change, contains, outcomes, plain, steps

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "examples" not in page.parts and "_build" not in page.parts]


#: What has the tasks of Django here. Before Django 6.0 a backport has them, under another name.
DJANGO_TASKS = (
    "django.tasks" if find_spec("django") and find_spec("django.tasks") else "django_tasks"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(
    page: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = ""
    tasks_of_django = "django.tasks"
    for step in steps(page.read_text(encoding="utf-8")):
        where = f"{page.relative_to(ROOT)}:{step.line}"
        if step.kind == "needs":
            _need(step.argument.split(), monkeypatch)
        elif step.kind in ("file", "empty"):
            path = pytester.path / step.argument
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text.replace("django.tasks", tasks_of_django), encoding="utf-8")
        elif step.kind == "change":
            change(pytester.path, step.argument)
        elif step.kind == "django project":
            tasks_of_django = DJANGO_TASKS
            for name, text in DJANGO_PROJECT.items():
                path = pytester.path / name
                path.write_text(text.replace("TASKS_PACKAGE", DJANGO_TASKS), encoding="utf-8")
        elif step.kind == "pytest":
            arguments, _, expected = step.argument.rpartition(":")
            result = pytester.runpytest_subprocess(*arguments.split())
            printed = plain(result.stdout.str())
            result.assert_outcomes(**outcomes(expected)), where
        elif step.kind == "pytest_jobs":
            arguments, _, expected = step.argument.rpartition(":")
            result = pytester.run(sys.executable, "-m", "pytest_jobs", *arguments.split())
            printed = result.stdout.str()
            assert result.ret == int(expected), where
        elif step.kind == "python":
            script = pytester.path / step.argument
            script.write_text(step.text, encoding="utf-8")
            result = pytester.runpython(script)
            assert result.ret == 0, f"{where}\n{result.stderr.str()}"
            printed = result.stdout.str()
        elif step.kind == "output":
            assert contains(printed, plain(step.text)), f"{where} is not in\n{printed}"


def _need(modules: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        pytest.importorskip(module)
    if "pytest_django" in modules:
        options = os.environ["PYTEST_ADDOPTS"].replace("-p no:django", "")
        monkeypatch.setenv("PYTEST_ADDOPTS", options)


@pytest.mark.parametrize(
    ("block", "refused"),
    [
        ("```text\n1\n```\n", "line 2: this block says nothing"),
        ("<!-- python -->\n```python\n1\n```\n", "line 3: this block does not show the name"),
        ("**`shop.py`**\n```python\n```\n", "line 3: this block is empty"),
        ("<!-- file shop.py -->\n```python\n1\n```\n", r"line 2: write \*\*`shop.py`\*\*"),
        ("<!-- output -->\n", "the last comment"),
        ("<!-- change shop.py: 1 => 2 -->\n", "line 2: readers do not see this change"),
    ],
)
def test_a_block_that_readers_cannot_place_is_refused(block: str, refused: str) -> None:
    with pytest.raises(ValueError, match=refused):
        list(steps(f"text\n{block}"))


def test_a_change_that_a_page_names_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("a = 1\nb = 1\n", "utf-8")

    change(tmp_path, "shop.py: a = 1 => a = 2")

    assert (tmp_path / "shop.py").read_text("utf-8") == "a = 2\nb = 1\n"
    with pytest.raises(ValueError, match=r"'=' stands 2 times in shop\.py"):
        change(tmp_path, "shop.py: = => +")


def test_the_readme_has_at_most_120_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
