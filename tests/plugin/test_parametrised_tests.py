"""Parametrised tests have a harness each."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_each_parameter_has_its_own(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    run_test("""
        import pytest
        from pytest_jobs import assert_enqueued
        from shop import Pay

        @pytest.mark.parametrize("queue", ["low", "high"])
        @pytest.mark.parametrize("payment_id", [1, 2])
        def test_it(queue, payment_id):
            Pay.set(queue=queue).perform_later(payment_id)

            assert assert_enqueued(Pay, queue=queue).args == (payment_id,)
    """).assert_outcomes(passed=4)


def test_fixtures_can_be_parametrised(run_test):
    run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(params=[1, 2])
        def payment(request, jobs):
            Pay.perform_later(request.param)
            return request.param

        def test_a_parametrised_fixture_may_enqueue(payment, assert_enqueued):
            assert assert_enqueued(Pay).args == (payment,)

        @pytest.mark.parametrize(
            "performed",
            [
                pytest.param(0, marks=pytest.mark.jobs(mode="record")),
                pytest.param(1, marks=pytest.mark.jobs(mode="inline")),
            ],
        )
        def test_the_harness_can_be_parametrised_indirectly(jobs, performed):
            Pay.perform_later(7)

            assert len(jobs.performed) == performed
    """).assert_outcomes(passed=4)
