"""The table of what works with which library, made from the suite that every bridge passes.

`python tests/conformance/support_table.py` writes it anew into the README and the first page of the documentation.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {ROOT / "README.md": "docs/", ROOT / "docs" / "index.md": ""}
BEGIN, END = "<!-- begin support -->\n", "<!-- end support -->"

#: What a library can do, in the words of a reader who compares libraries.
WORDS = {
    "eta": "due times",
    "priority": "priorities",
    "headers": "headers",
    "retry": "retries",
    "discard": "dropping by rule",
    "async": "coroutine tasks",
    "serialise": "serialisation",
    "unique": "unique jobs",
    "cron": "schedules",
    "chains": "chains and groups",
}


def support_table(folder: str) -> str:
    """Return the table in Markdown.

    Args:
        folder: where the pages of the documentation are, as the page with the table sees them.
    """
    from test_celery_conformance import CeleryLibrary
    from test_core_conformance import Core
    from test_django_conformance import DjangoLibrary
    from test_taskiq_conformance import TaskiqLibrary

    from pytest_jobs.bridges.libraries import LIBRARIES

    django, backport = _tested("django.families")
    rows = [
        ("Celery", "how-to/celery.md", *_tested("celery.bridge"), CeleryLibrary()),
        (
            "Django tasks",
            "how-to/django.md",
            f"Django {django}, django-tasks {backport}",
            DjangoLibrary(),
        ),
        ("Taskiq", "how-to/taskiq.md", *_tested("taskiq.bridge"), TaskiqLibrary()),
        ("the core of pytest-jobs", "reference/core.md", "", Core()),
    ]
    lines = ["| library | tested with | what works | what does not |", "|---|---|---|---|"]
    for name, page, versions, library in rows:
        capabilities = library.bridge().capabilities
        works = ", ".join(word for one, word in WORDS.items() if one in capabilities)
        lacks = "; ".join(library.lacks[one] for one in WORDS if one not in capabilities)
        lines.append(f"| [{name}]({folder}{page}) | {versions} | {works} | {lacks} |")
    unknown = ", ".join(library.title for library in LIBRARIES.values() if not library.is_bridged)
    lines.append(
        f"| {unknown} | | nothing is sent: a test with a harness refuses the enqueue | no bridge yet |"
    )
    return "\n".join(lines) + "\n"


def with_table(page: str, folder: str) -> str:
    """Return the text of a page with the table as it is now."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}{support_table(folder)}{END}{rest.partition(END)[2]}"


def _tested(module: str) -> list[str]:
    """Return the versions that a bridge was tested with."""
    from pytest_jobs.bridges.toolkit import Probe

    found = vars(import_module(f"pytest_jobs.bridges.{module}")).values()
    return [probe.range for probe in found if isinstance(probe, Probe)]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    for path, folder in PAGES.items():
        path.write_text(with_table(path.read_text("utf-8"), folder), "utf-8")
