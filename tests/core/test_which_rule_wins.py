"""The most specific rule wins, then the nearest class, then the topmost decorator."""

import pytest

from pytest_jobs import (
    Job,
    after_perform,
    before_perform,
    discard_on,
    job,
    rescue_from,
    retry_on,
)


class PaymentError(Exception):
    pass


class CardError(PaymentError):
    pass


class CardExpired(CardError):
    pass


def _job(*errors):
    """Return a base whose `perform` raises the error that it is given the number of."""

    class Raising(Job):
        def perform(self, number=0):
            raise errors[number]

    return Raising


def _statuses(adapter, job, count=1):
    jobs = [job.perform_later(number) for number in range(count)]
    return [adapter.perform(job.payload).status for job in jobs]


def test_the_nearest_exception_class_wins_whatever_the_order(adapter):
    @retry_on(Exception)
    @discard_on(CardError)
    @retry_on(PaymentError)
    class Above(_job(CardExpired(), PaymentError(), KeyError())):
        pass

    @retry_on(PaymentError)
    @discard_on(CardError)
    @retry_on(Exception)
    class Below(_job(CardExpired(), PaymentError(), KeyError())):
        pass

    assert _statuses(adapter, Above, 3) == ["discarded", "retried", "retried"]
    assert _statuses(adapter, Below, 3) == ["discarded", "retried", "retried"]


def test_among_several_classes_of_one_rule_the_nearest_counts(adapter):
    @retry_on(CardError)
    @discard_on(Exception, CardExpired)
    class Pay(_job(CardExpired(), CardError(), KeyError())):
        pass

    assert _statuses(adapter, Pay, 3) == ["discarded", "retried", "discarded"]


def test_an_error_without_a_rule_fails_the_job(adapter):
    @retry_on(CardExpired)
    class Pay(_job(CardError())):
        pass

    assert _statuses(adapter, Pay) == ["failed"]


def test_a_more_specific_rule_of_a_parent_wins_over_a_wider_one_of_the_class(adapter):
    @discard_on(CardExpired)
    class Base(_job(CardExpired(), CardError())):
        pass

    @retry_on(PaymentError)
    class Pay(Base):
        pass

    assert _statuses(adapter, Pay, 2) == ["discarded", "retried"]


def test_for_the_same_error_the_nearest_class_wins(adapter):
    @discard_on(CardError)
    class Base(_job(CardError())):
        pass

    @retry_on(CardError)
    class Pay(Base):
        pass

    class PayNow(Pay):
        pass

    assert _statuses(adapter, Base) == ["discarded"]
    assert _statuses(adapter, Pay) == ["retried"]
    assert _statuses(adapter, PayNow) == ["retried"]


def test_with_several_bases_the_method_resolution_order_says_which_class_is_nearest(adapter):
    @discard_on(CardError)
    class Discarding(Job):
        pass

    @retry_on(CardError)
    class Retrying(Job):
        pass

    class First(Discarding, Retrying, _job(CardError())):
        pass

    class Second(Retrying, Discarding, _job(CardError())):
        pass

    assert _statuses(adapter, First) == ["discarded"]
    assert _statuses(adapter, Second) == ["retried"]


def test_for_the_same_error_on_one_class_the_topmost_decorator_wins(adapter):
    @discard_on(CardError)
    @retry_on(CardError)
    class Discarded(_job(CardError())):
        pass

    @retry_on(CardError)
    @discard_on(CardError)
    @job
    def retried(number):
        raise CardError

    assert _statuses(adapter, Discarded) == ["discarded"]
    assert _statuses(adapter, retried) == ["retried"]


def test_a_decorator_wins_over_a_method_of_the_same_class(adapter):
    @discard_on(CardError)
    class Pay(_job(CardError(), CardExpired())):
        @rescue_from(CardError)
        def rescue(self, error):
            raise AssertionError

        @rescue_from(CardExpired)
        def renew(self, error):
            pass

    assert _statuses(adapter, Pay, 2) == ["discarded", "performed"]


def test_of_two_methods_for_the_same_error_the_upper_one_wins(adapter):
    class Pay(_job(CardError())):
        @rescue_from(CardError)
        def upper(self, error):
            return "upper"

        @rescue_from(CardError)
        def lower(self, error):
            return "lower"

    assert Pay.perform_now() == "upper"


def test_a_rule_that_is_added_to_a_parent_later_holds_for_a_child_that_was_asked_before(adapter):
    class Base(_job(CardError())):
        pass

    class Pay(Base):
        pass

    before = _statuses(adapter, Pay)
    discard_on(CardError)(Base)

    assert before == ["failed"]
    assert _statuses(adapter, Pay) == ["discarded"]


def test_a_rule_of_one_class_does_not_hold_for_its_sibling_or_its_parent(adapter):
    class Base(_job(CardError())):
        pass

    @discard_on(CardError)
    class Pay(Base):
        pass

    class Refund(Base):
        pass

    assert _statuses(adapter, Pay) == ["discarded"]
    assert _statuses(adapter, Refund) == ["failed"]
    assert _statuses(adapter, Base) == ["failed"]


def _caused(error, cause):
    error.__cause__ = cause
    return error


def test_an_error_that_has_no_rule_is_dealt_with_as_its_cause(adapter):
    handled = []
    cause = CardError()

    @discard_on(CardError, then=lambda job, error: handled.append(error))
    class Pay(_job(_caused(KeyError(), _caused(ValueError(), cause)))):
        pass

    job = Pay.perform_later()
    (execution,) = adapter.perform_due()

    assert job.enqueued
    assert execution.status == "discarded"
    assert type(execution.error) is KeyError
    assert handled == [cause]


def test_the_error_itself_is_asked_before_its_cause(adapter):
    @retry_on(Exception)
    @discard_on(CardError)
    class Pay(_job(_caused(KeyError(), CardError()))):
        pass

    assert _statuses(adapter, Pay) == ["retried"]


def test_an_error_that_was_raised_while_another_was_handled_is_no_cause(adapter):
    @discard_on(CardError)
    class Pay(Job):
        def perform(self, number):
            try:
                raise CardError
            except CardError:
                raise KeyError  # noqa: B904

    assert _statuses(adapter, Pay) == ["failed"]


@pytest.mark.parametrize("rule", [(), (CardError,)])
def test_causes_may_go_in_a_circle(adapter, rule):
    first, second = KeyError(), ValueError()
    _caused(first, _caused(second, first))
    pay = _job(first)
    if rule:
        discard_on(*rule)(pay)

    assert _statuses(adapter, pay) == ["failed"]


def test_a_circle_of_causes_is_searched_to_its_end(adapter):
    first, second = KeyError(), CardError()
    _caused(first, _caused(second, first))

    assert _statuses(adapter, discard_on(CardError)(_job(first))) == ["discarded"]


@pytest.mark.parametrize("where", ["before", "after", "arguments"])
def test_rules_hold_for_errors_outside_perform_too(adapter, where):
    @discard_on(CardError, TypeError)
    class Pay(Job):
        @before_perform
        def before(self):
            if where == "before":
                raise CardError

        def perform(self, number, **others):
            pass

        @after_perform
        def after(self):
            if where == "after":
                raise CardError

    job = Pay.perform_later(1)
    if where == "arguments":
        job.payload.arguments = "[[],{}]"

    assert [execution.status for execution in adapter.perform_due()] == ["discarded"]
