"""What the settings of a suite mean for background tasks."""

import pytest

pytest.importorskip("fastapi")

SHOP = """
    from fastapi import BackgroundTasks, FastAPI

    app = FastAPI()
    sent = []

    def mail(number):
        sent.append(number)

    @app.post("/orders/{number}")
    def order(number: int, tasks: BackgroundTasks):
        tasks.add_task(mail, number)
"""
TESTS = """
    import pytest
    from fastapi.testclient import TestClient
    from shop import app, mail, sent

    def ask():
        sent.clear()
        TestClient(app).post("/orders/7")

    def test_nothing_asked_for():
        ask()
        assert sent == [7]

    def test_a_harness(jobs, assert_performed):
        ask()
        assert sent == [7]
        assert_performed(mail, args=[7])

    @pytest.mark.jobs(mode="record")
    def test_a_harness_that_records(jobs, assert_enqueued):
        ask()
        assert_enqueued(mail, args=[7])
        assert sent == []

    @pytest.mark.jobs(mode="inline")
    def test_a_harness_that_performs(assert_performed):
        ask()
        assert_performed(mail, args=[7])
        assert sent == [7]
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(shop=SHOP, test_shop=TESTS)
    return pytester


def outcomes(suite, *options, **ini):
    if ini:
        suite.makeini(
            "\n".join(["[pytest]", *(f"{name} = {value}" for name, value in ini.items())])
        )
    run = suite.runpytest_subprocess("-p", "no:django", *options)
    found = run.parseoutcomes()
    # An old client of tests uses a name of anyio that is deprecated.
    found.pop("warnings", None)
    return found, run.stdout.str()


def test_only_a_mode_that_a_test_or_a_suite_says_keeps_them(suite):
    assert outcomes(suite)[0] == {"passed": 4}


def test_an_application_that_is_named_changes_nothing(suite):
    found, shown = outcomes(suite, jobs_apps="background_tasks")

    assert found == {"passed": 4}
    assert "background_tasks" in shown
    assert "performed in the request unless a test keeps them" in shown


def test_a_suite_that_records_keeps_them(suite):
    found, shown = outcomes(suite, jobs_mode="record")

    # The first two wait for their effect.
    assert found == {"passed": 2, "failed": 2}
    assert "#0 mail(7)" in shown


def test_an_audit_sees_a_delivery_of_the_application(suite):
    found, shown = outcomes(suite, "--jobs-audit")

    assert found == {"passed": 4}
    # What it changes is a list in the memory of the process.
    assert "1 job reached, and none was checked, so this run shows nothing." in shown
    assert "    shop.mail: It ends at shop.py:" in shown


def test_a_test_case_keeps_what_its_mode_says(suite):
    suite.makepyfile(
        test_cases="""
        from fastapi.testclient import TestClient
        from pytest_jobs import JobsTestCase
        from shop import app, mail, sent

        class Performing(JobsTestCase):
            def test_it(self):
                sent.clear()
                TestClient(app).post("/orders/7")
                self.assert_performed(mail, args=[7])

        class Keeping(JobsTestCase):
            jobs_mode = "record"

            def test_it(self):
                sent.clear()
                TestClient(app).post("/orders/7")
                self.assert_enqueued(mail, args=[7])
                assert sent == []
        """
    )

    assert outcomes(suite, "test_cases.py")[0] == {"passed": 2}
