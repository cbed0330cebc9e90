"""`pytest_jobs_delivered` hears of every delivery, after it was recorded."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

CONFTEST = """
    import pytest_jobs

    delivered, seen = [], []

    def pytest_jobs_delivered(delivery):
        delivered.append(delivery)
        seen.append(delivery in pytest_jobs.current_jobs().deliveries)
"""


def test_it_is_called_with_each_delivery_when_that_is_in_the_views(pytester, told):
    pytester.makeconftest(CONFTEST)
    told(
        """
        import pytest
        from conftest import delivered, seen
        from shop import Pay, Refuse, Sync, fetch

        @pytest.fixture(autouse=True)
        def heard():
            delivered.clear()
            yield
            assert all(seen)

        def test_it(jobs):
            Pay.perform_later(7)
            Refuse.perform_later()
            Sync.perform_later()
            jobs.drain(raise_errors=False)

            assert delivered == list(jobs.deliveries)
            assert [d.status for d in delivered] == ["performed", "failed", "retried", "performed"]

        @pytest.mark.jobs(mode="inline")
        def test_inline_and_coroutine_jobs(jobs):
            fetch.perform_later(3)

            assert [d.result for d in delivered] == [3]
        """,
        passed=2,
    )


def test_each_conftest_hears_of_it(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.mkpydir("inner")
    pytester.path.joinpath("inner/conftest.py").write_text(
        "heard = []\ndef pytest_jobs_delivered(delivery):\n    heard.append(delivery)\n", "utf-8"
    )
    pytester.path.joinpath("inner/test_it.py").write_text(
        "from inner.conftest import heard\n"
        "from shop import Pay\n"
        "def test_it(jobs):\n"
        "    Pay.perform_later(7)\n"
        "    jobs.drain()\n"
        "    assert len(heard) == 1\n",
        "utf-8",
    )

    pytester.runpytest().assert_outcomes(passed=1)


def test_an_error_in_it_comes_out_of_the_verb(pytester, run_test):
    pytester.makeconftest("""
        def pytest_jobs_delivered(delivery):
            raise RuntimeError("the hook broke")
    """)
    run_test("""
        import pytest
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(7)
            with pytest.raises(RuntimeError, match="the hook broke"):
                jobs.drain()
            assert len(jobs.performed) == 1
    """).assert_outcomes(passed=1)
