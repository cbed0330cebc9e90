"""The fixtures that assert."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

NAMES = [
    *("assert_enqueued", "assert_performed", "assert_retried", "assert_discarded"),
    *("assert_failed", "assert_not_enqueued", "assert_not_performed"),
    "assert_enqueued_in_order",
]


def test_each_of_them_passes_where_it_holds(run_test):
    run_test("""
        from pytest_jobs import Job, discard_on
        from shop import Pay, Refuse, Sync, send_receipt

        @discard_on(KeyError)
        class Drop(Job):
            def perform(self):
                raise KeyError

        def test_them(
            jobs, assert_enqueued, assert_performed, assert_retried, assert_discarded, assert_failed,
            assert_not_enqueued, assert_not_performed,
        ):
            for job in (Pay.new(7), Refuse.new(), Sync.new(), Drop.new()):
                job.enqueue()
            jobs.drain(raise_errors=False)

            assert_enqueued(Pay, args=(7,))
            assert_performed(Pay, result="paid 7")
            assert_retried(Sync, wait=3)
            assert_discarded(Drop)
            assert_failed(Refuse, error=ValueError("no money"))
            assert_not_enqueued(send_receipt)
            assert_not_performed(Refuse)
    """).assert_outcomes(passed=1)


def test_one_alone_opens_the_harness(told):
    tests = "".join(
        f"""
        def test_{name}({name}):
            Pay.perform_later(7)

            assert len(current_jobs().enqueued) == 1
        """
        for name in NAMES
    )
    told(
        f"""
        from pytest_jobs import current_jobs
        from shop import Pay
        {tests}""",
        passed=len(NAMES),
    )


def test_a_failure_shows_the_line_of_the_test_and_the_whole_message(run_test):
    result = run_test("""
        from shop import Pay

        def test_it(jobs, assert_enqueued):
            Pay.perform_later(7)
            assert_enqueued(Pay, queue="low")
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "    def test_it(jobs, assert_enqueued):",
            "        Pay.perform_later(7)",
            '>       assert_enqueued(Pay, queue="low")',
            "E       AssertionError: Pay(7) was enqueued with queue='payments', not 'low'.",
            "E       Expected exactly 1 Pay enqueued with",
            "E         queue  'low'",
            "E       ",
            "E       Closest: #0 Pay(7) queue='payments'",
            "E         queue  differs  expected 'low', got 'payments'",
            "E       ",
            (
                "E       Next: correct the queue of the job, or the one that is chosen when it is enqueued, or "
                "the expectation."
            ),
            "E       See: python -m pytest_jobs explain other-queue",
            "",
            "test_a_failure_shows_the_line_of_the_test_and_the_whole_message.py:5: AssertionError",
        ],
        consecutive=True,
    )
