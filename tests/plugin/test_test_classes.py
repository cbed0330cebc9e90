"""Tests in classes have the fixtures as any other, and a harness each."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_methods_ask_for_fixtures(run_test):
    run_test("""
        from shop import Pay

        class TestIt:
            def test_one(self, jobs, assert_enqueued):
                Pay.perform_later(1)
                assert_enqueued(Pay)

            def test_two(self, assert_not_enqueued):
                assert_not_enqueued()
    """).assert_outcomes(passed=2)


def test_usefixtures_opens_one_for_each_method(run_test):
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.mark.usefixtures("jobs")
        class TestIt:
            def test_one(self):
                Pay.perform_later(1)

            def test_two(self):
                assert len(current_jobs().enqueued) == 0
    """).assert_outcomes(passed=2)


def test_an_autouse_fixture_of_the_class_opens_one(run_test):
    run_test("""
        import pytest
        from shop import Pay

        class TestIt:
            @pytest.fixture(autouse=True)
            def _jobs(self, jobs):
                self.jobs = jobs

            def test_it(self):
                Pay.perform_later(1)
                self.jobs.drain()
                assert len(self.jobs.performed) == 1
    """).assert_outcomes(passed=1)


def test_set_up_of_a_method_belongs_to_its_test(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    run_test("""
        from pytest_jobs import current_jobs
        from shop import Pay

        class TestIt:
            def setup_method(self):
                Pay.perform_later(1)

            def test_it(self):
                assert [record.args for record in current_jobs().enqueued] == [(1,)]
    """).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "set_up",
    [
        "class TestIt:\n    @classmethod\n    def setup_class(cls):\n        Pay.perform_later(1)",
        "def setup_module():\n    Pay.perform_later(1)\nclass TestIt:\n    pass",
    ],
    ids=["class", "module"],
)
def test_set_up_of_a_class_or_module_belongs_to_the_session(pytester, run_test, set_up):
    pytester.makeini("[pytest]\njobs_mode = record")
    test = (
        "\n    def test_it(self):\n        assert len(current_jobs().enqueued) == 0\n"
        "    def test_two(self):\n        assert len(current_jobs().enqueued) == 0\n"
    )
    result = run_test(
        "from pytest_jobs import current_jobs\nfrom shop import Pay\n" + set_up + test
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["=* jobs enqueued outside of tests and never performed =*", "#0 Pay(1) queue='payments'"]
    )
