"""Several applications, shared tasks and proxies."""

import pytest
from celery import Celery, _state, shared_task, signature

from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued
from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.errors import AmbiguousJobError, CriterionError
from pytest_jobs.harness.jobs import Jobs


def make_app(name):
    return Celery(
        name, broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1", set_as_current=False
    )


@pytest.fixture
def apps():
    return make_app("shop"), make_app("billing")


@pytest.fixture
def jobs(apps):
    with Jobs([CeleryBridge(apps)]) as jobs:
        yield jobs


def test_one_name_in_two_applications_is_two_tasks_and_cannot_be_asked_for(jobs, apps):
    shop, billing = apps
    ours = shop.task(name="notify", shared=False)(_make("shop"))
    theirs = billing.task(name="notify", shared=False)(_make("billing"))
    assert_not_enqueued = AssertNotEnqueued(lambda: jobs)

    theirs.delay()
    jobs.drain()

    assert [(d.record.job, d.result) for d in jobs.performed] == [(theirs, "billing")]
    assert AssertEnqueued(lambda: jobs)(theirs) is jobs.enqueued[0]
    assert_not_enqueued(ours)
    with pytest.raises(AmbiguousJobError, match=r"'notify' names a task of .*'shop'.*'billing'"):
        assert_not_enqueued("notify")


def test_a_shared_task_is_one_task_wherever_it_is_sent_from(jobs, apps):
    shop, billing = apps
    shared = shared_task(name="shared.work")(_make("shared"))
    assert_enqueued = AssertEnqueued(lambda: jobs)

    for app in (shop, billing):
        app.tasks["shared.work"].delay()
    jobs.drain()

    assert len(assert_enqueued(shared, count=2)) == 2
    assert len(assert_enqueued("shared.work", count=2)) == 2
    assert [d.result for d in jobs.performed] == ["shared", "shared"]


def test_a_task_sent_by_one_application_is_performed_by_the_one_that_has_it(jobs, apps):
    shop, billing = apps
    billing.task(name="billing.only", shared=False)(_make("billed"))

    shop.send_task("billing.only")
    jobs.drain()

    assert jobs.performed[0].result == "billed"


def test_a_proxy_of_an_application_is_that_application():
    from celery import current_app

    app = make_app("current")
    app.set_current()
    try:
        with Jobs([CeleryBridge([current_app])]) as jobs:
            app.send_task("any.name")
            assert len(jobs.enqueued) == 1
    finally:
        from celery import _state

        _state._tls.current_app = None


def test_the_task_of_another_service_is_named_by_a_signature(jobs, apps):
    elsewhere = signature("elsewhere.work", app=apps[0])
    assert_enqueued, assert_not_enqueued = (
        AssertEnqueued(lambda: jobs),
        AssertNotEnqueued(lambda: jobs),
    )

    assert_not_enqueued(elsewhere)
    elsewhere.delay(7)

    with pytest.raises(AssertionError):
        assert_not_enqueued(elsewhere)
    assert_enqueued("elsewhere.work", where=lambda record: record.args == (7,))
    with pytest.raises(Exception, match="its parameters are not known: compare args= and kwargs="):
        assert_enqueued("elsewhere.work", params={"n": 7})
    with pytest.raises(CriterionError, match=r"is named 'shop\.typo'"):
        assert_not_enqueued("shop.typo")


def test_what_a_worker_imports_is_imported_when_a_name_is_missing(tmp_path, monkeypatch):
    (tmp_path / "lazy_tasks.py").write_text(
        "from celery import shared_task\n\n@shared_task(name='lazy.work')\ndef work(): return 'lazy'\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    app = Celery("lazy", broker="redis://127.0.0.1:1/0", include=["lazy_tasks"])

    with Jobs([CeleryBridge([app])]) as jobs:
        app.send_task("lazy.work")
        jobs.drain()

        assert jobs.performed[0].result == "lazy"


def _make(value):
    def body():
        return value

    return body


# An application that takes over


@shared_task
def remind(number):
    if number < 0:
        raise ValueError("negative")
    return number


TOOK_OVER = (
    "test_celery_applications.remind is a shared task, and was sent by the Celery app 'late', not by the Celery "
    "app 'shop': it belongs to the app that was made last. Make the other one with "
    "Celery(..., set_as_current=False)."
)


@pytest.fixture
def late(monkeypatch):
    """Make an application the current one, as one that a test makes is."""
    monkeypatch.setattr(_state, "_tls", _state._TLS())
    monkeypatch.setattr(_state, "default_app", None)
    late = Celery("late", broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr(_state, "default_app", late)
    return late


def test_what_an_application_took_over_is_named_by_failures_results_and_errors(jobs, late):
    result = remind.delay(1)

    with pytest.raises(AssertionError) as raised:
        AssertEnqueued(lambda: jobs)(remind, queue="mail")
    assert f"Hint: {TOOK_OVER}" in str(raised.value)

    jobs.drain()
    with pytest.raises(NotImplementedError) as refused:
        result.get()
    assert str(refused.value).endswith(TOOK_OVER)

    remind.delay(-1)
    with pytest.raises(ValueError, match="negative") as failed:
        jobs.drain()
    assert failed.value.__notes__ == [TOOK_OVER]


def test_a_shared_task_of_the_right_application_has_no_such_hint(jobs, apps, monkeypatch):
    monkeypatch.setattr(_state, "_tls", _state._TLS())
    monkeypatch.setattr(_state, "default_app", apps[0])
    remind.delay(-1)

    with pytest.raises(AssertionError) as raised:
        AssertEnqueued(lambda: jobs)(remind, queue="mail")
    with pytest.raises(ValueError, match="negative") as failed:
        jobs.drain()

    assert "shared task" not in str(raised.value)
    assert not hasattr(failed.value, "__notes__")
