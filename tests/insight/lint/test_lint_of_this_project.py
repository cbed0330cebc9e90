"""What the lint finds in the examples of the documentation and in the corpus of the explorations."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from pytest_jobs.insight.lint.linter import lint
from pytest_jobs.insight.lint.settings import LintSettings
from pytest_jobs.insight.source.running import Running

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus"
#: Most jobs of the corpus are plain functions: nothing in the text says that they are jobs.
PARTS = (
    "counters",
    "coroutines",
    "discards",
    "files",
    "ledgers",
    "locks",
    "messages",
    "payments",
    "reports",
)
#: The bugs of the corpus that can be seen in the text. What comes twice, or dies half-way, a check shows.
SEEN = {
    "corpus_coroutines.swallow_the_cancellation": "JOB302",
    "corpus_counters.count_view_by_claim": "JOB306",
    "corpus_payments.charge_unless_remembered": "JOB103",
    "corpus_payments.charge_with_a_random_key": "JOB308",
    "corpus_payments.charge_with_a_random_key_behind_status": "JOB308",
    "corpus_payments.charge_with_the_date_in_the_key": "JOB308",
    "corpus_payments.leave_it_to_whoever_holds_the_lock": "JOB306",
}


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    """Return the rules that each job of the corpus breaks."""
    settings = LintSettings(jobs=tuple(f"corpus_{part}.*" for part in PARTS))
    found = defaultdict(set)
    for one in lint([CORPUS], settings, base=CORPUS, running=Running()).found:
        found[f"{Path(one.path).stem}.{_defined_at(CORPUS / one.path, one.line)}"].add(one.rule)
    return {name: " ".join(sorted(rules)) for name, rules in found.items()}


def _defined_at(path: Path, line: int) -> str:
    for node in ast.parse(path.read_text("utf-8")).body:
        if node.lineno <= line <= (node.end_lineno or 0):
            return node.name
    raise AssertionError(f"{path}:{line}")


def test_the_bugs_that_can_be_seen_in_the_text_are_found_and_nothing_else(seen):
    assert seen == SEEN


def test_no_safe_twin_of_the_corpus_gives_an_alarm(seen):
    twins = ast.parse((CORPUS / "corpus_twins.py").read_text("utf-8"))
    named = {
        f"corpus_{ast.unparse(call.args[1])}"
        for call in ast.walk(twins)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Twin"
    }

    # Two of the 51 twins are one job, in two worlds.
    assert len(named) == 50
    assert named & seen.keys() == set()


@pytest.mark.wide
@pytest.mark.parametrize(
    ("example", "found", "jobs"),
    [
        (
            "celery",
            # A reminder in three days, by a broker of redis without a longer visibility timeout; and three slips.
            [
                "mailing/newsletter.py:21 JOB207",
                "slips.py:16 JOB201",
                "slips.py:21 JOB202",
                "slips.py:26 JOB509",
            ],
            6,
        ),
        ("django_q", [], 2),
        ("dramatiq", [], 4),
        ("huey", [], 5),
        ("rq", [], 6),
        ("shop", [], 17),
    ],
)
def test_in_an_example_the_lint_finds_what_is_wrong_and_nothing_else(example, found, jobs):
    pytest.importorskip({"shop": "pytest_jobs"}.get(example, example))
    folder = ROOT / "docs" / "examples" / example

    run = subprocess.run(
        [sys.executable, "-m", "pytest_jobs", "lint", "--format=json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    said = json.loads(run.stdout)
    assert [f"{one['path']}:{one['line']} {one['rule']}" for one in said["findings"]] == found
    assert said["jobs"] == jobs
