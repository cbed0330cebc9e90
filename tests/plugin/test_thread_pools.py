"""What threads enqueue while a test runs belongs to the test."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


@pytest.mark.parametrize("mode", ["record", "inline"])
def test_a_pool_of_the_test(pytester, run_test, mode):
    pytester.makeini(f"[pytest]\njobs_mode = {mode}")
    run_test("""
        from concurrent.futures import ThreadPoolExecutor
        from pytest_jobs import assert_enqueued, assert_performed, current_jobs
        from shop import Pay

        def test_it():
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(Pay.perform_later, range(50)))
            current_jobs().perform_due()

            records = assert_enqueued(Pay, count=50)
            assert sorted(record.args[0] for record in records) == list(range(50))
            assert [record.sequence for record in records] == list(range(50))
            assert_performed(Pay, count=50)
    """).assert_outcomes(passed=1)


def test_a_pool_that_outlives_the_test_enqueues_into_the_next(run_test):
    run_test("""
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        from shop import Pay

        @pytest.fixture(scope="module")
        def pool():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(int).result()
                yield pool

        @pytest.mark.parametrize("payment_id", [1, 2])
        def test_it(pool, jobs, assert_enqueued, payment_id):
            pool.submit(Pay.perform_later, payment_id).result()

            assert assert_enqueued(Pay).args == (payment_id,)
    """).assert_outcomes(passed=2)


def test_the_error_of_an_inline_job_in_a_thread_fails_the_test(pytester):
    pytester.makepyfile("""
        from threading import Thread
        from shop import Refuse

        def test_it():
            thread = Thread(target=Refuse.perform_later)
            thread.start()
            thread.join()
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: no money"])
