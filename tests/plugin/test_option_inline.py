"""`--jobs-inline` performs each job of every test as soon as it is enqueued; `jobs_raise` says where errors go."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_jobs_are_performed_where_they_are_enqueued_and_their_errors_fail_the_test(told):
    reports = told(
        """
        import pytest
        from pytest_jobs import Job, assert_performed
        from shop import Pay, Refuse, Sync

        def test_a_test_that_asks_for_nothing_has_its_jobs_performed():
            Pay.perform_later(7)

            assert_performed(Pay, result="paid 7")

        def test_so_has_one_that_asks_for_the_harness(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
            assert len(jobs.pending) == 0

        def test_what_is_due_later_waits(jobs):
            Pay.set(wait=60).perform_later(7)
            Sync.perform_later()

            assert [record.attempt for record in jobs.pending] == [1, 2]
            jobs.drain()
            assert len(jobs.performed) == 2

        order = []

        class Parent(Job):
            def perform(self):
                Child.perform_later()
                order.append("parent")

        class Child(Job):
            def perform(self):
                order.append("child")

        def test_a_job_that_is_enqueued_by_a_job_runs_after_it():
            Parent.perform_later()

            assert order == ["parent", "child"]

        @pytest.mark.jobs(mode="record")
        def test_a_marker_overrides_it(jobs):
            Pay.perform_later(7)

            assert len(jobs.pending) == 1

        @pytest.mark.jobs(raise_at="enqueue")
        def test_a_marker_lets_errors_out_at_once():
            with pytest.raises(ValueError, match="no money"):
                Refuse.perform_later()

        def test_an_error_is_raised_at_the_end():
            Refuse.perform_later()
            print("the test went on")

        def test_each_further_error_is_noted():
            Refuse.perform_later("first")
            Refuse.perform_later("second")

        @pytest.fixture
        def refused():
            Refuse.perform_later()

        def test_an_error_in_a_fixture_is_raised_at_the_end_of_the_test(refused):
            pass

        def test_an_error_of_a_test_that_failed_is_not_raised_once_more():
            Refuse.perform_later()
            assert 1 == 2

        def test_nor_is_one_of_a_test_that_was_skipped():
            Refuse.perform_later()
            pytest.skip("half-way")

        def test_nor_is_one_of_an_expected_failure():
            Refuse.perform_later()
            pytest.xfail("half-way")

        @pytest.fixture
        def broken():
            Refuse.perform_later()
            raise RuntimeError("the fixture broke")

        def test_an_error_in_a_fixture_that_failed_is_shown_there(broken):
            pass

        @pytest.fixture
        def refused_at_last():
            yield
            Refuse.perform_later()

        def test_an_error_of_a_teardown_is_raised_there(refused_at_last):
            Pay.perform_later(7)

        def test_after(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
        """,
        "--jobs-inline",
        passed=8,
        failed=4,
        errors=2,
        skipped=1,
        xfailed=1,
    )

    no_money = "ValueError: no money"
    for name, lines in {
        "an_error_is_raised_at_the_end": [f"E *{no_money}", "the test went on"],
        "each_further_error_is_noted": [
            *("E *ValueError: first", "E *Another inline job failed too: ValueError: second"),
        ],
        "an_error_in_a_fixture_is_raised_at_the_end_of_the_test": [f"E *{no_money}"],
        "an_error_of_a_test_that_failed_is_not_raised_once_more": [
            *("E *assert 1 == 2", "*Jobs that failed*", no_money),
        ],
        "an_error_in_a_fixture_that_failed_is_shown_there": [
            *("E *RuntimeError: the fixture broke", "*Jobs that failed*", no_money),
        ],
        "an_error_of_a_teardown_is_raised_there": [f"E *{no_money}"],
    }.items():
        reports[f"test_{name}"].fnmatch_lines(lines)


RAISES = """
    import pytest
    from shop import Refuse

    def test_it(jobs):
        try:
            Refuse.perform_later()
        except ValueError:
            pytest.skip("raised at enqueue")

    @pytest.mark.jobs(mode="record")
    def test_a_block(jobs):
        with pytest.raises(ValueError, match="no money"):
            with jobs.inline():
                try:
                    Refuse.perform_later()
                except ValueError:
                    pytest.skip("raised at enqueue")
"""


@pytest.mark.parametrize("at", [None, "end", "enqueue"])
def test_jobs_raise_says_where_an_error_is_raised(pytester, told, at):
    # It goes before the mode of the file, too.
    pytester.makeini(f"[pytest]\njobs_mode = record\n{f'jobs_raise = {at}' if at else ''}")
    outcomes = {"skipped": 2} if at == "enqueue" else {"failed": 1, "passed": 1}

    told(RAISES, "--jobs-inline", **outcomes)


def test_a_middleware_that_closes_connections_leaves_that_of_a_test_case(pytester):
    pytest.importorskip("django")
    pytest.importorskip("dramatiq")
    pytester.makepyfile(
        shop="""
            import django
            import dramatiq
            from django.conf import settings

            settings.configure(
                DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}},
            )
            django.setup()

            from django.db import close_old_connections, connection
            from dramatiq.brokers.stub import StubBroker

            # As that of django-dramatiq.
            class CloseConnections(dramatiq.Middleware):
                def before_process_message(self, broker, message):
                    close_old_connections()

                def after_process_message(self, broker, message, *, result=None, exception=None):
                    close_old_connections()

            broker = StubBroker(middleware=[CloseConnections()])

            def numbers():
                with connection.cursor() as cursor:
                    return cursor.execute("select number from orders").fetchall()

            @dramatiq.actor(broker=broker)
            def add(number):
                with connection.cursor() as cursor:
                    cursor.execute("insert into orders values (%s)", [number])
            """,
        test_shop="""
            import shop
            from django.db import connection
            from django.test import TestCase

            with connection.cursor() as cursor:
                cursor.execute("create table orders (number)")

            class Adding(TestCase):
                def test_it(self):
                    shop.add.send(7)
                    self.assertEqual(shop.numbers(), [(7,)])
            """,
    )
    result = pytester.runpytest_subprocess("--jobs-inline", "-p", "no:django")

    result.assert_outcomes(passed=1)
