"""A call that `perform` would refuse is refused when the job is enqueued."""

import inspect

import pytest
from hypothesis import given, settings, strategies as st

from pytest_jobs import Job, job
from pytest_jobs.core.foundation.signature import Binder
from pytest_jobs.errors import SignatureError


class Pay(Job):
    def perform(self, amount, /, currency="EUR", *notes, urgent, retries=3, **details):
        return [amount, currency, notes, urgent, retries, details]


@job
def pay(amount, /, currency="EUR", *notes, urgent, retries=3, **details):
    return [amount, currency, notes, urgent, retries, details]


class Ship(Job):
    def perform(self, order_id: int, *, carrier: str = "post") -> None:
        pass


@pytest.mark.parametrize("job", [Pay, pay])
@pytest.mark.parametrize(
    ("args", "kwargs", "result"),
    [
        ((1,), {"urgent": True}, [1, "EUR", (), True, 3, {}]),
        ((1, "USD", "a", "b"), {"urgent": True}, [1, "USD", ("a", "b"), True, 3, {}]),
        (
            (1,),
            {"currency": "USD", "urgent": 0, "retries": 5, "amount": 2, "self": 3, "cls": 4},
            [1, "USD", (), 0, 5, {"amount": 2, "self": 3, "cls": 4}],
        ),
    ],
)
def test_every_kind_of_parameter_takes_its_arguments(adapter, job, args, kwargs, result):
    job.perform_later(*args, **kwargs)

    assert [execution.result for execution in adapter.perform_due()] == [result]


PAY = "pay(amount, /, currency='EUR', *notes, urgent, retries=3, **details)"
SHIP = "Ship(order_id: int, *, carrier: str = 'post') -> None"


@pytest.mark.parametrize(
    ("job", "args", "kwargs", "reason"),
    [
        (Ship, (), {}, "missing 1 required positional argument: 'order_id'"),
        (Ship, (1, 2), {}, "takes 1 positional argument but 2 were given"),
        (Ship, (), {"id": 1}, "got an unexpected keyword argument 'id'"),
        (Ship, (1,), {"order_id": 1}, "got multiple values for argument 'order_id'"),
        (pay, (1,), {}, "missing 1 required keyword-only argument: 'urgent'"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_as_python_would(adapter, job, args, kwargs, reason):
    with pytest.raises(SignatureError) as raised:
        job.perform_later(*args, **kwargs)

    taken = SHIP if job is Ship else PAY
    assert str(raised.value) == (
        f"{taken.partition('(')[0]}.perform() {reason}. The job takes {taken}."
    )
    assert isinstance(raised.value, TypeError)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert adapter.enqueued == []


def test_a_question_of_python_ends_with_one_mark():
    error = TypeError("got an unexpected keyword argument 'cent'. Did you mean 'cents'?")

    said = Binder(lambda cents: None, label="pay").misfit(error, "pay")

    assert said.endswith("Did you mean 'cents'? The job takes pay(cents).")


def test_a_default_is_not_copied(adapter):
    class Collect(Job):
        def perform(self, into=[]):  # noqa: B006
            into.append(1)
            return list(into)

    assert [Collect.perform_now(), Collect.perform_now()] == [[1], [1, 1]]


def _bind(function, *args, **kwargs):
    return Binder(function, label="f").bind(*args, **kwargs)


def test_values_are_named_by_parameter():
    def function(first, /, second=2, *others, third, fifth=5, **rest):
        return first, second, rest

    binder = Binder(function, label="f")
    own = Binder(lambda first: first, label="f")

    assert binder.named((1,), {"third": 3, "fourth": 4}) == {
        "first": 1,
        "second": 2,
        "others": (),
        "third": 3,
        "fifth": 5,
        "fourth": 4,
    }
    assert own.named((1,), {}) == {"first": 1}
    assert [binder.accepts(name) for name in ("second", "anything")] == [True, True]
    assert [own.accepts(name) for name in ("first", "second")] == [True, False]
    # None for what is required by position, where it can be.
    assert binder.blank() == ((None,), {"third": None})


def test_leading_parameters_can_be_left_to_the_callee():
    def method(self, first, second=2):
        pass

    binder = Binder(method, label="f", skip=1)

    assert str(binder.signature) == "(first, second=2)"
    assert binder.names == ("first", "second")
    assert [parameter.name for parameter in binder.required] == ["first"]
    assert binder.bind(1) == (1, 2)


def test_a_keyword_may_have_the_name_of_a_positional_only_parameter():
    def function(first, /, **rest):
        return first, rest

    assert _bind(function, 1, first=2) == function(1, first=2)


NAMES = ["a", "b", "c", "d", "e", "call", "_default_a", "self", "return_"]
KINDS = list(inspect._ParameterKind)


@st.composite
def signatures(draw):
    """Any signature that Python allows, over a few names."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=6))
    kinds = sorted(draw(st.lists(st.sampled_from(KINDS), min_size=len(names), max_size=len(names))))
    parameters = []
    optional = False
    for name, kind in zip(names, kinds, strict=True):
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            if all(parameter.kind is not kind for parameter in parameters):
                parameters.append(inspect.Parameter(name, kind))
            continue
        positional = kind is not inspect.Parameter.KEYWORD_ONLY
        has_default = (positional and optional) or draw(st.booleans())
        optional = optional or (positional and has_default)
        default = draw(st.integers()) if has_default else inspect.Parameter.empty
        parameters.append(inspect.Parameter(name, kind, default=default))
    return inspect.Signature(parameters)


@settings(deadline=None)
@given(
    signature=signatures(),
    args=st.lists(st.integers(), max_size=5),
    kwargs=st.dictionaries(st.sampled_from([*NAMES, "z"]), st.integers(), max_size=4),
)
def test_a_binder_accepts_what_the_signature_binds_and_returns_the_same(signature, args, kwargs):
    positional_only = {p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_ONLY}
    # Before Python 3.12.4 `bind` takes such a keyword for the parameter; the call itself does not.
    kwargs = {name: value for name, value in kwargs.items() if name not in positional_only}

    def function(*args, **kwargs):
        pass

    function.__signature__ = signature
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            _bind(function, *args, **kwargs)
    else:
        bound.apply_defaults()
        returned = _bind(function, *args, **kwargs)

        assert returned == tuple(bound.arguments.values())
