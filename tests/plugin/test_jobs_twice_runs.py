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


@pytest.mark.parametrize(
    "places",
    [
        {"module": f"pytestmark = {MARK}", "of_class": "", "of_test": ""},
        {"module": "", "of_class": f"@{MARK}", "of_test": ""},
        {"module": "", "of_class": "", "of_test": f"@{MARK}"},
    ],
)
def test_a_marker_opts_out_and_is_told(pytester, places):
    result = run(pytester, OPTED_OUT.format(**places))

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["1 test left alone (idempotent=False):", "  test_it.py::TestIt::test_sum"]
    )


def test_a_marker_that_keeps_crashes_away_does_not_keep_copies_away(pytester):
    places = {"module": "", "of_class": "", "of_test": "@pytest.mark.jobs(crash=False)"}

    run(pytester, OPTED_OUT.format(**places)).assert_outcomes(failed=1)


def test_the_marker_of_a_test_goes_before_that_of_its_module(pytester):
    places = {
        "module": f"pytestmark = {MARK}",
        "of_class": "",
        "of_test": "@pytest.mark.jobs(idempotent=True)",
    }

    run(pytester, OPTED_OUT.format(**places)).assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "said", ["idempotent=False", "crash=False", "idempotent=True, crash=False"]
)
def test_the_marker_alone_opens_no_harness(run_test, said):
    run_test(f"""
        import pytest
        from pytest_jobs.errors import NoHarnessError
        from pytest_jobs import current_jobs

        @pytest.mark.jobs({said})
        def test_it():
            with pytest.raises(NoHarnessError):
                current_jobs()
        """).assert_outcomes(passed=1)


def test_a_marker_that_says_neither_is_an_error(pytester):
    result = run(
        pytester,
        "import pytest\n@pytest.mark.jobs(idempotent='no')\ndef test_it(): ...",
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*idempotent is 'no'; it is True or False."])


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


def test_where_the_ini_file_asked_for_it_such_a_run_is_only_told(pytester, run_test):
    pytester.makeini("[pytest]\njobs_twice = true")
    result = run_test("def test_it(): ...")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["jobs: every delivery twice", "No job was delivered twice, so this run shows nothing: *"]
    )


def test_the_ini_file_switches_it_on(pytester, run_test):
    pytester.makeini("[pytest]\njobs_twice = true")
    run_test(ADDS_TWICE).assert_outcomes(failed=1)


def test_a_run_that_only_collects_is_left_alone(pytester):
    result = run(pytester, SAFE, "--collect-only")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*No job was delivered*")


def test_fixtures_of_the_test_are_made_anew_for_each_run_and_wider_ones_are_not(pytester):
    result = run(
        pytester,
        """
        import pytest
        from ledger import add, book

        calls = []

        @pytest.fixture(scope="module")
        def wide():
            calls.append("wide")
            yield
            calls.append("wide ends")

        @pytest.fixture
        def narrow(wide):
            calls.append("narrow")
            yield
            calls.append("narrow ends")

        def test_sum(jobs, narrow):
            add.perform_later(5)
            jobs.drain()

            assert sum(book) == 5

        def test_next(wide):
            assert calls == ["wide", *["narrow", "narrow ends"] * 3]
        """,
    )

    result.assert_outcomes(failed=1, passed=1)


def test_wider_fixtures_end_once_and_their_errors_are_told(pytester):
    pytester.makepyfile(test_z="def test_after(): ...")
    result = run(
        pytester,
        """
        import pytest
        from ledger import add, book

        @pytest.fixture(scope="module")
        def wide():
            yield
            raise RuntimeError("cannot end")

        def test_sum(jobs, wide):
            add.perform_later(5)
            jobs.drain()

            assert sum(book) == 5
        """,
    )

    result.assert_outcomes(failed=1, passed=1, errors=1)
    result.stdout.fnmatch_lines(["*RuntimeError: cannot end"])


def test_a_fixture_that_asserts_at_its_end_finds_the_guilty_job(pytester):
    result = run(
        pytester,
        """
        import pytest
        from ledger import add, book

        @pytest.fixture
        def balanced():
            yield
            assert sum(book) == 5

        def test_sum(jobs, balanced):
            add.perform_later(5)
            jobs.drain()
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["ledger.add broke 1 test:"])


def test_a_copy_that_fails_while_fixtures_end_breaks_the_test(pytester):
    result = run(
        pytester,
        """
        import pytest
        from ledger import refuse_again

        @pytest.fixture
        def drained(jobs):
            yield
            jobs.drain()

        def test_it(drained):
            refuse_again.perform_later(5)
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["ledger.refuse_again broke 1 test:"])


@pytest.mark.parametrize("expected", [5, 6])
def test_output_and_properties_are_those_of_one_run(pytester, expected):
    result = run(
        pytester,
        f"""
        from ledger import add, book

        def test_sum(jobs, record_property):
            print("once", "upon a time")
            record_property("run", 1)
            add.perform_later(5)
            jobs.drain()

            assert sum(book) == {expected}
        """,
        "--junit-xml=out.xml",
        "--override-ini=junit_family=xunit1",
    )

    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("once upon a time") == 1
    written = (pytester.path / "out.xml").read_text(encoding="utf-8")
    assert written.count('name="run"') == 1
    assert 'tests="1"' in written


def test_a_test_that_is_expected_to_fail_is_not_looked_into(pytester):
    result = run(
        pytester,
        "    import pytest\n"
        + ADDS_TWICE.replace("    def test", "    @pytest.mark.xfail\n    def test"),
    )

    result.assert_outcomes(xfailed=1)
    result.stdout.no_fnmatch_line("* broke *")


def test_it_stops_after_the_first_failure_when_told_to(pytester):
    pytester.makepyfile(test_z="def test_after(): ...")
    result = run(pytester, ADDS_TWICE, "-x")

    result.assert_outcomes(failed=1)


def test_what_session_fixtures_perform_is_left_alone(pytester):
    result = run(
        pytester,
        """
        import pytest
        from ledger import add, put, book

        @pytest.fixture(scope="session")
        def seeded(session_jobs):
            add.perform_later(7)
            session_jobs.drain()
            return list(book)

        def test_it(seeded, jobs):
            put.perform_later(1)
            jobs.drain()

            assert seeded == [7]
        """,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 delivery of 1 job made once more, in 1 test of 1."])


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


def test_a_job_that_breaks_several_tests_is_one_finding(pytester):
    result = run(
        pytester,
        """
        import pytest
        from ledger import add, book, refuse_again

        @pytest.mark.parametrize("number", [1, 2])
        def test_sum(number, jobs):
            add.perform_later(5)
            jobs.drain()
            assert sum(book) == 5

        def test_refused(jobs):
            refuse_again.perform_later(5)
            jobs.drain()
        """,
    )

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "add, delivered twice, breaks this test; without second deliveries it passes.",
            "E   assert 10 == 5 (test_it.py:*)",
            "add, delivered twice, breaks this test, as it breaks test_it.py::test_sum[[]1], whose report *",
            "*Delivered twice*",
            "- add(5) was delivered again",
            "refuse_again, delivered twice, breaks this test; without second deliveries it passes.",
            "ledger.add broke 2 tests:",
            "One finding in 2 tests: add delivered twice.",
        ]
    )
    assert result.stdout.str().count("assert sum(book) == 5") == 1


def test_a_test_that_fails_without_copies_too_says_which_ran_before_it_failed(pytester):
    result = run(
        pytester,
        """
        from ledger import put, add

        kept = []

        def test_it(jobs):
            add.perform_later(5)
            put.perform_later(1)
            jobs.drain()
            kept.extend(jobs.performed)
            assert len(kept) == 1
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Delivered twice*",
            "This is the failure of a run without second deliveries. If the test passes without --jobs-twice, *",
            "twice, or it found what the run before had left. There these were delivered again *",
            "",
            "- put(1) was delivered again",
            "- add(5) was delivered again",
        ]
    )


def test_a_failure_that_does_not_come_again_says_which_copies_ran_before_it(pytester):
    result = run(
        pytester,
        """
        from ledger import put

        runs = []

        def test_it(jobs):
            put.perform_later(1)
            jobs.drain()
            runs.append(1)
            assert len(runs) > 1
        """,
    )

    result.stdout.fnmatch_lines(
        [
            "This test failed with second deliveries once, and then not again: *",
            "before it failed, the last first:",
            "",
            "- put(1) was delivered again",
        ]
    )
