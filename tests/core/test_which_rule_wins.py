"""The most specific rule wins, then the nearest class, then the topmost decorator."""

import pytest
from tables import each_row

from pytest_jobs import Job, after_perform, before_perform, discard_on, job, rescue_from, retry_on


class PaymentError(Exception):
    pass


class CardError(PaymentError):
    pass


class CardExpired(CardError):
    pass


def _ruled(*rules, raises=(), base=Job):
    """Return a job with these rules, the topmost first, that raises the error it is given the number of."""

    class Ruled(base):
        if raises:

            def perform(self, number=0):
                raise raises[number]

    for rule in reversed(rules):
        rule(Ruled)
    return Ruled


def _statuses(adapter, job, count=1):
    jobs = [job.perform_later(number) for number in range(count)]
    return [adapter.perform(job.payload).status for job in jobs]


class Rescuing(Job):
    @rescue_from(CardError)
    def rescue(self, error):
        raise AssertionError

    @rescue_from(CardExpired)
    def renew(self, error):
        pass

    def perform(self, number):
        raise (CardError(), CardExpired())[number]


def _caused(error, cause):
    error.__cause__ = cause
    return error


def _circle(error, cause):
    return _caused(error, _caused(cause, error))


@job
def _fails(number):
    raise CardError


class WhileHandling(Job):
    def perform(self, number):
        try:
            raise CardError
        except CardError:
            raise KeyError  # noqa: B904


THREE = (CardExpired(), PaymentError(), KeyError())
DISCARDING = _ruled(discard_on(CardError), raises=[CardError()])
RETRYING = _ruled(retry_on(CardError), raises=[CardError()], base=DISCARDING)
PLAIN = _ruled(raises=[CardError()])
RULED_BELOW = _ruled(discard_on(CardError), base=PLAIN)
BASE_OF_DISCARDING = _ruled(discard_on(CardExpired), raises=[CardExpired(), CardError()])
DISCARDS, RETRIES = _ruled(discard_on(CardError)), _ruled(retry_on(CardError))


@each_row(
    ("what", "job", "statuses"),
    [
        (
            "the nearest exception class wins, declared above",
            _ruled(
                retry_on(Exception), discard_on(CardError), retry_on(PaymentError), raises=THREE
            ),
            ["discarded", "retried", "retried"],
        ),
        (
            "the nearest exception class wins, declared below",
            _ruled(
                retry_on(PaymentError), discard_on(CardError), retry_on(Exception), raises=THREE
            ),
            ["discarded", "retried", "retried"],
        ),
        (
            "among several classes of one rule the nearest counts",
            _ruled(
                retry_on(CardError),
                discard_on(Exception, CardExpired),
                raises=[CardExpired(), CardError(), KeyError()],
            ),
            ["discarded", "retried", "discarded"],
        ),
        (
            "an error without a rule fails the job",
            _ruled(retry_on(CardExpired), raises=[CardError()]),
            ["failed"],
        ),
        (
            "a more specific rule of a parent wins over a wider one of the class",
            _ruled(retry_on(PaymentError), base=BASE_OF_DISCARDING),
            ["discarded", "retried"],
        ),
        ("for the same error a class has its own rule", DISCARDING, ["discarded"]),
        ("for the same error the nearest class wins", RETRYING, ["retried"]),
        ("and so it does for those below", _ruled(base=RETRYING), ["retried"]),
        ("the first base is nearest", type("First", (DISCARDS, RETRIES, PLAIN), {}), ["discarded"]),
        ("also the other way round", type("Second", (RETRIES, DISCARDS, PLAIN), {}), ["retried"]),
        (
            "on one class the topmost decorator wins",
            _ruled(discard_on(CardError), retry_on(CardError), raises=[CardError()]),
            ["discarded"],
        ),
        ("and on a function", retry_on(CardError)(discard_on(CardError)(_fails)), ["retried"]),
        (
            "a decorator wins over a method of the same class",
            discard_on(CardError)(Rescuing),
            ["discarded", "performed"],
        ),
        ("a rule of a class holds for it", RULED_BELOW, ["discarded"]),
        ("and not for its sibling", _ruled(base=PLAIN), ["failed"]),
        ("and not for its parent", PLAIN, ["failed"]),
        (
            "the error itself is asked before its cause",
            _ruled(
                retry_on(Exception),
                discard_on(CardError),
                raises=[_caused(KeyError(), CardError())],
            ),
            ["retried"],
        ),
        (
            "an error that was raised while another was handled is no cause",
            discard_on(CardError)(WhileHandling),
            ["failed"],
        ),
        (
            "causes may go in a circle without a rule",
            _ruled(raises=[_circle(KeyError(), ValueError())]),
            ["failed"],
        ),
        (
            "causes may go in a circle with a rule for none of them",
            _ruled(discard_on(CardError), raises=[_circle(KeyError(), ValueError())]),
            ["failed"],
        ),
        (
            "a circle of causes is searched to its end",
            _ruled(discard_on(CardError), raises=[_circle(KeyError(), CardError())]),
            ["discarded"],
        ),
    ],
)
def test_one_rule_decides_what_becomes_of_an_error(adapter, what, job, statuses):
    assert _statuses(adapter, job, len(statuses)) == statuses


def test_of_two_methods_for_the_same_error_the_upper_one_wins(adapter):
    class Pay(_ruled(raises=[CardError()])):
        @rescue_from(CardError)
        def upper(self, error):
            return "upper"

        @rescue_from(CardError)
        def lower(self, error):
            return "lower"

    assert Pay.perform_now() == "upper"


def test_a_rule_that_is_added_to_a_parent_later_holds_for_a_child_that_was_asked_before(adapter):
    base = _ruled(raises=[CardError()])
    pay = _ruled(base=base)

    assert _statuses(adapter, pay) == ["failed"]
    discard_on(CardError)(base)
    assert _statuses(adapter, pay) == ["discarded"]


def test_an_error_that_has_no_rule_is_dealt_with_as_its_cause(adapter):
    handled = []
    cause = CardError()
    rule = discard_on(CardError, then=lambda job, error: handled.append(error))
    pay = _ruled(rule, raises=[_caused(KeyError(), _caused(ValueError(), cause))])

    pay.perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "discarded"
    assert type(execution.error) is KeyError
    assert handled == [cause]


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
