"""The draining verbs return how many deliveries came to what."""

import pytest

from pytest_jobs import Job, discard_on, retry_on
from pytest_jobs.errors import CriterionError


class Note(Job):
    def perform(self):
        pass


@retry_on(ConnectionError, attempts=3)
@discard_on(KeyError)
class Fail(Job):
    def perform(self, known):
        raise ConnectionError if known == "retry" else KeyError if known == "drop" else ValueError


@pytest.fixture
def tally(jobs):
    Note.perform_later()
    Note.perform_later()
    Fail.perform_later("retry")
    Fail.perform_later("drop")
    Fail.perform_later("fail")
    return jobs.drain(raise_errors=False)


def test_a_tally_counts_deliveries_by_status(tally):
    assert tally == {"performed": 2, "retried": 2, "exhausted": 1, "discarded": 1, "failed": 1}
    assert tally["performed"] == 2
    assert tally.total == 7


@pytest.mark.parametrize("compare", [lambda tally: tally == 7, lambda tally: tally != 7])
def test_a_tally_that_is_compared_with_a_number_asks_which_one(tally, compare):
    with pytest.raises(CriterionError) as refused:
        compare(tally)

    assert str(refused.value) == (
        f"{tally!r} is not a number: compare its total, or its count of one status, as in "
        "jobs.drain().total == 7 and jobs.drain()['performed'] == 7."
    )


def test_a_status_that_did_not_occur_counts_nothing(tally):
    assert tally["halted"] == 0
    assert tally.get("halted") == 0


def test_only_a_status_that_occurred_is_in_a_tally(tally):
    assert "performed" in tally
    assert "halted" not in tally
    assert list(tally) == ["performed", "retried", "discarded", "exhausted", "failed"]
    assert len(tally) == 5


def test_what_is_no_status_is_an_error(tally):
    with pytest.raises(KeyError) as caught:
        tally["done"]

    (message,) = caught.value.args
    assert message == (
        "'done' is not a status: performed, retried, discarded, exhausted, failed, halted, snoozed, cancelled, "
        "crashed"
    )


def test_a_tally_has_the_deliveries_in_order(jobs, tally):
    assert tally.deliveries == tuple(jobs.deliveries)
    assert [delivery.status for delivery in tally.deliveries] == [
        *("performed", "performed", "retried", "discarded", "failed", "retried", "exhausted")
    ]


def test_a_tally_prints_its_counts(tally):
    assert repr(tally) == ("<Tally 2 performed, 2 retried, 1 discarded, 1 exhausted, 1 failed>")


def test_a_verb_that_had_nothing_to_do_says_so(jobs):
    tally = jobs.drain()

    assert tally == {}
    assert (tally.total, tally.deliveries, len(tally)) == (0, (), 0)
    assert repr(tally) == "<Tally nothing performed>"


def test_a_verb_counts_only_what_it_did_itself(jobs, tally):
    Note.perform_later()

    assert jobs.drain() == {"performed": 1}
