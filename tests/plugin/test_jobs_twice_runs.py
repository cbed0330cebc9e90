"""How the runs of a test under `--jobs-twice` are made, counted and told."""

from __future__ import annotations

import pytest
from test_jobs_twice import ADDS_TWICE, project, run  # noqa: F401

SAFE = """
    from ledger import put

    def test_safe(jobs):
        put.perform_later(1)
        jobs.drain()
"""
OPTED_OUT = """
    import pytest
    from ledger import add, book

    {module}

    {of_class}
    class TestIt:
        {of_test}
        def test_sum(self, jobs):
            add.perform_later(5)
            jobs.drain()

            assert sum(book) == 5
"""
MARK = "pytest.mark.jobs(idempotent=False)"


def test_a_marker_opts_out_and_is_told_and_the_nearest_wins(pytester):
    pytester.makepyfile(
        test_module=f"""
        import pytest
        from ledger import add, book

        pytestmark = {MARK}

        def test_left(jobs):
            add.perform_later(5)
            jobs.drain()
            assert sum(book) == 5

        @pytest.mark.jobs(idempotent=True)
        def test_its_own(jobs):
            test_left(jobs)
        """
    )
    result = run(
        pytester,
        f"""
        import pytest
        from ledger import add, book
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError

        @{MARK}
        class TestIt:
            def test_of_a_class(self, jobs):
                add.perform_later(5)
                jobs.drain()
                assert sum(book) == 5

        @{MARK}
        def test_of_a_test(jobs):
            TestIt().test_of_a_class(jobs)

        @pytest.mark.jobs(crash=False)
        def test_without_crashes(jobs):
            TestIt().test_of_a_class(jobs)

        @pytest.mark.parametrize(
            "said",
            [
                pytest.param(said, marks=pytest.mark.jobs(**said))
                for said in (
                    {{"idempotent": False}}, {{"crash": False}}, {{"idempotent": True, "crash": False}}
                )
            ],
        )
        def test_alone_it_opens_no_harness(said):
            with pytest.raises(NoHarnessError):
                current_jobs()

        @pytest.mark.jobs(idempotent="no")
        def test_wrong(): ...
        """,
    )

    result.assert_outcomes(passed=6, failed=2, errors=1)
    result.stdout.fnmatch_lines(["*idempotent is 'no'; it is True or False."])
    result.stdout.fnmatch_lines(
        [
            "4 tests left alone (idempotent=False):",
            "  test_it.py::TestIt::test_of_a_class",
            "  test_it.py::test_alone_it_opens_no_harness[[]said0]",
            "  test_it.py::test_of_a_test",
            "  test_module.py::test_left",
        ]
    )
    result.stdout.fnmatch_lines_random(
        ["FAILED test_module.py::test_its_own *", "FAILED test_it.py::test_without_crashes *"]
    )


@pytest.mark.parametrize(
    "text",
    [
        "def test_it(): ...",
        OPTED_OUT.format(module=f"pytestmark = {MARK}", of_class="", of_test=""),
    ],
)
def test_a_run_in_which_nothing_was_delivered_twice_fails(pytester, text):
    result = run(pytester, text)

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["No job was delivered twice, so this run shows nothing: *"])


def test_a_run_that_only_collects_is_left_alone(pytester):
    result = run(pytester, SAFE, "--collect-only")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*No job was delivered*")


@pytest.mark.parametrize(("text", "failed"), [("def test_it(): ...", 0), (ADDS_TWICE, 1)])
def test_the_ini_file_switches_it_on_and_a_run_that_shows_nothing_is_only_told(
    pytester, run_test, text, failed
):
    pytester.makeini("[pytest]\njobs_twice = true")
    result = run_test(text)

    result.assert_outcomes(passed=1 - failed, failed=failed)
    assert result.ret == failed
    nothing = [] if failed else ["No job was delivered twice, so this run shows nothing: *"]
    result.stdout.fnmatch_lines(["jobs: every delivery twice", *nothing])


FIXTURES = """
    import pytest
    from ledger import add, book, put, refuse_again

    calls = []

    @pytest.fixture(scope="session")
    def seeded(session_jobs):
        add.perform_later(7)
        session_jobs.drain()
        return list(book)

    def test_what_session_fixtures_perform_is_left_alone(seeded, jobs):
        put.perform_later(1)
        jobs.drain()

        assert seeded == [7]

    @pytest.fixture(scope="module")
    def wide():
        calls.append("wide")
        yield
        raise RuntimeError("cannot end")

    @pytest.fixture
    def narrow(wide):
        calls.append("narrow")
        yield
        calls.append("narrow ends")

    def test_sum(jobs, narrow, record_property):
        print("once", "upon a time")
        record_property("run", 1)
        add.perform_later(5)
        jobs.drain()

        assert sum(book) == 5

    def test_fixtures_are_made_anew_for_each_run_and_wider_ones_are_not(wide):
        assert calls == ["wide", *["narrow", "narrow ends"] * 3]

    @pytest.fixture
    def balanced():
        yield
        assert sum(book) == 5

    def test_one_that_asserts_at_its_end(jobs, balanced):
        add.perform_later(5)
        jobs.drain()

    @pytest.fixture
    def drained(jobs):
        yield
        jobs.drain()

    def test_a_copy_that_fails_while_fixtures_end(drained):
        refuse_again.perform_later(5)

    @pytest.mark.xfail
    def test_that_is_expected_to_fail(jobs):
        add.perform_later(6)
        jobs.drain()

        assert sum(book) == 6

    def test_that_fails_anyway(jobs, record_property):
        print("just", "the same")
        record_property("run", 1)
        add.perform_later(5)
        jobs.drain()

        assert sum(book) == 6

    def test_the_last(): ...
"""


def test_fixtures_output_and_properties_are_those_of_one_run(pytester):
    pytester.makepyfile(test_z="def test_after(): ...")
    result = run(pytester, FIXTURES, "--junit-xml=out.xml", "--override-ini=junit_family=xunit1")

    result.assert_outcomes(passed=6, failed=2, errors=3, xfailed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: cannot end"])
    result.stdout.fnmatch_lines(
        [
            "ledger.add broke 2 tests:",
            "  test_it.py::test_one_that_asserts_at_its_end",
            "  test_it.py::test_sum",
            "ledger.refuse_again broke 1 test:",
            "6 deliveries of 3 jobs made once more, in 6 tests of 9.",
        ]
    )
    assert result.stdout.str().count("once upon a time") == 1
    assert result.stdout.str().count("just the same") == 1
    written = (pytester.path / "out.xml").read_text(encoding="utf-8")
    assert written.count('name="run"') == 2


def test_it_stops_after_the_first_failure_when_told_to(pytester):
    pytester.makepyfile(test_z="def test_after(): ...")

    run(pytester, ADDS_TWICE, "-x").assert_outcomes(failed=1)


@pytest.mark.slow
def test_workers_of_xdist_are_added_up(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(
        test_a=ADDS_TWICE,
        test_b=SAFE,
        test_c=OPTED_OUT.format(module=f"pytestmark = {MARK}", of_class="", of_test=""),
    )
    result = pytester.runpytest("--jobs-twice", "-n2")

    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "*Delivered twice*",
            "ledger.add broke 1 test:",
            "  test_a.py::test_sum",
            "2 deliveries of 2 jobs made once more, in 2 tests of 2.",
            "1 test left alone (idempotent=False):",
        ]
    )


@pytest.mark.slow
def test_a_run_with_xdist_in_which_nothing_was_done_fails(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest("--jobs-twice", "-n2")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["No job was delivered twice, so this run shows nothing: *"])


def test_a_shuffled_test_has_the_same_seed_in_each_run(pytester):
    pytest.importorskip("pytest_randomly")
    pytester.makepyfile(
        """
        import random
        from ledger import add, book

        draws = []

        def test_sum(jobs):
            draws.append(random.random())
            add.perform_later(len(set(draws)))
            jobs.drain()

            assert sum(book) == 1
        """
    )
    result = pytester.runpytest("--jobs-twice", "-p", "randomly")

    result.stdout.fnmatch_lines(["ledger.add broke 1 test:"])


def test_a_mode_that_lets_no_job_in_is_an_error(pytester):
    pytester.makeini("[pytest]\njobs_mode = off")
    result = run(pytester, SAFE)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jobs-twice attacks *, and jobs_mode = off lets none in: *"])


def test_both_attacks_at_once_are_an_error(pytester):
    result = run(pytester, SAFE, "--jobs-crash")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jobs-twice and --jobs-crash each *: give one, *"])


def test_a_job_that_breaks_several_tests_is_one_finding_and_other_failures_say_what_ran_before(
    told,
):
    reports = told(
        """
        import pytest
        from ledger import add, book, put, refuse_again

        @pytest.mark.parametrize("number", [1, 2])
        def test_sum(number, jobs):
            add.perform_later(5)
            jobs.drain()
            assert sum(book) == 5

        def test_refused(jobs):
            refuse_again.perform_later(5)
            jobs.drain()

        kept = []

        def test_without_copies_too(jobs):
            add.perform_later(5)
            put.perform_later(1)
            jobs.drain()
            kept.extend(jobs.performed)
            assert len(kept) == 1

        runs = []

        def test_not_again(jobs):
            put.perform_later(1)
            jobs.drain()
            runs.append(1)
            assert len(runs) > 1
        """,
        "--jobs-twice",
        failed=5,
    )

    # Of the two reports of one name the last is kept.
    reports["test_sum"].fnmatch_lines(
        [
            "E   assert 10 == 5 (test_it.py:*)",
            "add, delivered twice, breaks this test, as it breaks test_it.py::test_sum[[]1], whose report *",
            "*Delivered twice*",
            "- add(5) was delivered again",
        ]
    )
    reports["test_sum"].no_fnmatch_line("*assert sum(book) == 5*")
    reports["test_refused"].fnmatch_lines(
        ["refuse_again, delivered twice, breaks this test; without second deliveries it passes."]
    )
    reports["test_without_copies_too"].fnmatch_lines(
        [
            "*Delivered twice*",
            "This is the failure of a run without second deliveries. If the test passes without --jobs-twice, *",
            "twice, or it found what the run before had left. There these were delivered again *",
            "",
            "- put(1) was delivered again",
            "- add(5) was delivered again",
        ]
    )
    reports["test_not_again"].fnmatch_lines(
        [
            "This test failed with second deliveries once, and then not again: *",
            "before it failed, the last first:",
            "",
            "- put(1) was delivered again",
        ]
    )
