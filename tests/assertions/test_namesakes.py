"""Two job classes of one name are two jobs."""

import importlib

import pytest

from pytest_jobs import Job, job
from pytest_jobs.errors import AmbiguousJobError


def make(queue_name):
    class Pay(Job):
        queue = queue_name

        def perform(self, payment_id):
            return queue_name

    return Pay


def test_each_class_finds_its_own_jobs(jobs, assert_enqueued):
    first, second = make("first"), make("second")
    first.perform_later(1)
    second.perform_later(2)

    assert first.__declaration__.name == second.__declaration__.name
    assert assert_enqueued(first).queue == "first"
    assert assert_enqueued(second).queue == "second"


def test_a_namesake_is_not_counted(jobs, assert_enqueued, assert_not_enqueued, failure):
    first, second = make("first"), make("second")
    first.perform_later(1)

    assert_not_enqueued(second)
    assert failure(assert_enqueued, second).splitlines()[:2] == [
        "No Pay was enqueued, only other jobs: 1 of another Pay.",
        "Expected exactly 1 Pay enqueued",
    ]


def test_deliveries_are_told_apart_too(jobs, assert_performed, assert_not_performed):
    first, second = make("first"), make("second")
    first.perform_later(1)
    jobs.drain()

    assert assert_performed(first).result == "first"
    assert_not_performed(second)


def test_a_negative_assertion_about_the_one_says_nothing_of_the_other(jobs, assert_not_performed):
    first, second = make("first"), make("second")
    second.perform_later(1)
    jobs.drain()

    assert_not_performed(first)


def test_functions_of_one_name_are_told_apart(jobs, assert_enqueued, assert_not_enqueued):
    def make_function():
        @job
        def send(to):
            pass

        return send

    first, second = make_function(), make_function()
    first.perform_later("ann")

    assert_enqueued(first)
    assert_not_enqueued(second)


def test_the_name_alone_finds_both(jobs, assert_enqueued):
    first, second = make("first"), make("second")
    first.perform_later(1)
    second.perform_later(2)

    assert len(assert_enqueued(first.__declaration__.name, count=2)) == 2


def test_arguments_of_a_name_that_two_share_cannot_be_asked(jobs, assert_enqueued):
    first, second = make("first"), make("second")
    first.perform_later(1)
    second.perform_later(2)

    with pytest.raises(AmbiguousJobError, match="job classes are named"):
        assert_enqueued(first.__declaration__.name, params={"payment_id": 1})


def test_a_module_that_was_imported_by_two_paths_has_two_jobs_of_one_name(
    jobs, assert_enqueued, failure, tmp_path, monkeypatch
):
    (tmp_path / "twofold").mkdir()
    (tmp_path / "twofold" / "twofold_tasks.py").write_text(
        "from pytest_jobs import job\n\n\n@job\ndef send(): ...\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "twofold")
    near, far = map(importlib.import_module, ("twofold_tasks", "twofold.twofold_tasks"))
    near.send.perform_later()

    assert failure(assert_enqueued, far.send).splitlines()[:2] == [
        "No twofold.twofold_tasks.send was enqueued, only other jobs: 1 twofold_tasks.send.",
        "Expected exactly 1 twofold.twofold_tasks.send enqueued",
    ]


@pytest.fixture
def charges(tmp_path, monkeypatch):
    """Return two jobs of one name in two packages."""
    for package in ("of_billing", "of_shop"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "charges.py").write_text(
            "from pytest_jobs import job\n\n\n@job\ndef charge(order_id=None): ...\n", "utf-8"
        )
    monkeypatch.syspath_prepend(tmp_path)
    return [
        importlib.import_module(f"{package}.charges").charge
        for package in ("of_billing", "of_shop")
    ]


def test_a_name_is_short_where_the_test_knows_no_other(jobs, charges):
    _, of_shop = charges
    of_shop.perform_later(7)

    assert repr(jobs.pending[0]) == "<#0 charge(7) queue='default'>"


def test_a_name_is_as_long_as_it_must_be_to_be_unique(jobs, charges):
    of_billing, of_shop = charges
    of_shop.perform_later(7)
    of_billing.perform_later(7)

    assert [repr(record) for record in jobs.pending] == [
        "<#0 of_shop.charges.charge(7) queue='default'>",
        "<#1 of_billing.charges.charge(7) queue='default'>",
    ]


def test_a_job_that_a_test_asks_for_is_known(jobs, assert_enqueued, failure, charges):
    of_billing, of_shop = charges
    of_shop.perform_later(7)

    assert failure(assert_enqueued, of_billing).splitlines()[:2] == [
        "No of_billing.charges.charge was enqueued, only other jobs: 1 of_shop.charges.charge.",
        "Expected exactly 1 of_billing.charges.charge enqueued",
    ]
