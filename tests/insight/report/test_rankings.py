"""The most frequent and the slowest jobs."""

from report_sample import CHECKOUT, QUIET, SIGN_UP

from pytest_jobs.insight.report.rankings import SHOWN, most_frequent, ranked, slowest

JOBS = ranked([CHECKOUT, SIGN_UP, QUIET])
BY_NAME = {one.name: one for one in JOBS}


def test_a_job_is_counted_over_all_tests():
    welcome, charge = BY_NAME["members.welcome"], BY_NAME["shop.charge"]

    assert (welcome.enqueued, welcome.tests, welcome.library) == (2, 2, "rq")
    assert (charge.enqueued, charge.deliveries, charge.retried, charge.failed) == (1, 3, 2, 0)
    assert BY_NAME["shop.ship"].failed == BY_NAME["members.export"].failed == 1


def test_the_job_that_is_enqueued_most_often_comes_first():
    assert most_frequent(JOBS)[0].name == "members.welcome"
    assert len(most_frequent(JOBS * 5)) == SHOWN


def test_the_slowest_jobs_are_those_whose_attempts_were_measured():
    found = slowest(JOBS)

    assert [one.name for one in found] == ["shop.charge", "shop.place_order", "shop.send_receipt"]
    assert round(found[0].seconds, 3) == 0.057
