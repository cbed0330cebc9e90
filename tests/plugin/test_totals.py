"""`pytest -v` ends with a line about the jobs of all tests."""

import pytest

SHOP = """
    import pytest

    from pytest_jobs import Job, retry_on

    @retry_on(ConnectionError, wait=3, attempts=3)
    class Charge(Job):
        def perform(self, answers):
            if answers[self.attempt - 1] == "down":
                raise ConnectionError

    def test_without_jobs():
        pass

    def test_with_a_harness_and_no_job(jobs):
        pass

    def test_retries(jobs):
        Charge.perform_later(["down", "up"])
        jobs.drain()

    def test_left_alone(jobs):
        Charge.perform_later(["up"])
        Charge.perform_later(["up"])
        jobs.perform(jobs.pending[0])
"""
LINE = "*= jobs of 2 tests: 3 enqueued, 2 performed, 1 retried, 1 left pending =*"


@pytest.mark.wide
@pytest.mark.parametrize("options", [["-v"], ["-v", "-n1"]], ids=["one process", "xdist"])
def test_the_line_counts_the_jobs_of_all_tests(options, pytester):
    pytester.makepyfile(SHOP)

    pytester.runpytest(*options).stdout.fnmatch_lines([LINE])


def test_without_the_option_there_is_no_line(pytester):
    pytester.makepyfile(SHOP)

    pytester.runpytest().stdout.no_fnmatch_line("*jobs of *")


def test_where_no_test_has_jobs_there_is_no_line(pytester):
    pytester.makepyfile("def test_nothing(): pass")

    pytester.runpytest("-v").stdout.no_fnmatch_line("*jobs of *")
