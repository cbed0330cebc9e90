"""Each pattern of the seed has a file of tests, and a page that shows it with code that is run."""

import ast
from pathlib import Path

from tables import each_row

HERE = Path(__file__).parent
PAGES = HERE.parents[1] / "docs" / "how-to"

#: The heading of the seed, the file of its tests, the page, and the section of it; "" for a page of its own.
PATTERNS = (
    (
        "The `_later`/`_now` Convention",
        "test_later_now_convention.py",
        "structure-jobs.md",
        "Give a record both ways",
    ),
    (
        "Shallow Jobs Delegating to Models",
        "test_shallow_jobs.py",
        "structure-jobs.md",
        "Keep jobs shallow",
    ),
    (
        "Basic Job with Error Handling",
        "test_basic_error_handling.py",
        "handle-errors.md",
        "Say which error is tried again, and when",
    ),
    (
        "Dynamic Queue Selection",
        "test_dynamic_queue_selection.py",
        "structure-jobs.md",
        "Let the arguments choose the queue",
    ),
    (
        "Status Check Guard",
        "test_status_check_guard.py",
        "make-jobs-idempotent.md",
        "Guard by a status",
    ),
    (
        "Lock-Based Idempotency",
        "test_lock_based_idempotency.py",
        "make-jobs-idempotent.md",
        "Lock of a row",
    ),
    ("Unique Job Keys", "test_unique_job_keys.py", "make-jobs-idempotent.md", "Unique job"),
    (
        "Solid Queue (Built-in Concurrency Limits)",
        "test_concurrency_limits.py",
        "keep-jobs-unique.md",
        "Limit how many run at once",
    ),
    ("Sidekiq with sidekiq-unique-jobs Gem", "test_unique_jobs.py", "keep-jobs-unique.md", ""),
    ("Solid Queue Recurring Jobs", "test_recurring.py", "schedule-recurring-jobs.md", ""),
    (
        "Recurring Job Pattern",
        "test_recurring_job_pattern.py",
        "make-jobs-idempotent.md",
        "Once a day",
    ),
    (
        "With sidekiq-cron or sidekiq-scheduler",
        "test_recurring_files.py",
        "schedule-recurring-jobs.md",
        "Check the file in a test",
    ),
    (
        "Custom Error Types",
        "test_custom_error_types.py",
        "handle-errors.md",
        "Let errors of your own decide",
    ),
    (
        "Dead Letter Queue Pattern",
        "test_dead_letter_queue.py",
        "handle-errors.md",
        "Look at dead letters",
    ),
    ("Instrumented Job", "test_instrumented_job.py", "run-the-core.md", "Log lines"),
    (
        "Automatic Account Context",
        "test_multi_tenant_context.py",
        "structure-jobs.md",
        "Carry context",
    ),
    (
        "Usage in Multi-Tenant App",
        "test_multi_tenant_context.py",
        "structure-jobs.md",
        "Carry context",
    ),
    (
        "Find in Batches",
        "test_find_in_batches.py",
        "work-in-batches.md",
        "Find in batches, with progress",
    ),
    (
        "Self-Chaining Batch Job",
        "test_self_chaining_batch_job.py",
        "work-in-batches.md",
        "Chain pages",
    ),
    (
        "Parallel Batch Processing",
        "test_parallel_batch_processing.py",
        "work-in-batches.md",
        "Work on slices side by side",
    ),
    (
        "Efficient Batch Enqueueing",
        "test_efficient_batch_enqueueing.py",
        "work-in-batches.md",
        "Enqueue everything that is due",
    ),
    (
        "Batches that end together",
        "test_batches.py",
        "work-in-batches.md",
        "Know when all of them have ended",
    ),
    (
        "Sidekiq Configuration",
        "test_queue_configuration.py",
        "schedule-recurring-jobs.md",
        "Configure queues",
    ),
    (
        "Queue-Specific Workers",
        "test_queue_specific_workers.py",
        "schedule-recurring-jobs.md",
        "Configure queues",
    ),
    (
        "Enqueueing after the commit, of Automatic Account Context",
        "test_enqueue_after_commit.py",
        "enqueue-after-commit.md",
        "",
    ),
    ("Test Job Execution", "test_testing.py", "test-retries.md", ""),
    ("Test Enqueuing", "test_testing.py", "migrate/other-languages.md", ""),
    (
        "Directory Organization",
        "test_directory_organization.py",
        "structure-jobs.md",
        "Lay out the files",
    ),
)

#: Headings that name no pattern but say when one applies, or sum them up.
NO_PATTERNS = (
    "Context Awareness for Recurring Jobs",
    "Context Awareness Guide",
    "Detection Commands",
    "Context-Aware Recommendations",
    "Best Practices Summary",
    "Do",
    "Don't",
)


def of(pattern):
    return pattern[0]


@each_row("pattern", PATTERNS)
def test_it_has_tests(pattern):
    _, tests, _, _ = pattern
    nodes = ast.walk(ast.parse((HERE / tests).read_text("utf-8")))

    assert [n for n in nodes if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]


@each_row("pattern", PATTERNS)
def test_it_has_a_page_whose_code_is_run(pattern):
    _, _, page, section = pattern
    text = (PAGES / page).read_text("utf-8")
    if section:
        _, heading, text = text.partition(f"\n## {section}\n")
        assert heading, f"{page} has no section {section!r}"
        text = text.partition("\n## ")[0]

    assert "\n<!-- pytest " in text or "\n<!-- python -->" in text


@each_row("pattern", PATTERNS)
def test_its_page_is_in_the_list_of_pages(pattern):
    index = (PAGES / "index.md").read_text("utf-8")
    page = pattern[2]

    assert f"({page})" in index


def test_no_heading_is_listed_twice():
    headings = [*map(of, PATTERNS), *NO_PATTERNS]

    assert len(headings) == len(set(headings))
