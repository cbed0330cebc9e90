"""Tests in classes, and those with parameters, have the fixtures as any other, and a harness each."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_each_method_and_each_parameter_has_its_own(told):
    told(
        """
        import pytest
        from pytest_jobs import assert_enqueued, current_jobs
        from shop import Pay

        class TestMethodsAskForFixtures:
            def test_one(self, jobs, assert_enqueued):
                Pay.perform_later(1)
                assert_enqueued(Pay)

            def test_two(self, assert_not_enqueued):
                assert_not_enqueued()

        @pytest.mark.usefixtures("jobs")
        class TestUsefixturesOpensOneForEach:
            def test_one(self):
                Pay.perform_later(1)

            def test_two(self):
                assert len(current_jobs().enqueued) == 0

        class TestAnAutouseFixtureOpensOne:
            @pytest.fixture(autouse=True)
            def _jobs(self, jobs):
                self.jobs = jobs

            def test_it(self):
                Pay.perform_later(1)
                self.jobs.drain()
                assert len(self.jobs.performed) == 1

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

        @pytest.mark.jobs
        @pytest.mark.parametrize("queue", ["low", "high"])
        @pytest.mark.parametrize("payment_id", [1, 2])
        def test_each_parameter(queue, payment_id):
            Pay.set(queue=queue).perform_later(payment_id)

            assert assert_enqueued(Pay, queue=queue).args == (payment_id,)
        """,
        passed=13,
    )


def test_set_up_of_a_method_belongs_to_its_test_that_of_a_class_or_module_to_the_session(
    pytester, run_test
):
    pytester.makeini("[pytest]\njobs_mode = record")
    result = run_test("""
        from pytest_jobs import current_jobs
        from shop import Pay

        def setup_module():
            Pay.perform_later(1)

        class TestIt:
            @classmethod
            def setup_class(cls):
                Pay.perform_later(2)

            def setup_method(self):
                Pay.perform_later(3)

            def test_it(self):
                assert [record.args for record in current_jobs().enqueued] == [(3,)]

            def test_two(self):
                assert [record.args for record in current_jobs().enqueued] == [(3,)]
    """)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "=* jobs enqueued outside of tests and never performed =*",
            "#0 Pay(1) queue='payments'",
            "#1 Pay(2) queue='payments'",
            "Perform them in the fixture, *",
        ],
        consecutive=True,
    )
