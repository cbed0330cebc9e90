"""Stores of batches: one suite over memory, a fake redis and a real one."""

import threading

import fakeredis
import pytest
import redis
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import Job, RedisStore
from pytest_jobs.core.enqueueing.enqueue import payload_of
from pytest_jobs.core.foundation.protocols import BatchFacts
from pytest_jobs.errors import BatchError, StoreError, UnknownJobError


class Report(Job):
    def perform(self, n): ...


COMPLETE = payload_of(Report.new(1), 0)
SUCCESS = payload_of(Report.new(2), 0)
BOTH = {"complete": COMPLETE, "success": SUCCESS}


@pytest.fixture
def batches(store):
    return store.batches


def begin(batches, *job_ids, callbacks=BOTH):
    return batches.add("b", job_ids, callbacks)


def end(batches, job_id, performed=True):
    due = batches.end("b", job_id, performed=performed)
    return None if due is None else list(due)


def test_a_batch_that_nobody_began_is_not_kept(batches):
    batches.handed_over("b", "1")
    batches.withdraw("b", "1")
    batches.sent("b", "complete")

    assert batches.facts("b") is None
    assert batches.end("b", "1", performed=True) is None
    assert batches.settle("b", "b") == {}


def test_jobs_are_announced_and_pending_in_their_batch_alone(batches):
    assert begin(batches, "1") == ["1"]
    assert batches.add("other", ["1", "2"], BOTH) == ["1", "2"]
    end(batches, "1")

    assert batches.facts("other") == BatchFacts(total=2, pending=2, failed=0)


def test_what_was_announced_and_not_handed_over_is_missing_still(batches):
    begin(batches, "1", "2", "3")
    batches.handed_over("b", "2")

    assert begin(batches, "1", "2", "3") == ["1", "3"]
    assert batches.facts("b") == BatchFacts(total=3, pending=3, failed=0)


def test_what_has_ended_is_not_missing_though_nobody_said_that_it_was_handed_over(batches):
    begin(batches, "1", "2")
    end(batches, "1")
    batches.handed_over("b", "1")

    assert begin(batches, "1", "2") == ["2"]
    assert batches.facts("b") == BatchFacts(total=2, pending=1, failed=0)


def test_the_first_callbacks_of_a_batch_come_back_as_they_were_given(batches):
    begin(batches, "1")
    begin(batches, "1", callbacks={"complete": SUCCESS, "success": COMPLETE})
    due = batches.end("b", "1", performed=True)

    assert [(due[name].job, due[name].arguments) for name in due] == [
        (Report, COMPLETE.arguments),
        (Report, SUCCESS.arguments),
    ]


def test_callbacks_of_other_jobs_are_those_of_another_batch(batches):
    begin(batches, "1")

    with pytest.raises(BatchError) as caught:
        begin(batches, "2", callbacks={"complete": COMPLETE})
    assert str(caught.value) == (
        f"The batch b is kept with on_complete {__name__}.Report, on_success {__name__}.Report, and is enqueued "
        f"here with on_complete {__name__}.Report, which would never be called: give each batch an id of its own, "
        'which says what it is for, such as Batch(f"import-{file_id}").'
    )
    assert batches.facts("b") == BatchFacts(total=1, pending=1, failed=0)
    assert batches.add("b", ["2"], None) == ["2"]


def test_the_last_job_that_ends_is_told_the_callbacks_and_no_other(batches):
    begin(batches, "1", "2")

    assert end(batches, "1") == []
    assert end(batches, "2") == ["complete", "success"]
    assert end(batches, "1") == []
    assert batches.settle("b", "b") == {}


def test_who_was_told_is_told_again_until_it_has_sent_them(batches):
    begin(batches, "1")
    end(batches, "1")
    assert end(batches, "1") == ["complete", "success"]

    batches.sent("b", "complete")
    assert end(batches, "1") == ["success"]
    batches.sent("b", "success")
    batches.sent("b", "success")
    assert end(batches, "1") == []


@pytest.mark.parametrize(
    ("ends", "failed"), [((True, True), 0), ((False, False), 1), ((True, False), 0)]
)
def test_a_job_that_ends_twice_counts_once_and_one_that_was_performed_stays_so(
    batches, ends, failed
):
    begin(batches, "1", "2")
    for performed in ends:
        end(batches, "1", performed=performed)

    assert batches.facts("b") == BatchFacts(total=2, pending=1, failed=failed)


def test_a_batch_with_a_failure_is_complete_and_no_success_until_it_is_performed(batches):
    begin(batches, "1", "2")
    end(batches, "1", performed=False)

    assert end(batches, "2") == ["complete"]
    assert batches.facts("b") == BatchFacts(total=2, pending=0, failed=1)
    batches.sent("b", "complete")
    assert end(batches, "1") == ["success"]
    assert batches.facts("b") == BatchFacts(total=2, pending=0, failed=0)


def test_an_empty_batch_is_done_when_it_is_settled(batches):
    assert begin(batches) == []
    assert batches.facts("b") == BatchFacts(total=0, pending=0, failed=0)

    assert list(batches.settle("b", "b")) == ["complete", "success"]


def test_a_job_that_is_withdrawn_is_none_of_the_batch_unless_it_was_handed_over(batches):
    begin(batches, "1", "2")
    for job_id in ("1", "1", "2"):
        batches.withdraw("b", job_id)
    assert batches.facts("b") == BatchFacts(total=0, pending=0, failed=0)
    assert batches.end("b", "1", performed=True) is None

    assert begin(batches, "1") == ["1"]
    batches.handed_over("b", "1")
    batches.withdraw("b", "1")
    assert batches.facts("b") == BatchFacts(total=1, pending=1, failed=0)


def test_a_finished_batch_takes_no_further_job_and_lacks_none_that_was_withdrawn(batches):
    begin(batches, "1", "2")
    batches.withdraw("b", "1")
    end(batches, "2")

    assert begin(batches, "1", "2") == []
    assert begin(batches, "1", "2", "3") is None
    assert batches.facts("b") == BatchFacts(total=1, pending=0, failed=0)


def test_a_finished_batch_takes_further_ones_of_a_job_that_had_failed(batches):
    begin(batches, "1", "2")
    end(batches, "1", performed=False)
    end(batches, "2")
    assert batches.add("b", ["3"], None, "2") is None
    assert batches.add("b", ["3"], None, "1") == ["3"]
    assert batches.facts("b") == BatchFacts(total=3, pending=1, failed=1)

    assert end(batches, "1") == []
    batches.sent("b", "complete")
    assert end(batches, "3") == ["success"]


def test_it_is_finished_without_any_callback_too(batches):
    begin(batches, "1", callbacks={"success": SUCCESS})
    end(batches, "1", performed=False)

    assert begin(batches, "2", callbacks={"success": SUCCESS}) is None


def test_a_batch_that_has_to_be_there_and_is_not_takes_no_job(batches):
    assert begin(batches, "1", callbacks=None) is None
    assert batches.facts("b") is None

    begin(batches, "1")
    assert begin(batches, "2", callbacks=None) == ["2"]


def test_of_many_threads_one_is_told(batches):
    job_ids = [str(number) for number in range(8)]
    begin(batches, *job_ids)
    told = []
    threads = [
        threading.Thread(target=lambda each=each: told.append(end(batches, each)))
        for each in job_ids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [[]] * 7 + [["complete", "success"]]


def test_redis_forgets_a_batch_thirty_days_after_the_last_that_happened(redis_url):  # noqa: F811
    with redis.Redis.from_url(patient(redis_url), decode_responses=True) as client:
        batches = RedisStore(client, prefix="ending:").batches
        begin(batches, "1")
        client.expire("ending:batch:b", 100)
        end(batches, "1")

        assert 2_591_000 <= client.ttl("ending:batch:b") <= 2_592_000


def test_a_redis_that_does_not_answer_is_an_error():
    server = fakeredis.FakeServer()
    batches = RedisStore(fakeredis.FakeRedis(server=server)).batches
    server.connected = False

    with pytest.raises(StoreError) as caught:
        begin(batches, "1")
    assert str(caught.value).startswith(
        "Could not add jobs to batch b: redis answers with ConnectionError: "
    )
    with pytest.raises(StoreError, match=r"^Could not look at batch b: "):
        batches.facts("b")


def test_a_callback_that_no_other_process_can_find_is_refused_by_redis():
    class Local(Job):
        def perform(self): ...

    batches = RedisStore(fakeredis.FakeRedis()).batches

    with pytest.raises(UnknownJobError):
        begin(batches, "1", callbacks={"complete": payload_of(Local.new(), 0)})
