"""ActiveJob's `job_serialization_test`, `timezones_test`, `translation_test` and `attributes_test`."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pytest_jobs import Job, Payload, after_discard, retry_on
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import SignatureError, UnknownJobError


class Import(Job):
    queue = "files"
    priority = 5

    def perform(self, number, *, name="none"):
        return f"{number} {name}"


def fields(payload):
    names = (name for name in Payload.__slots__ if name != "_job")
    return {name: getattr(payload, name) for name in names}


@pytest.mark.parametrize(
    "transport",
    [lambda data: data, lambda data: json.loads(json.dumps(data))],
    ids=["memory", "json"],
)
def test_s9_a_payload_comes_back_whole(jobs, transport):
    payload = Import.set(wait=60).perform_later(7, name="a").payload
    again = Payload.from_dict(transport(payload.to_dict()))

    assert fields(again) == fields(payload)
    assert again.job is Import


def test_s9_times_are_kept_to_the_nanosecond(jobs):
    data = Import.set(wait=1.000_000_001).perform_later(7).payload.to_dict()

    assert data["due_ns"] - data["enqueued_ns"] == 1_000_000_001
    assert Payload.from_dict(data).due_ns == data["due_ns"]


def test_s9_a_record_shows_when_it_was_enqueued_and_when_it_is_due(jobs):
    now = jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    due = datetime(2030, 1, 1, 3, tzinfo=timezone(timedelta(hours=2)))
    Import.set(at=due).perform_later(7)
    Import.perform_later(8)

    assert [(r.enqueued_at, r.due_at) for r in jobs.enqueued] == [(now, due), (now, None)]


def test_s9_a_class_that_is_unknown_is_told_when_the_job_runs(jobs):
    data = Import.perform_later(7).payload.to_dict()
    jobs.drain()
    settings.adapter.enqueue(Payload.from_dict({**data, "job": "shop.jobs.Gone"}))

    with pytest.raises(UnknownJobError, match=r"No job is named 'shop\.jobs\.Gone'"):
        jobs.drain()
    assert jobs.dead[0].record.payload.arguments == "[[7],{}]"


def test_s9_a_payload_says_neither_locale_nor_timezone_nor_the_id_of_a_provider(jobs):
    data = Import.perform_later(7).payload.to_dict()

    assert sorted(data) == [
        "arguments",
        "attempt",
        "due_ns",
        "enqueued_ns",
        "failures",
        "format",
        "headers",
        "job",
        "job_id",
        "priority",
        "queue",
    ]


def test_s11_a_job_that_needs_the_zone_of_its_caller_takes_it_as_an_argument(jobs):
    zones = []

    @retry_on(ValueError, attempts=1, then=lambda job, error: zones.append(job.params["zone"]))
    class Remind(Job):
        @after_discard
        def look(self, error):
            zones.append(self.params["zone"])

        def perform(self, *, zone="UTC", locale="en"):
            zones.append(zone)
            raise ValueError

    Remind.perform_later(zone="Europe/Warsaw", locale="pl")
    jobs.drain()

    assert zones == ["Europe/Warsaw"] * 3


def test_s12_what_was_left_out_is_the_default_of_the_parameter(jobs):
    Import.perform_later(7)
    jobs.drain()

    assert jobs.performed[0].result == "7 none"


def test_s12_what_the_job_does_not_take_is_refused_at_once(jobs):
    with pytest.raises(SignatureError, match="unexpected keyword argument 'kind'"):
        Import.perform_later(7, kind="csv")
    assert jobs.enqueued == []


def test_s12_what_the_job_does_not_take_any_more_fails_it(jobs):
    Import.perform_later(7).payload.arguments = '[[7],{"kind":"csv"}]'

    with pytest.raises(TypeError, match="unexpected keyword argument 'kind'"):
        jobs.drain()
    assert jobs.dead[0].status == "failed"


def test_s12_a_value_is_not_cast(jobs):
    Import.perform_later("7")

    assert jobs.enqueued[0].args == ("7",)


def test_s12_a_retry_has_the_arguments_and_nothing_that_was_set_on_the_job(jobs):
    seen = []

    @retry_on(ValueError, attempts=3)
    class Step(Job):
        position = 0

        def perform(self, start, *, end):
            seen.append((start, end, self.position))
            self.position += 1
            if self.attempt < 3:
                raise ValueError

    Step.perform_later(1, end=9)
    jobs.drain()

    assert seen == [(1, 9, 0)] * 3
