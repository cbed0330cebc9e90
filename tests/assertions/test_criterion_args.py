"""`args` and `kwargs` are the whole call, bound to the signature of `perform`."""

import pytest

from pytest_jobs import Job, job
from pytest_jobs.errors import SignatureError


class Pay(Job):
    def perform(self, payment_id, currency="EUR", *, urgent=False):
        pass


class Import(Job):
    def perform(self, path, /, *rows, **options):
        pass


class Wait(Job):
    def perform(self, seconds=None):
        pass


class Ping(Job):
    def perform(self):
        pass


def test_a_positional_argument_matches(jobs, assert_enqueued):
    Pay.perform_later(7)
    Pay.perform_later(8)

    assert assert_enqueued(Pay, args=(7,)).args == (7,)


def test_args_may_be_a_list(jobs, assert_enqueued):
    Pay.perform_later(7, "USD")

    assert_enqueued(Pay, args=[7, "USD"])


def test_a_keyword_matches_what_was_passed_by_position(jobs, assert_enqueued):
    Pay.perform_later(7, "USD")

    assert_enqueued(Pay, kwargs={"currency": "USD", "payment_id": 7})


def test_a_position_matches_what_was_passed_by_keyword(jobs, assert_enqueued):
    Pay.perform_later(payment_id=7, currency="USD")

    assert_enqueued(Pay, args=(7, "USD"))


def test_args_and_kwargs_are_one_call(jobs, assert_enqueued):
    Pay.perform_later(7, currency="USD", urgent=True)

    assert_enqueued(Pay, args=(7, "USD"), kwargs={"urgent": True})


def test_a_default_that_is_left_out_is_filled_in(jobs, assert_enqueued):
    Pay.perform_later(7)

    assert_enqueued(Pay, args=(7, "EUR"), kwargs={"urgent": False})


def test_a_default_that_was_passed_need_not_be_expected(jobs, assert_enqueued):
    Pay.perform_later(7, "EUR")

    assert_enqueued(Pay, args=(7,))


def test_args_alone_ask_for_the_default_of_the_others(jobs, assert_enqueued, failure):
    Pay.perform_later(7, "USD")

    assert failure(assert_enqueued, Pay, args=(7,)).splitlines()[:5] == [
        "Expected exactly 1 Pay enqueued with",
        "  args  (7)",
        "but the only Pay enqueued does not match.",
        "",
        "Closest: #0 Pay(7, 'USD') queue='default'",
    ]


@pytest.mark.parametrize("criteria", [{"args": ()}, {"kwargs": {}}, {"args": [], "kwargs": {}}])
def test_no_arguments_are_a_real_expectation(jobs, assert_enqueued, assert_not_enqueued, criteria):
    Wait.perform_later(5)

    assert_not_enqueued(Wait, **criteria)

    Wait.perform_later()
    Wait.perform_later(None)

    assert len(assert_enqueued(Wait, **criteria, count=2)) == 2


def test_no_arguments_match_a_job_without_parameters(jobs, assert_enqueued):
    Ping.perform_later()

    assert_enqueued(Ping, args=(), kwargs={})


def test_none_is_a_real_expectation(jobs, assert_enqueued, assert_not_enqueued):
    Wait.perform_later(0)

    assert_not_enqueued(Wait, args=(None,))

    Wait.perform_later(None)

    assert_enqueued(Wait, args=(None,))


def test_variable_arguments_are_compared_in_order(jobs, assert_enqueued, assert_not_enqueued):
    Import.perform_later("a.csv", 1, 2, sep=";")

    assert_enqueued(Import, args=("a.csv", 1, 2), kwargs={"sep": ";"})
    assert_not_enqueued(Import, args=("a.csv", 2, 1), kwargs={"sep": ";"})
    assert_not_enqueued(Import, args=("a.csv", 1, 2))


def test_arguments_are_compared_after_the_round_trip(jobs, assert_enqueued):
    rows = [1, (2, 3)]
    Import.perform_later("a.csv", rows)
    rows.append(4)

    assert_enqueued(Import, args=("a.csv", [1, (2, 3)]))


def test_the_arguments_of_a_job_function_are_bound_too(jobs, assert_enqueued):
    @job
    def send(to, copy=True):
        pass

    send.perform_later("ann")

    assert_enqueued(send, kwargs={"to": "ann", "copy": True})


def test_each_parameter_that_differs_has_a_line(jobs, assert_enqueued, failure):
    Import.perform_later("a.csv", 1, sep=";", strict=True)

    assert failure(
        assert_enqueued, Import, args=("b.csv", 2), kwargs={"strict": True, "head": 3}
    ).splitlines()[5:9] == [
        "  args  differs  path: expected 'b.csv', got 'a.csv'",
        "                 rows: expected (2,), got (1,)",
        "                 head: expected 3, not given",
        "                 sep: not expected, got ';'",
    ]


def test_too_many_arguments_are_refused(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, args=(1, 2, 3)) == (
        "No Pay can have the arguments (1, 2, 3): Pay.perform() takes from 1 to 2 positional arguments "
        "but 3 were given. The job takes Pay(payment_id, currency='EUR', *, urgent=False). To ask "
        "for some of them only, write params={...}."
    )


def test_too_few_arguments_are_refused(jobs, assert_not_enqueued, refusal):
    assert refusal(assert_not_enqueued, Pay, kwargs={"urgent": True}) == (
        "No Pay can have the arguments (urgent=True): Pay.perform() missing 1 required positional argument: "
        "'payment_id'. The job takes Pay(payment_id, currency='EUR', *, urgent=False). To ask "
        "for some of them only, write params={...}."
    )


def test_a_keyword_that_perform_does_not_take_is_refused(jobs, assert_performed, refusal):
    assert refusal(assert_performed, Pay, args=(1,), kwargs={"colour": "red"}) == (
        "No Pay can have the arguments (1, colour='red'): Pay.perform() got an unexpected keyword argument "
        "'colour'. The job takes Pay(payment_id, currency='EUR', *, urgent=False). To ask "
        "for some of them only, write params={...}."
    )


@pytest.mark.parametrize("args", [7, "abc", b"abc", {1, 2}, None, {"payment_id": 7}])
def test_args_that_are_no_sequence_are_refused(jobs, assert_enqueued, refusal, args):
    assert refusal(assert_enqueued, Pay, args=args) == (
        f"args={args!r} is not a list or tuple of positional arguments."
    )


@pytest.mark.parametrize("kwargs", [7, "abc", [("payment_id", 7)], None])
def test_kwargs_that_are_no_mapping_are_refused(jobs, assert_enqueued, refusal, kwargs):
    assert refusal(assert_enqueued, Pay, kwargs=kwargs) == (
        f"kwargs={kwargs!r} is not a dict of keyword arguments."
    )


@pytest.mark.parametrize("name", ["args", "kwargs", "params"])
def test_arguments_of_no_job_in_particular_are_refused(jobs, assert_not_enqueued, refusal, name):
    assert refusal(assert_not_enqueued, **{name: {}}) == (
        f"{name}= is compared by the signature of a job: name the job too."
    )


def large(value):
    return value > 100


@pytest.mark.parametrize(
    ("criteria", "path"),
    [
        ({"args": [lambda value: value > 100]}, "args[0]"),
        ({"args": [1], "kwargs": {"urgent": lambda value: value}}, "kwargs['urgent']"),
        (
            {"params": {"payment_id": {"a": [1, (2, lambda value: value)]}}},
            "params['payment_id']['a'][1][1]",
        ),
    ],
)
def test_a_function_without_a_name_is_refused(jobs, assert_not_enqueued, refusal, criteria, path):
    Pay.perform_later(700)

    assert refusal(assert_not_enqueued, Pay, **criteria) == (
        f"{path} is a function made on the spot, and arguments are compared, so nothing calls it: write "
        "where=..., or a matcher that compares equal."
    )


def test_a_function_with_a_name_is_compared(jobs, assert_not_enqueued):
    Pay.perform_later(700)

    assert_not_enqueued(Pay, args=[large])


def test_the_text_is_the_one_at_enqueue(jobs, assert_enqueued, refusal):
    with pytest.raises(SignatureError) as caught:
        Pay.perform_later(1, colour="red")

    assert str(caught.value) in refusal(assert_enqueued, Pay, args=(1,), kwargs={"colour": "red"})
