"""`assert_enqueued_in_order` asks for exactly these jobs, one after the other."""

import pytest

import pytest_jobs
from pytest_jobs import Job, job, open_jobs, retry_on


@job
def fetch(page): ...


@job(queue="images")
def resize(page, size=10): ...


@retry_on(TimeoutError, wait=5, attempts=2)
class Publish(Job):
    def perform(self):
        if self.attempt == 1:
            raise TimeoutError


class PublishMore(Publish):
    pass


def test_it_returns_the_records_in_order(jobs, assert_enqueued_in_order):
    fetch.perform_later(1)
    resize.perform_later(1, size=20)
    Publish.perform_later()

    records = assert_enqueued_in_order([fetch, (resize, {"params": {"size": 20}}), Publish])

    assert [record.name for record in records] == [r.name for r in jobs.enqueued]


def test_retries_and_redeliveries_do_not_count(jobs, assert_enqueued_in_order):
    Publish.perform_later()
    jobs.drain()
    jobs.redeliver(jobs.enqueued[0])

    assert len(assert_enqueued_in_order([Publish])) == 1


def test_an_empty_list_is_an_expectation(jobs, assert_enqueued_in_order, failure):
    assert assert_enqueued_in_order([]) == ()

    Publish.perform_later()

    text = failure(assert_enqueued_in_order, [])
    assert text.startswith("Publish() was enqueued too, at index 0.\n")


def test_within_a_window_only(jobs, assert_enqueued_in_order, failure):
    fetch.perform_later(1)
    with jobs.capture() as sent:
        resize.perform_later(1)

    assert assert_enqueued_in_order([resize], within=sent) == tuple(sent)
    assert failure(assert_enqueued_in_order, [fetch], within=sent).splitlines()[:2] == [
        "resize(1) was enqueued at index 0, not fetch.",
        "Expected exactly 1 job enqueued inside `within`, in this order",
    ]


def test_a_subclass_is_another_job(jobs, assert_enqueued_in_order):
    PublishMore.perform_later()

    with pytest.raises(
        AssertionError, match=r"PublishMore\(\) was enqueued at index 0, not Publish\."
    ):
        assert_enqueued_in_order([Publish])


def test_jobs_outside_of_a_list_are_refused_with_the_line_to_write(
    jobs, assert_enqueued_in_order, assert_batched, refusal
):
    for given in (assert_enqueued_in_order, assert_batched):
        name = repr(given).strip("<>")
        assert refusal(given, fetch, resize) == (
            f"{name} is given 2 things: write {name}([fetch, resize]), one list."
        )


@pytest.mark.parametrize("expected", [fetch, "fetch", None])
def test_what_is_no_list_is_refused(jobs, assert_enqueued_in_order, refusal, expected):
    assert refusal(assert_enqueued_in_order, expected) == (
        f"assert_enqueued_in_order({expected!r}) is given no list: write the jobs in the order in which they are "
        "enqueued, as in [Fetch, (Resize, {'params': {'size': 10}})]."
    )


def test_what_is_no_pair_is_refused(jobs, assert_enqueued_in_order, refusal):
    assert refusal(assert_enqueued_in_order, [(fetch, 1)]) == (
        f"({fetch!r}, 1) is not a place in a list of jobs: write a job, or a pair such as (Resize, {{'params': "
        "{'size': 10}})."
    )


@pytest.mark.parametrize("name", ["count", "within", "attempt", "timeout"])
def test_criteria_of_a_whole_search_are_refused(jobs, assert_enqueued_in_order, refusal, name):
    assert refusal(assert_enqueued_in_order, [(fetch, {name: 1})]).startswith(
        f"assert_enqueued_in_order() knows no criterion {name!r}"
    )


def test_it_can_be_imported():
    with open_jobs():
        fetch.perform_later(1)

        assert pytest_jobs.assert_enqueued_in_order([fetch])[0].args == (1,)


def test_the_test_has_seen_them(jobs, assert_enqueued_in_order):
    fetch.perform_later(1)

    assert assert_enqueued_in_order([fetch])[0].seen
