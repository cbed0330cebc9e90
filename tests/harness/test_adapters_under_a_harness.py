"""While a harness is open, jobs go to it, whatever adapter the application configures."""

from pytest_jobs import TestAdapter, configure, job
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.core.foundation.settings import settings


@job
def note(text):
    return text


def test_an_adapter_that_is_configured_meanwhile_takes_no_job_away():
    adapter = TestAdapter()
    with open_jobs() as jobs, configure(adapter=adapter):
        note.perform_later("inside")
        assert jobs.drain() == {"performed": 1}

    assert adapter.enqueued == []


def test_it_is_in_force_once_the_harness_is_closed():
    adapter = TestAdapter()
    before = settings._adapter
    with open_jobs():
        restore = configure(adapter=adapter)
    note.perform_later("outside")
    restore()

    assert len(adapter.enqueued) == 1
    assert settings._adapter is before


def test_an_adapter_that_was_configured_before_is_put_back():
    adapter = TestAdapter()
    with configure(adapter=adapter):
        with open_jobs() as jobs:
            note.perform_later("inside")
        note.perform_later("outside")

    assert [record.args for record in jobs.enqueued] == [("inside",)]
    assert [payload.arguments for payload in adapter.enqueued] == ['[["outside"],{}]']


def test_the_innermost_harness_takes_the_jobs():
    with open_jobs() as outer:
        with open_jobs() as inner, configure(adapter=TestAdapter()):
            note.perform_later("inner")
        note.perform_later("outer")

    assert [record.args for record in inner.enqueued] == [("inner",)]
    assert [record.args for record in outer.enqueued] == [("outer",)]
