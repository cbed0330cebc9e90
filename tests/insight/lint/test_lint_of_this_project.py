"""What the lint finds in the examples of the documentation and in the corpus of the explorations."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from tables import each_row

from pytest_jobs.insight.lint.basis.settings import LintSettings
from pytest_jobs.insight.lint.linter import lint

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
#: The bugs of the corpus that can be seen in the text, and the rules that see them.
SEEN = {
    "corpus_coroutines.swallow_the_cancellation": "JOB302 JOB322",
    "corpus_counters.count_view": "JOB320",
    "corpus_counters.count_view_by_claim": "JOB306",
    "corpus_counters.count_view_once": "JOB310",
    "corpus_counters.push_to_feed": "JOB320",
    "corpus_counters.sell": "JOB310",
    "corpus_files.append_to_log": "JOB320",
    "corpus_ledgers.count_progress": "JOB320",
    "corpus_ledgers.publish_unless_published": "JOB324",
    "corpus_ledgers.read_and_write_the_balance": "JOB310",
    "corpus_ledgers.use_up_the_quota": "JOB320",
    "corpus_locks.charge_under_a_lock_of_this_process": "JOB305 JOB324",
    "corpus_messages.EnqueueAfterTheCommit": "JOB323",
    "corpus_messages.EnqueueInsideTheTransaction": "JOB205",
    "corpus_messages.ImportChunk": "JOB322",
    "corpus_messages.SendChildrenAndMark": "JOB322",
    "corpus_messages.call_webhook_with_a_new_id": "JOB309 JOB322",
    "corpus_messages.enqueue_all_in_one_line": "JOB322",
    "corpus_messages.mail_all_and_mark": "JOB322",
    "corpus_messages.open_ticket": "JOB320",
    "corpus_payments.ChargeBehindStatus": "JOB322",
    "corpus_payments.charge_under_a_lease": "JOB322",
    "corpus_payments.charge_under_a_row_lock": "JOB322",
    "corpus_payments.charge_unless_remembered": "JOB103",
    "corpus_payments.charge_with_a_random_key": "JOB308",
    "corpus_payments.charge_with_a_random_key_behind_status": "JOB308",
    "corpus_payments.charge_with_the_date_in_the_key": "JOB308",
    "corpus_payments.charge_without_a_guard": "JOB320",
    "corpus_payments.leave_it_to_whoever_holds_the_lock": "JOB306",
    "corpus_payments.look_up_and_charge": "JOB324",
    "corpus_payments.mark_before_charging": "JOB323",
    "corpus_payments.mark_in_any_case": "JOB327",
    "corpus_payments.refund_after_an_error": "JOB205 JOB326",
    "corpus_payments.skip_while_processing": "JOB323",
    "corpus_payments.take_a_timeout_for_a_failure": "JOB326",
    # The helper of `try_three_times_behind_a_look_up`, and a job without a guard by itself.
    "corpus_payments.try_three_times": "JOB320 JOB325",
    "corpus_reports.report_for_today": "JOB307",
}


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    """Return the rules that each job of the corpus breaks."""
    settings = LintSettings(jobs=tuple(f"corpus_{part}.*" for part in PARTS))
    found = defaultdict(set)
    for one in lint([CORPUS], settings, base=CORPUS).found:
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


@each_row(
    ("example", "found", "jobs"),
    [
        (
            "celery",
            [
                # A reminder in three days, by a broker of redis without a longer visibility timeout.
                ("mailing/newsletter.py", 21, "JOB207"),
                # Slips, which the example shows to be found.
                ("slips.py", 16, "JOB201"),
                ("slips.py", 21, "JOB202"),
            ],
            6,
        ),
        ("apscheduler", [], 3),
        ("arq", [], 3),
        ("django", [], 3),
        # The bug that is there on purpose: a charge before the note that it was made.
        ("django_q", [("visits/tasks.py", 19, "JOB322")], 2),
        ("dramatiq", [], 4),
        ("fastapi", [], 4),
        ("huey", [], 5),
        ("procrastinate", [], 3),
        ("rq", [], 6),
        ("saq", [], 4),
        ("taskiq", [], 3),
        ("shop", [], 17),
    ],
)
def test_in_an_example_the_lint_finds_what_is_wrong_and_nothing_else(example, found, jobs):
    folder = ROOT / "docs" / "examples" / example

    findings = lint([folder], LintSettings(), base=folder)

    assert [(one.path, one.line, one.rule) for one in findings.found] == found
    assert findings.jobs == jobs
