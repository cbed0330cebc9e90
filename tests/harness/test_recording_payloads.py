"""What was enqueued is written into files, one for each job and shape of its arguments."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from pytest_jobs import Job, Jobs, job
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import PayloadError, UnknownJobError


@dataclass
class Money:
    cents: int
    currency: str = "EUR"


class Charge(Job):
    queue = "payments"

    def perform(self, payment_id, money: Money | None = None, *, note=None):
        return payment_id


@job(priority=3)
def send_receipt(order_id, *copies):
    return order_id


@job
def spawn():
    send_receipt.perform_later(7)


def test_a_file_holds_the_payload_without_its_id_and_times(jobs, tmp_path):
    Charge.set(wait=60).perform_later(7, note="x")

    (path,) = jobs.record_payloads(tmp_path)

    assert path.name.startswith(f"{__name__}.Charge-")
    assert path.read_bytes().endswith(b"\n")
    assert json.loads(path.read_text("ascii")) == {
        "format": 1,
        "library": "core",
        "job": f"{__name__}.Charge",
        "parameters": ["payment_id"],
        "payload": {
            "format": 1,
            "job": f"{__name__}.Charge",
            "job_id": "recorded",
            "queue": "payments",
            "priority": None,
            "arguments": [[7], {"note": "x"}],
            "attempt": 1,
            "failures": {},
            "enqueued_ns": 0,
            "due_ns": None,
            "headers": {},
        },
    }


def test_names_and_bytes_are_the_same_in_every_run_and_a_second_one_writes_nothing(jobs, tmp_path):
    send_receipt.perform_later("some", "copies")

    (first,) = jobs.record_payloads(tmp_path / "first")
    jobs.clock.move_to(datetime(2040, 1, 1, tzinfo=UTC))
    send_receipt.perform_later("other", "copies")
    (second,) = jobs.record_payloads(tmp_path / "second")

    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    first.write_text("kept")
    assert jobs.record_payloads(tmp_path / "first") == ()
    assert first.read_text() == "kept"


DAY = date(2030, 1, 1)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        *(
            (values, 1)
            for values in (
                (1, 2),
                ({"a": 1}, {"a": 9}),
                ([1, 2], [3]),
                ([{"a": 1}], [{"a": 2}, {"a": 3}]),
                (DAY, date(2031, 1, 1)),
                (("a", 1), ("b", 2)),
                ({1, 2}, {3}),
            )
        ),
        # Others types are another shape.
        ((1, "1", 1.0, True, None), 5),
        (({"a": 1}, {"b": 1}), 2),
        (([1], [], [1, "2"], {1}), 4),
        ((DAY, "2030-01-01"), 2),
        ((("a", 1), (1, "a")), 2),
    ],
)
def test_other_values_are_the_same_shape_and_other_types_another(jobs, tmp_path, values, count):
    for value in values:
        send_receipt.perform_later(value)

    assert len(jobs.record_payloads(tmp_path)) == count


def test_how_many_arguments_there_are_and_how_they_were_passed_is_part_of_the_shape(jobs, tmp_path):
    Charge.perform_later(1)
    Charge.perform_later(payment_id=1)
    send_receipt.perform_later(1)
    send_receipt.perform_later(1, 2)

    assert len(jobs.record_payloads(tmp_path)) == 4


def test_what_jobs_enqueued_is_recorded_and_retries_are_not(jobs, tmp_path):
    spawn.perform_later()
    jobs.drain()
    jobs.redeliver(jobs.enqueued[0])

    names = [path.name for path in jobs.record_payloads(tmp_path)]

    assert [name.rpartition("-")[0] for name in names] == [
        f"{__name__}.send_receipt",
        f"{__name__}.spawn",
    ]


def test_recording_nothing_is_an_error(jobs, tmp_path):
    with pytest.raises(PayloadError) as raised:
        jobs.record_payloads(tmp_path / "payloads")

    assert str(raised.value) == (
        f"Nothing has been enqueued, so there is no payload to record in {tmp_path / 'payloads'}: enqueue "
        "first, or ask `if jobs.enqueued:` before."
    )
    assert not (tmp_path / "payloads").exists()


def test_a_job_inside_a_function_cannot_be_recorded(jobs, tmp_path):
    @job
    def local():
        """Do nothing."""

    send_receipt.perform_later(1)
    local.perform_later()
    with pytest.raises(UnknownJobError, match="was defined inside a function"):
        jobs.record_payloads(tmp_path)

    assert list(tmp_path.iterdir()) == []


class Silent(ReferenceBridge):
    """A bridge that cannot write payloads."""

    written = None


def test_a_library_that_writes_no_text_is_an_error(tmp_path):
    with Jobs([Silent()]) as jobs:
        send_receipt.perform_later(1)
        with pytest.raises(PayloadError) as raised:
            jobs.record_payloads(tmp_path)

    assert str(raised.value) == (
        "send_receipt(1) cannot be recorded: the bridge of core does not write payloads as text. Give it "
        "`written` and `record_from`, or record in tests that enqueue no such job."
    )
