"""Stores of batches: one suite over memory, a fake redis and a real one."""

import threading
import uuid

import fakeredis
import pytest
import redis
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import Job, MemoryStore, RedisStore
from pytest_jobs.core.enqueueing.enqueue import payload_of
from pytest_jobs.core.foundation.protocols import BatchFacts
from pytest_jobs.errors import BatchError, StoreError, UnknownJobError


class Report(Job):
    def perform(self, n): ...


COMPLETE = payload_of(Report.new(1), 0)
SUCCESS = payload_of(Report.new(2), 0)
BOTH = {"complete": COMPLETE, "success": SUCCESS}


@pytest.fixture(
    params=[
        "memory",
        "fakeredis",
        pytest.param("redis", marks=pytest.mark.slow),
        pytest.param("redis with text", marks=pytest.mark.slow),
    ]
)
def batches(request):
    if request.param == "memory":
        yield MemoryStore().batches
    elif request.param == "fakeredis":
        yield RedisStore(fakeredis.FakeRedis()).batches
    else:
        as_text = request.param.endswith("text")
        client = redis.Redis.from_url(
            patient(request.getfixturevalue("redis_url")), decode_responses=as_text
        )
        with client:
            yield RedisStore(client, prefix=f"[{uuid.uuid4()}]*:").batches


def begin(batches, *job_ids, callbacks=BOTH):
    return batches.add("b", job_ids, callbacks)


def end(batches, job_id, performed=True):
    due = batches.end("b", job_id, performed=performed)
    return None if due is None else list(due)


def test_a_batch_that_nobody_began_is_not_kept(batches):
    assert batches.facts("b") is None
    assert batches.end("b", "1", performed=True) is None
    assert batches.settle("b", "b") == {}


def test_jobs_are_announced_and_pending(batches):
    assert begin(batches, "1", "2") == ["1", "2"]

    assert batches.facts("b") == BatchFacts(total=2, pending=2, failed=0)


def test_batches_know_nothing_of_each_other(batches):
    begin(batches, "1")
    batches.add("other", ["1", "2"], BOTH)
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


def test_the_first_callbacks_of_a_batch_stay(batches):
    begin(batches, "1", callbacks={"complete": COMPLETE})
    begin(batches, "1", callbacks={"complete": SUCCESS})

    due = batches.end("b", "1", performed=True)
    assert due["complete"].arguments == COMPLETE.arguments


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


def test_the_last_job_that_ends_is_told_the_callbacks(batches):
    begin(batches, "1", "2")

    assert end(batches, "1") == []
    assert end(batches, "2") == ["complete", "success"]


def test_a_callback_comes_back_as_it_was_given(batches):
    begin(batches, "1")
    due = batches.end("b", "1", performed=True)

    assert [(due[name].job, due[name].arguments) for name in due] == [
        (Report, COMPLETE.arguments),
        (Report, SUCCESS.arguments),
    ]


def test_who_was_told_is_told_again_until_it_has_sent_them(batches):
    begin(batches, "1")
    end(batches, "1")
    assert end(batches, "1") == ["complete", "success"]

    batches.sent("b", "complete")
    assert end(batches, "1") == ["success"]
    batches.sent("b", "success")
    batches.sent("b", "success")
    assert end(batches, "1") == []


def test_another_is_not_told_what_one_was_told(batches):
    begin(batches, "1", "2")
    end(batches, "1")
    end(batches, "2")

    assert end(batches, "1") == []
    assert batches.settle("b", "b") == {}


def test_a_job_that_ends_twice_counts_once(batches):
    begin(batches, "1", "2")
    end(batches, "1")
    end(batches, "1")

    assert batches.facts("b") == BatchFacts(total=2, pending=1, failed=0)


def test_a_job_that_fails_twice_has_failed_once(batches):
    begin(batches, "1", "2")
    end(batches, "1", performed=False)
    end(batches, "1", performed=False)

    assert batches.facts("b") == BatchFacts(total=2, pending=1, failed=1)


def test_a_batch_with_a_failure_is_complete_and_no_success(batches):
    begin(batches, "1", "2")
    end(batches, "1", performed=False)

    assert end(batches, "2") == ["complete"]
    assert batches.facts("b") == BatchFacts(total=2, pending=0, failed=1)


def test_a_failed_job_that_is_performed_after_all_makes_it_a_success(batches):
    begin(batches, "1", "2")
    end(batches, "1", performed=False)
    end(batches, "2")
    batches.sent("b", "complete")

    assert end(batches, "1") == ["success"]
    assert batches.facts("b") == BatchFacts(total=2, pending=0, failed=0)


def test_a_job_that_was_performed_once_stays_so(batches):
    begin(batches, "1", "2")
    end(batches, "1")
    end(batches, "1", performed=False)

    assert batches.facts("b") == BatchFacts(total=2, pending=1, failed=0)


def test_an_empty_batch_is_done_when_it_is_settled(batches):
    assert begin(batches) == []
    assert batches.facts("b") == BatchFacts(total=0, pending=0, failed=0)

    assert list(batches.settle("b", "b")) == ["complete", "success"]


def test_a_job_that_is_withdrawn_is_none_of_the_batch(batches):
    begin(batches, "1", "2")
    batches.withdraw("b", "1")
    batches.withdraw("b", "1")

    assert batches.facts("b") == BatchFacts(total=1, pending=1, failed=0)
    assert batches.end("b", "1", performed=True) is None


def test_a_job_that_was_handed_over_cannot_be_withdrawn(batches):
    begin(batches, "1")
    batches.handed_over("b", "1")
    batches.withdraw("b", "1")

    assert batches.facts("b") == BatchFacts(total=1, pending=1, failed=0)


def test_a_finished_batch_takes_no_further_job(batches):
    begin(batches, "1")
    end(batches, "1")

    assert begin(batches, "1", "2") is None
    assert begin(batches, "1") == []
    assert batches.facts("b") == BatchFacts(total=1, pending=0, failed=0)


def test_what_was_withdrawn_of_a_finished_batch_is_none_that_it_lacks(batches):
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


def test_a_batch_of_which_all_were_withdrawn_is_not_finished_until_it_is_settled(batches):
    begin(batches, "1")
    batches.withdraw("b", "1")

    assert begin(batches, "1") == ["1"]


def test_a_batch_that_has_to_be_there_and_is_not_takes_no_job(batches):
    assert begin(batches, "1", callbacks=None) is None
    assert batches.facts("b") is None

    begin(batches, "1")
    assert begin(batches, "2", callbacks=None) == ["2"]


def test_what_is_noted_of_a_batch_that_is_not_kept_begins_none(batches):
    batches.handed_over("b", "1")
    batches.withdraw("b", "1")
    batches.sent("b", "complete")

    assert batches.facts("b") is None


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
