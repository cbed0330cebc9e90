"""Plugins see each job enqueued, started and finished."""

from contextlib import suppress
from typing import ClassVar

import pytest
from tables import each_row

from pytest_jobs import Job, JobLog, discard_on, hookimpl, hooks, job, retry_on
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeclarationError, EnqueueError


class Log:
    def __init__(self):
        self.lines = []

    @hookimpl
    def job_enqueued(self, job):
        self.lines.append(f"enqueued {job.attempt}")

    @hookimpl
    def job_started(self, job):
        self.lines.append(f"started {job.attempt} {job.args}")

    @hookimpl
    def job_finished(self, job, execution):
        self.lines.append(f"finished {job.attempt} {execution.status}")


@retry_on(ConnectionError, wait=0)
@discard_on(KeyError)
class Pay(Job):
    errors = [ConnectionError, KeyError, ValueError]  # noqa: RUF012

    def perform(self, *errors):
        if len(errors) >= self.attempt and errors[self.attempt - 1] is not None:
            raise self.errors[errors[self.attempt - 1]]


@pytest.mark.parametrize(
    ("errors", "lines"),
    [
        ([None], ["enqueued 1", "started 1 (None,)", "finished 1 performed"]),
        ([1], ["enqueued 1", "started 1 (1,)", "finished 1 discarded"]),
        ([2], ["enqueued 1", "started 1 (2,)", "finished 1 failed"]),
        (
            [0],
            [
                "enqueued 1",
                "started 1 (0,)",
                "enqueued 1",
                "finished 1 retried",
                "started 2 (0,)",
                "finished 2 performed",
            ],
        ),
    ],
)
def test_a_plugin_sees_the_life_of_a_job(adapter, errors, lines):
    log = Log()
    with hooks.using(log):
        Pay.perform_later(*errors)
        adapter.perform_due()

    assert log.lines == lines


def test_a_plugin_sees_a_coroutine_job_and_a_job_performed_now(adapter):
    @job
    async def fetch():
        pass

    log = Log()
    with hooks.using(log):
        fetch.perform_later()
        adapter.perform_due()
        Pay.perform_now()

    assert log.lines == [
        "enqueued 1",
        "started 1 ()",
        "finished 1 performed",
        "started 1 ()",
        "finished 1 performed",
    ]


def test_a_job_that_the_adapter_refuses_is_not_enqueued(clock):
    class Full(TestAdapter):
        def enqueue(self, payload):
            raise EnqueueError

    log = Log()
    with settings.replace(adapter=Full(clock)), hooks.using(log):
        Pay.perform_later()

    assert log.lines == []


@pytest.mark.parametrize("error", [None, KeyError()])
def test_a_plugin_is_registered_for_the_block_alone(adapter, error):
    log = Log()
    with suppress(KeyError), hooks.using(log):
        assert hooks.is_registered(log)
        if error is not None:
            raise error

    Pay.perform_later()

    assert not hooks.is_registered(log)
    assert log.lines == []
    assert (hooks.job_enqueued, hooks.job_started, hooks.job_finished) == (None, None, None)


def test_a_hook_that_no_plugin_implements_stays_off(adapter):
    class Started:
        @hookimpl
        def job_started(self, job):
            pass

    with hooks.using(Started()):
        called = hooks.job_enqueued, hooks.job_started is not None, hooks.job_finished

    assert called == (None, True, None)


def test_several_plugins_see_the_same_job_one_by_its_name_until_it_is_unregistered(adapter):
    first, second = Log(), Log()
    name = hooks.register(first, "log")
    try:
        with hooks.using(second):
            Pay.perform_later()
            adapter.perform_due()
    finally:
        removed = hooks.unregister(name="log")

    assert (name, removed) == ("log", first)
    assert first.lines == second.lines == ["enqueued 1", "started 1 ()", "finished 1 performed"]


def test_a_job_whose_arguments_cannot_be_read_is_not_started(adapter):
    log = Log()
    with hooks.using(log):
        Pay.perform_later().payload.arguments = "?"
        adapter.perform_due()

    assert log.lines == ["enqueued 1", "finished 1 failed"]


class Failing:
    @hookimpl
    def job_enqueued(self, job):
        raise OSError("log is full")


class FailingAtTheStart:
    @hookimpl
    def job_started(self, job):
        raise OSError("log is full")


def test_an_error_of_a_plugin_reaches_the_caller_or_is_one_of_the_job_which_is_not_lost(adapter):
    with hooks.using(Failing()), pytest.raises(OSError, match="log is full"):
        Pay.perform_later()
    (payload,) = adapter.pending

    with hooks.using(FailingAtTheStart()):
        (execution,) = adapter.perform_due()

    assert (execution.status, str(execution.error)) == ("failed", "log is full")
    assert [letter.payload for letter in adapter.dead] == [payload]


class WithoutMarks:
    def job_started(self, job): ...


class Misnamed:
    @hookimpl
    def job_started(self, job): ...

    @hookimpl
    def job_finish(self, job): ...


_NAMES = "of job_enqueued, job_not_enqueued, job_started, job_finished."
_UNMARKED = (
    "what would hear of nothing: mark its functions with @hookimpl, and name them as what they are to hear of, "
    + _NAMES
)


@each_row(
    ("plugin", "text"),
    [
        (WithoutMarks(), _UNMARKED),
        (3, _UNMARKED),
        (
            Misnamed(),
            f"a function 'job_finish', which nothing calls: name it as what it is to hear of, {_NAMES}",
        ),
    ],
)
def test_a_plugin_that_would_hear_of_less_than_it_should_is_refused(plugin, text):
    with pytest.raises(DeclarationError) as caught:
        hooks.register(plugin)

    assert str(caught.value) == f"hooks.register({plugin!r}) is given {text}"
    assert not hooks.is_registered(plugin)
    assert hooks.job_started is None


def test_a_class_in_place_of_a_plugin_is_refused():
    with pytest.raises(DeclarationError, match=r"write hooks.register\(JobLog\(...\)\)"):
        hooks.register(JobLog)


def test_a_class_whose_functions_want_no_instance_is_a_plugin(adapter):
    class Plugin:
        started: ClassVar[list[str]] = []

        @staticmethod
        @hookimpl
        def job_started(job):
            Plugin.started.append(job.__declaration__.name)

    with hooks.using(Plugin):
        assert hooks.job_started is not None
