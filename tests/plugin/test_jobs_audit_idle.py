"""`--jobs-audit` of jobs that have nothing to do in some tests, or in all."""

from __future__ import annotations

import pytest

from pytest_jobs.plugin.audit.arrivals import Reason

SHOP = """
    from pytest_jobs import job

    @job
    def send_all(folder):
        lock = folder / "lock"
        lock.touch(exist_ok=False)
        try:
            if (folder / "mail").exists():
                with (folder / "sent").open("a") as sent:
                    sent.write("mail")
        finally:
            lock.unlink()

    @job
    def remind(number):
        if number < 0:
            return
        print(number)

    @job
    def fail(number):
        raise LookupError(number)
    """


@pytest.fixture
def audit(pytester):
    pytester.makepyfile(shop=SHOP)

    def run(text, *arguments):
        pytester.makepyfile(test_shop=text)
        return pytester.runpytest("--jobs-audit", *arguments)

    return run


def test_tests_in_which_a_job_has_nothing_to_do_are_named_by_the_line_where_it_ends(audit):
    result = audit("""
        import pytest
        import shop

        def test_sending(tmp_path):
            shop.send_all.perform_now(tmp_path)

        def test_failing():
            with pytest.raises(LookupError):
                shop.fail.perform_now(1)

        @pytest.mark.parametrize("number", [-1, -2, 3])
        def test_reminding(number):
            shop.remind.perform_now(number)
        """)

    result.stdout.fnmatch_lines(
        [
            "Not checked:",
            "- Write a test in which it has something to do.",
            "    shop.remind: It ends at shop.py:17 in 2 tests, at shop.py:18 in 1 test, and changes *",
            # A lock that the job has made and removed itself is no effect.
            "    shop.send_all: It ends at shop.py:12 in 1 test, and changes nothing there that a check compares.",
        ]
    )
    result.stdout.fnmatch_lines(
        ["- Write a test in which it returns.", "    shop.fail: It raises *"]
    )
    result.stdout.no_fnmatch_line("*world*")


def test_a_job_with_nothing_to_do_is_tried_in_further_tests_when_all_jobs_had_their_turn(audit):
    tests = """
        import pytest
        import shop

        @pytest.mark.parametrize("number", range(6))
        def test_sending(tmp_path, number):
            if number == 5:
                (tmp_path / "mail").touch()
            shop.send_all.perform_now(tmp_path)
        """
    result = audit(tests, "-v")

    result.stdout.fnmatch_lines(
        ["1 job reached, 1 checked, * findings.", "- DIVERGED files in send_all(*)"]
    )


def test_a_job_that_ends_at_one_line_in_many_tests_is_tried_in_no_more(audit):
    result = audit("""
        import pytest
        import shop

        @pytest.mark.parametrize("number", range(1, 20))
        def test_reminding(number):
            shop.remind.perform_now(-number)
        """)

    result.stdout.fnmatch_lines(
        ["    shop.remind: It ends at shop.py:17 in 8 tests of 19, and changes nothing there *"]
    )


def test_a_reason_has_three_lines_and_no_advice_about_arguments_of_a_check(audit):
    result = audit("""
        import itertools
        from pytest_jobs import job

        numbers = itertools.count(10**80)

        @job
        def dump(path):
            path.write_text("\\n".join(str(next(numbers)) for _ in range(200)))

        def test_dumping(tmp_path):
            dump.perform_now(tmp_path / "dump")
        """)

    result.stdout.fnmatch_lines(
        [
            "- Check it in a test of its own, which can say more: check_idempotent(job, ...).",
            "    test_shop.dump: Two clean runs of the job at the same time * differ in",
            "      files, so the job keeps something *",
            "      * after the second.",
            "",
        ],
        consecutive=True,
    )


def test_a_reason_has_all_that_a_refusal_advises_about_doubles():
    refusal = (
        "It cannot be done. Put a fake in the place of one. Say world=. Put the mock elsewhere."
    )

    assert Reason.of_refusal(refusal) == (
        "It cannot be done.",
        "Put a fake in the place of one. Put the mock elsewhere.",
    )
