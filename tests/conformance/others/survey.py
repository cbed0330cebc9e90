"""What the test kits of other job systems can do, and the tests that say the same of this one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

#: When the other systems were looked at; what they have become since is not in the table.
SURVEYED: Final = date(2026, 11, 24)

#: The systems, in the order of the marks, each with the version or date that was read.
SYSTEMS: Final = (
    "ActiveJob",
    "Oban",
    "Oban Pro",
    "oban-py",
    "Laravel",
    "River",
    "Temporal (Python)",
    "messenger-test",
    "Inngest",
    "Restate",
    "Hatchet",
    "DBOS",
    "pg-boss",
    "Trigger.dev",
)

MARKS: Final = {"y": "yes", "~": "partly", "n": "no", "?": "unknown"}


@dataclass(frozen=True)
class Row:
    """One ability."""

    #: What it is.
    ability: str
    #: A mark for each of the systems.
    marks: str
    #: The tests in this directory that show it of pytest-jobs.
    tests: tuple[str, ...] = ()
    #: What to say of pytest-jobs, where that is not a plain yes.
    ours: str = ""


ROWS: Final = (
    Row(
        "nothing runs beside the tests: no broker, no database, no server",
        "y~~~ynnyyny~ny",
        tests=("test_oban.py::test_no_broker_no_database_no_server_process",),
    ),
    Row(
        "jobs are only recorded",
        "yyyyyynynnnnyn",
        tests=("test_oban.py::test_jobs_are_only_recorded",),
    ),
    Row(
        "jobs run when they are enqueued",
        "yyyyynnynnnnnn",
        tests=("test_oban.py::test_jobs_run_inline_at_enqueue",),
    ),
    Row(
        "the mode is switched for a block",
        "yyyyyn~ynnnnnn",
        tests=("test_oban.py::test_the_mode_is_switched_for_a_scope",),
    ),
    Row(
        "some jobs run and others are held back",
        "ynnnynn~ynnnnn",
        tests=(
            "test_laravel.py::test_some_jobs_run_and_others_are_only_recorded",
            "test_laravel.py::test_some_jobs_are_held_back_from_every_verb",
        ),
    ),
    Row(
        "asserts that a job was enqueued",
        "yyyyyynynnnnyn",
        tests=("test_oban.py::test_enqueued_by_class",),
    ),
    Row(
        "... by queue",
        "yyyyyynynnnnyn",
        tests=("test_oban.py::test_enqueued_by_queue",),
    ),
    Row(
        "... by all of its arguments",
        "yyyy~nnn~nnnnn",
        tests=("test_oban.py::test_enqueued_by_exact_arguments",),
    ),
    Row(
        "... by some of them, nested, with wildcards",
        "~yy~~nn~ynnn~n",
        tests=(
            "test_oban.py::test_enqueued_by_some_of_the_arguments_nested_ones_and_wildcards",
            "test_fifteen_ideas.py::test_idea_7_subsets_match_and_matchers_by_equality",
        ),
    ),
    Row(
        "... by its time, within a tolerance",
        "yyynnnnnnnnnnn",
        tests=("test_oban.py::test_enqueued_by_scheduled_time_with_a_tolerance",),
    ),
    Row(
        "... by its priority",
        "~yyy~yn~nnnnnn",
        tests=("test_oban.py::test_enqueued_by_priority",),
    ),
    Row(
        "... so many times exactly",
        "ynnny~ny~nnnnn",
        tests=("test_river.py::test_an_exact_number_of_jobs",),
    ),
    Row(
        "asserts that a job was not enqueued",
        "yyyyyynyynnnnn",
        tests=("test_oban.py::test_nothing_of_the_kind_was_enqueued",),
    ),
    Row(
        "looks at the jobs of a block only",
        "ynynynnnnnnnnn",
        tests=(
            "test_laravel.py::test_only_the_jobs_of_a_block_count",
            "test_fifteen_ideas.py::test_idea_4_a_block_yields_what_happened_in_it",
        ),
    ),
    Row(
        "asserts the whole list, in order",
        "nnnnnynnnnnnnn",
        tests=("test_river.py::test_an_exact_list_in_order",),
    ),
    Row(
        "the assertion returns the job",
        "yn?nnynyynnnyn",
        tests=("test_river.py::test_the_assertion_returns_the_job",),
    ),
    Row(
        "waits up to a timeout for a job that is on its way",
        "nyyynn~nnnnnyn",
        tests=(
            "test_oban_py.py::test_a_job_that_another_thread_enqueues_is_waited_for",
            "test_oban_py.py::test_so_is_one_of_another_task",
        ),
    ),
    Row(
        "performs one job as a worker would",
        "~yyy~yynyny~ny",
        tests=("test_oban.py::test_one_job_is_performed_as_a_worker_would",),
    ),
    Row(
        "... as its third attempt",
        "~yyynyynnnynny",
        tests=("test_river.py::test_a_job_is_performed_as_its_third_attempt",),
    ),
    Row(
        "checks what a job returns",
        "nyynnynnnnnnnn",
        tests=("test_oban.py::test_what_a_job_returns_is_checked",),
        ours="partly: a coroutine that nothing awaits; nothing else means anything",
    ),
    Row(
        "drains a queue, children included",
        "~yyynnnynnnnnn",
        tests=("test_oban.py::test_a_drain_follows_the_jobs_that_jobs_enqueue",),
    ),
    Row(
        "... so many jobs at most",
        "nyynnnnynnnnnn",
        tests=(
            "test_oban.py::test_a_drain_makes_at_most_so_many_deliveries",
            "test_zenstruck.py::test_a_drain_fails_if_fewer_ran",
        ),
    ),
    Row(
        "... with what is scheduled",
        "yyyynnyyynnnnn",
        tests=("test_oban.py::test_a_drain_includes_what_is_scheduled",),
    ),
    Row(
        "... up to an instant",
        "yy?nnnyynnnnnn",
        tests=("test_oban.py::test_a_drain_goes_up_to_an_instant",),
    ),
    Row(
        "... and counts by outcome",
        "~yyynnn~nnnnnn",
        tests=("test_oban.py::test_a_drain_counts_by_outcome",),
    ),
    Row(
        "errors are raised or recorded, by option",
        "nyyyny~y~nnn~n",
        tests=("test_oban.py::test_errors_are_raised_or_recorded_by_option",),
    ),
    Row(
        "shows queued, done and failed jobs",
        "~~~~~nyyynnnyn",
        tests=(
            "test_zenstruck.py::test_the_ledger_has_every_state",
            "test_fifteen_ideas.py::test_idea_8_every_transition_is_in_the_ledger",
        ),
    ),
    Row(
        "has a clock of its own",
        "nnnnnyyy~nnnnn",
        tests=(
            "test_temporal.py::test_the_clock_is_virtual_and_injected",
            "test_temporal.py::test_each_test_has_a_clock_of_its_own",
        ),
    ),
    Row(
        "performs retries, after their waits",
        "~~~~nnyy~yny~n",
        tests=(
            "test_temporal.py::test_retries_are_simulated_wait_and_all",
            "test_oban_py.py::test_a_drain_honours_the_wait_of_a_retry",
        ),
    ),
    Row(
        'asserts "again in 30 s"',
        "~nnny~~nnnnnnn",
        tests=("test_laravel.py::test_a_job_is_released_in_30_s",),
    ),
    Row(
        "asserts that a job was given up",
        "~yyyyyyn~nnnyn",
        tests=(
            "test_laravel.py::test_a_job_is_deleted_failed_or_never_ran",
            "test_zenstruck.py::test_a_discard_and_a_dead_letter_are_asserted",
        ),
    ),
    Row(
        "asserts chains",
        "nnynynynyn~~nn",
        tests=("test_laravel.py::test_a_chain_is_asserted_as_it_was_enqueued",),
        ours="yes, where the library knows them: Celery",
    ),
    Row(
        "asserts batches",
        "nnynynnnynnnnn",
        tests=("test_laravel.py::test_a_batch_is_asserted_as_it_was_enqueued",),
        ours="yes, where the library knows them: Celery",
    ),
    Row(
        "writes and reads arguments as production does",
        "yyyy~yyyny~yyn",
        tests=("test_zenstruck.py::test_arguments_are_serialised_and_read_back",),
    ),
    Row(
        "honours uniqueness",
        "nn~nynnnnnnnnn",
        tests=(
            "test_laravel.py::test_uniqueness_is_honoured_and_its_locks_are_given_back",
            "test_ten_gaps.py::test_gap_7_unique_jobs_and_limits_are_honoured",
        ),
    ),
    Row(
        "knows of enqueues after a commit",
        "yyyy~ynnnnnnyn",
        tests=("test_oban.py::test_what_waits_for_a_commit_is_enqueued_by_it",),
    ),
    Row(
        "replays a recorded history",
        "nnnnnnynn~nnnn",
        ours="no: `--jobs-replay` carries out one that an exploration found",
    ),
    Row(
        "begins anew at every suspension",
        "nnnnnn~nnynnnn",
        tests=("test_fifteen_ideas.py::test_idea_14_every_await_is_a_place_to_begin_anew",),
    ),
    Row(
        "builds a job that is half done",
        "~nnnnynnyny~nn",
        ours="no: a job has no steps; an exploration kills it at each line instead",
    ),
    Row(
        "fails where nothing stands in for what a job reaches",
        "nnnnnnnn~nnnnn",
        tests=("test_inngest.py::test_an_outside_act_that_nothing_stands_in_for_is_an_error",),
        ours="partly: in an exploration",
    ),
    Row(
        "an assertion that fails in a job fails the test",
        "n~~~nny~nnynnn",
        tests=(
            "test_temporal.py::test_an_assertion_that_fails_in_a_job_is_not_retried",
            "test_fifteen_ideas.py::test_idea_13_outcomes_of_the_test_are_never_swallowed",
            "test_fifteen_ideas.py::test_idea_13_an_interrupt_passes_through_and_leaves_the_job_pending",
        ),
    ),
    Row(
        "checks the configuration of production",
        "nyynnnnnnnnnnn",
        tests=(
            "test_oban.py::test_the_schedule_of_production_is_checked",
            "test_ten_gaps.py::test_gap_9_a_schedule_is_previewed_and_fired",
        ),
        ours="partly: schedules, and declarations of jobs; an engine checks the rest itself",
    ),
    Row(
        "runs a job twice and compares",
        "nnnnnnnnn~nnnn",
        tests=(
            "test_ten_gaps.py::test_gap_2_idempotency_is_an_assertion",
            "test_ten_gaps.py::test_gap_3_a_race_counts_the_effects",
        ),
    ),
    Row(
        "kills a job between its effects",
        "~nnnnnnnnnnnnn",
        tests=("test_ten_gaps.py::test_gap_4_a_crash_between_effects_of_an_ordinary_job",),
    ),
    Row(
        "keeps its state in objects, not in the process",
        "nyy~nynnyyyny~",
        tests=("test_oban_py.py::test_two_harnesses_do_not_see_each_other",),
        ours="partly: harnesses nest in one process, they do not run side by side",
    ),
    Row(
        "shows a mismatch field by field",
        "nnnnnynnnnnnnn",
        tests=(
            "test_river.py::test_a_mismatch_is_shown_field_by_field",
            "test_fifteen_ideas.py::test_idea_6_the_closest_has_a_verdict_a_field_and_the_rest_is_cut_down",
            "test_ten_gaps.py::test_gap_6_a_failure_shows_a_diff",
        ),
    ),
    Row(
        "gives the retry timeline as a value",
        "nnnnnnnnnnnnnn",
        tests=("test_ten_gaps.py::test_gap_1_the_retry_timeline_is_a_value",),
    ),
    Row(
        "searches generated histories of several jobs",
        "nnnnnnnnnnnnnn",
        tests=("test_ten_gaps.py::test_gap_5_generated_histories_end_in_a_script",),
    ),
    Row(
        "reports jobs that a test left alone",
        "nnnnnnnnnnnnnn",
        tests=("test_ten_gaps.py::test_also_a_test_that_leaves_jobs_alone_is_told_so",),
    ),
)
