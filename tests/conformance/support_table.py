"""The tables of what works with which library, made from the suite that every bridge passes.

`python tests/conformance/support_table.py` writes them anew into the README and the documentation. A library keeps
its line while it is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
FIRST_PAGE = ROOT / "docs" / "index.md"
MATRIX = ROOT / "docs" / "reference" / "bridges.md"
ROLLBACKS = ROOT / "docs" / "how-to" / "transactions.md"


class Listed(NamedTuple):
    """A library in the tables."""

    title: str
    #: Its page, in the folder `docs`.
    page: str
    #: The class in its module of conformance tests that describes it to the suite.
    described: str
    #: The packages that must be installed; the module of conformance tests is skipped without them.
    needs: tuple[str, ...] = ()
    #: The module below `bridges` with its probes, and the words before the version of each.
    probes: str = ""
    words: tuple[str, ...] = ("",)

    @property
    def is_installed(self) -> bool:
        return all(find_spec(package) for package in self.needs)

    def library(self) -> Any:
        module, _, name = self.described.partition(":")
        return getattr(import_module(module), name)()

    def versions(self) -> str:
        """Return the versions that the bridge was tested with."""
        from pytest_jobs.bridges.toolkit import Probe

        if not self.probes:
            return ""
        # The tests set Django up, which a bridge to one of its packages needs.
        import_module(self.described.partition(":")[0])
        found = vars(import_module(f"pytest_jobs.bridges.{self.probes}")).values()
        ranges = [probe.range for probe in found if isinstance(probe, Probe)]
        return ", ".join(
            f"{word} {each}".strip() for word, each in zip(self.words, ranges, strict=True)
        )


LISTED = (
    Listed(
        "Celery",
        "how-to/celery.md",
        "test_celery_conformance:CeleryLibrary",
        ("celery",),
        "celery.bridge",
    ),
    Listed(
        "Django tasks",
        "how-to/django.md",
        "test_django_conformance:DjangoLibrary",
        ("django", "django_tasks"),
        "django.families",
        ("Django", "django-tasks"),
    ),
    Listed(
        "Taskiq",
        "how-to/taskiq.md",
        "test_taskiq_conformance:TaskiqLibrary",
        ("taskiq_redis",),
        "taskiq.bridge",
    ),
    Listed("RQ", "how-to/rq.md", "test_rq_conformance:RqLibrary", ("rq", "lupa"), "rq.bridge"),
    Listed(
        "Dramatiq",
        "how-to/dramatiq.md",
        "test_dramatiq_conformance:DramatiqLibrary",
        ("dramatiq",),
        "dramatiq.bridge",
    ),
    Listed("Huey", "how-to/huey.md", "test_huey_conformance:HueyLibrary", ("huey",), "huey.bridge"),
    Listed("arq", "how-to/arq.md", "test_arq_conformance:ArqLibrary", ("arq",), "arq.bridge"),
    Listed(
        "SAQ", "how-to/saq.md", "test_saq_conformance:SaqLibrary", ("saq", "redis"), "saq.bridge"
    ),
    Listed(
        "Django-Q2",
        "how-to/django-q2.md",
        "test_django_q_conformance:DjangoQLibrary",
        ("django_q",),
        "django_q.bridge",
    ),
    Listed(
        "Procrastinate",
        "how-to/procrastinate.md",
        "test_procrastinate_conformance:ProcrastinateLibrary",
        ("procrastinate", "psycopg"),
        "procrastinate.bridge",
    ),
    Listed("Oban", "how-to/oban.md", "test_oban_conformance:ObanLibrary", ("oban",), "oban.bridge"),
    Listed(
        "APScheduler",
        "how-to/apscheduler.md",
        "test_apscheduler_conformance:APSchedulerLibrary",
        ("apscheduler",),
        "apscheduler.bridge",
    ),
    Listed(
        "BackgroundTasks of FastAPI",
        "how-to/background-tasks.md",
        "test_background_tasks_conformance:BackgroundTasksLibrary",
        ("fastapi",),
        "background_tasks",
        ("Starlette",),
    ),
    Listed("the core of pytest-jobs", "reference/core.md", "test_core_conformance:Core"),
)


def with_names(page: str, docs: str = "") -> str:
    """Return the text of a page with the line of libraries as it is now; `docs` leads to their folder."""
    before = _Table(page, "support")
    known = {each.partition("](")[0]: each for row in before.rows("[") for each in row.split(" · ")}
    names = []
    for each in LISTED:
        name = f"[{each.title}]({docs}{each.page}) {each.versions()}" if each.is_installed else ""
        names.append(name.rstrip() or known[f"[{each.title}"])
    return before.replaced([" · ".join(names)])


def with_matrix(page: str) -> str:
    """Return the text of a page with the table of capabilities as it is now."""
    from pytest_jobs.conformance.case import CAPABILITIES, capability_row

    before = _Table(page, "matrix")
    rows = []
    for each in LISTED:
        if each.is_installed:
            rows.append(capability_row(each.library()))
        else:
            rows.extend(before.rows(f"| {each.probes.partition('.')[0]} |"))
    head = [f"| | {' | '.join(CAPABILITIES)} |", f"|---|{'---|' * len(CAPABILITIES)}"]
    meanings = [f"- **{name}**: {meaning}." for name, meaning in CAPABILITIES.items()]
    return before.replaced([*head, *rows, "", *meanings])


def with_rollbacks(page: str) -> str:
    """Return the text of a page with the table of what a rollback does to a job as it is now."""
    from rolled_back import QUEUES, in_a_block, is_installed, is_taken_back

    def row(begin: str, enqueue: Callable[[], object]) -> str:
        return f"{begin} {'is taken back' if is_taken_back(enqueue) else 'stays'} |"

    before = _Table(page, "rollbacks")
    rows: list[str] = []
    for queue in QUEUES:
        begin = f"| {queue.library} | {queue.words} |"
        rows += [row(begin, queue.enqueue)] if is_installed(queue) else before.rows(begin)
    several = {queue.library for queue in QUEUES}
    single = [each for each in LISTED if each.title not in several]
    begin = f"| {', '.join(each.title for each in single)} | any |"
    found = set(before.rows(begin))
    if find_spec("django"):
        libraries = [each.library() for each in single if each.is_installed]
        enqueues = [partial(each.enqueue, each.jobs.note, (1,)) for each in libraries]
        found = {row(begin, partial(in_a_block, enqueue)) for enqueue in enqueues}
    head = ["| library | queue | a job of a transaction that is rolled back |", "|---|---|---|"]
    return before.replaced([*head, *rows, *sorted(found)])


class _Table:
    """What stands between two marks on a page."""

    def __init__(self, page: str, mark: str) -> None:
        begin, end = f"<!-- begin {mark} -->\n", f"<!-- end {mark} -->"
        head, _, rest = page.partition(begin)
        self._lines, _, tail = rest.partition(end)
        self._before, self._after = head + begin, end + tail

    def rows(self, begin: str) -> Iterator[str]:
        """Yield the lines that begin with some text."""
        return (line for line in self._lines.splitlines() if line.startswith(begin))

    def replaced(self, lines: list[str]) -> str:
        """Return the page with other lines between the marks."""
        return "\n".join([self._before + lines[0], *lines[1:], self._after])


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    README.write_text(with_names(README.read_text("utf-8"), "docs/"), "utf-8")
    FIRST_PAGE.write_text(with_names(FIRST_PAGE.read_text("utf-8")), "utf-8")
    MATRIX.write_text(with_matrix(MATRIX.read_text("utf-8")), "utf-8")
    ROLLBACKS.write_text(with_rollbacks(ROLLBACKS.read_text("utf-8")), "utf-8")
